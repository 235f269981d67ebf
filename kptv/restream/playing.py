"""A channel that plays, in the hands of whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from kptv.restream.cursor import Cursor
from kptv.restream.front_row import Wire
from kptv.restream.hub import Hub
from kptv.restream.lease import Lease
from kptv.splice.joining import Media

BURST = 128 * 1024  # bytes after which all others get theirs, if their reader never waits


class Playing:
    """A channel with media, held by a lease until ``close`` (may come twice).

    A reader takes from ``cursor``; a holder that needs no place in the buffer leaves that alone.
    """

    __slots__ = ("cursor", "hub", "lease")

    def __init__(self, hub: Hub, lease: Lease, join_buffer: float) -> None:
        self.hub = hub
        self.lease = lease
        self.cursor = Cursor(hub.buffer, lease, hub.counters, join_buffer)

    def __repr__(self) -> str:
        return f"<Playing {self.hub!r} {self.lease!r}>"

    @property
    def over(self) -> bool:
        """No more media will come, or the lease was dropped."""
        return self.hub.ended or self.lease.dropped

    def __iter__(self) -> Iterator[Media]:
        return self.read()

    def read(self, wire: Wire | None = None) -> Iterator[Media]:
        """All media from the cursor on, waited for, until this is over.

        While this waits, what comes goes to ``wire`` as long as that has room. So whoever reads
        has to send there too, and to have sent all before the next is asked for.
        """
        lease, cursor, sent = self.lease, self.cursor, 0
        while not lease.dropped:
            if data := cursor.take():
                yield data
                sent += len(data)
                if sent >= BURST:
                    sent = 0
                    self.hub.audience.turns.wait()
            elif self.over:
                return
            else:
                sent = 0
                self.wait(wire)

    def wait(self, wire: Wire | None = None) -> None:
        """Switch until there is more, or this is over; ``wire`` as in ``read``."""
        self.hub.audience.wait(self.lease, self.cursor, wire)

    def close(self) -> None:
        """Hold the channel no more."""
        self.lease.dropped = True
        try:
            self.hub.leave(self.lease, monotonic())
        finally:
            self.lease.end()
