"""A segment on its way to a player."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kptv.metrics.counters import ChannelCounters
from kptv.pace import give_turn
from kptv.splice.joining import Media

# Bytes that are sent at once, at most: a segment has about fifty parts a second, and each send
# costs as much as copying 64 KB. More is not joined, as who takes it slowly keeps it in memory.
AT_ONCE = 256 * 1024


class SegmentBody:
    """A body: iterate for its bytes, joined to few; others have a turn between two of them."""

    __slots__ = ("_counters", "_parts")

    def __init__(self, parts: Sequence[Media], counters: ChannelCounters | None = None) -> None:
        """``counters``: where to count what was sent."""
        self._parts = parts
        self._counters = counters

    def __repr__(self) -> str:
        return f"<SegmentBody parts={len(self._parts)}>"

    def __iter__(self) -> Iterator[bytes]:
        is_first = True
        for data in joined(self._parts):
            if not is_first:
                give_turn()  # a send to a socket that has room never waits
            is_first = False
            yield data
            if self._counters is not None:
                self._counters.bytes_sent += len(data)


def joined(parts: Sequence[Media], most: int = AT_ONCE) -> Iterator[bytes]:
    """The same bytes in few parts, of ``most`` bytes or less, or of one part."""
    waiting: list[Media] = []
    size = 0
    for part in parts:
        if waiting and size + len(part) > most:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(part)
        size += len(part)
    if waiting:
        yield b"".join(waiting)
