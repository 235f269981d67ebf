"""SOURCES: provider accounts, each ``URL|MaxConnections``, separated by commas."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kptv.channels.model import Source
from kptv.config.parsers import Rejected

# A comma separates two sources only before a scheme or after a limit: a URL may hold commas.
_SOURCE_END = re.compile(r"(\|\s*\d{1,6}\s*),|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SOURCE_LIMIT = re.compile(r"\|\s*(\d{1,6})\s*$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://")
_LIST_SCHEMES = ("http", "https", "file", "")  # "": a plain path


def parse_sources(text: str) -> tuple[Source, ...]:
    """The sources, numbered from 1; one that names no limit gets one connection."""
    accepted = "URL|MaxConnections, several separated by commas (http, https, file or a path)"
    if not text:
        raise Rejected(
            f"{accepted}; for example SOURCES=http://provider.example/list.m3u|2", "nothing"
        )
    sources = []
    for number, item in enumerate(_items(text), start=1):
        url, limit = _url_and_limit(item)
        if not _is_list_url(url) or (limit is None and re.search(r"\|[^|/]*$", url)):
            raise Rejected(accepted, read=f"{_shape_of(item)} as source {number}")
        sources.append(Source(number, url, 1 if limit is None else limit))
    return tuple(sources)


def warnings_of(text: str) -> list[str]:
    """A line for each source that names no limit."""
    return [
        f"SOURCES: source {number} names no limit: 1 connection assumed."
        " Append |N for N connections, |0 for no limit"
        for number, item in enumerate(_items(text), start=1)
        if _url_and_limit(item)[1] is None
    ]


def _items(text: str) -> list[str]:
    items, start = [], 0
    for end in _SOURCE_END.finditer(text):
        items.append(text[start : end.start()] + (end[1] or ""))
        start = end.end()
    return [*items, text[start:]]


def _url_and_limit(item: str) -> tuple[str, int | None]:
    limit = _SOURCE_LIMIT.search(item)
    return (item[: limit.start()].strip(), int(limit[1])) if limit else (item.strip(), None)


def _is_list_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False
    return parts.scheme in _LIST_SCHEMES and bool(parts.path) and "\0" not in url


def _shape_of(item: str) -> str:
    """A source's text without anything that could be a secret: ``'ftp://…|…'``."""
    item = item.strip()
    scheme = _SCHEME.match(item)
    limit = _SOURCE_LIMIT.search(item)
    tail = limit[0].strip() if limit else "|…" if "|" in item else ""
    return repr(f"{scheme[0] if scheme else ''}…{tail}") if item else "nothing"
