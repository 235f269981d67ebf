// A bar that shows which source played when, and the last changes in words.

import { el, keyed, put } from "./dom.js";
import { clock, sourceColour, sourceName, span, why } from "./format.js";

const WINDOW = 600; // seconds that the bar shows at most
const SHOWN = 4; // changes in words

/** The timeline of a hub. */
export function timeline() {
  const bar = el("div.track", { role: "img" });
  const from = el("span");
  const words = el("ol.changes");
  const node = el("div.timeline", {}, bar, el("div.scale", {}, from, el("span", {}, "now")), words);
  return {
    node,
    update(hub, now) {
      const start = Math.max(hub.since, now - WINDOW);
      const runs = runsOf(hub.history, hub.since, now).filter((run) => run.to > start);
      keyed(bar, runs, (run) => run.from, piece);
      for (const [i, child] of [...bar.children].entries()) place(child, runs[i], start, now);
      bar.setAttribute("aria-label", runs.map(described).join(", "));
      put(from, hub.since < start ? `${span(WINDOW)} ago` : clock(hub.since));
      const changes = hub.history.filter(isTold).slice(-SHOWN).reverse();
      keyed(words, changes, (event) => `${event.time}${event.kind}`, change);
    },
  };
}

/** The spans of time in which one source played, or none did. */
function runsOf(history, since, now) {
  const runs = [];
  let from = since;
  let source = null;
  let first = true;
  const cut = (time) => {
    if (time > from) runs.push({ from, to: time, source, first });
    from = time;
  };
  for (const event of history) {
    if (event.kind === "started") {
      cut(event.time);
      [source, first] = [event.source, false];
    } else if (event.silence !== null && source !== null) {
      cut(Math.max(from, event.time - event.silence)); // it was silent before that was noticed
      source = null;
    }
  }
  cut(now);
  return runs;
}

function piece() {
  const node = el("span");
  return { node, update() {} };
}

function place(node, run, start, now) {
  const width = (Math.min(run.to, now) - Math.max(run.from, start)) / Math.max(now - start, 1);
  node.style.flexGrow = String(Math.max(width, 0.004));
  node.className = run.source ? "run" : run.first ? "wait" : "gap";
  node.dataset.source = run.source ? sourceColour(run.source) : "";
  node.title = described(run);
}

function described(run) {
  const length = span(run.to - run.from);
  if (run.first) return `starting for ${length}`;
  return run.source
    ? `${sourceName(run.source)} for ${length}`
    : `no picture for ${gapOf(run.to - run.from)}`;
}

const isTold = (event) => event.kind !== "opened" && event.kind !== "closed";

/** An event in words, as an element. */
export function change() {
  const time = el("time");
  const text = el("span");
  const node = el("li", {}, time, text);
  return {
    node,
    update(event) {
      node.dataset.kind = event.kind;
      put(time, clock(event.time));
      put(text, told(event));
    },
  };
}

/** An event in words. */
export function told(event) {
  const source = event.source ? sourceName(event.source) : "";
  switch (event.kind) {
    case "opened":
      return "asked for";
    case "started": {
      const gap = event.silence === null ? "" : ` after ${gapOf(event.silence)} without picture`;
      return `${source} plays${gap}`;
    }
    case "failed":
      return `${source}: ${why(event.reason, event.detail)}`;
    case "stands_by":
      return `${source} stands by`;
    case "switched":
      return `switched away from ${source}`;
    case "slot_lost":
      return `${source}: the connection was needed elsewhere`;
    case "stopped":
      return "stopped by hand";
    case "gave_up":
      return `given up: ${event.detail}`;
    default:
      return event.detail ? `closed: ${event.detail}` : "closed";
  }
}

// As the log has it.
const gapOf = (seconds) => (seconds < 0.1 ? "less than 0.1 s" : `${seconds.toFixed(1)} s`);
