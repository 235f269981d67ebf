"""Where many have much to send at once, they go one by one, and the rest of the process goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import gevent
from gevent.hub import get_hub

SLICE = 0.002  # seconds; then sockets and all other greenlets have their turn
# Not 0: see kptv.pace.
_SHORTEST = 1e-6


class Turnstile:
    """Runs what is added to it, in that order and from the event loop, a slice at a time.

    Each is to do little, and to come again for more: so whoever came last soon has a first part.
    """

    def __init__(self) -> None:
        self._queue: deque[Callable[[], object]] = deque()
        self._timer: Any = None  # while a turn is due, or runs

    def __repr__(self) -> str:
        return f"<Turnstile {len(self._queue)} wait>"

    def add(self, run: Callable[[], object]) -> None:
        """Have ``run`` called when its turn has come; it may switch."""
        self._queue.append(run)
        if self._timer is None:
            self._call()

    def wait(self) -> None:
        """Switch until the caller's turn has come."""
        caller = _Caller()
        self.add(caller.wake)
        try:
            get_hub().switch()
        finally:
            caller.greenlet = None  # also when killed: nothing wakes it any more

    def _call(self) -> None:
        self._timer = get_hub().loop.timer(_SHORTEST)
        self._timer.start(self._turn)

    def _turn(self) -> None:
        self._timer.close()
        until = perf_counter() + SLICE
        try:
            while self._queue and perf_counter() < until:
                self._queue.popleft()()
        finally:
            self._timer = None
            if self._queue:
                self._call()


class _Caller:
    """A greenlet that waits for its turn."""

    __slots__ = ("greenlet",)

    def __init__(self) -> None:
        self.greenlet: Any = gevent.getcurrent()

    def wake(self) -> None:
        greenlet, self.greenlet = self.greenlet, None
        if greenlet is not None:
            greenlet.switch()
