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


class Pace:
    """Call it after every small step (well under SLICE): others have their turn when one is due."""

    def __init__(self) -> None:
        self._due = perf_counter() + SLICE

    def __call__(self) -> None:
        if perf_counter() >= self._due:
            gevent.sleep(_SHORTEST_SLEEP)
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
