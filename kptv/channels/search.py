"""The channels of a catalog by name and group, found fast. Pure.

Theory of operation. The names of a catalog, normalised, stand in one text, a line each; a search is
a search in that text. Both are done in small steps (see ``pace``).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.grouping import normalised
from kptv.channels.packing import name_of

_SEARCHED_AT_ONCE = 1024 * 1024  # letters, 0.3 ms
_NAMES_AT_ONCE = 32
_MARK = "\n"  # between two names, and in none


@dataclass(frozen=True, slots=True)
class Index:
    """The names of a catalog, ready to be searched, and its groups."""

    groups: tuple[tuple[str, str, int], ...]  # slug, name and number of channels, by name
    _text: str = field(repr=False)
    _offsets: array[int] = field(repr=False)  # where each name begins

    def search(self, words: Sequence[str]) -> Generator[None, None, list[int]]:
        """Positions of the channels whose names hold each of ``words``; there is at least one."""
        first, *others = sorted(words, key=len, reverse=True)
        text, offsets, hits, start = self._text, self._offsets, [], 0
        while start < len(text):
            yield
            end = start + _SEARCHED_AT_ONCE  # a text may have 200 MB
            at = text.find(first, start, end + len(first) - 1)
            if at >= 0:
                position = bisect_right(offsets, at) - 1
                end = offsets[position + 1] - 1 if position + 1 < len(offsets) else len(text)
                name = text[offsets[position] : end]
                if all(word in name for word in others):
                    hits.append(position)
            start = end
        return hits


def index_of(catalog: Catalog) -> Generator[None, None, Index]:
    """The index of ``catalog``."""
    names, offsets, end = [], array("Q"), 0
    for number, (_, row) in enumerate(catalog.rows()):
        name = normalised(name_of(records_of(row)[0])).replace(_MARK, " ")
        names.append(name)
        offsets.append(end)
        end += len(name) + 1
        if number % _NAMES_AT_ONCE == 0:
            yield
    groups = []
    for group in catalog.groups():
        groups.append(group)
        yield
    groups.sort(key=lambda group: group[1].casefold())
    return Index(tuple(groups), _MARK.join(names), offsets)


def both(some: Sequence[int], others: Sequence[int]) -> Generator[None, None, list[int]]:
    """The numbers that are in both; each ascends."""
    found = []
    for number in some:
        at = bisect_left(others, number)
        if at < len(others) and others[at] == number:
            found.append(number)
        yield
    return found
