"""How long media is gathered before it is sent: a send of 1 KB costs the same as one of 50 KB.

Each hub pays for its reads, its splicing and its sends once per tick. So what a tick costs in
latency is spent only where it saves much: on many viewers, and while the event loop is busy.
"""

from __future__ import annotations

# Seconds between two reads; shorter if there are few viewers.
SMALL_AUDIENCE, SMALL_TICK, LARGE_TICK = 50, 0.015, 0.04
# While the loop is busy; many hubs with a viewer each gain as one with many. And while nobody sees
# the media as it comes: players of segments are seconds behind.
BUSY_TICK = 0.08
PUBLISH_AT = 256 * 1024  # bytes that are published without gathering more
BURST_TICK = 0.001  # after such a read: long enough for others to run, and still 256 MB/s


def tick(size: int, live: int, *, busy: bool = False, starting: bool = False) -> float:
    """Seconds to gather before the next read, after one of ``size`` bytes.

    ``live``: the leases whose media is sent as it comes. ``starting``: viewers wait for the rest
    of a keyframe.
    """
    if starting or size >= PUBLISH_AT:
        return BURST_TICK
    if busy or not live:
        return BUSY_TICK
    return SMALL_TICK if live < SMALL_AUDIENCE else LARGE_TICK
