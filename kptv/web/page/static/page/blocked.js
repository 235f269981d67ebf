// Streams that failed again and again; streams, hosts and accounts that are left alone.

import { act, mayAct } from "./admin.js";
import { el, put } from "./dom.js";
import { sourceName, span, why } from "./format.js";

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

/** A stream, a host or an account that refused us. */
export function restingRow(context) {
  const text = el("span");
  const button = el("button.quiet.small", { type: "button" }, "Ask again");
  let rest = null;
  button.onclick = () => act(`api/streams/${encodeURIComponent(rest.id)}/unblock`);
  return {
    node: el("li.blocked", {}, text, button),
    update(next) {
      rest = next;
      const left = span(Math.max(0, Math.ceil(next.until - context.now())));
      put(text, `${whoRests(next)}, for ${left}: ${why(next.reason, next.detail)}`);
      button.hidden = !mayAct() || next.what !== "stream";
    },
  };
}

function whoRests(rest) {
  const source = sourceName(rest.source);
  if (rest.what === "account") return source;
  return rest.what === "host" ? `a host of ${source}` : `${rest.name || "a stream"} of ${source}`;
}
