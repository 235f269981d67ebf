// The live state, by server-sent events; connects again whenever they break.

const RETRY = 2000; // milliseconds; after an answer that is no stream, the browser does not retry
const SILENCE = 6000; // milliseconds; the server says something every second

/** Listeners get (kind, value); kinds: status, figures, event, log, live. */
export function follow(listener) {
  let source = null;
  let watchdog = null;

  function connect() {
    source?.close();
    source = new EventSource("api/events");
    for (const kind of ["status", "figures", "event", "log"]) {
      source.addEventListener(kind, (message) => {
        alive();
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

  function again() {
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, RETRY);
  }

  // A page that the browser keeps for its "back" button takes no place among the listeners.
  addEventListener("pagehide", () => {
    clearTimeout(watchdog);
    source?.close();
  });
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
}
