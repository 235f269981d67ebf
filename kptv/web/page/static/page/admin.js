// The actions of an operator, who knows the token.

import { byId, put, toast } from "./dom.js";

let session = { actions: false, csrf: null };
const changed = [];

/** Whether this page may change something. */
export const mayAct = () => Boolean(session.csrf);

/** Whether somebody may log in: there is a token. */
export const mayLogIn = () => session.actions;

/** What a request has to carry that only the operator may make. */
export const adminHeaders = () => (session.csrf ? { "X-CSRF-Token": session.csrf } : {});

/** Call `listener` whenever that changes. */
export const onAdmin = (listener) => changed.push(listener);

/** Do something, and say what came of it. */
export async function act(path, body) {
  const answer = await post(path, body);
  if (answer.status === 401) take({ ...session, csrf: null });
  toast(answer.value.done ?? answer.value.error ?? "That did not work.");
  return answer.ok;
}

/** Ask who we are, and make the button and the form work. */
export async function startAdmin() {
  const button = byId("admin");
  const dialog = byId("login");
  button.onclick = async () => {
    if (mayAct()) return take((await post("api/logout")).value);
    put(byId("login-error"), "");
    byId("token").value = "";
    dialog.showModal();
  };
  byId("login-form").onsubmit = async (event) => {
    event.preventDefault();
    const answer = await post("api/login", { token: byId("token").value });
    if (!answer.ok) return put(byId("login-error"), answer.value.error ?? "That did not work.");
    byId("token").value = "";
    dialog.close();
    take(answer.value);
  };
  const answer = await fetch("api/session");
  if (answer.ok) take(await answer.json());
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json", ...adminHeaders() };
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers,
      body: JSON.stringify(body ?? {}),
    });
    return { ok: answer.ok, status: answer.status, value: await answer.json() };
  } catch {
    return { ok: false, status: 0, value: { error: "The proxy does not answer." } };
  }
}

function take(value) {
  session = value;
  const button = byId("admin");
  button.hidden = !session.actions;
  put(button, mayAct() ? "Log out" : "Log in");
  byId("read-only").hidden = session.actions;
  byId("import").hidden = !mayAct();
  for (const listener of changed) listener();
}
