"""The domain's values: source, stream, channel. All immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kptv.channels.hosts import host_of

StreamKey = tuple[int, str]  # source number, URL


@dataclass(frozen=True, slots=True)
class Source:
    """A provider account: the URL of its channel list and the connections it allows."""

    number: int  # place in SOURCES, from 1
    url: str = field(repr=False)  # a secret: holds user and password
    max_connections: int  # 0: no limit
    host: str | None = field(default=None, repr=False, compare=False)
    """The host that most links of its list lead to, or ""; None before an import. A secret."""
    name: str = ""  # as SOURCES calls it

    @property
    def tag(self) -> str:
        """Its name in logs, metrics and on the page: stable, and without anything from the URL."""
        return self.name or f"source-{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One source's offer of a channel. It equals the same offer after the next import.

    The catalog keeps entries packed and makes these values only when asked for them.
    """

    source: Source
    url: str = field(repr=False)  # a secret: holds user and password
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)  # keys in lower case
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # sent with requests
    program: int = 0  # number of the programme to play; 0: any
    listed_name: str = ""  # as its list has it, if rules gave it another

    @property
    def key(self) -> StreamKey:
        """Its identity over imports: its source's number and its URL (a secret)."""
        return self.source.number, self.url

    @property
    def label(self) -> str:
        """Its name in the log."""
        return f"{self.name or 'stream'}: {self.source.tag}"

    @property
    def other_host(self) -> str:
        """Its host; empty if most links of its source lead there, or before an import."""
        if self.source.host is None:
            return ""
        host = host_of(self.url)
        return "" if host == self.source.host else host

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Stream) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Channel:
    """What a viewer picks: streams of one name, in the order in which they are tried."""

    slug: str
    name: str
    streams: tuple[Stream, ...]
