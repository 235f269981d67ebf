"""Tells which of many entries a test may match: by words that are in all that it matches.

A word is sought in a hundred entries at once, and most are in none of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

from kptv.channels.rules.literals import small_letters
from kptv.channels.rules.matching import Test
from kptv.channels.rules.patterns import folded_lines
from kptv.channels.rules.portions import Portion, mark_of

_NAME, _URL = "name", "url"
# Blanks and quotes are others where things are packed; a URL is not seen whole.
_APART = re.compile(r'[\s"]')
_APART_IN_URL = re.compile(r'[\s"/]')

Word = tuple[str, str]  # the field in which it is sought, and itself
Caught = dict[int, list[Word]]  # the words in each of some entries


class Mesh:
    """Which words make some tests worth a try."""

    __slots__ = ("is_tight", "words")

    def __init__(self, tests: Iterable[Test]) -> None:
        self.is_tight = False  # nothing goes through: of a test no word is known
        words: set[Word] = set()
        for test in tests:
            found = list(words_of(test))
            words.update(found)
            self.is_tight |= not found
        self.words = frozenset(words)

    def __repr__(self) -> str:
        return f"<Mesh {sorted(self.words)}>"

    def holds(self, words: Collection[Word]) -> bool:
        """Whether one of ``words`` is its own."""
        return not self.words.isdisjoint(words)

    def lets_through(self, words: Collection[Word]) -> bool:
        """Whether no test can match an entry with these ``words``, all that it has."""
        return not self.is_tight and self.words.isdisjoint(words)


class Sieve:
    """Seeks the words of all tests."""

    def __init__(self, tests: Iterable[Test]) -> None:
        self._words: dict[str, set[str]] = {}
        # Words of expressions: in the folded text they are to be found only if it is of ASCII.
        self._of_expressions: dict[str, set[str]] = {}
        for test in tests:
            for field, word in words_of(test):
                self._words.setdefault(field, set()).add(word)
                if test.has_expression:
                    self._of_expressions.setdefault(field, set()).add(word)

    def __repr__(self) -> str:
        return f"<Sieve {self._words}>"

    @property
    def seeks_names(self) -> bool:
        """Whether it needs names."""
        return _NAME in self._words

    def caught_in_names(self, names: Sequence[str], simple: Sequence[str]) -> Caught:
        """The words in each of some names; ``simple`` are they folded."""
        caught: Caught = {}
        if self.seeks_names:
            self._seek(_NAME, "\n".join(names), "\n".join(simple), caught)
        return caught

    def caught_besides(self, portion: Portion) -> Caught:
        """The words in addresses and attributes of entries, of those that hold any."""
        caught: Caught = {}
        for field in self._words:
            mark = mark_of(field)
            if field == _URL:
                self._seek(field, lines := portion.urls(), folded_lines(lines), caught)
            elif field != _NAME and self._may_catch(field, portion.all_values(mark)):
                self._seek(field, lines := portion.values(mark), folded_lines(lines), caught)
        return caught

    def _may_catch(self, field: str, lines: str) -> bool:
        """Whether ``_seek`` may find something in these texts: a cheap look."""
        if not lines.isascii() and field in self._of_expressions:
            return True
        simple = folded_lines(lines)
        return any(word in simple for word in self._words[field])

    def _seek(self, field: str, lines: str, simple: str, caught: Caught) -> None:
        """Add to ``caught`` what is in the texts of a field, one per line; ``simple``: folded."""
        ends: list[int] = []  # of the lines
        for word in self._words[field]:
            at = simple.find(word)
            if at >= 0 and not ends:
                ends = list(accumulate(map(_length_with_end, simple.split("\n"))))
            while at >= 0:
                number = bisect_right(ends, at)
                caught.setdefault(number, []).append((field, word))
                at = simple.find(word, ends[number])
        if not lines.isascii() and (words := self._of_expressions.get(field)):
            for number, line in enumerate(lines.split("\n")):
                text = "" if line.isascii() else small_letters(line)
                for word in words if text else ():
                    if word in text:
                        caught.setdefault(number, []).append((field, word))


def words_of(test: Test) -> Iterator[Word]:
    """One of these is in each entry that a test matches; none: that is not known."""
    words = test.words
    if test.field != _NAME:
        apart = _APART_IN_URL if test.field == _URL else _APART
        words = tuple(max(apart.split(word), key=len) for word in words)
    if all(words):
        for word in words:
            yield test.field, word


def _length_with_end(line: str) -> int:
    return len(line) + 1
