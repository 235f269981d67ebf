"""Which logos are served by this proxy: those whose own address holds a secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kptv.channels.model import Source
from kptv.formats.m3u_attributes import unquoted

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


def hidden_in(text: str, public: str, link: str) -> str:
    """The address of the logo in ``text`` that is not in ``public``; empty if there is none.

    Both are attributes as text. An address with the stream's own ``link`` in it would open the
    stream.
    """
    kept = unquoted(public)
    values = (value for key, value in unquoted(text).items() if key in _KEYS and key not in kept)
    return next((value for value in values if _is_fetched(value, link)), "")


def _is_fetched(value: str, link: str) -> bool:
    return value[:8].lower().startswith(("http://", "https://")) and link not in value
