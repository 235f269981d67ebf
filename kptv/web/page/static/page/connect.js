// What to type into each application, also as a QR code, while everybody may watch.

import { appsFor, hlsList, tunerAt } from "./apps.js";
import { byId, copy, el, put } from "./dom.js";
import { drawCode } from "./qr.js";

const LOCAL = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);
const OF_LISTS = new Set(["list", "hls", "tuner"]); // what differs by the list that is chosen
const ANYTHING = "anything"; // for applications that insist on a login, though none is needed

let shown = "";

/** Show what the state says: one address for each application. */
export function showConnect(state) {
  byId("own-links").hidden = !state.needs_login;
  byId("connect-card").hidden = state.needs_login;
  if (state.needs_login) return forget();
  const lists = [["All channels", state.list_url],
    ...state.profiles.map((each) => [each.name, each.list_url])];
  offer(byId("list-name"), lists);
  const apps = appsFor(linksOf(state, byId("list-name").value));
  offer(byId("app"), apps.map(({ name }) => [name, name]));
  const app = apps.find(({ name }) => name === byId("app").value);
  byId("lists").hidden = lists.length < 2 || !OF_LISTS.has(app.way);
  show(app);
  byId("list-name").onchange = byId("app").onchange = () => showConnect(state);
}

function linksOf(state, list) {
  const base = state.base_url || location.origin;
  const path = list.slice(state.list_url.lastIndexOf("/"), list.lastIndexOf("/"));
  return {
    list,
    hls: hlsList(list),
    guide: state.guide === "none" ? "" : list.replace(/\/playlist\.m3u8$/, "/epg.xml.gz"),
    tuner: state.hdhomerun ? tunerAt(base + path) : "",
    server: base,
    user: ANYTHING,
    password: ANYTHING,
    page: new URL(".", document.baseURI).href,
  };
}

// Things to choose from: the chosen one stays chosen as long as it is there.
function offer(choice, pairs) {
  const offered = JSON.stringify(pairs);
  if (choice.offered === offered) return;
  choice.offered = offered;
  const before = choice.value;
  choice.replaceChildren(...pairs.map(([name, value]) => el("option", { value }, name)));
  if (pairs.some(([, value]) => value === before)) choice.value = before;
}

function show(app) {
  const next = JSON.stringify(app);
  if (next === shown) return;
  shown = next;
  put(byId("app-how"), app.how);
  put(byId("list-what"), app.what);
  byId("list-url").value = app.address;
  byId("list-url").onfocus = (event) => event.target.select();
  byId("copy-list").onclick = () => copy(app.address);
  byId("connect-more").replaceChildren(...app.more.map(([label, value]) => typed(label, value)));
  drawCode(byId("qr"), app.address);
  warn([app.address, ...app.more.map(([, value]) => value)]);
}

/** Something to type, and a button that copies it. */
export function typed(label, value) {
  const field = el("input", { value, readOnly: true, autocomplete: "off" });
  field.onfocus = () => field.select();
  const button = el("button", { type: "button", onclick: () => copy(value) }, "Copy");
  button.setAttribute("aria-label", `Copy: ${label}`);
  return el("div.copyable", {}, el("label.typed", {}, el("span", {}, label), field), button);
}

function forget() {
  shown = "";
  byId("list-url").value = "";
  byId("connect-more").replaceChildren();
}

function warn(texts) {
  const note = localOnly(texts);
  byId("unreachable").hidden = !note;
  put(byId("unreachable"), note);
}

/** What to say of addresses that work on this machine only; empty: others reach them too. */
export function localOnly(texts) {
  const host = texts.map(hostOf).find((each) => LOCAL.has(each));
  if (!host) return "";
  const better = LOCAL.has(location.hostname) ? "http://192.168.1.10:8080" : location.origin;
  return `Only programs on the same machine can reach “${host}”. `
    + `For other players set BASE_URL, for example to ${better}.`;
}

function hostOf(text) {
  try {
    return new URL(text.includes("://") ? text : `http://${text}`).hostname;
  } catch {
    return ""; // no address
  }
}
