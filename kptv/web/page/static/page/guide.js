// The guide: what is on and comes, for a hundred channels and three hours at a time.

import { byId, el, put } from "./dom.js";
import { count } from "./format.js";
import { guideJoins, guideSearch } from "./guide_found.js";
import { guideKeys } from "./guide_keys.js";
import { showDialog } from "./guide_show.js";
import { guideRow, hourMarks } from "./guide_rows.js";
import { dayOf, halfHour, HOUR, MINUTE } from "./moments.js";

const SHOWN = 3 * HOUR;
const ON_A_PHONE = 8 * HOUR; // which shows what is on and next: a film must not hide what follows
const STEP = 2 * HOUR;
const AGAIN = 3000; // milliseconds until an answer that did not come is asked for again

const phone = matchMedia("(max-width: 760px)");

export function startGuide(context, groups) {
  const group = byId("guide-group");
  const dialog = showDialog(context);
  const joins = guideJoins();
  let rows = [];
  let [page, size, total] = [0, 100, 0];
  let range = { from: 0, to: 0 };
  let follows = true; // the hours move on with the clock
  let [open, why] = [false, false];
  let shown = 0; // when the answer came
  let asked = 0; // an answer to an earlier question is ignored
  let timer = null;
  let ticking = null;

  const search = guideSearch(context.now, group, (found) => {
    why = false;
    pane(found ? "found" : "grid");
  }, dialog.open);
  const keys = guideKeys(byId("guide-rows"), () => rows, beyond);

  /** Ask for the page's channels and the hours; whether the answer came and is shown. */
  async function ask() {
    clearTimeout(timer);
    const mine = (asked += 1);
    if (follows) range.from = halfHour(context.now());
    range.to = range.from + (phone.matches ? ON_A_PHONE : SHOWN);
    const wanted = new URLSearchParams({ ...range, group: group.value, page });
    const response = await fetch(`api/guide?${wanted}`).catch(() => null);
    const answer = response?.ok ? await response.json().catch(() => null) : null;
    if (mine !== asked) return false;
    if (!answer) {
      timer = setTimeout(() => open && ask(), AGAIN);
      return false;
    }
    shown = context.now();
    show(answer);
    if (answer.guide !== "there") timer = setTimeout(() => open && ask(), AGAIN);
    return true;
  }

  function show(answer) {
    byId("no-guide").hidden = answer.guide !== "none";
    byId("guide-expected").hidden = answer.guide !== "expected";
    byId("guide-body").hidden = answer.guide !== "there";
    if (answer.guide !== "there") return;
    [size, total] = [answer.size, answer.total];
    const now = context.now();
    rows = answer.channels.map((channel) => guideRow(channel, range, now, dialog.open));
    byId("guide-rows").replaceChildren(...rows.map((row) => row.node));
    byId("guide-hours").replaceChildren(el("div.marks", {}, ...hourMarks(range)));
    put(byId("guide-day"), dayOf(range.from));
    byId("guide-pages").hidden = total <= size || byId("guide-scroll").hidden;
    byId("guide-before").disabled = page === 0;
    byId("guide-behind").disabled = (page + 1) * size >= total;
    const last = Math.min(total, (page + 1) * size);
    put(byId("guide-place"), `${count(page * size + 1)}–${count(last)} of ${count(total)}`);
    keys.renew(Math.max(now, range.from));
    tick();
  }

  /** Move the line of now, and mark what is on; new hours come each half hour. */
  function tick() {
    clearTimeout(ticking);
    if (!open) return;
    const now = context.now();
    if (follows && range.from !== halfHour(now) && !byId("guide-rows").contains(document.activeElement)) {
      ask();
      return;
    }
    const line = byId("guide-line");
    line.hidden = now < range.from || now >= range.to;
    line.style.setProperty("--at", String((now - range.from) / (range.to - range.from)));
    for (const row of rows) row.mark(now);
    ticking = setTimeout(tick, 1000 * (MINUTE - (now % MINUTE)));
  }

  function pane(name) {
    byId("guide-scroll").hidden = name !== "grid";
    byId("guide-pages").hidden = name !== "grid" || total <= size;
    byId("guide-found").hidden = name !== "found";
    byId("guide-joins").hidden = name !== "joins";
    byId("guide-why").setAttribute("aria-pressed", String(name === "joins"));
  }

  function hours(step) {
    follows = false;
    range.from += step;
    return ask();
  }

  function toNow() {
    follows = true;
    return ask();
  }

  async function toPage(to) {
    if (to < 0 || to * size >= total) return false;
    page = to;
    const came = await ask();
    byId("guide-scroll").scrollTop = 0;
    return came;
  }

  function beyond(key) {
    if (key === "ArrowLeft") return hours(-HOUR);
    if (key === "ArrowRight") return hours(HOUR);
    if (key === "Home") return toNow();
    return toPage(page + (key === "ArrowUp" || key === "PageUp" ? -1 : 1));
  }

  async function countUnjoined() {
    let unjoined = 0;
    for (const state of ["none", "suggested"]) {
      const response = await fetch(`api/guide/joins?state=${state}`).catch(() => null);
      unjoined += response?.ok ? (await response.json()).total : 0;
    }
    byId("guide-why").hidden = !unjoined;
    put(byId("guide-why"), `Without a guide (${count(unjoined)})`);
  }

  byId("guide-earlier").onclick = () => hours(-STEP);
  byId("guide-later").onclick = () => hours(STEP);
  byId("guide-now").onclick = toNow;
  byId("guide-before").onclick = () => toPage(page - 1);
  byId("guide-behind").onclick = () => toPage(page + 1);
  group.onchange = () => {
    page = 0;
    ask();
    search.renew();
  };
  byId("guide-why").onclick = () => {
    why = !why;
    if (why) joins.renew();
    search.end();
    pane(why ? "joins" : "grid");
  };
  phone.addEventListener("change", () => open && ask());

  const view = {
    /** The view is shown, or not any more. */
    open(is) {
      open = is;
      if (!open) return;
      if (context.now() - shown < MINUTE) return tick();
      groups(group);
      countUnjoined();
      if (why) joins.renew();
      search.renew();
      ask();
    },
    /** There is another guide, or another catalog. */
    renew() {
      [page, shown] = [0, 0];
      view.open(open);
    },
  };
  return view;
}
