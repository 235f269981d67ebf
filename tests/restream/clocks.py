"""A clock that tests set."""

from __future__ import annotations


class Clock:
    """Seconds, as ``monotonic`` gives them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
