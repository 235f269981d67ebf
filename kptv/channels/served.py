"""The list that clients get: one line and one link for each channel, nothing of the provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from kptv.channels.catalog import Catalog, Row
from kptv.channels.packing import fields_for_list
from kptv.channels.secrets import Finder, decoded, secrets_of_link
from kptv.formats.m3u import extinf
from kptv.formats.m3u_attributes import quoted, unquoted

STREAM_PATH = "/stream/"  # of a link, below BASE_URL; the channel's slug follows
PIECE = 64  # channels rendered at once: 0.2 ms

_PICTURE = re.compile(r"logo|icon|image|poster")  # attributes that may hold a link
_VALUE = re.compile(r"[?&;][^=&;?]*=([^&;?]+)")
# Attributes whose promise only a provider's own link keeps, as with all that begin with "catchup".
_OF_THE_LINK = frozenset(("timeshift", "arc-timeshift", "tvg-timeshift", "tvg-rec", "http-cookie"))
_SIGNS_OF_THEM = ("catchup", "timeshift=", "tvg-rec=", "cookie=")
_PEOPLES = (  # attributes that are meant for people
    "tvg-id tvg-name tvg-chno tvg-language tvg-country tvg-shift group-title channel-id"
    " channel-number radio"
)
_IN_WORDS = frozenset(_PEOPLES.split())


# What a channel is served as: its name, and its attributes as text (see m3u_attributes).
Served = tuple[str, str]


def render(
    catalog: Catalog, base_url: str, positions: Sequence[int] | None = None
) -> Iterator[bytes]:
    """The served list, or that of the channels at ``positions``, in small pieces."""
    secrets, prefix = Finder(catalog.secrets), f"{base_url}{STREAM_PATH}"
    yield b"#EXTM3U\n"
    channels = catalog.rows(positions)
    while some := list(islice(channels, PIECE)):
        lines = [
            f"{extinf(name, text)}\n{prefix}{slug}\n"
            for (slug, _), (name, text) in zip(
                some, all_served([row for _, row in some], secrets), strict=True
            )
        ]
        yield "".join(lines).encode()


def all_served(rows: Sequence[Row], secrets: Finder) -> list[Served]:
    """What ``served_as`` gives of each of some rows; in half the time if they are as usual."""
    fields = [fields_for_list(row) if isinstance(row, bytes) else None for row in rows]
    texts = "\n".join([offer[2] for offer in fields if offer is not None])
    if not _is_usual(texts) or secrets.may_tell(texts):
        return [served_as(row, secrets) for row in rows]
    return [
        served_as(row, secrets)
        if offer is None or _may_tell_of_its_link(*offer)
        else (offer[1], offer[2])
        for row, offer in zip(rows, fields, strict=True)
    ]


def served_as(row: Row, secrets: Finder) -> Served:
    """What players see of a channel: the first candidate, its gaps filled from the others.

    ``secrets`` are those of the channel's catalog. Whatever answers a player about a channel (a
    guide by its tvg-id) asks here, so that all answers agree.
    """
    if isinstance(row, bytes):
        return _offer(row, secrets)
    offers = [_offer(record, secrets) for record in row]
    attributes: dict[str, str] = {}
    for _, text in offers:
        for key, value in unquoted(text).items():
            if not attributes.get(key):
                attributes[key] = value
    return offers[0][0], quoted(attributes)


def _offer(record: bytes, secrets: Finder) -> Served:
    """One candidate, without attributes that do not hold here or tell of the provider."""
    url, name, text = fields_for_list(record)
    if ("=" in url or "@" in url) and _may_repeat(text, url):
        own = Finder(secrets_of_link(url))
        text = _public(text, url, own) if own.may_tell(text) else text
    if _is_usual(text) and not secrets.may_tell(text) and url not in text:
        return name, text
    return name, _public(text, url, secrets)


def _may_tell_of_its_link(url: str, _: str, text: str) -> bool:
    return url in text or (("=" in url or "@" in url) and _may_repeat(text, url))


def _may_repeat(text: str, url: str) -> bool:
    """Whether something of the URL's fields, or of a login before its host, is in ``text``."""
    if "@" in url or "%" in url or "%" in text:
        return True
    return any(value in text for value in _VALUE.findall(url))


def _is_usual(text: str) -> bool:
    """True if no attribute is to be kept back and only logos are links: the usual, told fast."""
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
    """Whether it promises what only the provider's own link does: show the past, take a cookie."""
    return key.startswith("catchup") or key in _OF_THE_LINK


def _tells(key: str, value: str, url: str, secrets: Finder) -> bool:
    """Whether the attribute holds a secret, or is a link that is no picture (tvg-url, …)."""
    if "://" in key or ("://" in decoded(value) and not _PICTURE.search(key)):
        return True
    if url in value or secrets.tells(key):
        return True
    return secrets.tells_in_words(value) if key in _IN_WORDS else secrets.tells(value)
