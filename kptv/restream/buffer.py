"""The last seconds of a channel, in chunks, within a budget that all hubs share."""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import Protocol

from kptv.splice.joining import Chunk, StartPoint, WayIn, choose_start

_MB = 1024 * 1024
# Of each MB of the limit, in bytes: what lies between chunks on the heap, and in their heads; and
# what is trimmed at once, as each time all buffers are looked at.
_HEAP, _SPARE = 48 * 1024, 4 * 1024
_size_of = attrgetter("size")


class Bounded(Protocol):
    """What counts in the budget: a buffer, or what a standby keeps."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        ...

    def drop_oldest(self) -> bool:
        """Give some back, and tell the budget; False: none now."""
        ...


class Budget:
    """Memory that all buffers may hold together; beyond that the largest gives way."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes, also of what the heap adds to media."""
        self.limit = limit
        self.used = 0
        self._buffers: set[Bounded] = set()

    def open(self, buffer: Bounded) -> None:
        """``buffer`` counts from now on."""
        self._buffers.add(buffer)

    def close(self, buffer: Bounded) -> None:
        """``buffer`` no longer counts."""
        self._buffers.discard(buffer)

    def trim(self) -> None:
        """Drop the oldest chunks of the largest buffers until all fit."""
        full = self.limit - self.limit // _MB * _HEAP
        if self.used > full:
            goal = full - self.limit // _MB * _SPARE
            while self.used > goal and self._lower(self.used - goal):
                pass

    def _lower(self, excess: int) -> bool:
        """Lower the largest buffers to one level, so that ``excess`` bytes are gone.

        False if nothing was dropped: each is down to its newest chunk.
        """
        ordered = sorted(self._buffers, key=_size_of, reverse=True)
        above = 0  # bytes of the largest ones
        for count, buffer in enumerate(ordered, 1):
            above += buffer.size
            level = (above - excess) / count
            if count == len(ordered) or ordered[count].size <= level:
                break
        used = self.used
        for buffer in ordered[:count]:
            while buffer.size > level and buffer.drop_oldest():
                pass
        return self.used < used


class ChunkBuffer:
    """A bounded deque of chunks, each with a sequence number that never comes again."""

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._chunks: deque[Chunk] = deque()
        self._starts: deque[tuple[int, StartPoint]] = deque()  # with their chunks' numbers
        self._parts: deque[int] = deque()  # numbers of chunks that begin another feed's media
        self._way: WayIn | None = None  # of those who joined last
        self._closed = False
        self.size = 0  # bytes
        self.first = 0  # sequence number of the oldest chunk
        self.end = 0  # the one that the next chunk will get
        budget.open(self)

    def __repr__(self) -> str:
        return f"<ChunkBuffer {self.first}..{self.end} bytes={self.size}>"

    def append(self, chunk: Chunk) -> None:
        """Add a chunk, and drop the oldest beyond the limit or the budget; nothing if closed."""
        if self._closed:
            return
        self._chunks.append(chunk)
        self._starts.extend((self.end, start) for start in chunk.starts)
        self.end += 1
        self.size += len(chunk.data)
        self._budget.used += len(chunk.data)
        while self.size > self._limit and self.drop_oldest():
            pass
        self._budget.trim()

    def part(self) -> None:
        """What was appended last is the end of a feed; what comes next is another's."""
        if not self._parts or self._parts[-1] != self.end:
            self._parts.append(self.end)

    def is_parted(self, number: int) -> bool:
        """Whether a feed ended before this chunk, which may be still to come."""
        return number in self._parts

    def get(self, number: int) -> Chunk:
        """The chunk with this sequence number: ``first <= number < end``."""
        return self._chunks[number - self.first]

    def join(self, join_buffer: float) -> tuple[int, StartPoint] | None:
        """The place where a viewer starts: the chunk's number and the start point in it.

        That is the newest start point with ``join_buffer`` seconds of media behind it, else the
        oldest one; None if there is none (yet).
        """
        starts = [start for _, start in self._starts]
        if not starts:
            return None
        start = choose_start(starts, self._chunks[-1].clock, join_buffer)
        return next(place for place in self._starts if place[1] is start)

    def way_in(self, join_buffer: float) -> WayIn | None:
        """The way in from there, which all share who join at the same start point."""
        place = self.join(join_buffer)
        if place is None:
            return None
        if self._way is None or self._way.start is not place[1]:
            self._way = WayIn(*place)
        return self._way

    def drop_oldest(self) -> bool:
        """Drop a chunk; False if that would be the newest one."""
        if len(self._chunks) < 2:
            return False
        size = len(self._chunks.popleft().data)
        self.first += 1
        while self._starts and self._starts[0][0] < self.first:
            self._starts.popleft()
        while self._parts and self._parts[0] < self.first:
            self._parts.popleft()
        if self._way and self._way.number < self.first:
            self._way = None  # nobody can join there any more
        self.size -= size
        self._budget.used -= size
        return True

    def close(self) -> None:
        """Give all memory back; may come twice."""
        self._closed = True
        self._chunks.clear()
        self._starts.clear()
        self._parts.clear()
        self._way = None
        self.first = self.end
        self._budget.used -= self.size
        self.size = 0
        self._budget.close(self)
