// All channels. Only the rows in sight exist, and only the pages in sight are fetched.

import { byId, copy, el, logo, put } from "./dom.js";
import { count, sourceColour, sourceName } from "./format.js";
import { onAir, startNowNext } from "./now_next.js";
import { watch } from "./player.js";

const ROW = 52; // pixels, as style.css has it
const BEYOND = 6; // rows above and below what is in sight
const PATIENCE = 150; // milliseconds after a key before the server is asked

export function startChannels(context) {
  const list = byId("list");
  const spacer = el("div.spacer");
  const query = byId("query");
  const group = byId("group");
  const rows = [];
  let pages = new Map();
  let size = 200;
  let total = 0;
  let active = 0;
  let asked = 0; // searches; an answer to an earlier one is ignored
  let timer = null;
  let begun = false;
  const nowNext = startNowNext(context.now, () => list.offsetParent && show());
  list.append(spacer);

  async function page(number) {
    if (pages.has(number)) return;
    pages.set(number, null);
    const mine = asked;
    const wanted = new URLSearchParams({ q: query.value, group: group.value, page: number });
    let answer = null;
    try {
      const response = await fetch(`api/channels?${wanted}`);
      answer = response.ok ? await response.json() : null;
    } catch {
      // the proxy does not answer: asked again at the next look
    }
    if (mine !== asked) return;
    if (!answer) {
      pages.delete(number);
      put(byId("found"), "no list at the moment");
      return;
    }
    pages.set(number, answer.channels);
    [size, total] = [answer.size, answer.total];
    put(byId("found"), total === 1 ? "1 channel" : `${count(total)} channels`);
    spacer.style.height = `${total * ROW}px`;
    show();
  }

  function search() {
    asked += 1;
    pages = new Map();
    active = 0;
    list.scrollTop = 0;
    page(0);
  }

  function channelAt(index) {
    const number = Math.floor(index / size);
    const channels = pages.get(number);
    if (channels === undefined) page(number);
    return channels?.[index % size] ?? null;
  }

  function show() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - BEYOND);
    const last = Math.min(total, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + BEYOND);
    while (rows.length < last - first) {
      const row = channelRow(context, nowNext);
      rows.push(row);
      spacer.append(row.node);
    }
    rows.forEach((row, i) => {
      // A place in the list keeps its row while it is in sight, and so the focus.
      const index = first + ((i - (first % rows.length) + rows.length) % rows.length);
      const there = index < last;
      row.node.hidden = !there;
      if (there) row.update(channelAt(index), index, total, index === active);
    });
  }

  function move(to) {
    active = Math.max(0, Math.min(total - 1, to));
    const top = active * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + ROW > list.scrollTop + list.clientHeight) {
      list.scrollTop = top + ROW - list.clientHeight;
    }
    show();
  }

  list.addEventListener("scroll", () => requestAnimationFrame(show), { passive: true });
  new ResizeObserver(show).observe(list);
  list.addEventListener("keydown", (event) => {
    const jump = Math.floor(list.clientHeight / ROW);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: jump, PageUp: -jump };
    const steps2 = { Home: -total, End: total };
    const step = steps[event.key] ?? steps2[event.key];
    if (step) {
      event.preventDefault();
      move(active + step);
    }
    const channel = channelAt(active);
    if (event.target !== list || !channel) return;
    if (event.key === "Enter") watch(channel, context);
    if (event.key === "c" && !event.ctrlKey && !event.metaKey) copy(context.streamUrl(channel.id));
  });
  query.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PATIENCE);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      list.focus();
    }
  });
  group.onchange = search;
  byId("search").onsubmit = (event) => {
    event.preventDefault();
    search();
    list.focus();
  };

  return {
    /** The view is shown. */
    open() {
      if (!begun) {
        begun = true;
        search();
        fillGroups(group);
      }
      show();
    },
    /** Other channels play than before. */
    refresh: show,
    /** The catalog has changed. */
    renew() {
      if (begun) {
        search();
        fillGroups(group);
      }
    },
  };
}

/** Fill a choice of groups; the chosen one stays. */
export async function fillGroups(select) {
  const response = await fetch("api/groups").catch(() => null);
  if (!response?.ok) return;
  const { groups } = await response.json();
  const chosen = select.value;
  select.replaceChildren(
    el("option", { value: "" }, "All groups"),
    ...groups.map(({ id, name, channels }) =>
      el("option", { value: id }, `${name} (${count(channels)})`)),
  );
  select.value = groups.some(({ id }) => id === chosen) ? chosen : "";
}

function channelRow(context, nowNext) {
  const picture = logo();
  const name = el("span.channel-name");
  const group = el("span.muted");
  const now = el("span.on-air");
  const next = el("span.on-air.muted");
  const sources = el("span.badges");
  const open = el("button.small", { type: "button", tabIndex: -1 }, "Watch");
  const link = el("button.small", { type: "button", tabIndex: -1 }, "Copy link");
  const hls = el("button.small.roomy", { type: "button", tabIndex: -1 }, "Copy HLS link");
  const node = el(
    "div.channel-row",
    { role: "listitem" },
    picture.node,
    el("span.channel-text", {}, name, group, now, next),
    sources,
    el("span.row-actions", {}, hls, link, open),
  );
  let channel = null;
  open.onclick = () => watch(channel, context);
  link.onclick = () => copy(context.streamUrl(channel.id));
  hls.onclick = () => copy(context.hlsUrl(channel.id));
  return {
    node,
    update(found, index, total, isActive) {
      channel = found;
      node.style.transform = `translateY(${index * ROW}px)`;
      node.setAttribute("aria-posinset", String(index + 1));
      node.setAttribute("aria-setsize", String(total));
      node.classList.toggle("active", isActive);
      node.classList.toggle("loading", !channel);
      node.classList.toggle("on", Boolean(channel) && context.isPlaying(channel.id));
      open.disabled = link.disabled = hls.disabled = !channel;
      put(name, channel?.name ?? "…");
      put(group, [channel?.number, channel?.group].filter(Boolean).join(" · "));
      const told = onAir(nowNext.of(channel));
      put(now, told[0]);
      put(next, told[1]);
      node.classList.toggle("told", Boolean(told[0] || told[1]));
      picture.update(channel ?? { name: "", logo: "" });
      open.setAttribute("aria-label", `Watch ${channel?.name ?? ""}`);
      link.setAttribute("aria-label", `Copy link of ${channel?.name ?? ""}`);
      hls.setAttribute("aria-label", `Copy HLS link of ${channel?.name ?? ""}`);
      const numbers = [...new Set(channel?.sources ?? [])];
      const mark = numbers.join();
      if (sources.dataset.mark === mark) return;
      sources.dataset.mark = mark;
      sources.replaceChildren(...numbers.map((number) => {
        const badge = el("span.dot", { title: sourceName(number) });
        badge.dataset.source = sourceColour(number);
        return badge;
      }));
    },
  };
}
