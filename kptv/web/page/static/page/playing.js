// "Now playing": a card for each channel.

import { act, mayAct } from "./admin.js";
import { copy, el, explain, keyed, logo, put } from "./dom.js";
import { clock, count, plural, rate, size, sourceColour, sourceName, span, why } from "./format.js";
import { onAir } from "./now_next.js";
import { watch } from "./player.js";
import { sparkline } from "./spark.js";
import { timeline } from "./timeline.js";

// What explains a state or a standing; the others explain themselves.
const EXPLAINED = {
  recovering: "recovering",
  full: "slots",
  resting: "resting",
  cooling: "resting",
  host_cooling: "resting",
  blocked: "blocked",
};

const STANDINGS = {
  open: "in use",
  ready: "ready",
  full: "all its slots are in use",
  resting: "resting",
  cooling: "its source is left alone",
  host_cooling: "its host is left alone",
  blocked: "blocked",
};

/** The card of a hub. */
export function playingCard(hub, context) {
  const picture = logo();
  const name = el("h3");
  const state = el("span.pill");
  const under = el("p.under");
  const air = el("p.on-air");
  const bits = el("span.bits");
  const spark = sparkline("Bit rate of the last minute");
  const line = timeline();
  const candidates = el("ul.candidates");
  const viewers = el("tbody");
  const viewersTitle = el("h4");
  const more = el("p.muted");
  const figures = el("p.muted.figures");
  const remarks = el("p.muted.figures");
  const actions = el("div.actions");
  const node = el(
    "article.card",
    {},
    el(
      "header",
      {},
      picture.node,
      el("div.title", {}, el("div.name", {}, name, state), under, air),
      el("div.rate", {}, bits, spark.node),
    ),
    line.node,
    el(
      "div.halves",
      {},
      el("section", {}, explain(el("h4", {}, "Candidates"), "candidates"), candidates, figures, remarks),
      el("section", {}, viewersTitle, viewerTable(viewers), more),
    ),
    actions,
  );
  node.dataset.channel = hub.id;
  let current = hub;
  const buttons = cardButtons(() => current, context);
  actions.append(...buttons.nodes);

  return {
    node,
    update(next) {
      current = next;
      picture.update(next);
      put(name, next.name);
      state.dataset.state = next.state;
      put(state, next.state);
      explain(state, EXPLAINED[next.state]);
      put(under, subtitle(next));
      explain(under, next.media.slate && "card");
      const [now, then] = onAir(next);
      put(air, [now, then && `next ${then}`].filter(Boolean).join(" · "));
      put(bits, rate(next.bit_rate));
      spark.set(next.rates);
      line.update(next, context.now());
      keyed(candidates, next.candidates, (c) => c.id, () => candidateRow(() => current, context));
      keyed(viewers, next.watching, (v) => v.viewer, () => viewerRow(context));
      put(viewersTitle, audience(next));
      put(more, next.viewers > next.watching.length
        ? `and ${count(next.viewers - next.watching.length)} more` : "");
      put(figures, facts(next));
      explain(figures, next.skips && "skips");
      put(remarks, (next.media.remarks ?? []).join(" "));
      buttons.update();
    },
    figures(next) {
      put(bits, rate(next.bit_rate));
      put(viewersTitle, audience(next));
      spark.push(next.bit_rate);
      line.update(current, context.now());
    },
    end: spark.end,
  };
}

function audience(hub) {
  const by = hub.hls_viewers ? `, ${count(hub.hls_viewers)} by HLS` : "";
  return plural(hub.viewers, "viewer") + by;
}

function subtitle(hub) {
  const parts = [hub.source ? `from ${sourceName(hub.source)}` : "no source at the moment"];
  if (hub.group) parts.push(hub.group);
  parts.push(...mediaFacts(hub.media));
  return parts.join(" · ");
}

/** What is known of the transport stream, the most asked for first. */
function mediaFacts(media) {
  const facts = [];
  if (media.slate) facts.push("viewers see the card");
  if (media.width && media.height) facts.push(`${media.width}×${media.height}`);
  if (media.codecs?.length) facts.push(media.codecs.join(" + "));
  if (media.gop_seconds) facts.push(`keyframe every ${span(media.gop_seconds)}`);
  return facts;
}

