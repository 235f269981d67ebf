"""How many requests may wait for what is to come: each holds a connection meanwhile. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)

MOST_OF_VIEWER = 4
MOST_OF_ADDRESS = 64
# Of all viewers, besides the first of each: viewers are counted, and each may have a connection.
MOST_MORE = 256


class Holds:
    """The requests that wait."""

    def __init__(self, most_more: int = MOST_MORE) -> None:
        self._of_viewer: Counter[Hashable] = Counter()
        self._of_address: Counter[str] = Counter()
        self._most_more = most_more
        self._more = 0

    def __repr__(self) -> str:
        return f"<Holds {self._of_viewer.total()}>"

    def __len__(self) -> int:
        return self._of_viewer.total()

    @contextmanager
    def one(self, viewer: Hashable, address: str) -> Iterator[bool]:
        """Whether a request may wait; if so, it counts meanwhile."""
        if not self._has_room(viewer, address):
            yield False
            return
        is_more = self._of_viewer[viewer] > 0
        self._count(viewer, address, is_more, 1)
        try:
            yield True
        finally:
            self._count(viewer, address, is_more, -1)

    def _has_room(self, viewer: Hashable, address: str) -> bool:
        held = self._of_viewer[viewer]  # of a Counter: nothing is kept by asking
        if held >= MOST_OF_VIEWER or self._of_address[address] >= MOST_OF_ADDRESS:
            return False
        return not held or self._more < self._most_more

    def _count(self, viewer: Hashable, address: str, is_more: bool, change: int) -> None:
        self._more += change * is_more
        _count(self._of_viewer, viewer, change)
        _count(self._of_address, address, change)


def _count(counts: Counter[_Key], key: _Key, change: int) -> None:
    counts[key] += change
    if not counts[key]:
        del counts[key]
