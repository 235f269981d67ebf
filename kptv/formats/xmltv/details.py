"""What a show's children tell, as plain text: no markup, references as characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import NamedTuple

_MOST = 10  # elements of one name
_LONGEST = 4000  # letters of a description
_LONGEST_LINE = 500  # of any other text
_ELEMENT = re.compile(
    rb"<(title|sub-title|desc|category|icon|episode-num)(?=[\s/>])([^<>]*)>([^<]*)"
)
_MARKUP = re.compile(r"</?[A-Za-z!][^<>]*>")
_SYSTEM = re.compile(rb"""\ssystem\s{0,40}=\s{0,40}["']xmltv_ns["']""")
_SOURCE = re.compile(rb"""\ssrc\s{0,40}=\s{0,40}(?:"([^"<]*)"|'([^'<]*)')""")


_Element = tuple[bytes, bytes]  # what its tag tells, what is in it
_NONE: Sequence[_Element] = ((b"", b""),)


class Details(NamedTuple):
    """A show as people are told of it; empty: its guide does not say."""

    title: str
    sub_title: str
    desc: str
    categories: tuple[str, ...]
    icon: str  # an address, as the guide has it
    episode: str  # S2 E6, or as the guide has it


def details_of(xml: bytes) -> Details:
    """The details in ``xml``, which is well-formed: the first of each, as players take it."""
    found: dict[bytes, list[_Element]] = {}
    for match in _ELEMENT.finditer(xml):
        some = found.setdefault(match[1], [])
        if len(some) < _MOST:
            some.append((match[2], _inside(xml, match)))
    tag = found.get(b"icon", _NONE)[0][0]
    icon = _SOURCE.search(tag) if tag else None
    categories = [_line(text) for _, text in found.get(b"category", ())]
    return Details(
        title=_line(found.get(b"title", _NONE)[0][1]),
        sub_title=_line(found.get(b"sub-title", _NONE)[0][1]),
        desc=_described(found.get(b"desc", _NONE)[0][1]),
        categories=tuple(dict.fromkeys(filter(None, categories))),
        icon=_plain(icon[1] or icon[2] or b"") if icon else "",
        episode=_episode(found.get(b"episode-num", ())),
    )


def _inside(xml: bytes, match: re.Match[bytes]) -> bytes:
    """All of an element; it mostly ends where its first text does."""
    end = match.end()
    if xml.startswith(b"</", end) or match[2].endswith(b"/"):
        return match[3]
    return xml[match.start(3) : max(end, xml.find(b"</" + match[1], end))]


def _line(raw: bytes) -> str:
    return _plain(raw)[:_LONGEST_LINE]


def _described(raw: bytes) -> str:
    """A description may be HTML: its markup goes, and then its references become characters."""
    text = _plain(raw, " ")
    if "<" in text or "&" in text:
        text = " ".join(unescape(_MARKUP.sub(" ", text)).split())
    return text[:_LONGEST]


def _plain(raw: bytes, between: str = "") -> str:
    """The text of an element, without those in it."""
    text = raw.decode("utf-8", "replace")
    if "<" in text:
        text = _MARKUP.sub(between, text)
    return " ".join((unescape(text) if "&" in text else text).split())


def _episode(told: Sequence[_Element]) -> str:
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
