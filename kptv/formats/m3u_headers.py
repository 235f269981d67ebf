"""Request headers that a channel list asks for, in each of the field's dialects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from urllib.parse import quote, unquote

from kptv.formats.m3u_bounds import LONGEST_HEADER, LONGEST_KEY, MOST_HEADERS

HEADER_NAMES = {  # of attributes and options that stand for a request header
    "http-user-agent": "User-Agent",
    "user-agent": "User-Agent",
    "http-referrer": "Referer",
    "http-referer": "Referer",
    "referrer": "Referer",
    "referer": "Referer",
    "http-origin": "Origin",
    "http-cookie": "Cookie",
}
HEADER_KEYS = frozenset(HEADER_NAMES)
_KODI_HEADERS = ("stream_headers", "common_headers", "manifest_headers")  # …adaptive.* properties
_TOKEN = re.compile(r"[A-Za-z0-9!#$&'*+.^_`~-]+")  # a header's name (RFC 9110, 5.6.2)
# Options of Kodi's file reader, and headers that are the client's own business.
_NOT_HEADERS = re.compile(
    r"seekable|auth|verifypeer|sslcipherlist|postdata|customrequest|acceptencoding|noshout|active-remote"
    r"|connection-timeout|failonerror|redirect-limit|connection|content-length|transfer-encoding"
    r"|accept-encoding|range|te|upgrade",
    re.I,
)
_SAFE_IN_HEADER = "".join(map(chr, range(0x20, 0x7F)))

_NEXT_OPTION = re.compile(r"&(?=[\w!-]++=)")
_TWICE = re.compile(r".*#(?:EXTVLCOPT|KODIPROP):", re.I)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def split_options(line: str) -> tuple[str, dict[str, str]]:
    """URL and headers: of Kodi's ``URL|User-Agent=…&Referer=…``, values percent-encoded or not."""
    url, _, options = line.partition("|")
    name, equals, _ = options.partition("=")
    if not equals or not _TOKEN.fullmatch(name.strip()):
        return line, {}
    headers: dict[str, str] = {}
    for option in _NEXT_OPTION.split(options, MOST_HEADERS)[:MOST_HEADERS]:
        name, _, value = option.partition("=")
        add_header(headers, name.strip().lstrip("!"), unquote(value))
    return url.strip(), headers


@lru_cache(maxsize=64)  # the entries of a list have the same few, and one may have many links
def headers_of_option(word: str, text: str) -> Mapping[str, str]:
    """The headers that ``word:text`` asks for (``#EXTVLCOPT``, ``#KODIPROP`` or ``#EXTHTTP``)."""
    headers: dict[str, str] = {}
    if word == "#EXTHTTP":
        _add_json_headers(headers, text)
        return headers
    # Some lists hold all twice: #EXTVLCOPT:http-user-agent=#EXTVLCOPT:http-user-agent=…
    twice = _TWICE.match(text)
    _add_option(headers, text[twice.end() :] if twice else text)
    return headers


def _add_option(headers: dict[str, str], option: str) -> None:
    key, _, value = option.partition("=")
    key = key.strip().lower()
    if key in HEADER_NAMES:
        add_header(headers, HEADER_NAMES[key], value)
    elif key.endswith(_KODI_HEADERS):
        for name, header in split_options(f"|{value}")[1].items():
            add_header(headers, name, header)


def _add_json_headers(headers: dict[str, str], text: str) -> None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(values, dict):
        for name, value in islice(values.items(), MOST_HEADERS):
            add_header(headers, name, str(value))


def add_header(headers: dict[str, str], name: str, value: str) -> None:
    """Add a header that is not there yet, in the case it is known by, fit to be sent."""
    if len(value) > LONGEST_HEADER or len(name) > LONGEST_KEY:
        return
    name = HEADER_NAMES.get(name.lower(), name)
    value = _CONTROLS.sub(" ", value).strip().strip("\"'")
    value = quote(value, safe=_SAFE_IN_HEADER, errors="replace")  # JSON may hold half a character
    if not value or not _TOKEN.fullmatch(name) or _NOT_HEADERS.fullmatch(name):
        return
    name = "-".join(part.capitalize() for part in name.split("-"))
    if len(headers) < MOST_HEADERS:
        headers.setdefault(name, value)
