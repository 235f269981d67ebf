"""The list that clients get: one line and one link for each channel, nothing of the provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from kptv.channels.catalog import Catalog, Row
from kptv.channels.model import Source
from kptv.channels.packing import (
    fields_for_list,
    pack_attributes,
    quoted_attributes,
    unpack_attributes,
)

PIECE = 64  # channels rendered at once: 0.2 ms

_PICTURE = re.compile(r"\x1f[^\x1d]*(?:logo|icon|image|poster)")  # these may hold a link
_CREDENTIAL = re.compile(r".*(?:user|login|pass|pwd|token|key|auth|mac|secret|sign)", re.I)
_HARMLESS = frozenset(("type", "output", "format", "ext"))  # of Xtream's list URLs
_SECRET_LENGTH = 8  # letters from which any other value of a list's URL is taken for a secret


def render(
    catalog: Catalog, base_url: str, positions: Sequence[int] | None = None
) -> Iterator[bytes]:
    """The served list, or that of the channels at ``positions``, in small pieces."""
    secrets = {number: _secrets_of(source) for number, source in catalog.sources.items()}
    prefix = f"{base_url}/stream/"
    lines = ["#EXTM3U\n"]
    for slug, row in catalog.rows(positions):
        lines.append(f"{_extinf(row, secrets)}\n{prefix}{slug}\n")
        if len(lines) >= PIECE:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _extinf(row: Row, secrets: Mapping[int, tuple[str, ...]]) -> str:
    """The canonical line: as ``formats.m3u.extinf`` writes it, out of packed attributes."""
    if isinstance(row, bytes):
        name, attributes = _offer(row, secrets)
    else:
        name, attributes = _merged([_offer(record, secrets) for record in row])
    if '"' in name:
        name = name.replace('"', "'")
    return f"#EXTINF:-1{quoted_attributes(attributes)},{name}"


def _merged(offers: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The first offer; the gaps in its attributes filled from the others."""
    attributes: dict[str, str] = {}
    for _, packed in offers:
        for key, value in unpack_attributes(packed).items():
            if not attributes.get(key):
                attributes[key] = value
    return offers[0][0], pack_attributes(attributes)


def _offer(record: bytes, secrets: Mapping[int, tuple[str, ...]]) -> tuple[str, str]:
    """Name and packed attributes, without those that tell of the provider."""
    number, url, name, attributes = fields_for_list(record)
    # "http://host/user/password/1.ts": what lies before the last "/" is a secret, too.
    folder = url[: url.rfind("/")] if url.count("/") > 3 else url
    if _is_public(attributes, secrets[number], folder):
        return name, attributes
    public = {
        key: value
        for key, value in unpack_attributes(attributes).items()
        if _is_public(pack_attributes({key: value}), secrets[number], folder)
    }
    return name, pack_attributes(public)


def _is_public(attributes: str, secrets: tuple[str, ...], folder: str) -> bool:
    """Whether none holds a secret, and none but pictures a link (catchup-source, tvg-url, …)."""
    if folder in attributes:
        return False
    for secret in secrets:
        if secret in attributes and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", attributes):
            return False
    logos = attributes.count("logo\x1dhttp://") + attributes.count("logo\x1dhttps://")
    if logos == attributes.count("://"):  # mostly, and quickly told
        return True
    for text in attributes.split("://")[:-1]:
        start = text.rfind("\x1f")
        if start >= 0 and not _PICTURE.match(text, start):  # -1: a link within the last one
            return False
    return True


def _secrets_of(source: Source) -> tuple[str, ...]:
    """What of a list's URL must not be shown: user, password, and what may be a token."""
    try:
        parts = urlsplit(source.url)
        pairs = parse_qsl(parts.query)
        found = {unquote(parts.username or ""), unquote(parts.password or "")}
    except ValueError:
        return ()
    for key, value in pairs:
        if _CREDENTIAL.match(key) or (len(value) >= _SECRET_LENGTH and key not in _HARMLESS):
            found.add(value)
    known = {form for secret in found if len(secret) > 2 for form in (secret, quote(secret))}
    return tuple(known)
