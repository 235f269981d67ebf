"""The viewers of a hub, and which of them wait for more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gevent
from gevent.hub import get_hub

if TYPE_CHECKING:
    from kptv.restream.subscriber import Subscriber

log = logging.getLogger(__name__)


class Audience:
    """Wakes all who wait with one callback of the event loop; no event and no timer for each."""

    def __init__(self, name: str) -> None:
        """``name`` is the channel's, for the log."""
        self.members: set[Subscriber] = set()
        self._name = name
        self._waiting: list[Subscriber] = []

    def __repr__(self) -> str:
        return f"<Audience of {self._name!r} members={len(self.members)}>"

    def wait(self, subscriber: Subscriber) -> None:
        """Switch until ``wake``."""
        subscriber.waiting = gevent.getcurrent()
        self._waiting.append(subscriber)
        try:
            get_hub().switch()
        finally:
            subscriber.waiting = None  # also when killed: nothing wakes it any more

    def wake(self) -> None:
        """Let all who wait look again."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            get_hub().loop.run_callback(self._serve, waiting)

    def _serve(self, waiting: list[Subscriber]) -> None:
        for subscriber in waiting:
            greenlet = subscriber.waiting
            if greenlet is None:
                continue  # killed while it waited
            if self._push(subscriber):
                self._waiting.append(subscriber)
            else:
                subscriber.waiting = None
                greenlet.switch()

    def _push(self, subscriber: Subscriber) -> bool:
        try:
            return subscriber.push()
        except Exception:  # of one viewer: the others of this turn must have theirs
            log.exception("%s: a viewer was lost", self._name)
            subscriber.drop()
            return False
