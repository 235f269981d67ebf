// The live state, by server-sent events; connects again whenever they break.

const RETRY = 2000; // milliseconds; after an answer that is no stream, the browser does not retry
const LOCKED_RETRY = 30_000; // milliseconds; whoever logs in here is let in at once
const SILENCE = 6000; // milliseconds; the server says something every second

/**
 * Listeners get (kind, value); kinds: status, figures, event, log, instances, live, locked. Gives a function
 * that connects anew, as after a login.
 */
export function follow(listener) {
  let source = null;
  let watchdog = null;

  function connect() {
    source?.close();
    source = new EventSource("api/events");
    for (const kind of ["status", "figures", "event", "log", "instances"]) {
      source.addEventListener(kind, (message) => {
        alive();
        listener("locked", false);
        listener(kind, JSON.parse(message.data));
      });
    }
    source.onerror = () => {
      listener("live", false);
      if (source.readyState === EventSource.CLOSED) again();
    };
    alive(false);
  }

  function alive(heard = true) {
    if (heard) listener("live", true);
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      listener("live", false);
      connect();
    }, SILENCE);
  }

  // An event source does not tell why it was refused.
  async function again() {
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, RETRY);
    const answer = await fetch("api/openapi.json", { method: "HEAD" }).catch(() => null);
    if (answer?.status !== 401 || source.readyState !== EventSource.CLOSED) return;
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, LOCKED_RETRY);
    listener("locked", true);
  }

  // A page that the browser keeps for its "back" button takes no place among the listeners.
  addEventListener("pagehide", () => {
    clearTimeout(watchdog);
    source?.close();
  });
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
  return connect;
}
