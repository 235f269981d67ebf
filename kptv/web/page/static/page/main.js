// Joins the parts: hands the messages of the server to the views.

import { act, mayAct, mayLogIn, onAdmin, startAdmin } from "./admin.js";
import { blockedRow, restingRow } from "./blocked.js";
import { fillGroups, startChannels } from "./channels.js";
import { showConnect } from "./connect.js";
import { byId, el, explain, keyed, put, toast } from "./dom.js";
import { follow } from "./feed.js";
import { clock, count, learnSources, rate, size, sourceName, span } from "./format.js";
import { startGuide } from "./guide.js";
import { showInstances } from "./instances.js";
import { startLog } from "./log.js";
import { startPeople } from "./people.js";
import { startPlayer, tellRemarks } from "./player.js";
import { playingCard } from "./playing.js";
import { sourceRow } from "./sources.js";
import { showComplaints, startRules } from "./rules.js";
import { repaint } from "./spark.js";
import { startTheme } from "./theme.js";
import { told } from "./timeline.js";

const VIEWS = ["now", "channels", "guide", "log", "connect", "rules", "people"];
const SHOWN_EVENTS = 14;

let state = null;
let isLocked = false;
let couldAct = false;
let ahead = 0; // seconds by which the server's clock is ahead of ours
let events = [];
let instances = [];

const context = {
  now: () => Date.now() / 1000 + ahead,
  isPlaying: (id) => Boolean(state?.hubs.some((hub) => hub.id === id)),
  streamUrl: (id) => state.stream_url + encodeURIComponent(id),
  hlsUrl: (id) => `${state.hls_url}${encodeURIComponent(id)}.m3u8`,
  isOneOfSeveral: () => instances.length > 1,
  needsLogin: () => state?.needs_login ?? null, // null: not known yet
  hasGuide: () => Boolean(state) && state.guide !== "none",
  isDemo: () => Boolean(state?.demo),
  isTuner: () => Boolean(state?.hdhomerun),
};

const channels = startChannels(context);
const guide = startGuide(context, fillGroups);
const lines = startLog();
const rules = startRules();
const people = startPeople(context);

const heard = {
  live(on) {
    const node = byId("live");
    node.dataset.state = on ? "on" : "off";
    put(node, on ? "Live" : isLocked ? "Locked" : "Reconnecting…");
  },
  locked(on) {
    if (on === isLocked) return;
    isLocked = on;
    showLocked();
  },
  status(next) {
    const renewed = state && (state.started !== next.started || state.channels !== next.channels);
    const ruled = state && JSON.stringify(state.rules) !== JSON.stringify(next.rules);
    if (state?.started !== next.started) lines.renew();
    state = next;
    learnSources(next.sources);
    ahead = next.time - Date.now() / 1000;
    events = next.events;
    put(byId("version"), `KPTV Proxy ${next.version} ·`);
    byId("demo").hidden = !next.demo;
    byId("not-believed").hidden = !next.proxy_not_believed;
    put(byId("not-believed-peer"), next.proxy_not_believed);
    put(byId("not-believed-line"), `TRUSTED_PROXIES=${next.proxy_not_believed}`);
    byId("exposed").hidden = !next.exposed_at || next.needs_login;
    put(byId("exposed-at"), next.exposed_at);
    byId("starting").hidden = next.ready;
    lines.add(next.log);
    showConnect(next);
    showComplaints(next.rules);
    show();
    if (renewed) channels.renew();
    else channels.refresh();
    if (renewed) guide.renew();
    if (renewed || ruled) rules.renew();
    people.refresh();
  },
  figures(next) {
    if (!state) return;
    ahead = next.time - Date.now() / 1000;
    state.totals = next.totals;
    showTotals();
    const cards = byId("playing").kept;
    for (const hub of next.hubs) cards?.get(hub.hub)?.figures(hub);
    const rows = byId("sources").kept;
    for (const source of next.sources) rows?.get(source.number)?.figures(source);
  },
  event(event) {
    events = [...events, event];
    showEvents();
  },
  instances(next) {
    instances = next.instances;
    showOthers();
  },
  log(line) {
    lines.add([line]);
  },
};

