// What is told of a show, or why a channel has none. Titles are foreign: text, never markup.

import { byId, el, put } from "./dom.js";
import { span } from "./format.js";
import { dayOf, spanOf } from "./moments.js";
import { watch } from "./player.js";

const RULES = {
  fixed: "as the rules say",
  id: "by its tvg-id",
  id_any_case: "by its tvg-id, in other letters",
  id_without_feed: "by its tvg-id, without what follows @",
  id_squashed: "by letters and digits of its tvg-id",
  id_plain: "by its tvg-id, without words of quality",
  name: "by its name",
};

/** `open(channel, show)`: the dialog; without a show it tells of the channel. */
export function showDialog(context) {
  const dialog = byId("show");
  let asked = 0;
  let shown = null;
  byId("show-watch").onclick = () => {
    dialog.close();
    watch(shown, context);
  };

  async function open(channel, show) {
    const mine = (asked += 1);
    shown = channel;
    put(byId("show-title"), show?.title || channel.name);
    byId("show-told").replaceChildren(...(show ? [heading(channel, show)] : []));
    dialog.showModal();
    const wanted = show ? `?${new URLSearchParams({ from: show.start, to: show.stop })}` : "";
    const path = `api/guide/channels/${encodeURIComponent(channel.id)}${wanted}`;
    const response = await fetch(path).catch(() => null);
    const day = response?.ok ? await response.json().catch(() => null) : null;
    if (mine !== asked) return;
    if (!day) byId("show-told").append(el("p.muted", {}, "No more is known at the moment."));
    else tell(channel, show, day);
  }

  function tell(channel, show, day) {
    const whole = show && day.shows.find(({ start }) => start === show.start);
    byId("show-told").replaceChildren(
      ...(show ? [heading(channel, show)] : []),
      ...(whole ? details(whole) : []),
      ...(show ? [] : day.shows.map(line)),
      ...(day.join ? [origin(day.join)] : []),
    );
  }

  return { open };
}

function heading(channel, show) {
  const length = span(show.stop - show.start);
  return el("p.when", {}, `${channel.name} · ${dayOf(show.start)}, ${spanOf(show)} (${length})`);
}

function details(show) {
  const marks = [show.episode, show.date, ...(show.categories ?? [])].filter(Boolean);
  if (show.is_new) marks.unshift("new");
  const parts = [
    show.sub_title && el("p", {}, el("strong", {}, show.sub_title)),
    marks.length && el("p.marks-of", {}, ...marks.map((text) => el("span.tag", {}, text))),
    show.desc && el("p.desc", {}, show.desc),
    show.credits?.length && el("p.muted", {}, `With ${show.credits.join(", ")}`),
  ];
  return parts.filter(Boolean);
}

const line = (show) => el("p", {}, el("time", {}, spanOf(show)), " ", show.title);

/** From which guide a channel has its shows, or why it has none. */
export function origin(join) {
  if (join.rule) {
    const rule = RULES[join.rule] ?? join.rule;
    return el("p.muted.origin", {}, `Found ${rule}: “${join.guide_id}” of ${join.guide}`);
  }
  const near = join.suggestions.map((one) => `${one.guide_id} of ${one.guide}`);
  const perhaps = near.length ? ` Perhaps: ${near.join(", ")}.` : "";
  return el("p.origin", {}, `No guide: ${join.why}.${perhaps}`.replace("..", "."));
}
