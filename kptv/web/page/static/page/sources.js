// The sources: their slots, their imports.

import { el, explain, put } from "./dom.js";
import { count, plural, sourceColour, span } from "./format.js";

const MOST_PIPS = 16; // slots that are drawn one by one

/** A source's row. */
export function sourceRow(context) {
  const dot = el("span.dot", { ariaHidden: "true" });
  const name = el("strong");
  const slots = explain(el("span.slots"), "slots");
  const bar = el("div.bar-slots", { role: "img" });
  const facts = el("p.muted");
  const trouble = el("p.error");
  const node = el("li", {}, el("div.source-head", {}, dot, name, slots), bar, facts, trouble);
  let source = null;

  function showSlots() {
    const { in_use: used, standing_by: standbys, limit, waiting } = source;
    const more = standbys ? `, ${standbys} standing by` : "";
    const queue = waiting ? `, ${waiting} waiting` : "";
    const text = (limit ? `${used} of ${limit} in use` : `${used} in use, no limit`) + more + queue;
    put(slots, text);
    bar.setAttribute("aria-label", text);
    node.dataset.full = String(Boolean(limit) && used >= limit);
    const pips = limit && limit <= MOST_PIPS ? limit : limit ? 0 : Math.min(used + standbys, MOST_PIPS);
    drawPips(bar, pips, used, standbys, limit);
  }

  return {
    node,
    update(next) {
      source = next;
      node.dataset.source = String(next.number);
      dot.dataset.source = sourceColour(next.number);
      put(name, next.name);
      showSlots();
      put(facts, imported(next, context.now()));
      const parts = [];
      if (next.error) {
        const times = next.failures > 1 ? ` (${next.failures} times in a row)` : "";
        const wait = next.again_at ? Math.max(0, Math.ceil(next.again_at - context.now())) : 0;
        const again = next.again_at ? `, tried again ${wait ? `in ${span(wait)}` : "now"}` : "";
        parts.push(`Import failed: ${next.error}${times}${again}`);
      }
      if (next.blocked) parts.push(`${plural(next.blocked, "stream")} blocked`);
      put(trouble, parts.join(" · "));
    },
    figures(next) {
      source = { ...source, ...next };
      showSlots();
    },
  };
}

function drawPips(bar, pips, used, standbys, limit) {
  bar.classList.toggle("meter", !pips);
  const wanted = pips || 1;
  while (bar.children.length > wanted) bar.lastChild.remove();
  while (bar.children.length < wanted) bar.append(el("span"));
  [...bar.children].forEach((pip, i) => {
    pip.className = !pips || i < used ? "used" : i < used + standbys ? "standby" : "";
    pip.style.width = pips ? "" : `${limit ? Math.min(100, (100 * used) / limit) : 0}%`;
  });
}

function imported(source, now) {
  const more = source.is_full ? " (the list has more: they are left out)" : "";
  const parts = [`${count(source.entries)} entries${more}`];
  if (source.stale_names) parts.push(`${plural(source.stale_names, "name lookup")} unanswered`);
  if (source.skipped) parts.push(`${plural(source.skipped, "line")} skipped`);
  if (source.cut) {
    const were = source.cut > 1 ? "were" : "was";
    parts.push(`${plural(source.cut, "text")} cut that ${were} too long`);
  }
  if (source.last_success) {
    parts.push(`imported ${span(Math.round(now - source.last_success))} ago`);
    parts.push(`in ${span(source.import_seconds)}`);
  } else {
    parts.push("not imported since the start");
  }
  return parts.join(" · ");
}
