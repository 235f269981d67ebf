// What channels in the list show now and next: those in sight are asked for together, in time.

import { hourOf } from "./moments.js";

const AT_ONCE = 50; // channels of a question; their ids are in its address
const TOGETHER = 30; // milliseconds in which questions are gathered
const LOOKS = 20_000; // milliseconds between two looks at what is in sight
const AGAIN = 5; // seconds until the same is asked again at the earliest
const HOLDS = 120; // seconds for which an answer without a show holds

/** `of(channel)` is what is known now; `changed()` is called when more is. */
export function startNowNext(now, changed) {
  const known = new WeakMap(); // channel -> { now, next, until }; a renewed list forgets all
  const wanted = new Map();
  let timer = null;
  setInterval(changed, LOOKS);

  async function ask() {
    timer = null;
    const channels = [...wanted.values()].slice(0, AT_ONCE);
    for (const { id } of channels) wanted.delete(id);
    const ids = new URLSearchParams({ channels: channels.map(({ id }) => id).join() });
    const response = await fetch(`api/guide/now?${ids}`).catch(() => null);
    const answer = response?.ok ? await response.json().catch(() => null) : null;
    const told = new Map(answer?.channels.map((channel) => [channel.id, channel]));
    for (const channel of channels) known.set(channel, held(told.get(channel.id), now(), AGAIN));
    if (wanted.size) timer ??= setTimeout(ask, TOGETHER);
    changed();
  }

  return {
    of(channel) {
      if (!channel) return null;
      if (!known.has(channel)) known.set(channel, held(channel, now(), 0));
      const had = known.get(channel);
      if (had.until <= now()) {
        wanted.set(channel.id, channel);
        timer ??= setTimeout(ask, TOGETHER);
      }
      return had;
    },
  };
}

/** What is told of a channel, until when it holds. */
function held(told, now, least) {
  const ends = [told?.now?.stop, told?.next?.start].filter(Boolean);
  const until = ends.length ? Math.max(Math.min(...ends), now + least) : now + HOLDS;
  return { now: told?.now ?? null, next: told?.next ?? null, until };
}

/** Two lines for people: what is on, and what is next. */
export function onAir(told) {
  return [
    told?.now ? `${told.now.title} until ${hourOf(told.now.stop)}` : "",
    told?.next ? `${hourOf(told.next.start)} ${told.next.title}` : "",
  ];
}
