// What a search in titles finds, and channels that have no guide: lists beside the guide's grid.

import { byId, el, put } from "./dom.js";
import { plural } from "./format.js";
import { origin } from "./guide_show.js";
import { dayOf, HOUR, spanOf } from "./moments.js";
import { pagedList } from "./paged.js";

const PATIENCE = 250; // milliseconds after a key before the server is asked
const DAY = 24 * HOUR; // the server searches one at a time
const DAYS = 3;

/** The search: `shown(is)` tells whether results stand where the grid is; `opens` one of them. */
export function guideSearch(now, group, shown, opens) {
  const query = byId("guide-query");
  const list = byId("guide-found");
  let asked = 0; // an answer to an earlier question is ignored
  let timer = null;

  async function ask() {
    const mine = (asked += 1);
    const words = query.value.trim();
    if (!words) {
      put(byId("guide-note"), "");
      return shown(false);
    }
    const found = new Map();
    for (let day = 0; day < DAYS; day += 1) {
      const answer = await askDay(words, day);
      if (mine !== asked) return;
      if (!answer) return put(byId("guide-note"), "no answer at the moment");
      for (const hit of hitsOf(answer)) found.set(`${hit.start} ${hit.id}`, hit);
      list.replaceChildren(...[...found.values()].map((hit) => foundRow(hit, opens)));
      put(byId("guide-note"), `${answer.is_whole ? "" : "some of "}${plural(found.size, "show")}`);
      shown(true);
    }
  }

  async function askDay(words, day) {
    const from = Math.floor(now()) + day * DAY;
    const wanted = new URLSearchParams({ q: words, group: group.value, from, to: from + DAY });
    const response = await fetch(`api/guide?${wanted}`).catch(() => null);
    return response?.ok ? await response.json().catch(() => null) : null;
  }

  query.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PATIENCE);
  });
  byId("guide-bar").onsubmit = (event) => {
    event.preventDefault();
    clearTimeout(timer);
    ask();
  };
  return { renew: () => query.value.trim() && ask(), end: () => (query.value = "") };
}

/** What was found, by time. */
function hitsOf({ channels }) {
  const hits = channels.flatMap((channel) => channel.shows.map((show) => ({ ...channel, ...show })));
  return hits.sort((one, other) => one.start - other.start);
}

function foundRow(hit, opens) {
  const when = el("time", {}, `${dayOf(hit.start)} ${spanOf(hit)}`);
  const open = el("button.found-show", { type: "button" }, when, el("strong", {}, hit.title),
    el("span.muted", {}, hit.name));
  open.onclick = () => opens(hit, hit);
  return el("li", {}, open);
}

/** The lists of channels without a guide. */
export function guideJoins() {
  const state = (name) => () => ({ state: name });
  const lists = [
    pagedList("suggested", "api/guide/joins", (page) => page.channels, joinRow, state("suggested")),
    pagedList("unjoined", "api/guide/joins", (page) => page.channels, joinRow, state("none")),
  ];
  return { renew: () => lists.forEach((list) => list.renew()) };
}

const joinRow = (join) => el("li", {}, el("strong", {}, join.name), origin(join));
