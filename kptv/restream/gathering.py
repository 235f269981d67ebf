"""How long media is gathered before it is sent: a send of 1 KB costs the same as one of 50 KB."""

from __future__ import annotations

# Seconds between two reads; shorter if there are few viewers.
SMALL_AUDIENCE, SMALL_TICK, LARGE_TICK = 50, 0.015, 0.04
PUBLISH_AT = 256 * 1024  # bytes that are published without gathering more
BURST_TICK = 0.001  # after such a read: long enough for others to run, and still 256 MB/s


def tick(size: int, leases: int) -> float:
    """Seconds to gather before the next read, after one of ``size`` bytes."""
    if size >= PUBLISH_AT:
        return BURST_TICK
    return SMALL_TICK if leases < SMALL_AUDIENCE else LARGE_TICK
