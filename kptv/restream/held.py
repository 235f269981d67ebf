"""What the segments of a window keep in memory beyond the buffer that they were cut from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from kptv.restream.buffer import Budget


class Held:
    """Counts in a budget the chunks that segments refer to and the buffer has let go of.

    Chunks are told by their numbers in the buffer, which go up by one.
    """

    def __init__(self, budget: Budget, drop_oldest: Callable[[], bool]) -> None:
        """``drop_oldest`` gives a segment back, and calls ``let_go``; False: none can be."""
        self._budget = budget
        self._drop_oldest = drop_oldest
        self._sizes: deque[int] = deque()  # of the chunks that are referred to
        self._first = 0  # number of the first of these
        self._gone = 0  # the buffer has none before this one
        self.size = 0  # bytes
        budget.open(self)

    def __repr__(self) -> str:
        return f"<Held bytes={self.size} of chunks={len(self._sizes)}>"

    def drop_oldest(self) -> bool:
        """Give some back; False: none can be."""
        return self._drop_oldest()

    def add(self, number: int, size: int) -> None:
        """A chunk of so many bytes, which the buffer has, is referred to from now on."""
        if number != self._first + len(self._sizes):  # some between were never seen
            self.let_go(number)
            self._first = number
        self._sizes.append(size)

    def follow(self, gone: int) -> None:
        """The buffer has let go of all chunks before ``gone``."""
        for at in range(max(self._gone - self._first, 0), gone - self._first):
            if at == len(self._sizes):
                break
            self._count(self._sizes[at])
        self._gone = max(self._gone, gone)

    def let_go(self, number: int) -> None:
        """Nothing refers to chunks before this one any more."""
        while self._sizes and self._first < number:
            size = self._sizes.popleft()
            if self._first < self._gone:
                self._count(-size)
            self._first += 1

    def close(self) -> None:
        """Nothing is referred to any more; may come twice."""
        self._sizes.clear()
        self._count(-self.size)
        self._budget.close(self)

    def _count(self, size: int) -> None:
        self.size += size
        self._budget.used += size
