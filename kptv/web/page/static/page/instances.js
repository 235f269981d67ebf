// Several instances: what each plays, who fetches the lists, and the way to their pages.

import { act, mayAct } from "./admin.js";
import { byId, el, keyed, put } from "./dom.js";
import { plural, rate, sourceName, span } from "./format.js";

/** Show them; gives whether a channel plays at another one. */
export function showInstances(instances) {
  byId("instances-panel").hidden = instances.length < 2;
  keyed(byId("instances"), instances, (each) => each.name + each.address, instanceRow);
  const others = instances.filter((each) => !each.is_this && !each.stale);
  const playing = others.flatMap((at) => at.playing.map((channel) => ({ ...channel, at })));
  byId("elsewhere-panel").hidden = !playing.length;
  keyed(byId("elsewhere"), playing, ({ at, id }) => `${at.name} ${at.address} ${id}`, elsewhereRow);
  showLeader(instances.find((each) => each.is_this), others.find((each) => each.leads));
  return playing.length > 0;
}

/** Who fetches the lists, if this one does not, and how that goes. */
function showLeader(own, leader) {
  const follows = Boolean(own) && !own.leads;
  const failed = leader?.failed ?? [];
  const told = failed.map((each) => `${sourceName(each.source)}: import failed: ${each.error}`);
  byId("fetched-by").hidden = !follows || !leader;
  put(byId("leader"), leader?.name ?? "");
  byId("leader").href = leader ? addressOf(leader.address) : "#now";
  byId("fetch-trouble").hidden = !follows || (Boolean(leader) && !told.length);
  put(byId("fetch-trouble"), leader ? told.join(" · ") : "No instance fetches the lists now.");
}

/** A channel that plays at another instance. */
function elsewhereRow() {
  const text = el("span");
  const link = el("a");
  const path = () => `api/channels/${encodeURIComponent(channel.id)}`;
  const button = (name, action, kind) =>
    el(kind, { type: "button", onclick: () => act(`${path()}/${action}`) }, name);
  const next = button("Next source", "switch", "button.quiet.small");
  const stop = button("Stop", "stop", "button.danger.small");
  let channel = null;
  return {
    node: el("li", {}, el("span", {}, text, " ", link), el("span.end", {}, next, " ", stop)),
    update(now) {
      channel = now;
      const from = now.source ? `from ${sourceName(now.source)}, ` : "";
      put(text, `${now.name}: ${from}${plural(now.viewers, "viewer")}, at`);
      put(link, now.at.name);
      link.href = addressOf(now.at.address);
      for (const each of [next, stop]) each.hidden = !mayAct();
      next.setAttribute("aria-label", `Next source of ${now.name}`);
      stop.setAttribute("aria-label", `Stop ${now.name}`);
    },
  };
}

/** An instance's row. */
function instanceRow() {
  const link = el("a");
  const facts = el("span.muted");
  const trouble = el("span.error");
  return {
    node: el("li", {}, link, " ", facts, " ", trouble),
    update(next) {
      put(link, next.is_this ? `${next.name} (this page)` : next.name);
      link.href = next.is_this ? "#now" : addressOf(next.address);
      const { playing, viewers, sent_rate: sent } = next.totals;
      const plays = `${plural(playing, "channel")}, ${plural(viewers, "viewer")}, ${rate(sent)} out`;
      put(facts, next.leads ? `${plays}, fetches the lists` : plays);
      link.title = next.playing.map((channel) => channel.name).join(", ");
      const age = span(Math.round(next.age));
      const other = next.same_list ? "" : "has another channel list";
      put(trouble, next.stale ? `silent for ${age}` : next.ready ? other : "starting");
    },
  };
}

function addressOf(address) {
  return `http://${address.startsWith(":") ? location.hostname : ""}${address}/`;
}
