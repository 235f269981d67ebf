"""The list that clients get: one line and one link for each channel, nothing of the provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from kptv.channels.catalog import Catalog, Row
from kptv.channels.model import Source
from kptv.channels.packing import fields_for_list
from kptv.formats.m3u import extinf
from kptv.formats.m3u_attributes import quoted, unquoted

PIECE = 64  # channels rendered at once: 0.2 ms

_PICTURE = re.compile(r"logo|icon|image|poster")  # attributes that may hold a link
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


def _offer(record: bytes, secrets: Mapping[int, tuple[str, ...]]) -> tuple[str, str]:
    """Name and attributes as text, without those that tell of the provider."""
    number, url, name, text = fields_for_list(record)
    # "http://host/user/password/1.ts": what lies before the last "/" is a secret, too.
    folder = url[: url.rfind("/")] if url.count("/") > 3 else url
    if _is_public(text, secrets[number], folder):
        return name, text
    public = {
        key: value
        for key, value in unquoted(text).items()
        if _is_public(quoted({key: value}), secrets[number], folder)
    }
    return name, quoted(public)


def _is_public(text: str, secrets: tuple[str, ...], folder: str) -> bool:
    """Whether no attribute holds a secret, and none but pictures a link (tvg-url, …)."""
    if folder in text:
        return False
    for secret in secrets:
        if secret in text and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text):
            return False
    logos = text.count('logo="http://') + text.count('logo="https://')
    if logos == text.count("://"):  # mostly, and quickly told
        return True
    return all(_PICTURE.search(_key_before(text, at)) for at in _links(text))


def _links(text: str) -> Iterator[int]:
    """Where links are, the first of each attribute."""
    at = text.find("://")
    while at >= 0:
        yield at
        at = text.find("://", text.index('"', at))


def _key_before(text: str, at: int) -> str:
    """The key of the attribute whose value has something at ``at``; empty: a key has it."""
    end = text.rfind('"', 0, at) - 1
    return text[text.rfind(" ", 0, end) + 1 : end] if text[end : end + 1] == "=" else ""


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
