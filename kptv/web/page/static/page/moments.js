// Times of the guide, as people say them: by the browser's clock and zone.

export const MINUTE = 60;
export const HOUR = 3600;

/** The hour and minute of a Unix time: "20:15". */
export const hourOf = (unix) => new Date(unix * 1000).toTimeString().slice(0, 5);

/** The day of a Unix time: "Thu 26 Nov". */
export const dayOf = (unix) =>
  new Date(unix * 1000).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" })
    .replace(",", "");

/** When a show is on: "20:15–21:00". */
export const spanOf = ({ start, stop }) => `${hourOf(start)}–${hourOf(stop)}`;

/** The half hour in which a moment is, by the local clock: zones may be off by a quarter. */
export function halfHour(unix) {
  const date = new Date(unix * 1000);
  date.setMinutes(date.getMinutes() < 30 ? 0 : 30, 0, 0);
  return Math.floor(date / 1000);
}

/** The show that is on at a moment, or else the next one, and the one behind it. */
export function onAt(shows, at) {
  const first = shows.findIndex((show) => show.stop > at);
  return first < 0 ? [null, null] : [shows[first], shows[first + 1] ?? null];
}

/** A day and a time for people: "26 Nov 2026, 20:15". */
export const dayAndTime = (unix) =>
  `${new Date(unix * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}, `
  + hourOf(unix);

/** A Unix time as a field of a form has it, by the local clock: "2026-11-26T20:15". */
export function inField(unix) {
  const date = new Date(unix * 1000);
  return new Date(date - date.getTimezoneOffset() * MINUTE * 1000).toISOString().slice(0, 16);
}

/** The Unix time of such a field; null: it is empty. */
export const ofField = (text) => (text ? Math.floor(new Date(text) / 1000) : null);
