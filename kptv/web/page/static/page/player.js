// "Watch here": the channel in the browser, by its own player of HLS or by mpegts.js.

import { byId, copy, put } from "./dom.js";

const LIBRARY = "assets/vendor/mpegts.js-1.8.2/mpegts.js";
const HLS = "application/vnd.apple.mpegurl";
const ELSEWHERE = "Copy a link into VLC or another player.";
const CANNOT = `This browser cannot play this stream. ${ELSEWHERE}`;
const MAYBE_LATER = `It cannot be played here, or not at the moment. ${ELSEWHERE}`;
const ENDED = "The stream ended, or cannot be played at the moment.";

let library = null;
let asked = 0; // to watch; what was begun for an earlier question is ignored
let end = () => {}; // what plays
let shown = null; // the channel
let links = { stream: "", hls: "" };
let hubs = [];

/** Play a channel in the dialog; `context` knows the links that other players take. */
export function watch(channel, context) {
  const dialog = byId("player");
  shown = channel.id;
  links = { stream: context.streamUrl(shown), hls: context.hlsUrl(shown) };
  put(byId("player-title"), channel.name);
  put(byId("player-note"), "Starting…");
  tellRemarks();
  if (!dialog.open) dialog.showModal();
  stop();
  if (prefersHls(byId("video"))) playHls();
  else playByScript();
}

/** What some players cannot have of the channel that is watched; `next`: all that plays. */
export function tellRemarks(next = hubs) {
  hubs = next;
  const remarks = hubs.find(({ id }) => id === shown)?.media.remarks ?? [];
  put(byId("player-remarks"), remarks.join(" "));
}

export function startPlayer() {
  byId("player").addEventListener("close", () => {
    shown = null;
    stop();
  });
  byId("player-copy").onclick = () => copy(links.stream);
  byId("player-copy-hls").onclick = () => copy(links.hls);
  byId("video").addEventListener("playing", () => put(byId("player-note"), ""));
  byId("video").addEventListener("waiting", () => put(byId("player-note"), "Waiting for media…"));
}

/**
 * Whether to leave HLS to the browser. Apple's player is made for it, saves the battery, and hands
 * over to AirPlay; iPhones before iOS 17.1 have nothing else. Other browsers say that they play HLS,
 * too, Chromium among them: there mpegts.js shows a picture sooner and stays closer to now. Each is
 * known by what it can, not by its name: AirPlay is Apple's.
 */
export function prefersHls(video) {
  if (!video.canPlayType(HLS)) return false;
  const feeds = "MediaSource" in globalThis || "ManagedMediaSource" in globalThis;
  return !feeds || "webkitShowPlaybackTargetPicker" in video;
}

function playHls() {
  const video = byId("video");
  let played = false;
  const begun = () => (played = true);
  const failed = () => {
    stop();
    if (played) put(byId("player-note"), ENDED); // to ask again would start what was stopped
    else playByScript(MAYBE_LATER); // HEVC, for one, plays by a script only
  };
  video.addEventListener("playing", begun);
  video.addEventListener("error", failed);
  end = () => {
    video.removeEventListener("playing", begun);
    video.removeEventListener("error", failed);
    video.removeAttribute("src");
    video.load(); // or it would go on asking for segments
  };
  video.src = own(`hls/${encodeURIComponent(shown)}.m3u8`);
  start(video);
}

/** `cannot`: what to say if the browser lets no script play. */
async function playByScript(cannot = CANNOT) {
  const mine = asked;
  const mpegts = await load();
  if (mine !== asked) return;
  if (!mpegts?.isSupported()) return put(byId("player-note"), cannot);
  const video = byId("video");
  mpegts.LoggingControl.enableAll = false;
  const player = mpegts.createPlayer(
    { type: "mpegts", isLive: true, url: own(`stream/${encodeURIComponent(shown)}`) },
    { enableWorker: false, liveBufferLatencyChasing: true, liveBufferLatencyMaxLatency: 4,
      liveBufferLatencyMinRemain: 1, autoCleanupSourceBuffer: true },
  );
  end = () => {
    player.unload();
    player.detachMediaElement();
    player.destroy();
  };
  player.on(mpegts.Events.ERROR, (kind) => {
    if (mine !== asked) return;
    put(byId("player-note"), kind === mpegts.ErrorTypes.NETWORK_ERROR ? ENDED : CANNOT);
  });
  player.attachMediaElement(video);
  player.load();
  start(video);
}

function start(video) {
  const mine = asked;
  Promise.resolve(video.play()).catch(() => {
    if (mine !== asked) return;
    // A browser may allow no sound before somebody has touched the page.
    video.muted = true;
    Promise.resolve(video.play()).catch(() => {});
  });
}

function stop() {
  asked += 1;
  const old = end;
  end = () => {};
  old();
}

const own = (path) => new URL(path, document.baseURI).href;

function load() {
  library ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = () => resolve(globalThis.mpegts);
    script.onerror = () => {
      library = null;
      resolve(null);
    };
    document.head.append(script);
  });
  return library;
}
