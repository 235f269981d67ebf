// The last lines of the log, newest first.

import { byId, el, keyed, put } from "./dom.js";
import { clock } from "./format.js";

const KEPT = 300;

export function startLog() {
  const list = byId("lines");
  const query = byId("log-query");
  const trouble = byId("log-trouble");
  let lines = [];
  let open = false;

  function show() {
    if (!open) return;
    const words = query.value.toLowerCase();
    const wanted = lines.filter((line) =>
      (!trouble.checked || line.level !== "INFO")
      && `${line.text} ${line.logger}`.toLowerCase().includes(words));
    keyed(list, wanted.reverse(), (line) => line.number, row);
  }

  query.oninput = show;
  trouble.onchange = show;
  return {
    open(is) {
      open = is;
      show();
    },
    add(more) {
      // A proxy that was restarted counts from 1 again.
      const last = more.at(-1)?.number ?? 0;
      if (lines.length && last < lines.at(-1).number - KEPT) lines = [];
      const known = new Set(lines.map((line) => line.number));
      lines = [...lines, ...more.filter((line) => !known.has(line.number))].slice(-KEPT);
      show();
    },
    renew() {
      lines = [];
    },
  };
}

function row() {
  const time = el("time");
  const level = el("span.level");
  const text = el("span.text");
  const node = el("li", {}, time, level, text);
  return {
    node,
    update(line) {
      node.dataset.level = line.level;
      put(time, clock(line.time));
      put(level, line.level.toLowerCase());
      put(text, line.text);
      text.title = line.logger;
    },
  };
}
