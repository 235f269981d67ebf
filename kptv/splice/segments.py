"""Segments for HLS, cut from the chunks that viewers get.

A segment begins at a start point, with the tables in force, and ends where the next one begins; it
refers to the chunks, and copies hardly a byte. Broadcasters send sound and picture interleaved, so
behind a cut come packets of sound that began before it: the *tail* of the segment before. So each
segment can be decoded alone, and all of them together are the stream.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.packets import NULL_PACKET, pid_of
from kptv.splice.joining import Chunk, Media, StartPoint
from kptv.splice.tails import Packets, Tail, stray_of, tail_of

HOLE = 0.3  # seconds without media, before which a segment ends
OVER_TARGET = 0.45  # seconds: a duration that is longer by less rounds down to the target duration
SHORTEST = 0.5  # seconds of a segment, if the feed goes on behind it
LEAST = 0.1  # seconds: what is shorter is no segment
FIRST = 3  # segments that are cut as soon as may be: players start with so many
SOONEST = 1.0  # seconds of such a segment: players would only wait longer for the next one
AHEAD = 3.0  # by how much there may be more segments than seconds in them
LONGEST = 60.0  # seconds without a place to cut, after which what came is let go
LARGEST = 64 * 1024 * 1024  # bytes; the same
LATEST_TAIL = 0.5  # seconds of media in which a tail must come
_RECENT = 8  # groups of pictures whose length is remembered
_MOST_TABLES = 8 * 1024  # bytes, each time that they are sent
_ROUND = 16  # times, after which their counters are the same again
_ROUNDING = 0.02  # seconds that the target may lack
_NOTHING = Tail({})


@dataclass(frozen=True, slots=True)
class Segment:
    """Media from one start point to a later one, by reference to the chunks that it came in."""

    parts: tuple[Media, ...] = field(repr=False)  # whole packets: tables, then runs of chunks
    size: int  # bytes
    clock: float  # media time of its start, in seconds as in StartPoint
    duration: float  # seconds
    breaks: bool  # it does not go on where the one before ended
    first: int  # sequence number of the first chunk that it refers to
    last: int  # and of the last one


@dataclass(slots=True)
class _Growing:
    """A segment that is not whole."""

    start: StartPoint
    breaks: bool
    first: int  # sequence number of a chunk
    last: int = 0
    size: int = 0
    duration: float = 0.0
    goes_on: bool = False  # it begins where the feed before ended, and at no keyframe
    parts: list[Media] = field(default_factory=list, repr=False)

    def add(self, part: Media, number: int) -> None:
        """Add packets of a chunk of this sequence number."""
        if part:
            self.parts.append(part)
            self.size += len(part)
            self.last = number

    def whole(self) -> Segment:
        clock, parts = self.start.clock, tuple(self.parts)
        return Segment(parts, self.size, clock, self.duration, self.breaks, self.first, self.last)


class Cutter:
    """Chunks in, segments out: ``feed``, and ``end`` where the feed ends. Raises on no media."""

    def __init__(self, target: float, *, target_duration: int = 0, begun: int = 0) -> None:
        """``target``: seconds that a segment should last. ``begun``: how many there were before.

        ``target_duration``: what was announced before.
        """
        self.target_duration = max(math.ceil(target), target_duration, 1)  # seconds; it only rises
        self._target = target
        self._soon = max(0, FIRST - begun)  # segments that are cut as soon as may be
        self._ahead = 0.0  # how many more segments there are than seconds in them
        self._open: _Growing | None = None
        self._behind: _Growing | None = None  # it waits for its tail
        self._tail = _NOTHING
        self._breaks = True  # the next segment does not go on where the last one ended
        self._last: StartPoint | None = None  # of this feed, or the one that has ended
        self._scrap: _Growing | None = None  # what was no segment when the feed ended
        self._tables: list[bytes] = []  # sent since then
        self._over = 0.0  # media time at which all that came is over
        self._groups: deque[float] = deque(maxlen=_RECENT)  # seconds from start to start

    def __repr__(self) -> str:
        return f"<Cutter target={self._target} behind={self._behind!r} open={self._open!r}>"

    @property
    def first(self) -> int | None:
        """Sequence number of the oldest chunk that is kept here; None: there is none."""
        oldest = self._behind or self._open or self._scrap
        return oldest.first if oldest else None

    def feed(self, number: int, chunk: Chunk) -> list[Segment]:
        """The segments that became whole with a chunk; ``number``: its own in the buffer."""
        if chunk.is_filler:
            return self._fill(number, chunk.data)
        out: list[Segment] = []
        media, begin = Packets(chunk.data), 0
        if self._open is None:
            self._open = self._going_on(number, chunk, media)
        for start in chunk.starts:
            if self._is_cut(start):
                self._take(number, media, begin, start.offset)
                out += self._cut(number, start, pid_of(chunk.data, start.offset))
                begin = start.offset
            self._last = start
        self._take(number, media, begin, len(chunk.data))
        self._over = max(chunk.over, chunk.clock)
        return out + self._look(chunk)

    def end(self) -> list[Segment]:
        """The feed ended here: what there is becomes a segment now, and the next one breaks."""
        out = self._finish()
        last = self._ended(self._open, self._over) if self._open else None
        self._scrap = (self._open or self._scrap) if last is None else None
        self._let_go()
        return [*out, last.whole()] if last else out

    def skip(self) -> None:
        """Chunks were lost to this reader: what is not whole is let go, and the next one breaks."""
        self._let_go()
        self._behind = self._scrap = self._last = None
        self._tables.clear()

    # Where segments end

    def _is_cut(self, start: StartPoint) -> bool:
        """Whether a segment begins at a start point."""
        if self._open is None or self._last is None:
            return True
        elapsed = start.clock - self._open.start.clock
        self._groups.append(start.clock - self._last.clock)
        if elapsed < 1.0 and self._ahead >= AHEAD:
            return False
        if _differs(self._open.start, start) or (self._open.goes_on and elapsed >= LEAST):
            return True
        if self._soon and elapsed >= SOONEST - _ROUNDING:
            return True
        return elapsed >= SHORTEST and self._is_due(elapsed)

    def _is_due(self, elapsed: float) -> bool:
        """Whether a segment is long enough, or would be too long at the next start point."""
        limit = self.target_duration + OVER_TARGET
        return elapsed >= self._target - _ROUNDING or elapsed + max(self._groups) > limit

    def _cut(self, number: int, start: StartPoint, lead: int) -> list[Segment]:
        """One segment ends, another begins; ``lead``: the PID of the unit that starts there."""
        out = self._finish()
        before, breaks = self._open, self._breaks
        self._tail = stray_of(start, lead)
        if before is not None:
            self._behind = self._ended(before, start.clock - _hole(start))
            self._tail = tail_of(before.parts, start, lead)
            breaks = _differs(before.start, start)
        same = self._last is not None and self._last.tables_version == start.tables_version
        self._open = _Growing(start, breaks, number)
        self._open.add(b"".join([*(self._tables if same else ()), start.tables]), number)
        self._scrap, self._breaks = None, False
        self._tables.clear()
        return out

    def _ended(self, segment: _Growing, over: float) -> _Growing | None:
        """The segment, if it is one, now that it is known where it is over."""
        duration = segment.duration = over - segment.start.clock
        if duration < LEAST:
            return None
        self._soon = max(0, self._soon - 1)
        self._ahead = max(0.0, self._ahead + 1.0 - duration)
        rounded = math.floor(round(duration, 3) + 0.5)
        self.target_duration = max(self.target_duration, rounded)
        return segment

    def _look(self, chunk: Chunk) -> list[Segment]:
        """What became whole with a chunk, or is not waited for any more."""
        if self._open is None:
            return []
        elapsed = chunk.clock - self._open.start.clock
        if elapsed > LONGEST or self._open.size > LARGEST:
            self.skip()
        return self._finish() if self._tail.is_over or elapsed > LATEST_TAIL else []

    def _finish(self) -> list[Segment]:
        """The segment that waits has its tail, or all that will come of it."""
        behind, self._behind, self._tail = self._behind, None, _NOTHING
        return [behind.whole()] if behind else []

    def _let_go(self) -> None:
        self._open, self._tail, self._breaks = None, _NOTHING, True
        self._soon = max(1, self._soon)  # players have nothing left, perhaps
        self._groups.clear()

    # What is in them

    def _take(self, number: int, media: Packets, begin: int, end: int) -> None:
        """A run of a chunk belongs to the segment that is open, except for the tail in it."""
        if self._open is None or begin == end:
            return
        if self._tail.is_over:
            self._open.add(media.run(begin, end), number)
            return
        tail, rest = self._tail.split(media, begin, end)
        if self._behind is not None:
            self._behind.add(tail, number)
        for run in rest:
            self._open.add(run, number)

    def _going_on(self, number: int, chunk: Chunk, media: Packets) -> _Growing | None:
        """The segment that begins with a chunk whose feed goes on exactly where the last one ended.

        A stream does that if it was opened again and repeats what it sent. The rest of that group
        of pictures becomes the only kind of segment that has no keyframe, so nothing is lost.
        """
        last, end = self._last, chunk.starts[0].offset if chunk.starts else len(chunk.data)
        if last is None or last.tables_version != chunk.tables_version:
            return None
        if all(next(media.of(pid, 0, end), None) is None for pid in last.essential):
            self._keep(chunk.data[:end])
            return None
        segment, tables = self._scrap, b"".join(self._tables)
        if segment is None:
            start = replace(last, clock=self._over)
            segment = _Growing(start, False, number, goes_on=True)
            if not tables and pid_of(chunk.data, 0) != PAT_PID:
                tables = last.tables
        segment.add(tables, number)
        self._scrap, self._breaks = None, False
        self._tables.clear()
        return segment

    def _fill(self, number: int, data: bytes) -> list[Segment]:
        """Filler: its null packets are left out, and nothing is waited for."""
        tables = data[: len(data) - data.count(NULL_PACKET) * PACKET_SIZE]
        if self._open is not None:
            self._open.add(tables, number)
        else:
            self._keep(tables)
        return self._finish()

    def _keep(self, tables: bytes) -> None:
        """Tables that came between two feeds, so that counters go on through them."""
        if len(self._tables) == _ROUND:
            self._tables.clear()
        if 0 < len(tables) <= _MOST_TABLES:
            self._tables.append(tables)


def _hole(start: StartPoint) -> float:
    """Seconds that media lacks before a start point."""
    return start.gap if start.gap > HOLE else 0.0


def _differs(before: StartPoint, start: StartPoint) -> bool:
    """Whether media does not go on at ``start`` as it was at ``before``."""
    return start.gap > HOLE or start.tables_version != before.tables_version
