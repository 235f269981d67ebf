// A user's card: what they may, what they watch now, their links.

import { el, keyed, put } from "./dom.js";
import { plural, span } from "./format.js";
import { dayAndTime } from "./moments.js";

const SURE = 4000; // milliseconds in which a second press counts

/** The card; `actions` are what its buttons call. */
export function personCard(actions) {
  const name = el("h3");
  const state = el("span.pill");
  const may = el("p.under");
  const note = el("p.note-of");
  const watching = el("ul.plain.rows");
  const idle = el("p.muted", {}, "Nothing at the moment.");
  const secrets = el("ul.plain.rows");
  const none = el("p.muted", {}, "None: make a new link.");
  let user = null;
  const path = () => `api/users/${encodeURIComponent(user.name)}`;
  const button = (text, run) => el("button", { type: "button", onclick: run }, text);
  const able = button("", () => actions.act("PATCH", path(), { enabled: !user.enabled }));
  const node = el(
    "article.panel.person",
    {},
    el("header", {}, el("div.name", {}, name, state), may, note),
    el(
      "div.halves",
      {},
      el("section", {}, el("h4", {}, "Watches now"), watching, idle),
      el("section", {}, el("h4", {}, "Links"), secrets, none),
    ),
    el(
      "div.actions",
      {},
      button("New link", () => actions.newSecret(user)),
      button("Change", () => actions.edit(user)),
      able,
      twice("Delete", () => actions.act("DELETE", path())),
    ),
  );
  return {
    node,
    update(next) {
      user = next;
      node.setAttribute("aria-label", user.name);
      put(name, user.name);
      put(state, standing(user));
      state.dataset.state = user.standing.toLowerCase();
      put(may, mayOf(user));
      put(note, user.note);
      note.hidden = !user.note;
      put(able, user.enabled ? "Disable" : "Enable");
      keyed(watching, user.streams, (one) => one.viewer, () => streamRow(actions));
      idle.hidden = user.streams.length > 0;
      const good = user.secrets.filter((one) => one.revoked === null);
      keyed(secrets, good, (one) => one.number, () => secretRow(() => path(), actions));
      none.hidden = good.length > 0;
    },
  };
}

function standing(user) {
  return { Active: "active", Expired: "expired", Disabled: "disabled" }[user.standing];
}

/** What a user may, in words. */
function mayOf(user) {
  const limit = user.max_streams;
  const open = user.streams.length;
  const parts = [limit ? `${open} of ${plural(limit, "stream")}` : "any number of streams"];
  if (limit && user.refuses) parts.push("one more is refused");
  if (user.profile) parts.push(`profile ${user.profile}`);
  parts.push(user.groups ? user.groups.join(", ") : user.profile ? "all its groups" : "all channels");
  if (user.expires !== null) parts.push(`until ${dayAndTime(user.expires)}`);
  return parts.join(" · ");
}

function streamRow(actions) {
  const text = el("span");
  const end = el("button.quiet.small", { type: "button" }, "End");
  let stream = null;
  end.onclick = () => actions.act("POST", `api/viewers/${stream.viewer}/end`);
  return {
    node: el("li", {}, text, end),
    update(next) {
      stream = next;
      const since = span(Math.max(0, Math.round(actions.now() - next.since)));
      const app = next.app ? ` with ${next.app}` : "";
      const way = next.kind === "hls" ? ", by HLS" : "";
      put(text, `${next.name} for ${since}, from ${next.address}${app}${way}`);
      end.setAttribute("aria-label", `End ${next.name}`);
    },
  };
}

function secretRow(path, actions) {
  const text = el("span");
  const made = el("span.muted");
  let secret = null;
  const revoke = twice("Revoke", () => actions.act("DELETE", `${path()}/secrets/${secret.number}`));
  revoke.classList.add("quiet", "small");
  return {
    node: el("li", {}, el("span", {}, text, " ", made), revoke),
    update(next) {
      secret = next;
      const kind = next.kind === "typed" ? ", a secret of their own" : "";
      put(text, next.label || `Link ${next.number}`);
      put(made, `since ${dayAndTime(next.created)}${kind}`);
    },
  };
}

/** A button whose second press within some seconds counts: what it does cannot be undone. */
function twice(text, run) {
  const button = el("button.danger", { type: "button" }, text);
  let timer = null;
  const calm = () => {
    clearTimeout(timer);
    timer = null;
    put(button, text);
  };
  button.onclick = () => {
    if (timer) {
      calm();
      return run();
    }
    put(button, `${text}: sure?`);
    timer = setTimeout(calm, SURE);
  };
  return button;
}
