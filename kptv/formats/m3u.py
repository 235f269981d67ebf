"""Entries out of the lines of an IPTV channel list (extended M3U), and one canonical line back.

There is no standard; this reads what VLC, Kodi and the lists found in the wild agree on, and what
they disagree on as a person would. An entry is an address, what its ``#EXTINF`` line says, and the
option lines (``#EXTGRP``, ``#EXTVLCOPT``, ``#KODIPROP``, ``#EXTHTTP``) near it. Nothing raises: a
line that makes no sense costs itself, and is counted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from kptv.formats.addresses import resolve
from kptv.formats.m3u_attributes import INNER, in_order, quoted, unquoted
from kptv.formats.m3u_headers import (
    HEADER_KEYS,
    HEADER_NAMES,
    add_header,
    read_option,
    split_options,
)

_MOST_ATTRIBUTES = 64  # on a line; bounds what a line made to be slow can cost
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # what could break out of a line

_BARE = re.compile(r"#EXTINF:[-+ ]*+[\d.]*+ *+,(.*+)")  # a line without attributes
# What stands between the quotes of a well-formed #EXTINF line: duration, then one key a value.
_BETWEEN_QUOTES = re.compile(r'(#EXTINF:[-+ ]*+[\d.]*+)(?: *+[A-Za-z0-9_.:-]++=(?:"|$))++')
_QUOTED_KEY = re.compile(r'([A-Za-z0-9_.:-]++)=(?:"|$)')
# And the pieces of any other.
_EXTINF_HEAD = re.compile(r"#EXTINF\s*:?\s*[-+]?[\d.]*", re.I)
_KEY = re.compile(r'[\s,]*+([^\s="\',]++)\s*+=\s*+')
_CLOSING = {  # a quote closes only before a comma, the end or the next key=
    quote: re.compile(quote + r'(?=\s*+(?:,|$|[^\s="\',]++\s*+=))') for quote in "\"'"
}
_SWALLOWED_KEY = re.compile(r'\s[\w-]+="')  # in a value whose own quote never closed
_BARE_VALUE = re.compile(r'(?:(?!\s+[^\s="\',]+\s*=)[^,])*')  # up to a comma or the next key=
_JOINED_BY_COMMA = re.compile(r'\s*,\s*[\w-]+\s*=\s*"')
_WORD = re.compile(r"\s*[^\s,]+")

_USUAL = ("http://", "https://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://|(?!\d))")  # not host:port
_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(?:/|$)")
_REFERENCE = re.compile(r"[^\s\"<>\[\]{}|\\^`]+")  # RFC 3986: what a relative URL may hold
_FILE = re.compile(r"(?:[\w~%./-][^\s\"<>\[\]{}|\\^`;()]*)?[\w%](?:/|\.\w{2,5}(?:\?\S*)?)\S*")

_COMMON_STEM = re.compile(r"index|playlist|master|stream|live|chunklist|manifest|mono|video", re.I)
_DOTTED_ADDRESS = re.compile(r"[\d.]+(?::\d+)?")


class Entry(NamedTuple):
    """One item of a channel list. No text in it holds a control character."""

    name: str  # never empty
    url: str  # as listed, resolved where relative; may be of any scheme, or none
    quoted: str  # its attributes as text, see m3u_attributes
    groups: tuple[str, ...]  # of group-title and #EXTGRP, each cut at ";"
    headers: dict[str, str]  # to be sent when the URL is requested

    @property
    def attributes(self) -> dict[str, str]:
        """Of #EXTINF; keys in lower case."""
        return unquoted(self.quoted)


