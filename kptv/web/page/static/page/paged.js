// Lists that come a page at a time: joined channels with their entries, dropped entries.

import { byId, el, put } from "./dom.js";
import { count, plural, sourceName } from "./format.js";

const PATIENCE = 150; // milliseconds after a key before the server is asked

/** The list `id`, with `id-more`, `id-found` and, if there is one, `id-query`; `also()` is asked too. */
export function pagedList(id, path, items, row, also = () => ({})) {
  const rows = byId(id);
  const more = byId(`${id}-more`);
  const query = byId(`${id}-query`);
  let next = 0;
  let asked = 0; // an answer to an earlier question is ignored
  let timer = null;

  async function ask() {
    const mine = (asked += 1);
    const wanted = new URLSearchParams({ ...also(), q: query?.value ?? "", page: next });
    const response = await fetch(`${path}?${wanted}`).catch(() => null);
    const page = response?.ok ? await response.json() : null;
    if (mine !== asked) return;
    if (!page) {
      put(byId(`${id}-found`), "none at the moment");
      more.hidden = true;
      return;
    }
    if (next === 0) rows.replaceChildren();
    rows.append(...items(page).map(row));
    next += 1;
    more.hidden = next * page.size >= page.total;
    put(byId(`${id}-found`), count(page.total));
  }

  function renew() {
    next = 0;
    ask();
  }

  more.onclick = ask;
  query?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(renew, PATIENCE);
  });
  return { renew };
}

/** A channel, and what its entries are called. */
export function mergedRow({ name, entries }) {
  const heads = el("summary", {}, el("strong", {}, name), ` ${plural(entries.length, "entry", "entries")}`);
  const names = entries.map((entry) =>
    el("li", {}, entry.name, " ", el("span.muted", {}, sourceName(entry.source))));
  return el("li", {}, el("details", {}, heads, el("ul.plain", {}, ...names)));
}

/** An entry that is not served. */
export function droppedRow({ name, source, line }) {
  return el("li", {}, name, " ", el("span.muted", {}, `${sourceName(source)}, line ${line}`));
}
