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
  return (await send("POST", path, body, { tell: true })).ok;
}

/** Send something as the operator: {ok, status, value}; `tell`: say what came of it. */
export async function send(method, path, body, { tell = false } = {}) {
  const headers = { "Content-Type": "application/json", ...adminHeaders() };
  let answer = { ok: false, status: 0, value: { error: "The proxy does not answer." } };
  try {
    const response = await fetch(path, { method, headers, body: JSON.stringify(body ?? {}) });
    answer = { ok: response.ok, status: response.status, value: await response.json() };
  } catch {
    // told below
  }
  if (answer.status === 401 && mayAct()) take({ ...session, csrf: null });
  if (tell) toast(answer.value.done ?? answer.value.error ?? "That did not work.");
  return answer;
}

/** Ask for the token. */
export function logIn() {
  put(byId("login-error"), "");
  byId("token").value = "";
  if (!byId("login").open) byId("login").showModal();
}

/** Ask who we are, and make the button and the form work. */
export async function startAdmin() {
  const button = byId("admin");
  const dialog = byId("login");
  button.onclick = () => (mayAct() ? logOut() : logIn());
  byId("login-form").onsubmit = async (event) => {
    event.preventDefault();
    const answer = await send("POST", "api/login", { token: byId("token").value });
    if (!answer.ok) return put(byId("login-error"), answer.value.error ?? "That did not work.");
    byId("token").value = "";
    dialog.close();
    take(answer.value);
  };
  const answer = await fetch("api/session");
  if (answer.ok) take(await answer.json());
}

/** Whoever comes to this screen next sees nothing of what the operator had on it. */
async function logOut() {
  const answer = await send("POST", "api/logout");
  if (answer.ok) location.reload();
  else toast(answer.value.error ?? "That did not work.");
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
