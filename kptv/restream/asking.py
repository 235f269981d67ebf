"""Who asks for something of a window: requests that wait, and for how long there was none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from gevent.event import Event

LOOK_EVERY = 2.0  # seconds, whether who waits is still there
Departed = Callable[[], bool]
"""Tells, without waiting, whether whoever asks has left."""


class Asking:
    """The requests for one window."""

    def __init__(self) -> None:
        self._last_at = monotonic()  # of a request, or of its end if it waited
        self._waiting: list[Departed] = []
        self._changed = Event()  # set with the next change; then there is another

    def __repr__(self) -> str:
        return f"<Asking waiting={len(self._waiting)} quiet={self.quiet:.1f}>"

    @property
    def quiet(self) -> float:
        """Seconds since something was asked for."""
        return monotonic() - self._last_at

    @property
    def is_waited_for(self) -> bool:
        """Whether a request waits, and whoever sent it is still there."""
        return any(not departed() for departed in self._waiting)

    def touch(self) -> None:
        """Something is asked for."""
        self._last_at = monotonic()

    def tell(self) -> None:
        """Something has changed: whoever waits looks again."""
        changed, self._changed = self._changed, Event()
        changed.set()

    def wait(self, is_there: Callable[[], bool], seconds: float, departed: Departed) -> None:
        """Wait until ``is_there`` after a change, at most so long, or until who asks has left."""
        until = monotonic() + seconds
        with self._asked(departed):
            while not is_there() and not departed():
                if (left := until - monotonic()) <= 0:
                    break
                self._changed.wait(min(left, LOOK_EVERY))

    @contextmanager
    def _asked(self, departed: Departed) -> Iterator[None]:
        """While a request waits, somebody asks."""
        self._waiting.append(departed)
        try:
            yield
        finally:
            self._waiting.remove(departed)
            if not departed():
                self.touch()
