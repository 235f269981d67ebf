"""Long work in short slices, so that streams flow on while lists are imported and rendered."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from time import perf_counter
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore

T = TypeVar("T")

SLICE = 0.0015  # seconds of work before the others get a turn
# Slices until the garbage collector is sent through what is new. It comes by itself when there are
# 700 containers more, and is done only when it has seen all that they hold: of long work that may
# be much (the entries of a list: 40 ms).
_COLLECTED_AFTER = 16
# Not 0: gevent would run callbacks, but look for I/O only every 50 turns (92 to 160 ms).
_SHORTEST_SLEEP = 1e-6


def give_turn() -> None:
    """Let all greenlets run that can, also those whose sockets have become ready."""
    gevent.sleep(_SHORTEST_SLEEP)


class Turns:
    """Gives other greenlets a turn after a number of bytes, as reads that find data never wait.

    Otherwise a peer that sends fast, and is parsed line by line or chunk by chunk, would stop all
    streams, and no deadline would ever strike.
    """

    def __init__(self, after: int = 64 * 1024) -> None:
        """``after`` so many bytes; to parse the usual number takes 0.05 s at most."""
        self._after = after
        self._since = 0

    def count(self, size: int) -> None:
        """``size`` bytes were read."""
        self._since += size
        if self._since >= self._after:
            self._since = 0
            give_turn()


class Pace:
    """Call it after each small step (well under SLICE): it gives the others a turn when due."""

    def __init__(self) -> None:
        self._due = perf_counter() + SLICE
        self._slices = 0

    def __call__(self) -> None:
        if perf_counter() >= self._due:
            self._slices += 1
            if self._slices % _COLLECTED_AFTER == 0:
                gc.collect(1)
            give_turn()
            self._due = perf_counter() + SLICE


_WORKING, _TOGETHER = BoundedSemaphore(1), Pace()


def one_by_one(pieces: Iterator[T]) -> Iterator[T]:
    """The ``pieces``, made in turns with all others that are: many take no longer turns than one.

    Each piece should take well under SLICE.
    """
    while True:
        if _WORKING.linkcount():
            gevent.sleep(0)  # whoever waits is before us
        with _WORKING:
            _TOGETHER()
            try:
                piece = next(pieces)
            except StopIteration:
                return
        yield piece


def drive(steps: Generator[None, None, T]) -> T:
    """The result of ``steps``, a generator that yields after each small step."""
    pace = Pace()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        pace()
