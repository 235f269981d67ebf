"""SOURCES: provider accounts, each ``URL|MaxConnections`` or ``name=URL|MaxConnections``.

Commas separate them.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from kptv.channels.model import Source
from kptv.config.parsers import Rejected

# A comma separates two sources only before a scheme or after a limit: a URL may hold commas.
_SOURCE_END = re.compile(r"(\|\s*\d{1,6}\s*),|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
# In front of the first source stands a name: then names begin others as schemes do.
_NAMED_SOURCE_END = re.compile(
    r"(\|\s*\d{1,6}\s*),|,\s*(?=(?:[A-Za-z0-9-]{1,32}\s*=\s*)?[A-Za-z][A-Za-z0-9+.-]*://)"
)
_NAME = re.compile(r"\s*([A-Za-z0-9-]{1,32})\s*=\s*")
_NO_NAME = re.compile(r"\s*[^/?|,:=]*=\s*[A-Za-z][A-Za-z0-9+.-]{0,15}://")
_OF_A_NUMBER = re.compile(r"(?:source-)?\d+", re.IGNORECASE)
_SOURCE_LIMIT = re.compile(r"\|\s*(\d{1,6})\s*$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://")
# A scheme anywhere, but not that of an address in a query: ?url=http://…
_WITHIN = re.compile(r"(?<!=http)(?<!=https)(?<!=file)://")
_HOST = re.compile(
    r"(?:[^/@\s]*@)?(?:[\w-]{1,63}\.){1,8}[\w-]{1,63}(?::\d{1,5}$|(?::\d{1,5})?[/?])|localhost[:/]"
)
# What may be meant as a limit. Anything else may be part of a password.
_HARMLESS_LIMIT = re.compile(
    r"\s*(?:[-+]?\d{1,7}(?:[.,]\d{1,3})?\s*(?:x|connections?|streams?)?"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|many|none|no|all|max|unlimited|infinite)?\s*",
    re.IGNORECASE,
)
_LIST_SCHEMES = ("http", "https", "file", "")  # "": a plain path


def parse_sources(text: str) -> tuple[Source, ...]:
    """The sources, numbered from 1; one that names no limit gets one connection."""
    accepted = (
        "URL|MaxConnections or name=URL|MaxConnections, several separated by commas"
        " (http, https, file or a path)"
    )
    if not text:
        raise Rejected(
            f"{accepted}; for example SOURCES=http://provider.example/list.m3u|2", "nothing"
        )
    sources: list[Source] = []
    for number, item in enumerate(_items(text), start=1):
        name, address = _name_and_address(item)
        url, limit = _url_and_limit(address)
        why_not = "" if limit is not None else _about_limit(url)
        why_not = why_not or _about_url(url)
        why_not = why_not or _about_name(name, item, [source.name for source in sources])
        if why_not or not _is_list_url(url):
            read = f"{_shape_of(item)} as source {number}"
            raise Rejected(f"{accepted}{why_not and '; '}{why_not}", read)
        sources.append(Source(number, url, 1 if limit is None else limit, name=name))
    return tuple(sources)


def warnings_of(text: str) -> list[str]:
    """What is strange about sources that can be used. Nothing of their URLs is repeated."""
    items = [_url_and_limit(_name_and_address(item)[1]) for item in _items(text)]
    urls = [url for url, _ in items]
    warnings = []
    for number, (url, limit) in enumerate(items, start=1):
        if limit is None:
            warnings.append(
                f"SOURCES: source {number} names no limit: 1 connection assumed."
                " Append |N for N connections, |0 for no limit"
            )
        if (first := urls.index(url) + 1) != number:
            warnings.append(
                f"SOURCES: source {number} has the URL of source {first}: each counts its own"
                " connections. Name it once, with all its connections as |N"
            )
        if len(_WITHIN.findall(url)) > 1:
            warnings.append(
                f"SOURCES: source {number} has :// twice."
                " If it is two sources, put a comma between them"
            )
    return warnings


def _items(text: str) -> list[str]:
    items, start = [], 0
    ends = _NAMED_SOURCE_END if _NAME.match(text) else _SOURCE_END
    for end in ends.finditer(text):
        items.append(text[start : end.start()] + (end[1] or ""))
        start = end.end()
    return [*items, text[start:]]


def _name_and_address(item: str) -> tuple[str, str]:
    """The name of a source, empty if it has none, and what stands behind it."""
    name = _NAME.match(item)
    return (name[1], item[name.end() :]) if name else ("", item)


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


def _about_limit(url: str) -> str:
    """Why what stands behind the last ``|`` is no limit; empty if nothing stands there."""
    return "MaxConnections is a whole number" if re.search(r"\|[^|/]*$", url) else ""


def _about_url(url: str) -> str:
    """Why a URL is taken for a mistake; empty if it is not."""
    if "://" not in url and _HOST.match(url) and not os.path.exists(url):
        return "an address begins with http:// or https://, and there is no such file"
    if re.search(r"\s", url) and len(_WITHIN.findall(url)) > 1:
        return "between two sources stands a comma"
    return ""


def _about_name(name: str, item: str, others: list[str]) -> str:
    """Why a source cannot have this name; empty if it can."""
    if not name and _NO_NAME.match(item):
        return "a name has letters, digits and -, 32 at most"
    if _OF_A_NUMBER.fullmatch(name):
        return "a name is no number: source-2 is the second one that has no name"
    if name and name.casefold() in (other.casefold() for other in others):
        return f"the name {name} is there twice"
    return ""


def _shape_of(item: str) -> str:
    """A source's text without anything that could be a secret: ``'ftp://…|two'``."""
    item = item.strip()
    scheme = _SCHEME.match(item)
    _, bar, limit = item.rpartition("|")
    shown = limit.strip() if _HARMLESS_LIMIT.fullmatch(limit) else "…"
    return repr(f"{scheme[0] if scheme else ''}…{bar}{bar and shown}") if item else "nothing"
