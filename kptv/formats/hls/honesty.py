"""Whether segments last as long as their playlist says."""

from __future__ import annotations

from collections import deque

HONEST = 1.25  # times what a playlist says that their own clock may say, or the other way round
_JUDGED_BY = 3  # segments, the newest: a splice may lead from true durations to false ones
_FAR_ABOVE = 2  # times any segment: of no use as a target duration


class Honesty:
    """Compares what was told of the newest segments with what their own clock said."""

    def __init__(self) -> None:
        self._lasted: deque[tuple[float, float]] = deque(maxlen=_JUDGED_BY)  # told, true

    def note(self, told: float, true: float) -> None:
        """A segment lasted so many seconds."""
        self._lasted.append((told, true))

    @property
    def judged(self) -> bool:
        """True once there is something to judge by."""
        return bool(self._lasted)

    @property
    def scale(self) -> float:
        """True seconds per second that is told; 1 if the playlist is right, by and large."""
        told = sum(told for told, _ in self._lasted)
        true = sum(true for _, true in self._lasted)
        scale = true / told if told else 1.0
        return 1.0 if 1 / HONEST <= scale <= HONEST else scale

    def target(self, told: float, listed: float) -> float:
        """The target duration, in seconds; that of the media itself if the playlist is wrong.

        ``listed`` is the longest segment that it lists.
        """
        longest = max((true for _, true in self._lasted), default=told)
        if self.scale != 1.0:
            return round(longest, 1)
        # It may be longer than any segment (RFC 8216, 4.3.3.1), but to no good.
        longest = max(longest, listed)
        far_above = len(self._lasted) == _JUDGED_BY and told > _FAR_ABOVE * longest
        return round(longest, 1) if far_above else told
