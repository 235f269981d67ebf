"""How long a sender of media may be silent, by the pauses that it is known to make."""

from __future__ import annotations

LONGEST_PATIENCE = 15.0  # seconds; viewers with no more than that in hand see it, and leave
MARGIN = 1.5  # times the known pause: no two are alike, and a segment may be longer


def patience_of(pause: float, shortest: float) -> float:
    """Seconds of silence that count as a failure; ``pause``: one that is nothing unusual."""
    return max(shortest, min(MARGIN * pause, LONGEST_PATIENCE))
