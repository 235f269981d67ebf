"""A segment on its way to a player."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from errno import ECONNRESET

from kptv.metrics.counters import ChannelCounters
from kptv.pace import give_turn
from kptv.splice.joining import Media

# Bytes that are sent at once, at most: a segment has about fifty parts a second, and each send
# costs as much as copying 64 KB. More is not joined, as who takes it slowly keeps it in memory.
AT_ONCE = 256 * 1024

Find = Callable[[], Sequence[Media] | None]


class SegmentBody:
    """A body: iterate for its bytes, joined to few; others have a turn between two of them.

    It holds no media while a send waits for room, and asks for it again. So a player that takes a
    segment slowly loses it when the window does, and what all of them keep in memory is bounded.
    """

    __slots__ = ("_counters", "_find")

    def __init__(self, find: Find, counters: ChannelCounters | None = None) -> None:
        """``find`` gives the parts, None: they are gone. ``counters``: where to count bytes."""
        self._find = find
        self._counters = counters

    def __repr__(self) -> str:
        return f"<SegmentBody of {self._find!r}>"

    def __iter__(self) -> Iterator[bytes]:
        """Raises ConnectionResetError, as nothing else ends a body that is not whole."""
        data, begin = self._take(0)
        while data:
            yield data
            if self._counters is not None:
                self._counters.bytes_sent += len(data)
            give_turn()  # a send to a socket that has room never waits
            data, begin = self._take(begin)

    def _take(self, begin: int) -> tuple[bytes, int]:
        """The parts from this one on that are sent at once, and which one comes next."""
        parts = self._find()
        if parts is None:
            raise ConnectionResetError(ECONNRESET, "a segment was taken too slowly, and is gone")
        end = end_of(parts, begin)
        return b"".join(parts[begin:end]), end


def end_of(parts: Sequence[Media], begin: int, most: int = AT_ONCE) -> int:
    """Up to which part they have ``most`` bytes or less together, or are one."""
    end, size = begin, 0
    while end < len(parts) and (end == begin or size + len(parts[end]) <= most):
        size += len(parts[end])
        end += 1
    return end
