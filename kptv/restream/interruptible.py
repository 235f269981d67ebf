"""A greenlet that others may break into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent import GreenletExit
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.restream.waiting import Waiting


class Interruptible:
    """Runs a function in a greenlet of its own, and breaks in only where that does no harm."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._greenlet: Greenlet = Greenlet(run)
        self._work = Waiting()
        self._sealed = False

    def __repr__(self) -> str:
        return f"<Interruptible {'dead' if self._greenlet.dead else self._work!r}>"

    @property
    def at_work(self) -> bool:
        """It does something that it may be made to leave."""
        return self._work.on

    def start(self) -> None:
        """Begin to run."""
        self._greenlet.start()

    def work(self) -> Waiting:
        """``with`` it the greenlet does something that ``leave`` may end."""
        self._work = Waiting()
        return self._work

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """``with`` it nothing is thrown into the greenlet, not even by ``kill``."""
        self._sealed = True
        try:
            yield
        finally:
            self._sealed = False

    def leave(self, why: Exception) -> None:
        """Throw ``why`` into the work under way, unless that is over in the next turn."""
        self._work.leave(why)

    def kill(self) -> None:
        """End the greenlet in the next turn; if it is sealed then, it has to see for itself."""
        self._work.end()
        get_hub().loop.run_callback(self._kill)

    def _kill(self) -> None:
        if not self._sealed and not self._greenlet.dead:
            self._greenlet.throw(GreenletExit)
