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

_NAME, _URL, _TEXT = "name", "url", "text"
_URL_FIELD = 1  # of a record
# Blanks and quotes are others where things are packed; a URL is not seen whole.
_APART = {_TEXT: re.compile(r'[\s"]'), _URL: re.compile(r'[\s"/]')}

Word = tuple[str, str]  # where it is sought, and itself


class Mesh:
    """What of an entry's words makes some tests worth a try."""

    __slots__ = ("expressions", "is_tight", "words")

    def __init__(self, tests: Iterable[Test]) -> None:
        self.is_tight = False  # nothing goes through: of a test no word is known
        words: set[Word] = set()
        # Words of expressions, by place: only in texts of ASCII are they to be found when folded.
        self.expressions: dict[str, set[str]] = {}
        for test in tests:
            found = list(words_of(test))
            words.update(found)
            self.is_tight |= not found
            if test.has_expression:
                self.expressions.setdefault(_place(test), set()).update(test.words)
        self.words = frozenset(words)

    def __repr__(self) -> str:
        return f"<Mesh {sorted(self.words)}>"

    def lets_through(self, words: Collection[Word], fields: Sequence[bytes], name: str) -> bool:
        """Whether no test can match the entry with these ``words``."""
        if self.is_tight or not self.words.isdisjoint(words):
            return False
        for place, own in self.expressions.items():
            text = name if place == _NAME else fields[_URL_FIELD if place == _URL else -1]
            if not text.isascii():
                simple = small_letters(text if isinstance(text, str) else text.decode())
                if any(word in simple for word in own):
                    return False
        return True


class Sieve:
    """Seeks the words of all tests."""

    def __init__(self, tests: Iterable[Test]) -> None:
        self._words: dict[str, set[str]] = {}
        for test in tests:
            for place, word in words_of(test):
                self._words.setdefault(place, set()).add(word)

    def __repr__(self) -> str:
        return f"<Sieve {self._words}>"

    @property
    def seeks_names(self) -> bool:
        """Whether it needs names."""
        return _NAME in self._words

    def caught(
        self, names: Sequence[str], fields: Sequence[Sequence[bytes]]
    ) -> dict[int, list[Word]]:
        """The words in each of some entries. ``names`` are folded."""
        found: dict[int, list[Word]] = {}
        for place, words in self._words.items():
            if place == _NAME:
                lines = "\n".join(names)
            else:
                at = _URL_FIELD if place == _URL else -1
                lines = folded_lines(b"\n".join([each[at] for each in fields]).decode())
            ends: list[int] = []  # of the lines
            for word in words:
                at = lines.find(word)
                if at >= 0 and not ends:
                    ends = list(accumulate(map(_length_with_end, lines.split("\n"))))
                while at >= 0:
                    number = bisect_right(ends, at)
                    found.setdefault(number, []).append((place, word))
                    at = lines.find(word, ends[number])
        return found


def words_of(test: Test) -> Iterator[Word]:
    """One of these is in each entry that a test matches; none: that is not known."""
    place = _place(test)
    words = test.words
    if place != _NAME:
        words = tuple(max(_APART[place].split(word), key=len) for word in words)
    if all(words):
        for word in words:
            yield place, word


def _place(test: Test) -> str:
    return test.field if test.field in (_NAME, _URL) else _TEXT


def _length_with_end(line: str) -> int:
    return len(line) + 1
