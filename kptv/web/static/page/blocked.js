// Streams that failed again and again.

import { act, mayAct } from "./admin.js";
import { el, put } from "./dom.js";
import { sourceName, span } from "./format.js";

export function blockedRow(context) {
  const text = el("span");
  const button = el("button.quiet.small", { type: "button" }, "Unblock");
  let stream = null;
  button.onclick = () => act(`api/streams/${encodeURIComponent(stream.id)}/unblock`);
  return {
    node: el("li.blocked", {}, text, button),
    update(next) {
      stream = next;
      const left = span(Math.max(0, Math.ceil(next.until - context.now())));
      put(text, `${next.name || "a stream"} of ${sourceName(next.source)}, for ${left}`);
      button.hidden = !mayAct();
    },
  };
}
