"""The list that clients get: one line and one link for each channel, nothing of the provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kptv.channels.catalog import Catalog, Row
from kptv.channels.packing import fields_for_list
from kptv.channels.secrets import Finder, decoded, secrets_of_link
from kptv.formats.m3u import extinf
from kptv.formats.m3u_attributes import quoted, unquoted

STREAM_PATH = "/stream/"  # of a link, below BASE_URL; the channel's slug follows
PIECE = 64  # channels rendered at once: 0.2 ms

_PICTURE = re.compile(r"logo|icon|image|poster")  # attributes that may hold a link
_VALUE = re.compile(r"[?&;][^=&;?]*=([^&;?]+)")
# Attributes that only a provider's own link can keep; so do all that begin with "catchup".
_OF_THE_LINK = frozenset(("timeshift", "arc-timeshift", "tvg-timeshift", "tvg-rec", "http-cookie"))
_SIGNS_OF_THEM = ("catchup", "timeshift=", "tvg-rec=", "cookie=")
_PEOPLES = (  # what is meant for people
    "tvg-id tvg-name tvg-chno tvg-language tvg-country tvg-shift group-title channel-id"
    " channel-number radio"
)
_IN_WORDS = frozenset(_PEOPLES.split())


def render(
    catalog: Catalog, base_url: str, positions: Sequence[int] | None = None
) -> Iterator[bytes]:
    """The served list, or that of the channels at ``positions``, in small pieces."""
    secrets = Finder(catalog.secrets)
    prefix = f"{base_url}{STREAM_PATH}"
    lines = ["#EXTM3U\n"]
    for slug, row in catalog.rows(positions):
        lines.append(f"{_extinf(row, secrets)}\n{prefix}{slug}\n")
        if len(lines) >= PIECE:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _extinf(row: Row, secrets: Finder) -> str:
    if isinstance(row, bytes):
        return extinf(*_offer(row, secrets))
    return extinf(*_merged([_offer(record, secrets) for record in row]))


def _merged(offers: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The first offer; the gaps in its attributes filled from the others."""
    attributes: dict[str, str] = {}
    for _, text in offers:
        for key, value in unquoted(text).items():
            if not attributes.get(key):
                attributes[key] = value
    return offers[0][0], quoted(attributes)


def _offer(record: bytes, secrets: Finder) -> tuple[str, str]:
    """Name and attributes as text, without those that do not hold here or tell of the provider."""
    url, name, text = fields_for_list(record)
    if ("=" in url or "@" in url) and _may_repeat(text, url):
        own = Finder(secrets_of_link(url))
        text = _public(text, url, own) if own.may_tell(text) else text
    if _is_usual(text) and not secrets.may_tell(text) and url not in text:
        return name, text
    return name, _public(text, url, secrets)


def _may_repeat(text: str, url: str) -> bool:
    """Whether something of the URL's fields, or of a login before its host, is in ``text``."""
    if "@" in url or "%" in url or "%" in text:
        return True
    return any(value in text for value in _VALUE.findall(url))


def _is_usual(text: str) -> bool:
    """Whether none may be kept back, and none but logos is a link: mostly, and quickly told."""
    for sign in _SIGNS_OF_THEM:
        if sign in text:
            return False
    logos = text.count('logo="http://') + text.count('logo="https://')
    return logos == text.count("://")


def _public(text: str, url: str, secrets: Finder) -> str:
    """The attributes in ``text`` that may be served, as text."""
    return quoted(
        {
            key: value
            for key, value in unquoted(text).items()
            if not _is_kept_back(key) and not _tells(key, value, url, secrets)
        }
    )


def _is_kept_back(key: str) -> bool:
    """Whether it says what only the provider's own link can do: show the past, take a cookie."""
    return key.startswith("catchup") or key in _OF_THE_LINK


def _tells(key: str, value: str, url: str, secrets: Finder) -> bool:
    """Whether the attribute holds a secret, or is a link that is no picture (tvg-url, …)."""
    if "://" in key or ("://" in decoded(value) and not _PICTURE.search(key)):
        return True
    if url in value or secrets.tells(key):
        return True
    return secrets.tells_in_words(value) if key in _IN_WORDS else secrets.tells(value)
