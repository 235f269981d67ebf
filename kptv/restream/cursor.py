"""A place in the buffer of a hub, from which a holder of the hub reads on."""

from __future__ import annotations

from time import monotonic

from kptv.metrics.counters import ChannelCounters
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.lease import Lease
from kptv.splice.joining import Media, WayIn

MOST_SKIPS, SKIPS_WITHIN = 3, 30.0  # so many in so many seconds: this reader cannot keep up


class Cursor:
    """Gives the next bytes, never waits, and does not know where they go."""

    __slots__ = (
        "_buffer",
        "_counters",
        "_join_buffer",
        "_lease",
        "_rest",
        "_skipped_at",
        "_way",
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
        self._way: WayIn | None = None  # while its reader is on it
        self._rest: tuple[Media, ...] = ()  # of what stands for the current chunk
        self._skipped_at: tuple[float, ...] = ()  # the last of them

    def __repr__(self) -> str:
        return f"<Cursor of {self._lease!r} in {self._buffer!r}>"

    @property
    def between_chunks(self) -> bool:
        """Its reader has all of the last chunk, and gets all of the next as it is."""
        return not self._rest and self._way is None

    def take(self) -> Media:
        """The next bytes for the reader; none if they are still to come."""
        lease, buffer, place = self._lease, self._buffer, self._lease.place
        if self._rest or self._way or place is None or place < buffer.first:
            return self._take_piece()
        if place >= buffer.end:
            return b""
        data = buffer.get(place).data
        lease.place = place + 1
        lease.received += len(data)
        self._counters.bytes_sent += len(data)
        return data

    def put_back(self, rest: Media) -> None:
        """Have ``rest`` taken again: there was no room for it."""
        self._rest = (rest, *self._rest)

    def _take_piece(self) -> Media:
        """As ``take``, on the way in and where a piece was put back."""
        if not self._rest:
            self._rest = self._next()
            size = sum(map(len, self._rest))
            self._lease.received += size
            self._counters.bytes_sent += size
        if not self._rest:
            return b""
        piece, *rest = self._rest
        self._rest = tuple(rest)
        return piece

    def _next(self) -> tuple[Media, ...]:
        """The pieces of the next chunk that has any for this reader."""
        lease, buffer = self._lease, self._buffer
        if lease.place is None or lease.place < buffer.first:
            if lease.place is not None:
                self._skip()
            self._enter()
        pieces: tuple[Media, ...] = ()
        while not pieces and lease.place is not None and lease.place < buffer.end:
            pieces = self._pieces_of(lease.place)
            lease.place += 1
        return pieces

    def _enter(self) -> None:
        """Begin the stream for this reader: tables come first, then a keyframe."""
        if self._lease.dropped:
            return
        if not self._lease.skips:
            self._way = self._buffer.way_in(self._join_buffer)
        elif place := self._buffer.join(self._join_buffer):
            self._way = WayIn(*place, resumed=True)
        else:
            self._way = None
        self._lease.place = self._way.number if self._way else None

    def _pieces_of(self, number: int) -> tuple[Media, ...]:
        data = self._buffer.get(number).data
        if self._way is None:
            return (data,)
        pieces = self._way.through(number, data)
        if self._way.over(number + 1):
            self._way = None
        return pieces

    def _skip(self) -> None:
        """It fell behind the buffer: on from a newer start, unless that happens all the time."""
        now = monotonic()
        self._lease.place = None
        self._lease.skips += 1
        self._counters.skips += 1
        if len(self._skipped_at) == MOST_SKIPS - 1 and now - self._skipped_at[0] < SKIPS_WITHIN:
            self._counters.dropped += 1
            self._lease.drop()
        self._skipped_at = (*self._skipped_at, now)[1 - MOST_SKIPS :]
