"""What each instance shows of itself, put up for all each second, and taken down when it is old.

Nothing depends on it: it has a connection of its own, so no slot waits behind it, and while the
server is away what was seen last only grows old.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import Event

from kptv.instances.link import LinkError

log = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds
KEEP = 60.0  # seconds; then an instance that is silent is not shown any more
MOST = 64  # instances


@dataclass(frozen=True, slots=True)
class Shown:
    """What an instance showed."""

    place: str  # no two instances have the same
    at: float  # monotonic, by this machine's clock
    text: str


class BoardLink(Protocol):
    """A connection to the server."""

    def put_up(self, place: str, text: str, keep: float) -> list[tuple[str, float, str]]:
        """What all show now: place, seconds since it was put up, text. Raises LinkError."""
        ...

    def close(self) -> None:
        """Hang up; may come twice."""
        ...


class Board:
    """Works in a greenlet of its own, from ``start`` until ``close``."""

    def __init__(self, place: str, dial: Callable[[], BoardLink]) -> None:
        """``dial`` makes a connection, or raises LinkError."""
        self.place = place
        self._dial = dial
        self._link: BoardLink | None = None
        self._seen: tuple[Shown, ...] = ()
        self._stir = Event()
        self._greenlet: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<Board instances={len(self._seen)}>"

    def start(self, text: Callable[[], str], look: Callable[[], object] = lambda: None) -> None:
        """Show what ``text`` says; ``look`` is called whenever the others were seen."""
        self._greenlet = gevent.spawn(self._run, text, look)

    def stir(self) -> None:
        """Show at once what there is to show; never switches."""
        self._stir.set()

    def close(self) -> None:
        """Show nothing any more; may come twice."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._hang_up()

    @property
    def alive(self) -> bool:
        """Whether it works; before ``start`` there is nothing to do."""
        return self._greenlet is None or not self._greenlet.dead

    def seen(self) -> Sequence[Shown]:
        """What the instances showed last, by name; those that are silent for long are left out."""
        now = monotonic()
        return [each for each in self._seen if now - each.at <= KEEP]

    def _run(self, text: Callable[[], str], look: Callable[[], object]) -> None:
        while True:
            self._stir.clear()
            try:
                self._turn(text())
                look()
            except LinkError:  # the member tells of it
                self._hang_up()
            except Exception:
                log.exception("what this instance shows cannot be put up")
            self._stir.wait(INTERVAL)

    def _turn(self, text: str) -> None:
        if self._link is None:
            self._link = self._dial()
        found = self._link.put_up(self.place, text, KEEP)
        now = monotonic()
        self._seen = tuple(
            Shown(place, now - age, text) for place, age, text in sorted(found)[:MOST]
        )

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
