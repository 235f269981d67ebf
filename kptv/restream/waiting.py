"""A wait that others may end by an exception."""

from __future__ import annotations

from typing import Any

import gevent
from gevent.hub import get_hub


class Waiting:
    """``with`` it a greenlet waits for others, and ``leave`` ends that wait.

    Whoever asks, the exception is thrown from the event loop, in its next turn: nothing would
    switch back to a greenlet that has thrown into another.
    """

    def __init__(self) -> None:
        self._greenlet: Any = None

    def __repr__(self) -> str:
        return f"<Waiting {self._greenlet}>"

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()

    def __exit__(self, *_: object) -> None:
        self._greenlet = None

    @property
    def on(self) -> bool:
        """Somebody waits."""
        return self._greenlet is not None

    def leave(self, why: Exception) -> None:
        """Raise ``why`` in it, if it still is on in the next turn; once."""
        get_hub().loop.run_callback(self._throw, self._greenlet, why)

    def end(self) -> None:
        """Nothing is raised in it any more."""
        self._greenlet = None

    def _throw(self, greenlet: Any, why: Exception) -> None:
        if greenlet is not None and greenlet is self._greenlet:
            self._greenlet = None
            greenlet.throw(why)
