// What the rules do to the lists. It edits nothing: the file is where rules are written.

import { act, mayAct } from "./admin.js";
import { byId, el, keyed, put } from "./dom.js";
import { startExplain } from "./explain.js";
import { clock, count, plural } from "./format.js";
import { droppedRow, mergedRow, pagedList } from "./paged.js";

const AGAIN = 3000; // milliseconds until a report that was not ready is asked for again

/** The notice that the file cannot be used, on every view. */
export function showComplaints(file) {
  byId("bad-rules").hidden = !file.bad_since;
  if (!file.bad_since) return;
  put(byId("bad-rules-since"), clock(file.bad_since));
  put(byId("bad-rules-why"), file.complaints.map(marked).join(" · "));
}

export function startRules() {
  const merged = pagedList("merged", "api/rules/merged", (page) => page.channels, mergedRow);
  const dropped = pagedList("dropped", "api/rules/dropped", (page) => page.entries, droppedRow);
  const explain = startExplain();
  let open = false;
  let fresh = false;
  let timer = null;

  async function ask() {
    fresh = true;
    clearTimeout(timer);
    let rules = null;
    try {
      const response = await fetch("api/rules");
      rules = response.ok ? await response.json() : null;
    } catch {
      // the proxy does not answer: asked again below
    }
    if (!rules || (rules.ruled && !rules.report)) {
      fresh = false;
      timer = setTimeout(() => open && ask(), AGAIN);
    }
    if (rules) show(rules);
  }

  function show({ file, ruled, report }) {
    byId("no-rules").hidden = Boolean(ruled) || file.present;
    byId("rules-body").hidden = !ruled;
    if (!ruled) return;
    put(byId("rules-read"), file.read_at ? `rules.toml, read at ${clock(file.read_at)}` : "");
    showFigures(ruled);
    keyed(byId("rule-rows"), ruled.rules, (rule) => rule.line, ruleRow);
    byId("no-rule-rows").hidden = ruled.rules.length > 0;
    list("idle-rules", report ? idle(ruled, report) : []);
    list("conflicts", (report?.conflicts ?? []).map(
      ({ name, ids }) => `${name}: ${ids.join(", ")}`));
    list("more-rules", report ? more(report) : []);
    put(byId("rules-wait"), report ? "" : "What has no effect is still being looked for…");
  }

  byId("reload-rules").onclick = async () => {
    await act("api/rules/reload");
    view.renew();
  };

  const view = {
    /** The view is shown, or not any more. */
    open(is) {
      open = is;
      if (!open || fresh) return;
      ask();
      merged.renew();
      dropped.renew();
    },
    /** There are other rules, or another catalog. */
    renew() {
      fresh = false;
      view.open(open);
    },
    /** Somebody logged in or out. */
    refresh() {
      byId("reload-rules").hidden = !mayAct();
      explain.refresh();
    },
  };
  return view;
}

function showFigures(ruled) {
  const facts = [
    ["Entries", ruled.entries, ""],
    ["Dropped", ruled.dropped, ""],
    ["Renamed", ruled.renamed, ""],
    ["Channels", ruled.channels, `of ${plural(ruled.names, "different name")}`],
    ["Joined", ruled.merged, "of several names"],
  ];
  keyed(byId("rules-totals"), facts, ([name]) => name, ([name]) => {
    const value = el("dd");
    const note = el("dd.note");
    return {
      node: el("div", {}, el("dt", {}, name), value, note),
      update([, number, extra]) {
        put(value, count(number));
        put(note, extra);
      },
    };
  });
}

function ruleRow() {
  const cells = Array.from({ length: 4 }, () => el("td"));
  return {
    node: el("tr", {}, ...cells),
    update(rule) {
      const samples = rule.samples.length ? ` (${rule.samples.join(" · ")})` : "";
      const texts = [String(rule.line), rule.when || "all", rule.does, count(rule.hits) + samples];
      texts.forEach((text, i) => put(cells[i], text));
      cells[3].className = rule.hits ? "" : "bad";
    },
  };
}

/** What in the file does nothing, in words. */
function idle(ruled, report) {
  const near = (names) => (names.length ? `; near it: ${names.join(", ")}` : "");
  return [
    ...report.no_match.map((found) =>
      `${place(found.line) || `[${found.table}] `}“${found.text}” matched nothing${near(found.near)}`),
    ...report.shadowed.map((rule) =>
      `${place(rule.line)}nothing is left for this rule: line ${rule.by.join(", ")} decides before`),
    ...ruled.too_slow.map((found) =>
      `${place(found.line)}“${found.text}” was too slow, and is switched off`),
  ];
}

/** What else people ask: prefixes, countries, profiles, numbers. */
function more(report) {
  const taken = report.prefixes.map(({ text, entries }) => `${text} (${count(entries)})`);
  return [
    ...(taken.length ? [`Prefixes taken: ${taken.join(", ")}`] : []),
    ...report.alike.map((names) => `Perhaps one channel: ${names.join(", ")}`),
    ...report.spares.map(({ name, line, channel }) =>
      `${place(line)}“${name}” is dropped, though ${channel} is served`),
    ...report.apart.map(({ name, channels, found }) =>
      `“${name}” finds ${found}, of ${channels.join(", ")}`),
    ...report.profiles.map(({ name, channels }) => `Profile ${name}: ${plural(channels, "channel")}`),
    ...report.numbering,
  ];
}

function list(id, texts) {
  keyed(byId(id), [...new Set(texts)], (text) => text, (text) => ({
    node: el("li", {}, text),
    update() {},
  }));
  byId(`${id}-panel`).hidden = !texts.length;
}

const place = (line) => (line ? `line ${line}: ` : "");
const marked = ({ line, text }) => `rules.toml:${line}: ${text}`;
