// A new link, shown once: nothing of it is left anywhere in the page once it is closed.

import { appsFor, hlsList, tunerAt } from "./apps.js";
import { localOnly, typed } from "./connect.js";
import { byId, el, put } from "./dom.js";
import { drawCode } from "./qr.js";

/** `show({user, links})` opens the dialog. */
export function startHanded(context) {
  const dialog = byId("handed");
  const choice = byId("handed-app");
  const body = byId("handed-body");

  function clear() {
    body.replaceChildren();
    choice.onchange = null;
    put(byId("handed-title"), "");
  }

  function show({ user, links }) {
    put(byId("handed-title"), `Links of ${user.name}`);
    const apps = appsFor({
      list: links.list_url,
      hls: hlsList(links.list_url),
      guide: context.hasGuide() ? links.guide_url : "",
      tuner: context.isTuner() ? tunerAt(links.tuner_url) : "",
      server: links.server,
      user: links.name,
      password: links.secret,
    });
    choice.replaceChildren(...apps.map(({ name }) => el("option", { value: name }, name)));
    choice.onchange = () => fill(body, apps.find(({ name }) => name === choice.value));
    choice.onchange();
    dialog.showModal();
  }

  dialog.addEventListener("close", clear);
  addEventListener("pagehide", () => dialog.open && dialog.close()); // the browser keeps pages for "back"
  return { show };
}

function fill(body, app) {
  const code = el("canvas.code", { role: "img", ariaLabel: "QR code of this address" });
  drawCode(code, app.address);
  const fields = [[app.what, app.address], ...app.more].map(([label, value]) => typed(label, value));
  const note = localOnly([app.address]);
  const warning = note ? [el("p.warning", {}, note)] : [];
  body.replaceChildren(el("p.muted", {}, app.how), ...fields, ...warning, code);
}
