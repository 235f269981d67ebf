"""Segments for HLS, cut from the chunks that viewers get.

A segment begins at a start point, with the tables in force, and ends where the next one begins: no
byte of media is copied but at its edges. Broadcasters send sound and picture interleaved, so behind
a cut there are packets of sound that began before it. They are the *tail* of the segment before:
each segment can be decoded alone, and all of them together are the stream.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.splice.joining import Chunk, Media, StartPoint

HOLE = 0.3  # seconds without media, before which a segment ends
OVER_TARGET = 0.45  # seconds: with less, a duration rounds down to the target duration
SHORTEST = 0.5  # seconds of a segment that media goes on behind
LEAST = 0.1  # seconds: what is shorter is no segment
FIRST = 3  # segments that are cut as soon as may be: players start with so many
AHEAD = 3.0  # how far the number of segments may be ahead of the seconds in them
LONGEST = 60.0  # seconds without a place to cut, after which what came is let go
LARGEST = 64 * 1024 * 1024  # bytes; the same
LATEST_TAIL = 0.5  # seconds of media in which a tail is waited for
LONGEST_TAIL = 2 * 1024 * 1024  # bytes; the same
_RECENT = 8  # groups of pictures whose length is remembered
_SHORT = 4 * 1024  # bytes; shorter runs beside a tail are joined
_ROUNDING = 0.02  # seconds that a group of pictures may lack


@dataclass(frozen=True, slots=True)
class Segment:
    """Media from one start point to a later one, by reference to the chunks that it was in."""

    parts: tuple[Media, ...] = field(repr=False)  # whole packets: tables, then runs of chunks
    size: int  # bytes
    clock: float  # media time of its start, in seconds as in StartPoint
    duration: float  # seconds
    breaks: bool  # it does not go on where the one before ended
    first: int  # sequence number of the first chunk that it keeps
    last: int  # and of the last one


@dataclass(slots=True)
class _Growing:
    """A segment that is not whole."""

    start: StartPoint
    breaks: bool
    first: int
    last: int
    size: int = 0
    duration: float = 0.0
    parts: list[Media] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(self.start.tables, self.first)

    def add(self, part: Media, number: int) -> None:
        if part:
            self.parts.append(part)
            self.size += len(part)
            self.last = number

    def whole(self) -> Segment:
        start, parts = self.start, tuple(self.parts)
        return Segment(
            parts, self.size, start.clock, self.duration, self.breaks, self.first, self.last
        )


class Cutter:
    """Chunks in, segments out: ``feed``, and ``end`` where the feed ends."""

    def __init__(self, target: float, *, target_duration: int = 0, begun: int = 0) -> None:
        """``target``: seconds that a segment should last. ``begun``: how many there were before.

        ``target_duration``: what was announced before, in whole seconds.
        """
        self.target_duration = max(math.ceil(target), target_duration, 1)  # it only rises
        self._target = target
        self._begun = begun
        self._ahead = 0.0  # how many segments there are more than seconds in them
        self._open: _Growing | None = None
        self._behind: _Growing | None = None  # it waits for its tail
        self._tail = _Tail(None)
        self._breaks = True  # the next segment does not go on where the last one ended
        self._clock = 0.0  # of the last start point
        self._over = 0.0  # media time at which the last chunk's media is over
        self._groups: deque[float] = deque(maxlen=_RECENT)  # seconds from start to start

    def __repr__(self) -> str:
        return f"<Cutter target={self._target} open={self._open!r} behind={self._behind!r}>"

    @property
    def first(self) -> int | None:
        """The number of the first chunk that it keeps for segments to come; None: it keeps none."""
        oldest = self._behind or self._open
        return oldest.first if oldest else None

    def feed(self, number: int, chunk: Chunk) -> list[Segment]:
        """The segments that became whole with a chunk, which has this number in the buffer."""
        if chunk.is_filler:
            return self._fill(number, chunk.data)
        out: list[Segment] = []
        media = _Packets(number, chunk.data)
        at = 0
        for start in chunk.starts:
            if self._is_cut(start):
                self._take(media, at, start.offset)
                out += self._cut(number, start)
                at = start.offset
        self._take(media, at, len(chunk.data))
        self._over = chunk.over
        return out + self._settle(chunk)

    def end(self) -> list[Segment]:
        """The feed ended here: what there is becomes a segment now, and the next one breaks."""
        out = self._finish_tail()
        last = self._ended(self._open, self._over) if self._open else None
        self._lose()
        return [*out, last.whole()] if last else out

    def skip(self) -> None:
        """Chunks were lost to this reader: what is open is dropped, and the next one breaks."""
        self._behind = None
        self._lose()

    # Where a segment ends

    def _is_cut(self, start: StartPoint) -> bool:
        """Whether a segment begins at this start point."""
        if self._open is None:
            return True
        elapsed = start.clock - self._open.start.clock
        group, self._clock = start.clock - self._clock, start.clock
        self._groups.append(group)
        if elapsed < 1.0 and self._ahead >= AHEAD:
            return False
        if self._differs(self._open.start, start):
            return True
        if elapsed < SHORTEST:
            return False
        return self._begun < FIRST or self._is_due(elapsed)

    def _is_due(self, elapsed: float) -> bool:
        """Whether the segment is long enough, or would be too long at the next start point."""
        next_one = elapsed + max(self._groups)
        limit = self.target_duration + OVER_TARGET
        return elapsed >= self._target - _ROUNDING or next_one > limit

    def _differs(self, before: StartPoint, start: StartPoint) -> bool:
        """Whether media does not go on at this start point as it was before."""
        return self._hole(start) > 0 or start.tables_version != before.tables_version

    def _hole(self, start: StartPoint) -> float:
        """Seconds that media lacks before a start point."""
        return start.gap if start.gap > HOLE else 0.0

    def _cut(self, number: int, start: StartPoint) -> list[Segment]:
        """The segment that is open ends, and another begins."""
        out = self._finish_tail()
        if self._open is not None:
            self._breaks = self._differs(self._open.start, start)
            self._behind = self._ended(self._open, start.clock - self._hole(start))
        self._open = _Growing(start, self._breaks, number, number)
        self._tail = _Tail(start)
        self._breaks = False
        self._clock = start.clock
        return out

    def _ended(self, segment: _Growing, over: float) -> _Growing | None:
        """The segment, if it is one; its duration is known now."""
        duration = segment.duration = over - segment.start.clock
        if duration < LEAST:
            return None
        self._begun += 1
        self._ahead = max(0.0, self._ahead + 1.0 - duration)
        rounded = math.floor(round(duration, 3) + 0.5)
        self.target_duration = max(self.target_duration, rounded)
        return segment

    def _lose(self) -> None:
        self._open, self._tail, self._breaks = None, _Tail(None), True
        self._groups.clear()

    # What is in it

    def _take(self, media: _Packets, begin: int, end: int) -> None:
        """A run of a chunk belongs to the segment that is open, but for the tail in it."""
        if self._open is None or begin == end:
            return
        if self._tail.is_over:
            self._open.add(media.run(begin, end), media.number)
            return
        tail, rest = self._tail.split(media, begin, end)
        if self._behind is not None:
            self._behind.add(tail, media.number)
        for part in rest:
            self._open.add(part, media.number)

    def _fill(self, number: int, data: bytes) -> list[Segment]:
        """Filler: its null packets are left out, and nothing is waited for."""
        out = self._finish_tail()
        if self._open is not None:
            tables = data[: len(data) - data.count(NULL_PACKET) * PACKET_SIZE]
            self._open.add(tables, number)
        return out

    def _settle(self, chunk: Chunk) -> list[Segment]:
        """What became whole with a chunk, or is not waited for any more."""
        if self._open is None:
            return []
        waited = chunk.clock - self._open.start.clock
        if waited > LONGEST or self._open.size > LARGEST:
            self._lose()
        if self._tail.is_over or waited > LATEST_TAIL:
            return self._finish_tail()
        return []

    def _finish_tail(self) -> list[Segment]:
        """The segment before has its tail, or all that will come of it."""
        behind, self._behind = self._behind, None
        self._tail = _Tail(None)
        return [] if behind is None else [behind.whole()]


class _Packets:
    """A chunk, and the PIDs of its packets."""

    __slots__ = ("_high", "_low", "data", "number")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data
        self._high = self._low = b""

    def run(self, begin: int, end: int) -> Media:
        return self.data if end - begin == len(self.data) else memoryview(self.data)[begin:end]

    def of(self, pid: int, begin: int, end: int) -> Iterator[int]:
        """Where the packets of a PID are."""
        if not self._low:
            self._high, self._low = self.data[1::PACKET_SIZE], self.data[2::PACKET_SIZE]
        high, low = pid >> 8, pid & 0xFF
        at, last = begin // PACKET_SIZE, end // PACKET_SIZE
        while (at := self._low.find(low, at, last)) >= 0:
            if self._high[at] & 0x1F == high:
                yield at * PACKET_SIZE
            at += 1


class _Tail:
    """Packets behind a cut that go on with what began before it."""

    __slots__ = ("_awaited", "_gated", "_left")

    def __init__(self, start: StartPoint | None) -> None:
        """``start``: where the cut is; None: nothing is waited for."""
        self._awaited = set(start.essential) if start else set()
        self._gated = self._awaited | start.others if start else set()
        self._left = LONGEST_TAIL

    @property
    def is_over(self) -> bool:
        return not self._awaited

    def _follow(self, media: _Packets, pid: int, begin: int, end: int, places: list[int]) -> int:
        """Add the places of a PID's packets; where it opens, or the end."""
        for at in media.of(pid, begin, end):
            if media.data[at + 1] & 0x40:
                self._gated.discard(pid)
                self._awaited.discard(pid)
                return at
            places.append(at)
        return end

    def split(self, media: _Packets, begin: int, end: int) -> tuple[bytes, list[Media]]:
        """The packets that belong to the segment before, and the runs that do not."""
        places: list[int] = []
        stop = begin
        for pid in self._gated & self._awaited:
            stop = max(stop, self._follow(media, pid, begin, end, places))
        for pid in self._gated - self._awaited if self._awaited else self._gated:
            self._follow(media, pid, begin, stop, places)
        self._left -= end - begin
        if self._left <= 0:
            self._awaited.clear()
        places.sort()
        tail = b"".join([media.data[at : at + PACKET_SIZE] for at in places])
        return tail, _runs(media, begin, end, places)


def _runs(media: _Packets, begin: int, end: int, without: list[int]) -> list[Media]:
    """The runs of packets between those; short ones are joined."""
    runs: list[Media] = []
    short: list[Media] = []
    for place in [*without, end]:
        if begin < place:
            run = media.run(begin, place)
            if len(run) < _SHORT:
                short.append(run)
            else:
                if short:
                    runs.append(b"".join(short))
                    short = []
                runs.append(run)
        begin = place + PACKET_SIZE
    if short:
        runs.append(b"".join(short))
    return runs
