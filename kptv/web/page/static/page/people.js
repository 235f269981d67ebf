// People: who may watch, who does so now, and their links. For the operator only.

import { adminHeaders, logIn, mayAct, mayLogIn, onAdmin, send } from "./admin.js";
import { byId, el, keyed, put } from "./dom.js";
import { plural } from "./format.js";
import { startHanded } from "./handed.js";
import { startPersonForm } from "./person_form.js";
import { personCard } from "./person.js";

export function startPeople(context) {
  const handed = startHanded(context);
  const form = startPersonForm({ changed: ask, handed });
  let open = false;
  let asked = 0; // an answer to an earlier question is ignored
  let known = null;

  async function ask() {
    if (!open || !mayAct()) return show();
    const mine = (asked += 1);
    const response = await fetch("api/users", { headers: adminHeaders() }).catch(() => null);
    const value = response?.ok ? await response.json().catch(() => null) : null;
    if (mine !== asked) return;
    known = value ?? known;
    show();
  }

  function show() {
    const login = context.needsLogin();
    if (login === null) return;
    if (!mayAct()) known = null; // whoever logged out leaves nobody's name behind
    const users = known?.users ?? [];
    byId("people-open").hidden = login;
    put(byId("people-first"), users.length ? "The next user that you make" : "The first user");
    put(byId("people-until"), context.isDemo()
      ? "The demo forgets its users when it stops." : "It stays so until python -m kptv.users open.");
    byId("people-how").hidden = mayAct();
    put(byId("people-here"), whereToLogIn(context.isDemo()));
    byId("people-command").hidden = context.isDemo(); // its users are in a folder of its own
    byId("people-log-in").hidden = mayAct() || !mayLogIn();
    byId("people-closed").hidden = !login || mayAct();
    byId("people-trouble").hidden = !known?.trouble;
    put(byId("people-trouble"), known?.trouble ?? "");
    byId("people-body").hidden = !mayAct();
    byId("nobody").hidden = !known || !login || users.length > 0 || Boolean(known.trouble);
    const streams = users.reduce((sum, user) => sum + user.streams.length, 0);
    const where = context.isOneOfSeveral() ? " at this instance" : "";
    put(byId("people-found"), users.length
      ? `${plural(users.length, "user")}, ${plural(streams, "stream")} open${where}` : "");
    put(byId("new-user"), users.length || login ? "New user" : "Make the first user");
    keyed(byId("people-list"), users, (user) => user.name, () => personCard(actions));
  }

  const actions = {
    now: context.now,
    edit: form.edit,
    newSecret: form.newSecret,
    /** Change something, say what came of it, and look again. */
    async act(method, path, body) {
      await send(method, path, body, { tell: true });
      await ask();
    },
  };

  byId("new-user").onclick = form.create;
  byId("people-log-in").onclick = logIn;
  onAdmin(ask);
  return {
    /** The view is shown, or not any more. */
    open(is) {
      open = is;
      ask();
    },
    /** The state may have changed. */
    refresh: ask,
  };
}

function whereToLogIn(isDemo) {
  if (isDemo) return "To make one, log in with the token that your terminal shows.";
  return mayLogIn() ? "To make one, log in." : "To make one here, set ADMIN_TOKEN in .env and restart.";
}
