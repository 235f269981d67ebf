"""Patterns of a rules file, which say which names, groups and attributes are meant."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from unicodedata import normalize

import regex

LONGEST = 512  # letters of a text that are looked at
_GROUP = re.compile(r"\\([0-9]{1,2})")
_COUNT = re.compile(r"\{([0-9]{1,18})[,}]")
_MOST_REPEATS = 10_000  # parts that are repeated so often are written out: a million take 1 GB
TIMEOUT = 0.005  # seconds for one text

# Signs that NFKC would make into letters and digits: *Ⓨ does not mean all that ends in y.
_SIGNS = re.compile(
    "([²³¹\u02b0-\u02e4\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u2070-\u2079\u207f-\u2089"
    "\u2460-\u24ff\u3200-\u33ff\U0001f100-\U0001f2ff]+)"
)


class TooSlow(Exception):
    """A regular expression took too long over one text."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Matches a whole text, whatever its case; ``/…/`` is a regular expression that is searched.

    In a plain pattern ``*`` stands for any letters and ``?`` for one, nothing else is special.
    """

    text: str
    _plain: re.Pattern[str] | None = field(repr=False, compare=False)
    _expression: regex.Pattern[str] | None = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str) -> Pattern:
        """The pattern that is written so. Raises ValueError, which says why it is none."""
        if len(text) > 2 and text[0] == text[-1] == "/":
            return cls(text, None, _compiled(text[1:-1]))
        plain = fnmatch.translate(folded(text).replace("[", "[[]"))
        return cls(text, re.compile(rf"\A{plain}"), None)

    @property
    def is_expression(self) -> bool:
        """Whether it is a regular expression."""
        return self._expression is not None

    def matches(self, text: str) -> bool:
        """Whether it matches. Raises TooSlow."""
        if self._plain is not None:
            return self._plain.match(folded(text)) is not None
        return self._search(text) is not None

    def expanded(self, text: str, template: str) -> str:
        r"""``template`` with what the pattern's groups found in ``text`` for ``\1`` and so on.

        The template itself, if this is no regular expression or does not match. Raises TooSlow,
        and ValueError if the template names a group that is not there.
        """
        found = self._search(text) if self._expression else None
        if found is None:
            return template
        try:
            return found.expand(template)
        except (IndexError, regex.error) as error:
            raise ValueError(str(error)) from None

    def complaint_about(self, template: str) -> str:
        """Why ``expanded`` could not use a template; empty if it can."""
        groups = self._expression.groups if self._expression else 0
        for number in _GROUP.findall(template):
            if self._expression is None:
                return rf"\{number} is what a regular expression found, and {self.text} is none"
            if int(number) > groups:
                return f"{self.text} has no group {number}"
        if self._expression is not None and "\\" in _GROUP.sub("", template):
            return r"a \ stands only in front of the number of a group, as in \1"
        return ""

    def _search(self, text: str) -> regex.Match[str] | None:
        assert self._expression is not None
        try:
            return self._expression.search(text[:LONGEST], timeout=TIMEOUT)
        except TimeoutError:
            raise TooSlow(self.text) from None


def names_groups(template: str) -> bool:
    """Whether a template wants what groups of an expression found."""
    return _GROUP.search(template) is not None


def _compiled(text: str) -> regex.Pattern[str]:
    """Raises ValueError."""
    if prod(max(int(count), 1) for count in _COUNT.findall(text)) > _MOST_REPEATS:
        raise ValueError("its repeats, multiplied, are too many")
    try:
        return regex.compile(text, regex.IGNORECASE)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (regex.error, OverflowError) as error:
        raise ValueError(str(error)) from None


def folded(text: str) -> str:
    """``text`` as plain patterns compare it: NFKC but for signs, case-folded, single blanks."""
    return " ".join(folded_lines(text[:LONGEST]).split())


def all_folded(texts: Sequence[str]) -> list[str]:
    """``folded`` of each, in a third of the time; none may have several lines."""
    if max(map(len, texts), default=0) > LONGEST:
        return list(map(folded, texts))
    return [" ".join(line.split()) for line in folded_lines("\n".join(texts)).split("\n")]


def folded_lines(text: str) -> str:
    """``text`` as ``folded``, but whole and with all blanks; its lines do not touch each other."""
    if not text.isascii():
        lines = text.split("\n")
        text = "\n".join([line if line.isascii() else _plain_forms(line) for line in lines])
    return text.casefold()


def _plain_forms(text: str) -> str:
    parts = _SIGNS.split(text)
    parts[::2] = [normalize("NFKC", part) for part in parts[::2]]
    return "".join(parts)
