"""Long work in short slices, so that streams flow on while lists are imported and rendered."""

from __future__ import annotations

from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

import gevent

T = TypeVar("T")

SLICE = 0.0015  # seconds of work between two turns of the others
# Not 0: that would let callbacks run but look for I/O only every 50 turns (92 to 160 ms).
_SHORTEST_SLEEP = 1e-6


def give_turn() -> None:
    """Let all others run that can, and those for whom something has come."""
    gevent.sleep(_SHORTEST_SLEEP)


class Turns:
    """Gives the others a turn after so many bytes: reads that find data never wait.

    A read that finds data does not switch, so a peer that sends fast, and is parsed line by line
    or chunk by chunk, would stop all streams, and no deadline would ever strike.
    """

    _AFTER = 64 * 1024  # bytes; lines of so many are parsed in 0.05 s

    def __init__(self) -> None:
        self._since = 0

    def count(self, size: int) -> None:
        """``size`` bytes were read."""
        self._since += size
        if self._since >= self._AFTER:
            self._since = 0
            give_turn()


class Pace:
    """Call it after every small step (well under SLICE): others have their turn when one is due."""

    def __init__(self) -> None:
        self._due = perf_counter() + SLICE

    def __call__(self) -> None:
        if perf_counter() >= self._due:
            give_turn()
            self._due = perf_counter() + SLICE


def drive(steps: Generator[None, None, T]) -> T:
    """The result of ``steps``, a generator that yields after every small step."""
    pace = Pace()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        pace()