class ListParser:
    """Feed lines, get entries; afterwards ``headers`` and ``skipped`` tell of the list."""

    def __init__(self, base: str = "") -> None:
        """``base`` is what relative URLs are resolved against: the list's own URL."""
        self.headers: dict[str, str] = {}  # attributes of #EXTM3U: x-tvg-url, url-tvg, …
        self.skipped = 0  # lines that stand for nothing, or for an entry without an address
        self._base = base
        self.is_list = False  # an #EXTM3U or #EXTINF was seen
        self._info = ""  # the #EXTINF line that waits for its address
        self._options: list[str] = []

    def feed(self, lines: Iterable[str]) -> list[Entry]:
        """The entries that ``lines`` complete."""
        entries = []
        for text in lines:
            line = text.strip()
            if not line:
                continue
            if not line.isprintable():  # which a byte order mark is not either
                line = _CONTROLS.sub(" ", line.lstrip("\ufeff")).strip()
                if not line:
                    continue
            if line[:7] == "#EXTINF":
                if self._info:
                    self._drop()
                self._info, self.is_list = line, True
            elif line[:1] == "#":
                self._directive(line)
            elif self._info or self._is_address(line):
                entries.append(self._entry(line))
            else:
                self.skipped += 1
        return entries

    def finish(self) -> None:
        """No more lines: an #EXTINF still waiting has no address."""
        if self._info:
            self._drop()

    def _drop(self) -> None:
        """Forget an #EXTINF that has no address."""
        self.skipped += 1
        self._info = ""
        self._options = []

    def _directive(self, line: str) -> None:
        word = line[:12].upper()
        if word.startswith("#EXTINF"):
            if self._info:
                self._drop()
            self._info, self.is_list = line, True
        elif word.startswith("#EXTM3U"):
            self.is_list = True
            attributes, _ = scan_attributes(line[7:])
            self.headers = {**attributes, **self.headers}
        elif word.startswith(("#EXTGRP", "#EXTVLCOPT", "#KODIPROP", "#EXTHTTP")):
            self._options.append(line)

    def _is_address(self, line: str) -> bool:
        """Whether a line that no #EXTINF precedes is an address, and not a separator or prose."""
        if "://" in line:
            return _SCHEME.match(line) is not None
        return self.is_list and _FILE.fullmatch(line) is not None

    def _entry(self, line: str) -> Entry:
        name, text, group, asks = parse_extinf(self._info) if self._info else _NO_INFO
        self._info = ""
        url = line
        headers: dict[str, str] = {}
        if "|" in line and not line.startswith("pipe:"):
            url, headers = split_options(line)
        if not url.startswith(_USUAL) and not _SCHEME.match(url):
            url = _resolve(self._base, url)
        if self._options or asks:
            options, self._options = self._options, []
            attributes = unquoted(text)
            group = _apply_options(options, attributes, headers, group)
            for key in HEADER_KEYS.intersection(attributes):
                add_header(headers, HEADER_NAMES[key], attributes[key])
            text = quoted(attributes)
        name = name or _other_name(unquoted(text), line, url)
        groups = (group,) if group and ";" not in group else _split_groups(group)
        return Entry(name, url, text, groups, headers)


# What an #EXTINF line says: name, attributes as text, group, and whether they ask for headers.
Info = tuple[str, str, str, bool]
_NO_INFO: Info = ("", "", "", False)


def parse_extinf(line: str) -> Info:
    """What an ``#EXTINF`` line says, however it is quoted."""
    pieces = line.split('"')  # '#EXTINF:-1 tvg-id=', 'value', ' tvg-name=', …, ',name'
    if len(pieces) == 1 and (bare := _BARE.match(line)):
        return bare[1].strip(", "), "", "", False
    layout = _layout('"'.join(pieces[:-1:2]))
    name = pieces[-1]
    if layout is None or len(pieces) != layout.pieces or name[:1] != ",":
        end = _EXTINF_HEAD.match(line).end()  # type: ignore[union-attr]
        return _info_of(*scan_attributes(line, end))
    tidy = name.strip(", ")
    if layout.is_canonical and ' "' not in line and '=" ' not in line:
        text, group = line[layout.start : -len(name)], pieces[layout.group]
        return tidy, text, group if layout.group else "", layout.asks
    values = map(str.strip, pieces[1::2])
    attributes = dict(zip(layout.keys, values))  # noqa: B905  as many; strict is slow
    if len(attributes) != len(layout.keys):
        attributes = _first_of_each(zip(layout.keys, pieces[1::2]))  # noqa: B905
    return _info_of(attributes, tidy)


