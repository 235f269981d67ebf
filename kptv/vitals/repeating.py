"""Small work that is done again and again, watched."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.vitals.heartbeat import Heartbeat

log = logging.getLogger(__name__)


class Repeating:
    """Does something every so often, in a greenlet of its own, until ``close``."""

    def __init__(self, what: Callable[[], object], every: float) -> None:
        """``every``: seconds between two times. An exception of one is logged, and ends nothing."""
        self._what = what
        self._every = every
        self._heartbeat = Heartbeat(monotonic())
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Repeating {self._what} every={self._every:g}>"

    @property
    def alive(self) -> bool:
        """Whether it goes on, and is not stuck."""
        return not self._greenlet.ready() and self._heartbeat.alive(monotonic())

    def close(self) -> None:
        """Stop; may come twice."""
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        while True:
            gevent.sleep(self._every)
            self._heartbeat.beat(monotonic())
            try:
                self._what()
            except Exception:  # once; the next time may do better
                log.exception("%s failed", self._what)