function facts(hub) {
  const parts = [`${size(hub.received_bytes)} in`, `${size(hub.sent_bytes)} out`];
  parts.push(`${size(hub.buffer_bytes)} buffered`);
  if (hub.skips) parts.push(`${plural(hub.skips, "skip")} of slow viewers`);
  const media = hub.media;
  if (media.continuity_errors) parts.push(plural(media.continuity_errors, "continuity error"));
  if (media.damaged_packets) parts.push(plural(media.damaged_packets, "damaged packet"));
  if (media.scrambled_packets) parts.push(plural(media.scrambled_packets, "scrambled packet"));
  if (media.sync_losses) parts.push(plural(media.sync_losses, "sync loss", "sync losses"));
  return parts.join(" · ");
}

function cardButtons(current, context) {
  const button = (text, run, kind = "button") => el(kind, { type: "button", onclick: run }, text);
  const open = button("Watch here", () => watch(current(), context));
  const link = button("Copy link", () => copy(context.streamUrl(current().id)));
  const hls = button("Copy HLS link", () => copy(context.hlsUrl(current().id)));
  const next = button("Next source", () => act(`api/channels/${part(current().id)}/switch`));
  const stop = button("Stop", () => act(`api/channels/${part(current().id)}/stop`), "button.danger");
  return {
    nodes: [open, link, hls, next, stop],
    update() {
      next.hidden = !mayAct() || current().candidates.length < 2;
      stop.hidden = !mayAct();
    },
  };
}

function candidateRow(hub, context) {
  const mark = el("span.dot", { ariaHidden: "true" });
  const name = el("span.source-name");
  const text = el("span.standing");
  const reason = el("span.why");
  const use = el("button.quiet.small", { type: "button" }, "Use");
  const unblock = el("button.quiet.small", { type: "button" }, "Unblock");
  let candidate = null;
  use.onclick = () => act(`api/channels/${part(hub().id)}/switch`, { source: candidate.source });
  unblock.onclick = () => act(`api/streams/${part(candidate.id)}/unblock`);
  const node = el("li", {}, mark, name, text, el("span.end", {}, unblock, use), reason);
  return {
    node,
    update(next) {
      candidate = next;
      const standby = hub().standby?.id === next.id ? hub().standby : null;
      node.dataset.standing = standby ? "standby" : next.standing;
      mark.dataset.source = sourceColour(next.source);
      put(name, sourceName(next.source));
      const left = next.until ? next.until - context.now() : 0;
      const until = left > 0 ? ` for ${span(Math.ceil(left))}` : "";
      const patience = next.standing === "open" ? `, silent for ${span(next.patience)} at most` : "";
      explain(text, standby ? "standby" : EXPLAINED[next.standing]);
      put(text, standby
        ? beside(standby) : `${STANDINGS[next.standing] ?? next.standing}${until}${patience}`);
      put(reason, next.reason
        ? `${why(next.reason, next.detail)}, ${clock(next.failed_at)}` : "");
      use.hidden = !mayAct() || next.standing === "open";
      unblock.hidden = !mayAct() || next.standing !== "blocked";
      use.setAttribute("aria-label", `Use ${sourceName(next.source)}`);
    },
  };
}

function beside(standby) {
  return standby.ready ? `stands by since ${clock(standby.since)}` : "is opened to stand by";
}

function viewerTable(body) {
  const heads = [["Who"], ["App"], ["For"], ["Behind", "behind"], ["Skips", "skips"]];
  const head = ([text, word]) => explain(el("th", { scope: "col" }, text), word);
  const row = el("tr", {}, ...heads.map(head));
  return el("table", {}, el("thead", {}, row), body);
}

function viewerRow(context) {
  const cells = Array.from({ length: 5 }, () => el("td"));
  return {
    node: el("tr", {}, ...cells),
    update(viewer) {
      const texts = [
        viewer.user ? `${viewer.user}, ${viewer.address}` : viewer.address,
        viewer.app || "unknown",
        span(Math.round(context.now() - viewer.joined)),
        viewer.kind === "hls" ? "HLS" : viewer.behind > 0 ? span(viewer.behind) : "live",
        viewer.skips ? String(viewer.skips) : "–",
      ];
      texts.forEach((text, i) => put(cells[i], text));
      cells[4].className = viewer.skips ? "bad" : "";
    },
  };
}

const part = (text) => encodeURIComponent(text);
