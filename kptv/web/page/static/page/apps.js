// What is typed into each application: one address, and what it asks for beside that.

const GUIDE = "Guide (XMLTV), where it asks for one";

// The ways that an application can take, the better one first, and where each begins.
const APPS = [
  { name: "VLC", list: "Media › Open Network Stream" },
  { name: "Kodi", list: "Add-ons › PVR IPTV Simple Client › Configure › M3U playlist URL" },
  { name: "TiviMate", xtream: "Add playlist › Xtream Codes" },
  { name: "IPTV Smarters", xtream: "Add user › Xtream Codes API" },
  {
    name: "Plex",
    tuner: "Settings › Live TV & DVR › Set Up Plex Tuner › enter its address by hand",
    asksForGuide: true,
  },
  {
    name: "Jellyfin", // joins channels to the guide by their ids only if they are of a list
    list: "Dashboard › Live TV › Tuner Devices › M3U Tuner",
    asksForGuide: true,
  },
  {
    name: "Emby",
    tuner: "Settings › Live TV › Add TV Source › HDHomeRun",
    list: "Settings › Live TV › Add TV Source › M3U Tuner",
    asksForGuide: true,
  },
  {
    name: "Channels",
    tuner: "Settings › Add Source › HDHomeRun",
    list: "Settings › Add Source › Custom Channels",
    asksForGuide: true,
    takesNoPath: true,
  },
  {
    name: "An app that wants HLS", // of Apple, of Chromecast, web players
    hls: "A playlist by its address, for phones, TVs and web players that play HLS only",
  },
  { name: "Another app", list: "A playlist by its address (M3U URL), or scan the code" },
  { name: "This browser", page: "Channels › Watch: here, without any app" },
];

/**
 * The applications that can be used with `links`: {name, way, how, what, address, more}; `more` has
 * pairs of a label and what is typed there. Links: list, hls (a list), guide, tuner, server with user and
 * password, page; those that would not work are left out.
 */
export function appsFor(links) {
  return APPS.flatMap((app) => {
    const way = Object.keys(WAYS).find((each) => app[each] && WAYS[each](app, links));
    return way ? [{ name: app.name, way, how: app[way], ...WAYS[way](app, links) }] : [];
  });
}

/** The address of a list whose links lead to HLS. */
export const hlsList = (list) => `${list}?output=hls`;

/** What an application asks for that looks for an HDHomeRun at `base`: host and port. */
export function tunerAt(base) {
  const { protocol, hostname, port, pathname } = new URL(base);
  const path = pathname.replace(/\/$/, "");
  if (protocol !== "http:") return base;
  return `${hostname}:${port || 80}${path}`;
}

const hasPath = (address) => address.replace("://", "").includes("/");

const WAYS = {
  xtream: (app, { server, user, password }) => server && {
    what: "Server",
    address: server,
    more: [["User", user], ["Password", password]],
  },
  tuner: (app, { tuner, guide }) => tuner && !(app.takesNoPath && hasPath(tuner)) && {
    what: "Address of the HDHomeRun",
    address: tuner,
    more: guide && app.asksForGuide ? [[GUIDE, guide]] : [],
  },
  list: (app, { list, guide }) => list && {
    what: "Address of the list",
    address: list,
    more: guide && app.asksForGuide ? [[GUIDE, guide]] : [],
  },
  hls: (app, { hls }) => hls && { what: "Address of the list", address: hls, more: [] },
  page: (app, { page }) => page && { what: "Address of this page", address: page, more: [] },
};
