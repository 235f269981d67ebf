// The forms of the People view: a new user, other rights, a new link.

import { send } from "./admin.js";
import { byId, el, put } from "./dom.js";
import { inField, ofField } from "./moments.js";

/** `create()`, `edit(user)`, `newSecret(user)`; `changed()` is called afterwards. */
export function startPersonForm({ changed, handed }) {
  const dialog = byId("person-form");
  const form = byId("person-fields");
  const field = (name) => form.elements.namedItem(name);
  let save = null;
  let isBusy = false;

  form.onsubmit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    const answer = await save();
    isBusy = false;
    if (!answer.ok) return put(byId("person-error"), answer.value.error ?? "That did not work.");
    dialog.close();
    if (answer.value.links) handed.show(answer.value);
    changed();
  };
  dialog.addEventListener("close", () => form.reset());

  /** Open it with the parts `shown`; what is saved, `save` sends. */
  function open(title, shown, user, send) {
    form.reset();
    save = send;
    put(byId("person-title"), title);
    put(byId("person-error"), "");
    for (const part of form.querySelectorAll("[data-part]")) {
      part.hidden = !shown.includes(part.dataset.part);
    }
    if (shown.includes("rights")) fill(user);
    dialog.showModal();
  }

  function fill(user) {
    field("streams").value = user.max_streams || "";
    field("refuses").value = user.refuses ? "new" : "old";
    field("expires").value = user.expires === null ? "" : inField(user.expires);
    field("note").value = user.note;
    offerProfiles(user.profile);
    offerGroups(user.groups ?? []);
  }

  async function offerProfiles(mine) {
    const state = await load("api/status");
    const names = new Set([...(mine ? [mine] : []), ...(state?.profiles ?? []).map(({ name }) => name)]);
    const options = [["", "All channels"], ...[...names].map((name) => [name, name])];
    field("profile").replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    field("profile").value = mine;
  }

  // Those of the user stay offered, also if no channel has them now.
  async function offerGroups(mine) {
    const found = (await load("api/groups"))?.groups ?? [];
    const names = [...new Set([...mine, ...found.map(({ name }) => name)])].filter(Boolean);
    byId("person-groups").replaceChildren(...names.map((name) =>
      el("label.check", {},
        el("input", { type: "checkbox", name: "group", value: name, checked: mine.includes(name) }),
        ` ${name}`)));
    byId("person-groups").hidden = !names.length;
  }

  function rights() {
    const groups = [...form.querySelectorAll("[name=group]:checked")].map(({ value }) => value);
    const streams = field("streams").value.trim();
    return {
      max_streams: /^\d+$/.test(streams) ? Number(streams) : streams || 0,
      refuses: field("refuses").value === "new",
      expires: ofField(field("expires").value),
      groups: groups.length ? groups : null,
      profile: field("profile").value,
      note: field("note").value,
    };
  }

  function secret() {
    const typed = field("secret").value;
    return { label: field("label").value, ...(typed ? { secret: typed } : {}) };
  }

  return {
    create() {
      const blank = { max_streams: 0, refuses: false, expires: null, groups: null, profile: "", note: "" };
      open("New user", ["name", "rights", "secret"], blank, () =>
        send("POST", "api/users", { name: field("name").value, ...rights(), ...secret() }));
    },
    edit(user) {
      open(`What ${user.name} may`, ["rights"], user, () => send("PATCH", pathOf(user), rights()));
    },
    newSecret(user) {
      open(`A new link for ${user.name}`, ["secret"], user, () =>
        send("POST", `${pathOf(user)}/secrets`, secret()));
    },
  };
}

const pathOf = (user) => `api/users/${encodeURIComponent(user.name)}`;

async function load(path) {
  const response = await fetch(path).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}
