"""A greenlet that others may break into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent import GreenletExit
from gevent.greenlet import Greenlet
from gevent.hub import get_hub


class Interruptible:
    """Runs a function in a greenlet of its own, and says when something may be thrown into it.

    Whoever asks, the exception is thrown from the event loop, in its next turn: nothing would
    switch back to a greenlet that has thrown into another.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self._greenlet: Greenlet = Greenlet(run)
        self._work: object | None = None  # what may be left
        self._sealed = False

    def __repr__(self) -> str:
        return f"<Interruptible {'dead' if self._greenlet.dead else self._work!r}>"

    @property
    def at_work(self) -> bool:
        """There is something that it may be made to leave."""
        return self._work is not None

    def start(self) -> None:
        """Begin to run."""
        self._greenlet.start()

    @contextmanager
    def at(self, work: object) -> Iterator[None]:
        """Until the end of the block ``leave`` throws into it."""
        self._work = work
        try:
            yield
        finally:
            self._work = None

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """Until the end of the block nothing is thrown into it, not even by ``kill``."""
        self._sealed = True
        try:
            yield
        finally:
            self._sealed = False

    def leave(self, why: Exception) -> None:
        """Throw ``why`` into what it is at now, if it still is at that in the next turn."""
        get_hub().loop.run_callback(self._throw, why, self._work)

    def kill(self) -> None:
        """End it in the next turn; if it is sealed then, it has to see for itself."""
        self._work = None
        get_hub().loop.run_callback(self._kill)

    def _throw(self, why: Exception, work: object) -> None:
        if work is not None and work is self._work:
            self._work = None
            self._greenlet.throw(why)

    def _kill(self) -> None:
        if not self._sealed and not self._greenlet.dead:
            self._greenlet.throw(GreenletExit)
