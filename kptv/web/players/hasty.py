"""Players that ask for a playlist again as soon as they have it, and give up if it is the same.

Chromium's own does so while it has few segments, as of a channel that has just begun; its cache
gives it the same one, too. It is let wait for the next segment, as those who ask to.
"""

from __future__ import annotations

from collections.abc import Hashable

from cachetools import LRUCache
from werkzeug.datastructures import Headers

_MOST_TOLD = 1000  # players that are remembered


def is_hasty(headers: Headers) -> bool:
    """Whether a request is one of Chromium's own player: by what its media elements accept."""
    return "Range" in headers and "*;q=0" in headers.get("Accept-Encoding", "")


class LastTold:
    """The last segments that such players know of."""

    def __init__(self) -> None:
        self._told: LRUCache[Hashable, int] = LRUCache(_MOST_TOLD)

    def __repr__(self) -> str:
        return f"<LastTold {len(self._told)}>"

    def awaited_by(self, player: Hashable) -> int | None:
        """Number of the segment that is news to a player; None: all are."""
        told = self._told.get(player)
        return None if told is None else told + 1

    def tell(self, player: Hashable, last: int) -> None:
        """The player gets a playlist whose last segment has this number."""
        self._told[player] = last
