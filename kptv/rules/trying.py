"""Tries the regular expressions of a rules file, to find those that are too slow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from kptv.channels.rules.matching import STRIKES
from kptv.channels.rules.model import Condition, Rules
from kptv.channels.rules.patterns import LONGEST, Pattern, TooSlow

MOST_SECONDS = 5.0  # for all of it
_LETTERS = "a1 -|é"
_MOST_OWN = 12  # letters of a pattern of which texts are made


@dataclass(slots=True)
class Expression:
    """A regular expression, and how it fared."""

    line: int  # 0: not known
    field: str
    pattern: Pattern
    strikes: int = 0

    @property
    def is_too_slow(self) -> bool:
        """Whether the proxy would switch it off."""
        return self.strikes >= STRIKES


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying them."""

    expressions: tuple[Expression, ...]
    texts: int  # that each was tried on, at least
    is_complete: bool  # False: there was no time for all texts

    @property
    def too_slow(self) -> Iterator[Expression]:
        """Those that the proxy would switch off."""
        return (each for each in self.expressions if each.is_too_slow)


def try_expressions(
    rules: Rules, names: Iterable[str], groups: Iterable[str], seconds: float
) -> Tried:
    """Try all of them: first on texts that hurt, then on ``groups`` and ``names``."""
    end = perf_counter() + seconds
    expressions = tuple(_expressions(rules))
    for each in expressions:
        _try_on_made_texts(each, end)
    texts = 0
    for field, some in (("group", groups), ("name", names)):
        wanted = [each for each in expressions if (each.field == "group") == (field == "group")]
        for text in some if wanted else ():
            if perf_counter() > end:
                return Tried(expressions, texts, is_complete=False)
            texts += 1
            for each in wanted:
                _try(each, text)
    return Tried(expressions, texts, is_complete=perf_counter() <= end)


def _try_on_made_texts(expression: Expression, end: float) -> None:
    """Long texts of one letter, as those of the pattern, that end otherwise."""
    own = dict.fromkeys(filter(str.isalnum, expression.pattern.text))
    for letter in [*_LETTERS, *list(own)[:_MOST_OWN]]:
        for text in (letter * (LONGEST - 1) + "!", letter * 40 + "!"):
            if perf_counter() > end:
                return
            _try(expression, text)


def _try(expression: Expression, text: str) -> None:
    """Try it; it is too slow if it is twice, as something else may have held it up once."""
    if expression.is_too_slow or not _is_slow(expression.pattern, text):
        return
    expression.strikes += _is_slow(expression.pattern, text)


def _is_slow(pattern: Pattern, text: str) -> bool:
    try:
        pattern.matches(text)
    except TooSlow:
        return True
    return False


def _expressions(rules: Rules) -> Iterator[Expression]:
    """All of the file, with their lines."""
    for line, condition in conditions_in(rules):
        for pattern in condition.patterns:
            if pattern.is_expression:
                yield Expression(line, condition.field, pattern)
    for pattern in rules.names.apart:
        if pattern.is_expression:
            yield Expression(0, "name", pattern)


def conditions_in(rules: Rules) -> Iterator[tuple[int, Condition]]:
    """All that rules and profiles try, with their lines."""
    sayings: Sequence[tuple[int, Sequence[Condition]]] = [
        *((rule.line, (*rule.when, *rule.unless)) for rule in rules.rules),
        *((profile.line, (*profile.when, *profile.unless)) for profile in rules.profiles),
    ]
    for line, conditions in sayings:
        for condition in conditions:
            yield line, condition