def _info_of(attributes: dict[str, str], name: str) -> Info:
    asks = not HEADER_KEYS.isdisjoint(attributes)
    return name, quoted(attributes), attributes.get("group-title", ""), asks


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is the same on the lines of a list that have the same keys."""

    keys: list[str]
    pieces: int  # that quotes cut the line into
    start: int  # of the attributes in it
    group: int  # the piece that is the group's name; 0: there is none
    asks: bool  # for headers
    is_canonical: bool  # the text is as ``quoted`` would write it


@lru_cache(maxsize=128)
def _layout(between: str) -> _Layout | None:
    """Of a line with this between its quotes; None if it is odd."""
    match = _BETWEEN_QUOTES.fullmatch(between)
    if match is None:
        return None
    keys = [key.lower() for key in _QUOTED_KEY.findall(between)]
    canonical = match[1] + '"'.join([f" {key}=" for key in in_order(dict.fromkeys(keys))])
    return _Layout(
        keys,
        pieces=2 * len(keys) + 1,
        start=match.end(1),
        group=2 * keys.index("group-title") + 1 if "group-title" in keys else 0,
        asks=not HEADER_KEYS.isdisjoint(keys),
        is_canonical=between == canonical,
    )


def scan_attributes(text: str, position: int = 0) -> tuple[dict[str, str], str]:
    """Attributes, and what follows their comma: of ``text`` from ``position`` on, by tokens."""
    pairs: list[tuple[str, str]] = []
    words: list[str] = []
    while len(pairs) < _MOST_ATTRIBUTES and len(words) < _MOST_ATTRIBUTES:
        key = None if _ends_here(text, position) else _KEY.match(text, position)
        if key:
            value, position = _value(text, key.end())
            pairs.append((key[1], value))
            continue
        word = None if _ends_here(text, position) else _WORD.match(text, position)
        if word is None:
            break
        words.append(word[0].strip())
        position = word.end()
    _, comma, name = text[position:].partition(",")
    return _first_of_each(pairs), name.strip(", ") if comma else " ".join(words)


def extinf(name: str, text: str) -> str:
    """The canonical line, without its end; name and attributes as an entry has them.

    Double quotes become single ones: no reader of M3U knows an escape for them.
    """
    line = f"#EXTINF:-1{text},"
    if INNER in line:
        line = line.replace(INNER, "'")
    return line + (name.replace('"', "'") if '"' in name else name)


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of keys that come several times the first value that is not empty."""
    attributes: dict[str, str] = {}
    for key, value in pairs:
        attributes[key.lower()] = attributes.get(key.lower()) or value.strip()
    return attributes


def _ends_here(text: str, position: int) -> bool:
    """Whether the comma before the name is next; some lists join attributes by commas too."""
    comma = re.compile(r"\s*,").match(text, position)
    return comma is not None and not _JOINED_BY_COMMA.match(text, position)


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that starts at ``position``, and where it ends."""
    quote_mark = text[position : position + 1]
    closing = _CLOSING.get(quote_mark)
    if closing is None:
        bare = _BARE_VALUE.match(text, position)
        assert bare is not None  # it matches the empty text
        return bare[0].strip().strip("\"'"), bare.end()
    start = position + 1
    end = closing.search(text, start) or re.compile(f"{quote_mark}|,|$").search(text, start)
    assert end is not None  # a text has an end
    stop = end.start()
    swallowed = _SWALLOWED_KEY.search(text, start, stop)
    if swallowed:
        return text[start : swallowed.start()], swallowed.start()
    return text[start:stop], stop + (text[stop : stop + 1] == quote_mark)


def _apply_options(
    lines: Iterable[str], attributes: dict[str, str], headers: dict[str, str], group: str
) -> str:
    """Put what option lines say into ``attributes`` and ``headers``; gives the groups, joined."""
    for line in lines:
        word, _, rest = line.partition(":")
        if word.upper() == "#EXTGRP":
            attributes["group-title"] = attributes.get("group-title") or rest.strip()
            group = f"{group};{rest}"
        else:
            read_option(headers, word.upper(), rest.strip())
    return group


def _resolve(base: str, reference: str) -> str:
    """``reference`` made absolute, if it is a relative URL at all."""
    if not base or not _REFERENCE.fullmatch(reference) or _HOST_AND_PORT.match(reference):
        return reference
    try:
        return resolve(base, reference)
    except ValueError:
        return reference


def _split_groups(group: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in group.split(";") if part.strip()))


def _other_name(attributes: Mapping[str, str], line: str, url: str) -> str:
    for name in (attributes.get("tvg-name", ""), attributes.get("tvg-id", ""), _title(line, url)):
        if tidy := name.strip(", "):  # as that of #EXTINF is, so that it parses back to the same
            return tidy
    return _anonymous(url)


def _title(line: str, url: str) -> str:
    """A name for an address that has none: it is shown, so it must not tell a user or password.

    A file's name or a relative path is one; else what stays the same over imports.
    """
    reference = line.partition("?")[0].partition("|")[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        return _anonymous(url)
    if not _SCHEME.match(line):
        title = re.sub(r"\.\w{2,5}$", "", unquote(reference).strip("/. "))
        return _CONTROLS.sub(" ", title).strip() or _anonymous(url)
    if parts.scheme in ("udp", "rtp", "igmp") and _DOTTED_ADDRESS.fullmatch(parts.netloc):
        return parts.netloc
    file = unquote(parts.path.rpartition("/")[2])
    stem, dot, _ = file.rpartition(".")
    stem = _CONTROLS.sub(" ", stem).strip()
    if dot and re.search(r"[^\W\d]", stem) and not _COMMON_STEM.fullmatch(stem):
        return stem
    return _anonymous(url)


def _anonymous(url: str) -> str:
    return f"Channel {hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:8]}"
