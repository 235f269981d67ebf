"""Texts and values as people may see them: nothing of a provider's URL is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2s
from secrets import randbelow, token_bytes
from time import time
from typing import Any
from urllib.parse import quote, urlsplit

from kptv.channels.logos import LOGO_PATH
from kptv.channels.model import Channel, StreamKey
from kptv.channels.served import NUMBERED_AS
from kptv.logs.redaction import Redactor
from kptv.restream.journal import Event

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ids:
    """What the API calls streams and viewers."""

    salt: bytes = field(default_factory=lambda: token_bytes(16), repr=False)
    """Without it, an id would confirm a guessed URL."""
    first_viewer: int = 0  # so that no two instances have a viewer of the same number

    def stream(self, key: StreamKey) -> str:
        """That of a stream; tells nothing of its URL."""
        return blake2s(f"{key[0]} {key[1]}".encode(), key=self.salt, digest_size=8).hexdigest()

    def viewer(self, lease: int) -> int:
        """That of whoever has the lease of this number."""
        return self.first_viewer + lease

    def lease(self, viewer: int) -> int:
        """The other way round; nobody's number if the viewer is at another instance."""
        return viewer - self.first_viewer


def ids_of_instance(salt: bytes) -> Ids:
    """Those of one of several, which have the same ``salt``."""
    return Ids(salt, randbelow(1 << 20) << 32)  # JavaScript has 53 bits


class Public:
    """Takes everything that tells of a provider out of texts and values."""

    def __init__(
        self,
        redactor: Redactor,
        has_hidden_logo: Callable[[Channel], bool] = lambda _: False,
        ids: Ids | None = None,
    ) -> None:
        """``has_hidden_logo``: whether the proxy itself serves the logo of a channel."""
        self.ids = ids or Ids()
        self._redactor = redactor
        self._has_hidden_logo = has_hidden_logo

    @property
    def learned(self) -> int:
        """Another number once there are more secrets, so that what was made may tell of some."""
        return self._redactor.learned

    def text(self, text: str) -> str:
        """A text without secrets."""
        return self._redactor.redact_again(text) if text else ""

    def link(self, url: str) -> str:
        """The address of a picture that a page may load; empty if it tells of a provider."""
        return "" if not _host(url) or self._redactor.tells(url) else url

    def channel(self, channel: Channel) -> Json:
        """Name, group and logo of a channel."""
        return {
            "name": self.text(channel.name),
            "group": self.text(_attribute(channel, "group-title")),
            "logo": self._logo(channel),
        }

    def number(self, channel: Channel) -> str:
        """The number that its list gives a channel; empty: none."""
        return self.text(_attribute(channel, NUMBERED_AS))

    def event(self, event: Event) -> Json:
        """An event of the journal."""
        fields = {**asdict(event), "kind": str(event.kind), "reason": str(event.reason)}
        return {**fields, "name": self.text(event.name), "detail": self.text(event.detail)}

    def _logo(self, channel: Channel) -> str:
        """The logo's address, as the page asks for it; empty if it would tell of a provider."""
        if self._has_hidden_logo(channel):
            return f"{LOGO_PATH.lstrip('/')}{quote(channel.slug, safe='~')}"
        url = _attribute(channel, "tvg-logo")
        host = _host(url)
        if not host or self._redactor.tells(url):
            return ""
        of_streams = {_host(stream.url) for stream in channel.streams}
        return "" if host in of_streams else url


def unix(moment: float | None, now: float) -> float | None:
    """Unix time of a monotonic one."""
    return None if moment is None else round(time() + moment - now, 1)


def _attribute(channel: Channel, key: str) -> str:
    values: Iterable[str] = (stream.attributes.get(key, "") for stream in channel.streams)
    return next(filter(None, values), "")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
