"""Our links in the forms that applications make of them, read as they are meant: one rule for all.

Theory of operation. An exact match is served: a channel may be named ``x.ts``. Otherwise the
application may have appended ``.ts``, a slash or a query, put ``+`` for a blank, encoded once too
often, or written a slug in upper case. Such changes are undone: the fewest that lead to something.
If equally few lead to different things, none of these is served.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import TypeVar

from kptv.channels.hls_links import HLS_PATH
from kptv.channels.secrets import without_percents
from kptv.channels.served import STREAM_PATH

_T = TypeVar("_T")

LONGEST = 1000  # letters; a longer text is read as it is
_MOST_READINGS = 64  # of a text, itself included
_MOST_SIGNS = 4  # plus signs of a name that are tried as blanks
_SUFFIX = re.compile(r"\.(?:ts|mpegts|m2ts|mp4|mkv)", re.I)  # of a stream or a film
_PLAYLIST = re.compile(r"\.m3u8?", re.I)
_HLS = ("m3u8", "hls")  # as Xtream's panels and people call it
_APPENDED = re.compile(r"[?#|]|[&;][\w.-]+=")
_LIST = re.compile(r"(.*/)playlist(?:\.m3u8?)?[/\s]*+(?:[?#|&;].*)?", re.I | re.S)


class Ambiguous(Exception):
    """Several things are equally near to a text: ``found``."""

    def __init__(self, found: Sequence[object]) -> None:
        super().__init__(f"{len(found)} readings")
        self.found = found


def meant(text: str, find: Callable[[str], _T | None]) -> _T | None:
    """What ``find`` gives for ``text``, or else for the nearest reading; raises Ambiguous."""
    exact = find(text)
    if exact is not None or len(text) > LONGEST:
        return exact
    left = _MOST_READINGS - 1
    for readings in _readings(text):
        found: list[_T] = []
        readings, left = readings[:left], left - len(readings[:left])
        for reading in readings:
            thing = find(reading)
            if thing is not None and thing not in found:
                found.append(thing)
        if len(found) > 1:
            raise Ambiguous(found)
        if found:
            return found[0]
    return None


def without_playlist(text: str) -> str | None:
    """``text`` without the ``.m3u8`` that some append to get HLS; None if it has none."""
    for reading in (text, _cut(without_percents(text)).rstrip("/")):
        stem, dot, suffix = reading.rpartition(".")
        if stem and _PLAYLIST.fullmatch(dot + suffix):
            return stem
    return None


def wants_hls(output: str) -> bool:
    """Whether a list's links are to lead to HLS, by the ``output`` of its query.

    Applications send what panels know, and more: all that is not HLS, and nothing, is TS.
    """
    return output.strip().lower() in _HLS


def meant_path(path: str) -> str:
    """The path of a request, as our routes have it: the address of a list, or of a stream.

    It begins with one slash, as routes will read it: servers let others through, as `metrics?://`.
    """
    path = f"/{path.lstrip('/')}"
    first, slash, rest = path[1:].partition("/")
    if slash and f"/{first.lower()}/" == STREAM_PATH:
        return f"{STREAM_PATH}{rest}"
    if slash and f"/{first.lower()}/" == HLS_PATH:
        path = f"{HLS_PATH}{rest}"  # or the list of a group of that name
    if slash and first in ("api", "assets"):
        return path
    found = _LIST.fullmatch(path)
    return f"{found[1]}playlist.m3u8" if found else path


def _readings(text: str) -> Iterator[list[str]]:
    """The texts that one change gives, then two, and so on; none comes twice."""
    changes = _changes_of(text)
    known = {text}
    for count in range(1, len(changes) + 1):
        readings = []
        for some in combinations(changes, count):
            reading = text
            for change in some:
                reading = change(reading)
            if reading and reading not in known:
                known.add(reading)
                readings.append(reading)
        yield readings
    yield [other for reading in known for other in _some_blanks(reading)]


def _changes_of(text: str) -> list[Callable[[str], str]]:
    """The changes that have an effect on ``text``, one after the other, with ``_cut`` or without.

    What looks like a fragment may belong to the name: ``C#.ts``.
    """
    changes: list[Callable[[str], str]] = []
    uncut = text
    for change in _CHANGES:
        after, after_uncut = change(text), uncut if change is _cut else change(uncut)
        if (after, after_uncut) != (text, uncut):
            changes.append(change)
            text, uncut = after, after_uncut
    return changes


def _some_blanks(text: str) -> Iterator[str]:
    """Each way to read some plus signs as blanks, for a name that has plus signs of its own."""
    first, *parts = text.split("+")
    if not 2 <= len(parts) <= _MOST_SIGNS:
        return
    for signs in product("+ ", repeat=len(parts)):
        if len(set(signs)) > 1:
            yield first + "".join(map("".join, zip(signs, parts, strict=True)))


def _cut(text: str) -> str:
    """``text`` without a query, a fragment or options at its end."""
    appended = _APPENDED.search(text, 1)
    return text[: appended.start()] if appended else text


def _slashes(text: str) -> str:
    return "/".join(filter(None, text.strip().split("/"))).rstrip()


def _without_suffix(text: str) -> str:
    stem, dot, suffix = text.rpartition(".")
    return stem.rstrip("/") if _SUFFIX.fullmatch(dot + suffix) else text


def _blanks(text: str) -> str:
    return text.replace("+", " ")


# A suffix may be there twice: one was copied with the link, the application appended another.
_CHANGES = (without_percents, _cut, _slashes, _without_suffix, _without_suffix, _blanks, str.lower)
