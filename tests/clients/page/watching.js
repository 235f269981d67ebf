// Plays a list by hls.js, or by the browser alone, and keeps what somebody who watches would notice.
// Times are milliseconds since watch() was called.
"use strict";

const NOTICED = 250; // ms for which a picture may stand still without being called a stall
const LOOKS = 25; // ms between two looks at it
const video = document.querySelector("video");
const seen = {
  first: 0, // when the first picture was shown
  stalls: [], // [from, to]; the last one may still go on
  waits: 0, // `waiting` events
  errors: [], // of hls.js, and of the element
  lists: [], // each list that had news: what it said
  segments: [], // each one that was put into the buffer
  sizes: [], // of the picture, whenever it changes
  seeks: 0, // jumps of the place that is played
};
let hls = null;
let begun = 0;
let place = -1; // of the picture, when it moved last
let movedAt = 0;
let stall = null;

const now = () => Math.round(performance.now() - begun);

function watch(url, settings) {
  begun = performance.now();
  video.requestVideoFrameCallback(() => (seen.first = now()));
  for (const name of ["waiting", "seeking", "resize", "error"]) video.addEventListener(name, noted);
  setInterval(look, LOOKS);
  if (settings) playByScript(url, settings);
  else video.src = url;
  video.play().catch(() => {}); // said again by an event
}

function playByScript(url, settings) {
  hls = new Hls(settings);
  hls.on(Hls.Events.ERROR, (_, { details, fatal, response }) =>
    seen.errors.push({ at: now(), details, fatal, status: response?.code ?? 0 }));
  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => seen.lists.push({
    at: now(),
    first: details.startSN,
    last: details.endSN,
    target: details.targetduration,
    breaks: details.startCC,
  }));
  hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) =>
    seen.segments.push({ at: now(), number: frag.sn, breaks: frag.cc, seconds: frag.duration }));
  hls.loadSource(url);
  hls.attachMedia(video);
}

function noted(event) {
  if (event.type === "waiting") seen.waits++;
  if (event.type === "seeking") seen.seeks++;
  if (event.type === "resize") seen.sizes.push([video.videoWidth, video.videoHeight]);
  if (event.type === "error") {
    const { code, message } = video.error;
    seen.errors.push({ at: now(), details: `element ${code}: ${message}`, fatal: true, status: 0 });
  }
}

function look() {
  if (video.currentTime !== place || video.paused) {
    [place, movedAt, stall] = [video.currentTime, now(), null];
  } else if (place > 0 && now() - movedAt > NOTICED) {
    if (!stall) seen.stalls.push((stall = [movedAt, 0]));
    stall[1] = now();
  }
}

function record() {
  const quality = video.getVideoPlaybackQuality();
  const ranges = Array.from({ length: video.buffered.length }, (_, index) =>
    [video.buffered.start(index), video.buffered.end(index)]);
  return {
    ...seen,
    at: now(),
    place: video.currentTime,
    buffered: ranges,
    shown: quality.totalVideoFrames - quality.droppedVideoFrames,
    dropped: quality.droppedVideoFrames,
    behind: hls ? hls.latency : 0,
  };
}

function leave() {
  if (hls) hls.destroy();
  video.removeAttribute("src");
  video.load();
}
