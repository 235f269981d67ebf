"""Signs of life of a greenlet that must never stop: a dead one shows, but a stuck one does not."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST = 30.0  # seconds between two beats; each loop that beats turns at least once a second


class Heartbeat:
    """Whether a loop still turns. The loop calls ``beat`` in each turn, a watcher ``alive``."""

    def __init__(self, now: float, longest: float = LONGEST) -> None:
        """``now``, here and below: monotonic; ``longest``: seconds that two beats may lie apart."""
        self._beaten_at = now
        self._longest = longest

    def __repr__(self) -> str:
        return f"<Heartbeat beaten_at={self._beaten_at:.1f}>"

    def beat(self, now: float) -> None:
        """The loop has come round once more."""
        self._beaten_at = now

    def alive(self, now: float) -> bool:
        """Whether the last beat is recent enough."""
        return now - self._beaten_at <= self._longest


def beating(steps: Iterator[T], heartbeat: Heartbeat) -> Generator[T, None, Any]:
    """As ``steps``, with its result if it has one; each step is a sign of life."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        heartbeat.beat(monotonic())
        yield step
