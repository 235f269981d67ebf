// "Watch here": the channel in the browser, by mpegts.js.

import { byId, copy, put } from "./dom.js";

const LIBRARY = "assets/vendor/mpegts.js-1.8.2/mpegts.js";
const CANNOT = "This browser cannot play this stream. Copy the link into VLC or another player.";

let library = null;
let player = null;
let link = "";

/** Play a channel in the dialog; `url` is the link that other players take. */
export async function watch(channel, url) {
  const dialog = byId("player");
  link = url;
  put(byId("player-title"), channel.name);
  put(byId("player-note"), "Starting…");
  if (!dialog.open) dialog.showModal();
  stop();
  const mpegts = await load();
  if (!dialog.open) return;
  if (!mpegts?.isSupported()) return put(byId("player-note"), CANNOT);
  play(mpegts, new URL(`stream/${encodeURIComponent(channel.id)}`, document.baseURI).href);
}

export function startPlayer() {
  const dialog = byId("player");
  dialog.addEventListener("close", stop);
  byId("player-copy").onclick = () => copy(link);
  byId("video").addEventListener("playing", () => put(byId("player-note"), ""));
  byId("video").addEventListener("waiting", () => put(byId("player-note"), "Waiting for media…"));
}

function play(mpegts, url) {
  const video = byId("video");
  mpegts.LoggingControl.enableAll = false;
  const mine = mpegts.createPlayer(
    { type: "mpegts", isLive: true, url },
    { enableWorker: false, liveBufferLatencyChasing: true, liveBufferLatencyMaxLatency: 4,
      liveBufferLatencyMinRemain: 1, autoCleanupSourceBuffer: true },
  );
  player = mine;
  mine.on(mpegts.Events.ERROR, (kind) => {
    if (player !== mine) return;
    put(byId("player-note"), kind === mpegts.ErrorTypes.NETWORK_ERROR
      ? "The stream ended, or cannot be played at the moment." : CANNOT);
  });
  mine.attachMediaElement(video);
  mine.load();
  Promise.resolve(mine.play()).catch(() => {
    // A browser may allow no sound before somebody has touched the page.
    video.muted = true;
    Promise.resolve(video.play()).catch(() => {});
  });
}

function stop() {
  const old = player;
  player = null;
  if (!old) return;
  old.unload();
  old.detachMediaElement();
  old.destroy();
}

function load() {
  library ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = () => resolve(globalThis.mpegts);
    script.onerror = () => {
      library = null;
      resolve(null);
    };
    document.head.append(script);
  });
  return library;
}
