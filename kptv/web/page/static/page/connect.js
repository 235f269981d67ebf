// The list's address for players, or that of a profile, also as a QR code.

import qrcode from "../vendor/qrcode-generator-2.0.4/qrcode.mjs";
import { byId, copy, el, put } from "./dom.js";

const QUIET = 4; // modules around the code (ISO/IEC 18004)
const MODULE = 6; // pixels
const LOCAL = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);

let shown = "";
let offered = "";

export function showConnect(url, profiles) {
  offer(url, profiles);
  show(byId("list-name").value || url);
}

// The lists to choose from: the chosen one stays chosen as long as there is one of that address.
function offer(url, profiles) {
  const lists = [["All channels", url], ...profiles.map((each) => [each.name, each.list_url])];
  if (JSON.stringify(lists) === offered) return;
  offered = JSON.stringify(lists);
  const choice = byId("list-name");
  const before = choice.value;
  choice.replaceChildren(...lists.map(([name, value]) => el("option", { value }, name)));
  choice.value = lists.some(([, value]) => value === before) ? before : url;
  choice.onchange = () => show(choice.value);
  byId("lists").hidden = lists.length < 2;
}

function show(url) {
  if (url === shown) return;
  shown = url;
  byId("list-url").value = url;
  byId("copy-list").onclick = () => copy(url);
  byId("list-url").onfocus = (event) => event.target.select();
  draw(byId("qr"), url);
  warn(url);
}

function warn(url) {
  const host = new URL(url).hostname;
  const note = byId("unreachable");
  note.hidden = !LOCAL.has(host);
  const better = LOCAL.has(location.hostname) ? "http://192.168.1.10:8080" : location.origin;
  put(note, `Only programs on the same machine can reach “${host}”. `
    + `For other players set BASE_URL, for example to ${better}.`);
}

function draw(canvas, text) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const modules = code.getModuleCount();
  canvas.width = canvas.height = (modules + 2 * QUIET) * MODULE;
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.fillStyle = "#111";
  for (let row = 0; row < modules; row += 1) {
    for (let column = 0; column < modules; column += 1) {
      if (!code.isDark(row, column)) continue;
      paint.fillRect((column + QUIET) * MODULE, (row + QUIET) * MODULE, MODULE, MODULE);
    }
  }
}
