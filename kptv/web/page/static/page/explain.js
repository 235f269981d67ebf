// What becomes of an entry of a name, step by step: for the operator, whose expressions are tried.

import { adminHeaders, mayAct } from "./admin.js";
import { byId, el, put } from "./dom.js";
import { plural, sourceName } from "./format.js";

export function startExplain() {
  const form = byId("explain");
  const name = byId("explain-name");
  const note = byId("explain-note");
  const told = byId("explained");
  let asked = 0;

  form.onsubmit = async (event) => {
    event.preventDefault();
    const mine = (asked += 1);
    put(note, "Looking…");
    const wanted = new URLSearchParams({ name: name.value });
    const options = { headers: adminHeaders() };
    const response = await fetch(`api/rules/explain?${wanted}`, options).catch(() => null);
    const value = await response?.json().catch(() => null);
    if (mine !== asked) return;
    told.replaceChildren();
    if (!response?.ok || !value) {
      put(note, value?.error ?? "The proxy does not answer.");
      return;
    }
    const more = value.total > value.entries.length ? `, of which these are some` : "";
    put(note, value.total
      ? `${plural(value.total, "entry", "entries")} of this name${more}:`
      : "No list has it. This would become of it:");
    told.append(...value.entries.map(explanation));
  };

  return {
    /** Somebody logged in or out. */
    refresh() {
      form.hidden = !mayAct();
      byId("explain-login").hidden = mayAct();
    },
  };
}

function explanation(entry) {
  const groups = entry.groups.length ? `, in ${entry.groups.join("; ")}` : "";
  const steps = entry.steps.map(({ what, line, result }) =>
    el("li", {}, el("span.muted", {}, line ? `${what}, line ${line}: ` : `${what}: `), result));
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, entry.name), ` ${sourceName(entry.source)}${groups}`),
    el("ol.steps", {}, ...steps, el("li", {}, ending(entry))),
  );
}

function ending(entry) {
  if (entry.is_dropped) return "It is dropped.";
  if (!entry.channel) return `It would be a channel of its own: ${entry.key}`;
  const of = `one of ${plural(entry.candidates.length, "candidate")} of ${entry.channel_name}`;
  return entry.is_listed ? `It is ${of}.` : `It would be ${of}.`;
}
