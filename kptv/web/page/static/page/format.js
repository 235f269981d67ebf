// Figures as people read them.

/** Bits per second: "8.2 Mbit/s". */
export function rate(bits) {
  if (bits >= 1e9) return `${(bits / 1e9).toFixed(2)} Gbit/s`;
  if (bits >= 1e6) return `${(bits / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bits / 1e3)} kbit/s`;
}

/** Bytes: "1.4 GB". */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes >= 100 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

/** Seconds as a span: "42 s", "3 min", "2 h 5 min", "4 d". */
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 10 && s % 1 > 0.05) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.round(s / 86400)} d`;
}

/** A whole number with spaces: "20 000". */
export const count = (n) => n.toLocaleString("en").replaceAll(",", "\u202f");

/** "1 viewer", "3 viewers". */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** The time of day of a Unix time. */
export const clock = (unix) => new Date(unix * 1000).toTimeString().slice(0, 8);

const REASONS = {
  refused: "no connection",
  proxy: "the source's proxy does not work",
  timeout: "no answer in time",
  http_error: "HTTP error",
  rate_limited: "asks for a pause",
  not_media: "not a stream",
  empty: "an empty stream",
  ended: "the stream ended",
  reset: "connection broken",
  stalled: "stalled",
  unsupported: "of a kind that cannot be played",
  drip: "slower than it plays",
  no_media: "no picture and no sound",
  scrambled: "scrambled",
  loop: "the same seconds again and again",
  bad_url: "bad address",
  internal: "a fault of the proxy",
  switched: "switched by hand",
  slot_lost: "connection needed elsewhere",
};

// Details that say no more than their reason.
const SAME = new Set(["connection reset", "connection refused", "end of stream"]);

/** Why a stream failed, in words. */
export function why(reason, detail) {
  const words = REASONS[reason] ?? reason.replaceAll("_", " ");
  return detail && !SAME.has(detail) ? `${words} (${detail})` : words;
}

const names = new Map();

/** Learn what sources are called. */
export function learnSources(sources) {
  for (const source of sources) names.set(source.number, source.name);
}

/** What a source is called. */
export const sourceName = (number) => names.get(number) ?? `source-${number}`;

/** The mark of a source's colour, of eight in style.css. */
export const sourceColour = (number) => String(((number - 1) % 8) + 1);
