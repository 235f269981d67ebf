"""The leases of a hub, and the greenlets that wait for more of its media."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
from gevent.hub import get_hub

from kptv.metrics.counters import ChannelCounters
from kptv.restream.lease import Lease

log = logging.getLogger(__name__)

Serve = Callable[[], bool]


def run_itself() -> bool:
    """Serves nothing: the greenlet that waits does everything itself."""
    return False


class _Waiter:
    """One greenlet that waits."""

    __slots__ = ("greenlet", "lease", "serve")

    def __init__(self, lease: Lease, serve: Serve) -> None:
        self.lease = lease
        self.serve = serve
        self.greenlet: Any = gevent.getcurrent()  # None: it waits no more


class Audience:
    """Wakes all who wait with one callback of the event loop; no event and no timer for each."""

    def __init__(self, name: str, counters: ChannelCounters) -> None:
        """``name`` is the channel's, for the log."""
        self.leases: set[Lease] = set()
        self.viewers = 0  # leases of somebody who watches
        self.idle_since = monotonic()  # if there is no lease
        self._name = name
        self._counters = counters
        self._waiting: list[_Waiter] = []

    def __repr__(self) -> str:
        return f"<Audience of {self._name!r} leases={len(self.leases)}>"

    def join(self, lease: Lease) -> None:
        """``lease`` is held."""
        self.leases.add(lease)
        self._count(lease.is_viewer)

    def leave(self, lease: Lease, now: float) -> bool:
        """``lease`` is held no more; True: it was, and it was the last one."""
        if lease not in self.leases:
            return False
        self.leases.remove(lease)
        self._count(-lease.is_viewer)
        self.idle_since = now
        return not self.leases

    def wait(self, lease: Lease, serve: Serve = run_itself) -> None:
        """Switch until the caller has to run itself.

        Each ``wake`` calls ``serve`` from the event loop. If that returns False, this returns; else
        it has taken all that there is, without waiting, and the caller sleeps on.
        """
        waiter = _Waiter(lease, serve)
        lease.waiting = True
        self._waiting.append(waiter)
        try:
            get_hub().switch()
        finally:
            lease.waiting = False
            waiter.greenlet = None  # also when killed: nothing wakes it any more

    def wake(self) -> None:
        """There is more, or something has ended: serve or wake all that wait."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            get_hub().loop.run_callback(self._serve, waiting)

    def _count(self, more: int) -> None:
        self.viewers += more
        self._counters.viewers += more

    def _serve(self, waiting: list[_Waiter]) -> None:
        for waiter in waiting:
            greenlet = waiter.greenlet
            if greenlet is None:
                continue  # killed while it waited
            try:
                served = waiter.serve()
            except Exception:  # one viewer's: the others of this turn must have theirs
                log.exception("%s: a viewer was lost", self._name)
                waiter.lease.drop()
                served = False
            if served:
                self._waiting.append(waiter)
            else:
                waiter.greenlet = None
                greenlet.switch()
