"""Carries what is to be said to the server, in order, until it has been answered.

One greenlet owns the connection and takes all that waits as one batch. Whoever says something goes
on at once, and may be killed at any moment: the connection does not notice. What was not answered
is said again on the next connection, so each operation of the script may come twice.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.event import Event

from kptv.instances.link import Answer, Link, LinkError, Request

log = logging.getLogger(__name__)

_BATCH = 64  # calls; a batch must be answered in the time of a call
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts to connect


def _nothing(answer: Answer) -> None:
    pass


@dataclass(eq=False, slots=True)
class Call:
    """An operation of the script, and who wants to know of its answer."""

    op: str
    given: dict[str, Any]
    answered: Callable[[Answer], object] = _nothing  # must not wait
    sent_at: float = field(default=0.0)  # monotonic, when it was last sent


class Principal(Protocol):
    """Whom a courier works for."""

    @property
    def owner(self) -> str:
        """As whom its calls are made."""
        ...

    def urgent(self, now: float) -> Call | None:
        """What must be said before anything else, if there is something."""
        ...

    def next_at(self, now: float) -> float:
        """When to ask for something urgent at the latest."""
        ...

    def connected(self) -> None:
        """There is a new connection."""
        ...

    def failed(self, why: str) -> None:
        """The server could not be used just now."""
        ...


class Courier:
    """Works in a greenlet of its own, from ``start`` until ``close``."""

    def __init__(self, dial: Callable[[], Link], principal: Principal) -> None:
        """``dial`` makes a connection, or raises LinkError."""
        self._dial = dial
        self._principal = principal
        self._calls: deque[Call] = deque()
        self._something = Event()
        self._link: Link | None = None
        self._pause = _SHORTEST_PAUSE
        self._greenlet: gevent.Greenlet | None = None
        self.carried = 0  # calls that were answered

    def __repr__(self) -> str:
        return f"<Courier calls={len(self._calls)} link={self._link is not None}>"

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """Stop at once; what was not answered is lost."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._hang_up()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._greenlet is not None and not self._greenlet.dead

    def take(self, call: Call) -> None:
        """Carry ``call`` after those that came before; never switches."""
        self._calls.append(call)
        self._something.set()

    def look(self) -> None:
        """Ask the principal now for what is urgent; never switches."""
        self._something.set()

    def forget(self) -> None:
        """Carry nothing of what was taken, and hear no answer to it."""
        self._calls.clear()

    @property
    def idle(self) -> bool:
        """All that was taken has been answered."""
        return not self._calls

    def _run(self) -> None:
        while True:
            self._something.clear()
            if not self._turn():
                gevent.sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            elif not self._calls:
                now = monotonic()
                self._something.wait(max(self._principal.next_at(now) - now, 0.0))

    def _turn(self) -> bool:
        """Say what there is to say; False: the server cannot be used."""
        try:
            if self._link is None:
                self._link = self._dial()
                self._principal.connected()
            self._exchange(self._link)
        except LinkError as error:
            self._hang_up()
            self._principal.failed(str(error))
            return False
        self._pause = _SHORTEST_PAUSE
        return True

    def _exchange(self, link: Link) -> None:
        now, owner = monotonic(), self._principal.owner
        urgent = self._principal.urgent(now)
        waiting = [call for call, _ in zip(self._calls, range(_BATCH), strict=False)]
        batch = [urgent, *waiting] if urgent is not None else waiting
        if not batch:
            return
        for call in batch:
            call.sent_at = now
        answers = link.exchange([Request(c.op, owner, json.dumps(c.given)) for c in batch])
        for call, answer in zip(batch, answers, strict=True):
            if call is not urgent:
                if not self._calls or self._calls[0] is not call:
                    return  # all was forgotten meanwhile, and what holds now is another life
                self._calls.popleft()
            elif self._principal.owner != owner:
                return
            self.carried += 1
            try:
                call.answered(answer)
            except Exception:  # of one: the others wait for theirs
                log.exception("the answer to %s could not be used", call.op)

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
