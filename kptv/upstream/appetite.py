"""How much of this machine a child may take: some memory, and half a core for long."""

from __future__ import annotations

import contextlib
import os
import resource
from collections import deque
from collections.abc import Callable
from pathlib import Path

MEMORY = 1024**3  # bytes; an ffmpeg that copies takes a tenth
SHARE, WITHIN = 0.5, 30.0  # of a core, over so many seconds; copying 50 Mbit/s takes 0.05
_LOOK_EVERY = 1.0  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")  # per second, in /proc/PID/stat


class Appetite:
    """How much of a core a child takes."""

    def __init__(self, taken_by: Callable[[int], float] | None = None) -> None:
        """``taken_by`` tells a process's seconds of CPU so far."""
        self._taken_by = taken_by or cpu_seconds
        self._taken: deque[tuple[float, float]] = deque()  # when, seconds of CPU so far

    def is_too_large(self, pid: int, now: float) -> bool:
        """True if the child took more than SHARE of a core over WITHIN seconds."""
        taken = self._taken
        if taken and now - taken[-1][0] < _LOOK_EVERY:
            return False
        cpu = self._taken_by(pid)
        taken.append((now, cpu))
        while len(taken) > 2 and taken[1][0] <= now - WITHIN:
            taken.popleft()
        then, before = taken[0]
        return now - then >= WITHIN and cpu - before > SHARE * (now - then)


def limit_memory(pid: int) -> None:
    """Bound a child's memory by MEMORY, if the system can."""
    with contextlib.suppress(OSError, AttributeError):  # it has ended, or this is not Linux
        resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has taken (proc(5)); 0: that cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, ValueError, IndexError):
        return 0.0
