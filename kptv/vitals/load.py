"""Whether the event loop is busy: told by the share of a core that its thread takes."""

from __future__ import annotations

from collections import deque

BUSY, QUIET = 0.6, 0.25  # of a core; between the two it stays what it was
OVER = 3.0  # seconds; the share is that of so long: one burst is no load


class Load:
    """Told the time and what the thread has taken so far, says whether it is busy.

    What is done about a busy loop makes it less busy. If that saves less than half, the load stays
    above QUIET, and nothing swings to and fro.
    """

    def __init__(self, now: float, spent: float) -> None:
        """``now``: monotonic; ``spent``: seconds of CPU, which only rise; as in ``sample``."""
        self._samples: deque[tuple[float, float]] = deque([(now, spent)])
        self.share = 0.0  # of a core, over the last seconds
        self.busy = False

    def __repr__(self) -> str:
        return f"<Load {self.share:.0%}{' busy' if self.busy else ''}>"

    def sample(self, now: float, spent: float) -> None:
        """So much was taken until now; to be called about twice a second."""
        samples = self._samples
        samples.append((now, spent))
        while len(samples) > 2 and samples[1][0] <= now - OVER:
            samples.popleft()
        then, before = samples[0]
        if now - then < OVER:
            return  # not known yet
        self.share = (spent - before) / (now - then)
        self.busy = self.share >= (QUIET if self.busy else BUSY)
