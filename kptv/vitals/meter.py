"""How fast bytes come, and when each chunk came: sampled now and then, not counted per chunk."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

KEPT = 120.0  # seconds
_OVER = 5.0  # seconds; the current bit rate is their average


class Meter:
    """Rates, from totals that only rise; it is fed twice per second."""

    def __init__(self, now: float) -> None:
        self._times: deque[float] = deque((now,))
        self._bytes: deque[int] = deque((0,))
        self._ends: deque[int] = deque((0,))

    def __repr__(self) -> str:
        return f"<Meter {self.bit_rate() / 1e6:.1f} Mbit/s>"

    def sample(self, now: float, received: int, end: int) -> None:
        """``received``: bytes so far; ``end``: the number that the next chunk will get."""
        self._times.append(now)
        self._bytes.append(received)
        self._ends.append(end)
        while now - self._times[0] > KEPT:
            self._times.popleft()
            self._bytes.popleft()
            self._ends.popleft()

    def bit_rate(self) -> float:
        """Bits per second, over the last seconds."""
        first = bisect_left(self._times, self._times[-1] - _OVER)
        return self._rate(min(first, len(self._times) - 2), len(self._times) - 1)

    def history(self, points: int = 60) -> list[int]:
        """Bits per second in each of the last whole seconds, the oldest first."""
        last = len(self._times) - 1
        steps = range(max(0, last - 2 * points), last - 1, 2)
        return [round(self._rate(first, first + 2)) for first in steps]

    def behind(self, number: int, now: float) -> float:
        """Seconds since chunk ``number`` came; 0 if it is still to come."""
        at = bisect_left(self._ends, number + 1)
        return max(now - self._times[at], 0.0) if at < len(self._ends) else 0.0

    def _rate(self, first: int, last: int) -> float:
        if first < 0 or first >= last:
            return 0.0
        seconds = self._times[last] - self._times[first]
        return (self._bytes[last] - self._bytes[first]) * 8 / seconds if seconds > 0 else 0.0
