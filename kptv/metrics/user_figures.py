"""The figures of users: their names are labels, so they go when a user is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection


class UserFigures:
    """What users have open and what became of it, by name; of those who have asked for a stream."""

    def __init__(self) -> None:
        self.streams: Counter[str] = Counter()  # open now
        self.refused: Counter[str] = Counter()  # streams that were asked for
        self.ended: Counter[tuple[str, str]] = Counter()  # streams, by user and reason
        self.turned_away: Counter[str] = Counter()  # requests of nobody known, by reason

    def __repr__(self) -> str:
        return f"<UserFigures users={len(self.streams)}>"

    def keep(self, names: Collection[str]) -> None:
        """Forget all others than these and those who have a stream open."""
        for name in [name for name, open_now in self.streams.items() if not open_now]:
            if name not in names:
                del self.streams[name]
        self.refused = Counter({n: count for n, count in self.refused.items() if n in names})
        self.ended = Counter({key: count for key, count in self.ended.items() if key[0] in names})