function showLocked() {
  document.body.classList.toggle("locked", isLocked);
  byId("locked").hidden = !isLocked;
  byId("locked-open").hidden = !mayLogIn();
  byId("locked-shut").hidden = mayLogIn();
  if (isLocked) put(byId("live"), "Locked");
}

function show() {
  if (!state) return;
  showTotals();
  keyed(byId("playing"), state.hubs, (hub) => hub.hub, (hub) => playingCard(hub, context));
  showOthers();
  keyed(byId("sources"), state.sources, (source) => source.number, () => sourceRow(context));
  keyed(byId("blocked"), state.blocked, (stream) => stream.id, () => blockedRow(context));
  byId("blocked-panel").hidden = !state.blocked.length;
  keyed(byId("resting"), state.resting, (rest) => rest.id, () => restingRow(context));
  byId("resting-panel").hidden = !state.resting.length;
  showEvents();
  tellRemarks(state.hubs);
}

function showOthers() {
  const playElsewhere = showInstances(instances);
  byId("idle").hidden = !state || state.hubs.length > 0 || playElsewhere;
}

function showTotals() {
  const totals = state.totals;
  const facts = [
    ["Channels playing", count(totals.playing), `of ${count(state.channels)}`],
    ["Viewers", count(totals.viewers), ""],
    ["In", rate(totals.received_rate), `${totals.upstreams} upstream`, "upstream"],
    ["Out", rate(totals.sent_rate), ""],
    ["Buffers", size(totals.buffer_bytes), `of ${size(totals.buffer_limit)}`, "buffers"],
    ["Loop lag", `${Math.round(totals.loop_lag * 1000)} ms`, "worst of 10 s", "lag"],
    ["Up", span(Math.round(context.now() - state.started)), ""],
  ];
  keyed(byId("totals"), facts, ([name]) => name, ([name, , , word]) => {
    const value = el("dd");
    const note = el("dd.note");
    return {
      node: el("div", {}, explain(el("dt", {}, name), word), value, note),
      update([, text, extra]) {
        put(value, text);
        put(note, extra);
      },
    };
  });
}

function showEvents() {
  const latest = events.filter((event) => event.kind !== "opened").slice(-SHOWN_EVENTS).reverse();
  keyed(byId("events"), latest, (e) => `${e.time}${e.channel}${e.kind}`, eventRow);
  byId("no-events").hidden = latest.length > 0;
}

function eventRow() {
  const time = el("time");
  const name = el("strong");
  const text = el("span");
  const node = el("li", {}, time, el("span", {}, name, " ", text));
  return {
    node,
    update(event) {
      node.dataset.kind = event.kind;
      put(time, clock(event.time));
      put(name, event.name);
      put(text, told(event));
      node.title = event.source ? sourceName(event.source) : "";
    },
  };
}

function route() {
  const wanted = location.hash.slice(1);
  const name = VIEWS.includes(wanted) ? wanted : "now";
  for (const view of VIEWS) byId(view).hidden = view !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.view = name;
  if (name === "channels") channels.open();
  guide.open(name === "guide");
  lines.open(name === "log");
  rules.open(name === "rules");
  people.open(name === "people");
}

function onKey(event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const number = Number(event.key);
  if (number >= 1 && number <= VIEWS.length) location.hash = VIEWS[number - 1];
  if (event.key === "/") {
    event.preventDefault();
    const inGuide = byId("guide-body").offsetParent !== null;
    if (!inGuide) location.hash = "channels";
    route();
    byId(inGuide ? "guide-query" : "query").focus();
  }
}

for (const node of document.querySelectorAll("[data-word]")) explain(node, node.dataset.word);
for (const button of document.querySelectorAll("[data-close]")) {
  button.onclick = () => button.closest("dialog").close();
}
byId("import").onclick = () => {
  toast("Fetching the lists…");
  act("api/import");
};
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
onAdmin(show);
onAdmin(rules.refresh);
startTheme(repaint);
startPlayer();
startAdmin();
route();
const connect = follow((kind, value) => heard[kind](value));
byId("locked-login").onclick = () => byId("admin").click();
onAdmin(() => {
  showLocked();
  if (mayAct() ? isLocked : couldAct) connect();
  couldAct = mayAct();
});
