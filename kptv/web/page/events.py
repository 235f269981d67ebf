"""`/api/events`: tells each open page of changes as they happen (server-sent events).

Theory of operation. While anybody listens, one greenlet reads the state once per second and puts
the same bytes into each listener's queue: one page costs one reading per second, a second page
nothing more. The whole state goes out when something has changed, and every few seconds; otherwise
only figures do.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from time import monotonic

import gevent
from gevent.event import Event as Signal
from gevent.greenlet import Greenlet
from gevent.queue import Empty, Full, Queue

from kptv.restream.journal import Event, Journal
from kptv.vitals.heartbeat import Heartbeat
from kptv.web.caller import ANYONE, Caller
from kptv.web.clients import neighbourhood
from kptv.web.page.public import Json
from kptv.web.page.view import View

log = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two messages
GATHER = 0.1  # seconds; the events of one failover go out together
WHOLE_EVERY = 5.0  # seconds; sparklines and the like are in no other message
MOST_LISTENERS = 32
MOST_OF_ONE = 4  # listeners per address
_MOST_WAITING = 32  # messages; a listener further behind is let go, and connects again
_SILENCE = 15.0  # seconds, then a listener sends something to see whether its page is there
_RETRY = b"retry: 1500\n\n"  # milliseconds until a browser connects again


class Listener:
    """An open page: a body to iterate; ``close`` may come twice."""

    def __init__(self, events: EventStream, origin: str, caller: Caller) -> None:
        self._events = events
        self.origin = origin
        self.caller = caller
        self.queue: Queue[bytes | None] = Queue(_MOST_WAITING)

    def __iter__(self) -> Iterator[bytes]:
        yield _RETRY
        while True:
            try:
                message = self.queue.get(timeout=_SILENCE)
            except Empty:
                message = b": still here\n\n"
            if message is None:
                return
            yield message

    def close(self) -> None:
        """Listen no more."""
        self._events.leave(self)


class EventStream:
    """Reads the state for all listeners."""

    def __init__(
        self, view: View, journal: Journal, instances: Callable[[], Json] | None = None
    ) -> None:
        """``instances``: what is told of several; None: there is one."""
        self._view = view
        self._instances = instances
        self._listeners: set[Listener] = set()
        self._news = Signal()
        self._events: list[Event] = []
        self._greenlet: Greenlet | None = None  # while anybody listens
        self._heartbeat = Heartbeat(monotonic())
        self._closed = False
        journal.listeners.append(self._heard)

    def __repr__(self) -> str:
        return f"<EventStream listeners={len(self._listeners)}>"

    @property
    def alive(self) -> bool:
        """Whether those who listen are told; nothing runs while nobody does."""
        return not self._listeners or (self._runs and self._heartbeat.alive(monotonic()))

    @property
    def _runs(self) -> bool:
        return self._greenlet is not None and not self._greenlet.ready()

    def listen(self, address: str = "", caller: Caller = ANYONE) -> Listener | None:
        """One more listener; None if there are too many, in all or from ``address``."""
        origin = neighbourhood(address)
        of_one = sum(listener.origin == origin for listener in self._listeners)
        if self._closed or of_one >= MOST_OF_ONE or len(self._listeners) >= MOST_LISTENERS:
            return None
        listener = Listener(self, origin, caller)
        listener.queue.put(message("status", self._view.status()))
        if self._instances is not None:
            listener.queue.put(message("instances", self._instances()))
        self._listeners.add(listener)
        if not self._runs:
            self._heartbeat.beat(monotonic())
            self._greenlet = gevent.spawn(self._run)
        return listener

    def leave(self, listener: Listener) -> None:
        """One listener less; harmless if it has left before."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """End all bodies; may come twice."""
        self._closed = True
        self._end_all()
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def end_unless(self, still: Callable[[Caller], bool]) -> None:
        """End the bodies of callers who may not listen any more; ``still`` says who may."""
        for listener in list(self._listeners):
            if not still(listener.caller):
                self._let_go(listener)

    def _end_all(self) -> None:
        self.end_unless(lambda _: False)

    def _heard(self, event: Event) -> None:
        if self._listeners:
            self._events.append(event)
            self._news.set()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:  # the pages connect again, which starts it anew
            log.exception("the status page's events failed")
            self._end_all()

    def _serve(self) -> None:
        signature, whole_at = self._view.signature(), monotonic()
        lines = self._view.lines_after(0)
        told = lines[-1]["number"] if lines else 0
        while self._listeners:
            self._heartbeat.beat(monotonic())
            if self._news.wait(timeout=INTERVAL):
                gevent.sleep(GATHER)
            self._news.clear()
            events, self._events = self._events, []
            for event in events:
                self._send("event", self._view.event(event))
            for line in self._view.lines_after(told):
                told = line["number"]
                self._send("log", line)
            now_signature = self._view.signature()
            if now_signature != signature or monotonic() - whole_at >= WHOLE_EVERY:
                signature, whole_at = now_signature, monotonic()
                self._send("status", self._view.status())
            else:
                self._send("figures", self._view.figures())
            if self._instances is not None:
                self._send("instances", self._instances())

    def _send(self, kind: str, value: Json) -> None:
        data = message(kind, value)
        for listener in list(self._listeners):
            try:
                listener.queue.put_nowait(data)
            except Full:
                self._let_go(listener)

    def _let_go(self, listener: Listener) -> None:
        self.leave(listener)
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)


def message(kind: str, value: Json) -> bytes:
    """A message in the format of server-sent events (WHATWG HTML, 9.2)."""
    return f"event: {kind}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
