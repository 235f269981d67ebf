"""A place in the buffer of a hub, from which a holder of the hub reads on."""

from __future__ import annotations

from collections import deque
from time import monotonic

from kptv.metrics.counters import ChannelCounters
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.lease import Lease
from kptv.splice.joining import ViewerPatch

MOST_SKIPS, SKIPS_WITHIN = 3, 30.0  # so many in so many seconds: this reader cannot keep up


class Cursor:
    """Gives the next bytes, never waits, and does not know where they go."""

    __slots__ = (
        "_buffer",
        "_counters",
        "_join_buffer",
        "_lease",
        "_patch",
        "_rest",
        "_skipped_at",
    )

    def __init__(
        self, buffer: ChunkBuffer, lease: Lease, counters: ChannelCounters, join_buffer: float
    ) -> None:
        """``join_buffer``: seconds of media to begin with, if there are so many.

        The cursor notes its progress in ``lease``, and drops it if it falls behind again and again.
        """
        self._buffer = buffer
        self._lease = lease
        self._counters = counters
        self._join_buffer = join_buffer
        self._patch: ViewerPatch | None = None  # while its reader is on the way in
        self._rest = b""  # unsent tail of the current chunk
        self._skipped_at: deque[float] = deque(maxlen=MOST_SKIPS - 1)

    def __repr__(self) -> str:
        return f"<Cursor of {self._lease!r} in {self._buffer!r}>"

    def take(self) -> bytes:
        """The next bytes for the reader; none if they are still to come."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        lease, buffer, data = self._lease, self._buffer, b""
        place = lease.place
        if place is None or place < buffer.first:
            if place is not None:
                self._skip()
            data = self._enter()
            place = lease.place
        while not data and place is not None and place < buffer.end:
            data = buffer.get(place).data
            place = lease.place = place + 1
            if self._patch is not None:
                data = self._through(self._patch, data)
        if data:
            lease.received += len(data)
            self._counters.bytes_sent += len(data)
        return data

    def put_back(self, rest: bytes) -> None:
        """Have ``rest`` taken again: there was no room for it."""
        self._rest = rest

    def _enter(self) -> bytes:
        """The beginning of the stream for this reader: tables, then a keyframe."""
        found = self._buffer.join(self._join_buffer)
        if found is None or self._lease.dropped:
            return b""
        number, start = found
        self._lease.place = number + 1
        patch = self._patch = ViewerPatch(start, resumed=self._lease.skips > 0)
        return patch.start() + self._through(patch, self._buffer.get(number).data[start.offset :])

    def _through(self, patch: ViewerPatch, data: bytes) -> bytes:
        data = patch.feed(data)
        if patch.done:
            self._patch = None
        return data

    def _skip(self) -> None:
        """It fell behind the buffer: on from a newer start, unless that happens all the time."""
        now = monotonic()
        self._lease.place = None
        self._lease.skips += 1
        self._counters.skips += 1
        if len(self._skipped_at) == MOST_SKIPS - 1 and now - self._skipped_at[0] < SKIPS_WITHIN:
            self._counters.dropped += 1
            self._lease.drop()
        self._skipped_at.append(now)
