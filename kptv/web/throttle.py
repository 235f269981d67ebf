"""Slows down whoever tries tokens and secrets; all that is remembered is bounded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from time import monotonic

import gevent
from cachetools import TTLCache

FREE_FAILURES = 5  # before tries are held back
LONGEST_HOLD = 8.0  # seconds
MOST_HELD = 64  # tries of one origin at once; one more is refused
MOST_IN_ALL = 256  # of the connections that are there besides viewers
FORGET_AFTER = 600.0  # seconds without a failure
_MOST_REMEMBERED = 10_000


class TooManyTries(Exception):
    """Too many tries are being held back already."""


class Failures:
    """How often each of some keys has failed lately."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._counts: TTLCache[Hashable, int] = TTLCache(_MOST_REMEMBERED, FORGET_AFTER, now)

    def __repr__(self) -> str:
        return f"<Failures of={len(self._counts)}>"

    def of(self, key: Hashable) -> int:
        """The failures of ``key``."""
        return self._counts.get(key, 0)

    def count(self, key: Hashable) -> None:
        """One more."""
        self._counts[key] = self.of(key) + 1

    def take_back(self, key: Hashable) -> None:
        """One less: the last one was none."""
        if (count := self.of(key)) > 1:
            self._counts[key] = count - 1
        else:
            self._counts.pop(key, None)


class Throttle:
    """Holds tries back, the longer the more have failed before, right or wrong alike.

    So guessing is slow, and nobody is locked out. It never holds more than ``most`` of one origin,
    nor more than ``most_in_all``: each has a connection.
    """

    def __init__(
        self,
        sleep: Callable[[float], object] = gevent.sleep,
        most: int = MOST_HELD,
        most_in_all: int = MOST_IN_ALL,
    ) -> None:
        self._sleep = sleep
        self._most = most
        self._most_in_all = most_in_all
        self._held: dict[Hashable, int] = {}  # by origin
        self._held_in_all = 0

    def __repr__(self) -> str:
        return f"<Throttle held={self._held_in_all}>"

    def hold_back(self, origin: Hashable, failures: int) -> None:
        """Wait 1 s after FREE_FAILURES, then 2, 4 and so on. Raises TooManyTries."""
        too_many = failures - FREE_FAILURES
        if too_many < 0:
            return
        with self._place(origin):
            self._sleep(min(2.0 ** min(too_many, 8), LONGEST_HOLD))

    @contextmanager
    def _place(self, origin: Hashable) -> Iterator[None]:
        held = self._held.get(origin, 0)
        if held >= self._most or self._held_in_all >= self._most_in_all:
            raise TooManyTries
        self._held[origin] = held + 1
        self._held_in_all += 1
        try:
            yield
        finally:
            self._held_in_all -= 1
            if self._held[origin] == 1:
                del self._held[origin]
            else:
                self._held[origin] -= 1
