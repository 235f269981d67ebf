"""The channels by name and group, found fast: what the page scrolls through.

Theory of operation. The names of a catalog, normalised, stand in one text, a line each; a search
is a search in that text. It is built in slices when first asked for, and goes with its catalog.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import gevent
from cachetools import LRUCache
from gevent.greenlet import Greenlet

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.grouping import normalised
from kptv.channels.packing import name_of
from kptv.pace import Pace

PAGE = 200  # channels
_DEADLINE = 20.0  # seconds that somebody waits for the index; 200,000 channels take one
_KEPT_SEARCHES = 32
_SEARCHED_AT_ONCE = 1024 * 1024  # letters, 0.3 ms
_MARK = "\n"  # between two names, and in none


@dataclass(frozen=True, slots=True)
class FoundChannels:
    """What a search found: positions in the catalog, in served order."""

    catalog: Catalog
    positions: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Index:
    catalog: Catalog
    text: str
    offsets: array[int]  # where each name begins
    groups: tuple[tuple[str, str, int], ...]


class Directory:
    """Searches the current catalog."""

    def __init__(self, current_catalog: Callable[[], Catalog | None]) -> None:
        self._current = current_catalog
        self._building: tuple[Catalog, Greenlet] | None = None
        self._searches: LRUCache[tuple[int, str, str], FoundChannels] = LRUCache(_KEPT_SEARCHES)

    def __repr__(self) -> str:
        return f"<Directory of {self._current()}>"

    def find(self, query: str, group: str) -> FoundChannels | None:
        """All channels whose names hold each word of ``query``, of a group if one is named.

        None: there is no catalog, no such group, or the index was not ready in time.
        """
        catalog = self._current()
        if catalog is None:
            return None
        members = catalog.group(group) if group else range(len(catalog))
        words = normalised(query).split()
        if members is None or not words:
            return None if members is None else FoundChannels(catalog, members)
        key = (id(catalog), " ".join(words), group)
        found = self._searches.get(key)
        if found is None or found.catalog is not catalog:
            index = self._index(catalog)
            if index is None:
                return None
            hits = _search(index, words)
            if group:
                hits = list(_both(hits, members))
            found = self._searches[key] = FoundChannels(catalog, hits)
        return found

    def groups(self) -> tuple[tuple[str, str, int], ...]:
        """Slug, name and number of channels of each group, by name."""
        catalog = self._current()
        index = self._index(catalog) if catalog is not None else None
        return index.groups if index else ()

    def _index(self, catalog: Catalog) -> _Index | None:
        if self._building is None or self._building[0] is not catalog:
            self._building = catalog, gevent.spawn(_build, catalog)
            self._searches.clear()
        running = self._building[1]
        running.join(timeout=_DEADLINE)
        if running.ready() and not running.successful():
            self._building = None
        return running.value if isinstance(running.value, _Index) else None


def _build(catalog: Catalog) -> _Index:
    pace, names, offsets, end = Pace(), [], array("Q"), 0
    for number, (_, row) in enumerate(catalog.rows()):
        name = normalised(name_of(records_of(row)[0])).replace(_MARK, " ")
        names.append(name)
        offsets.append(end)
        end += len(name) + 1
        if number % 32 == 0:
            pace()
    groups = []
    for group in catalog.groups():
        groups.append(group)
        pace()
    groups.sort(key=lambda group: group[1].casefold())
    return _Index(catalog, _MARK.join(names), offsets, tuple(groups))


def _search(index: _Index, words: list[str]) -> list[int]:
    first, *others = sorted(words, key=len, reverse=True)
    text, offsets, hits, pace = index.text, index.offsets, [], Pace()
    at = _find(text, first, 0, pace)
    while at >= 0:
        position = bisect_right(offsets, at) - 1
        end = offsets[position + 1] - 1 if position + 1 < len(offsets) else len(text)
        if not others or _holds(text[offsets[position] : end], others):
            hits.append(position)
        pace()
        at = _find(text, first, end, pace)
    return hits


def _find(text: str, word: str, start: int, pace: Pace) -> int:
    """As ``text.find``, with turns for others: a text may have 200 MB."""
    while start < len(text):
        end = start + _SEARCHED_AT_ONCE
        at = text.find(word, start, end + len(word) - 1)
        if at >= 0:
            return at
        start = end
        pace()
    return -1


def _both(some: Iterable[int], others: Sequence[int]) -> Iterator[int]:
    """What is in both, which ascend."""
    pace = Pace()
    for number in some:
        at = bisect_left(others, number)
        if at < len(others) and others[at] == number:
            yield number
        pace()


def _holds(name: str, words: list[str]) -> bool:
    return all(word in name for word in words)
