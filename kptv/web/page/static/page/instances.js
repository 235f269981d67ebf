// Several instances: what each plays, and the way to its page.

import { el, put } from "./dom.js";
import { plural, rate, span } from "./format.js";

/** An instance's row. */
export function instanceRow() {
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
      put(facts, plays);
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
