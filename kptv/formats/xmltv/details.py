"""What a show's children tell, as plain text: no markup, references as characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_MOST_CATEGORIES = 10
_LONGEST = 4000  # letters of a description
_LONGEST_LINE = 500  # of any other text
_MARKUP = re.compile(r"</?[A-Za-z!][^<>]*>")
_SYSTEM = re.compile(rb"""\ssystem\s{0,40}=\s{0,40}["']xmltv_ns["']""")
_SOURCE = re.compile(rb"""\ssrc\s{0,40}=\s{0,40}(?:"([^"<]*)"|'([^'<]*)')""")


class Details(NamedTuple):
    """A show as people are told of it; empty: its guide does not say."""

    title: str
    sub_title: str
    desc: str
    categories: tuple[str, ...]
    icon: str  # an address, as the guide has it
    episode: str  # S2 E6, or as the guide has it


def details_of(xml: bytes) -> Details:
    """The details in ``xml``: the first of each, as players take it."""
    icon = next((_SOURCE.search(tag) for tag, _ in _elements(xml, b"icon")), None)
    categories = [_line(text) for _, text in _elements(xml, b"category", _MOST_CATEGORIES)]
    return Details(
        title=_first(xml, b"title"),
        sub_title=_first(xml, b"sub-title"),
        desc=_described(next((text for _, text in _elements(xml, b"desc")), b"")),
        categories=tuple(dict.fromkeys(filter(None, categories))),
        icon=_plain(icon[1] or icon[2] or b"") if icon else "",
        episode=_episode(list(_elements(xml, b"episode-num", _MOST_CATEGORIES))),
    )


def _elements(xml: bytes, name: bytes, most: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """The tag and the inside of the first elements of this name; ``xml`` is well-formed."""
    place = 0
    while most > 0 and (start := xml.find(b"<" + name, place)) >= 0:
        place = start + 1 + len(name)
        if xml[place : place + 1] not in b" \t\r\n/>":
            continue  # another name, which only begins so
        close = xml.find(b">", place)
        tag = xml[place:close]
        end = close if tag.endswith(b"/") else xml.find(b"</" + name, close)
        if close < 0 or end < 0:
            return
        yield tag, xml[close + 1 : end]
        place, most = end, most - 1


def _first(xml: bytes, name: bytes) -> str:
    return next((_line(text) for _, text in _elements(xml, name)), "")


def _line(raw: bytes) -> str:
    return _plain(raw)[:_LONGEST_LINE]


def _described(raw: bytes) -> str:
    """A description may be HTML: its markup goes, and then its references become characters."""
    text = _plain(raw, " ")
    return " ".join(unescape(_MARKUP.sub(" ", text)).split())[:_LONGEST]


def _plain(raw: bytes, between: str = "") -> str:
    """The text of an element, without those in it."""
    text = raw.decode("utf-8", "replace")
    if "<" in text:
        text = _MARKUP.sub(between, text)
    return " ".join((unescape(text) if "&" in text else text).split())


def _episode(told: list[tuple[bytes, bytes]]) -> str:
    for tag, text in told:
        if _SYSTEM.search(tag) and (known := _of_numbers(_line(text))):
            return known
    others = [_line(text) for tag, text in told if b"system" not in tag or b"onscreen" in tag]
    return next(filter(None, others), "")


def _of_numbers(text: str) -> str:
    """``S2 E6`` for ``1.5/12.``: both count from zero, and either may be missing."""
    parts = [part.partition("/")[0].strip() for part in text.split(".")]
    numbers = [int(p) + 1 if p.isascii() and p.isdecimal() and len(p) < 6 else 0 for p in parts]
    season, episode = [*numbers, 0, 0][:2]
    return " ".join(f"{letter}{n}" for letter, n in (("S", season), ("E", episode)) if n)
