"""The domain's values: source, stream, channel. All immutable."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A provider account: the URL of its channel list and the connections it allows."""

    number: int  # place in SOURCES, from 1
    url: str = field(repr=False)  # a secret: holds user and password
    max_connections: int  # 0: no limit

    @property
    def tag(self) -> str:
        """What logs and metrics call it: stable, and tells nothing of the URL."""
        return f"source-{self.number}"
