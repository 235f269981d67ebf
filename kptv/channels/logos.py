"""Which logos are served by this proxy: those whose own address holds a secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kptv.channels.model import Source

LOGO_PATH = "/logo/"  # of such a logo, below BASE_URL; the channel's slug follows
SERVED_AS = "tvg-logo"  # the attribute that all players read
_KEYS = (SERVED_AS, "logo")  # attributes that hold a channel's logo


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is fetched by a source's account."""

    source: Source
    url: str = field(repr=False)  # a secret: holds user and password


def has_logo(attributes: Mapping[str, str]) -> bool:
    """Whether players find a logo there."""
    return any(attributes.get(key) for key in _KEYS)


def hidden_in(attributes: Mapping[str, str], public: Mapping[str, str], link: str) -> str:
    """The address of a logo in ``attributes`` that is not in ``public``; empty if there is none.

    An address with the stream's own ``link`` in it would open the stream.
    """
    for key in _KEYS:
        value = attributes.get(key)
        if value and key not in public and _is_fetched(value, link):
            return value
    return ""


def _is_fetched(value: str, link: str) -> bool:
    return value[:8].lower().startswith(("http://", "https://")) and link not in value
