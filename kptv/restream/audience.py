"""The leases of a hub, and the greenlets that wait for more of its media."""

from __future__ import annotations

from functools import partial
from time import monotonic

from gevent.hub import get_hub

from kptv.metrics.counters import ChannelCounters
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.cursor import Cursor
from kptv.restream.front_row import FrontRow, Waiter, Wire
from kptv.restream.lease import Lease, LeaseKind
from kptv.restream.turnstile import Turnstile


class Audience:
    """Wakes all who wait with one callback of the event loop; no event and no timer for each."""

    def __init__(self, name: str, counters: ChannelCounters, buffer: ChunkBuffer) -> None:
        """``name`` is the channel's, for the log."""
        self.leases: set[Lease] = set()
        self.followers: set[Lease] = set()  # of the window that is among the leases
        self.viewers = 0  # of both, those of somebody who watches
        self.idle_since = monotonic()  # if there is no lease
        self._windows = 0  # of the leases
        self._name = name
        self._counters = counters
        self._waiting: list[Waiter] = []
        self._row = FrontRow(name, buffer, counters)
        self._called = False  # the event loop will serve all
        self._over = False  # no more will come
        self.turns = Turnstile()  # of those who have much to send, as all who join

    def __repr__(self) -> str:
        return f"<Audience of {self._name!r} leases={len(self.leases)}>"

    @property
    def live(self) -> int:
        """The leases whose media is sent as it comes: all but a window's."""
        return len(self.leases) - self._windows

    def join(self, lease: Lease) -> None:
        """``lease`` is held."""
        self.leases.add(lease)
        self._windows += lease.kind is LeaseKind.WINDOW
        self._count(lease.is_viewer)

    def leave(self, lease: Lease, now: float) -> bool:
        """``lease`` is held no more; True: it was, and it was the last one."""
        if lease not in self.leases:
            return False
        self.leases.remove(lease)
        self._windows -= lease.kind is LeaseKind.WINDOW
        self._count(-lease.is_viewer)
        self.idle_since = now
        return not self.leases

    def follow(self, lease: Lease) -> None:
        """Somebody watches by a window; may come twice."""
        if lease not in self.followers:
            self.followers.add(lease)
            self._counters.followers += 1
            self._count(1)

    def unfollow(self, lease: Lease) -> None:
        """Nobody watches by it any more; may come twice."""
        if lease in self.followers:
            self.followers.remove(lease)
            self._counters.followers -= 1
            self._count(-1)

    def wait(self, lease: Lease, cursor: Cursor | None = None, wire: Wire | None = None) -> None:
        """Switch until the caller has to run itself.

        If it reads with ``cursor`` and sends to ``wire``, then as long as that has room, whatever
        comes is sent from the event loop, and the caller sleeps on (see FrontRow).
        """
        waiter = Waiter(lease, cursor, wire)
        lease.waiting = True
        self._waiting.append(waiter)
        try:
            get_hub().switch()
        finally:
            lease.waiting = False
            waiter.greenlet = None  # also when killed: nothing wakes it any more
            self._row.leave(waiter)

    def wake(self) -> None:
        """There is more, or something has ended: serve or wake all that wait."""
        if not self._called and (self._waiting or self._row):
            self._called = True
            get_hub().loop.run_callback(self._serve)

    def end(self) -> None:
        """No more will come: wake all, now and whenever ``wake`` is called."""
        self._over = True
        self.wake()

    def _count(self, more: int) -> None:
        self.viewers += more
        self._counters.viewers += more

    def _serve(self) -> None:
        self._called = False
        waiting, self._waiting = [w for w in self._waiting if w.greenlet is not None], []
        row = self._row
        left_over = row.dismiss() + waiting if self._over else row.serve(waiting)
        for waiter in left_over:
            self.turns.add(partial(_run, waiter))


def _run(waiter: Waiter) -> None:
    greenlet, waiter.greenlet = waiter.greenlet, None
    if greenlet is not None:  # not killed since
        greenlet.switch()
