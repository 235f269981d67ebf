// Rows of the guide: a channel, and its shows in the hours that are shown.

import { el, logo } from "./dom.js";
import { HOUR, hourOf, MINUTE, onAt, spanOf } from "./moments.js";

const SHORT = 12 * MINUTE; // what is shorter has no place for its title

/** The marks of half hours over the rows. */
export function hourMarks({ from, to }) {
  const marks = [];
  for (let at = from; at < to; at += HOUR / 2) {
    const mark = el("span", {}, hourOf(at));
    mark.style.left = share(at, { from, to });
    marks.push(mark);
  }
  return marks;
}

/** The row of a channel; `opens(channel, show)` is called for what somebody chooses. */
export function guideRow(channel, range, now, opens) {
  const picture = logo();
  picture.update(channel);
  const whole = el(
    "button.guide-channel",
    { type: "button", tabIndex: -1, title: channel.name },
    picture.node,
    el("span.channel-text", {},
      el("span.channel-name", {}, channel.name),
      el("span.muted", {}, [channel.number, channel.group].filter(Boolean).join(" · "))),
  );
  whole.onclick = () => opens(channel, null);
  const head = el("div.guide-head", { role: "rowheader" }, whole);
  const shows = el("div.shows", { role: "presentation" });
  const cells = channel.shows.map((show) => cell(channel, show, range, opens));
  shows.append(...(cells.length ? cells : [nothing(channel, range, opens)]));
  const node = el("div.guide-row", { role: "row" }, head, shows);
  node.dataset.channel = channel.id;
  const row = { node, channel, cells: [...shows.children], mark: (at) => mark(row, range, at) };
  row.mark(now);
  return row;
}

function cell(channel, show, range, opens) {
  const node = el(
    "button.show",
    { type: "button", role: "gridcell", tabIndex: -1, title: `${spanOf(show)} ${show.title}` },
    el("span.show-title", {}, show.title),
    " ",
    el("time", {}, hourOf(show.start)),
  );
  node.setAttribute("aria-label", `${show.title} ${spanOf(show)}, ${channel.name}`); // begins as it looks
  place(node, show, range);
  node.show = show;
  node.classList.toggle("cut", show.start < range.from);
  node.classList.toggle("short", Math.min(show.stop, range.to) - Math.max(show.start, range.from) < SHORT);
  node.onclick = () => opens(channel, show);
  return node;
}

function nothing(channel, range, opens) {
  const text = "Nothing known: why?";
  const node = el("button.show.nothing", { type: "button", role: "gridcell", tabIndex: -1 }, text);
  node.setAttribute("aria-label", `${text}, ${channel.name}`);
  node.show = { start: range.from, stop: range.to, title: "" };
  place(node, node.show, range);
  node.onclick = () => opens(channel, null);
  return node;
}

function place(node, { start, stop }, range) {
  const [begin, end] = [Math.max(start, range.from), Math.min(stop, range.to)];
  node.style.left = share(begin, range);
  node.style.width = `${(100 * (end - begin)) / (range.to - range.from)}%`;
}

/** Mark what is on, and what comes next: a phone shows those two only. */
function mark(row, range, now) {
  const moment = now >= range.from && now < range.to ? now : range.from;
  const [first, second] = onAt(row.cells.map((node) => node.show), moment);
  for (const node of row.cells) {
    const when = node.show === first ? "first" : node.show === second ? "second" : "";
    if (node.dataset.when !== when) node.dataset.when = when;
    node.classList.toggle("on", node.show.title !== "" && node.show.start <= now && node.show.stop > now);
    node.classList.toggle("over", node.show.stop <= now);
  }
}

/** How far into the range a moment is, as a length of CSS. */
export const share = (at, { from, to }) => `${(100 * (at - from)) / (to - from)}%`;
