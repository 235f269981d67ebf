"""Conditions of rules, ready to be tried on many entries.

Texts are folded once and compared with all patterns. A pattern that is too slow three times
matches nothing from then on; one that never matched is told at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kptv.channels.rules.literals import literal_of, small_letters
from kptv.channels.rules.model import Condition
from kptv.channels.rules.patterns import Pattern, TooSlow, folded

STRIKES = 3  # until a pattern is switched off
_LONGEST_END = 64  # letters of a URL's path that conditions see

# Texts, each as it is and folded: names of groups, or the one value of another field.
Texts = Sequence[tuple[str, str]]


def texts_of(values: Iterable[str]) -> Texts:
    """``values`` as conditions look at them; no value is an empty one."""
    return [(value, folded(value)) for value in values] or NOTHING


NOTHING: Texts = (("", ""),)


def public_url(url: str) -> str:
    """What conditions see of a URL: scheme and path's end, neither host nor query nor login."""
    scheme, mark, rest = url.partition("://")
    path = (rest if mark else url).partition("?")[0].partition("#")[0].partition("|")[0]
    _, slash, end = path.rpartition("/")
    return f"{scheme if mark else ''}{mark}/{end[-_LONGEST_END:] if slash else ''}"


class Probe:
    """A pattern, and how it fared."""

    __slots__ = ("_matches", "has_matched", "is_off", "line", "pattern", "strikes")

    def __init__(self, pattern: Pattern, line: int = 0) -> None:
        self.pattern = pattern
        self.line = line  # of its rule; 0: it is in none
        self.has_matched = False
        self.is_off = False
        self.strikes = 0
        self._matches = None if pattern.is_expression else _plain(pattern)

    def __repr__(self) -> str:
        return f"<Probe {self.pattern.text}>"

    @property
    def is_expression(self) -> bool:
        """Whether it takes its time."""
        return self._matches is None

    def tries(self, text: str, simple: str) -> bool:
        """Whether it matches ``text``, which is ``simple`` when folded."""
        if self._matches is not None:
            found = self._matches(simple)
        elif self.is_off:
            return False
        else:
            try:
                found = self.pattern.matches(text)
            except TooSlow:
                self.strike()
                return False
        if found:
            self.has_matched = True
        return found

    def would_match(self, simple: str) -> bool:
        """Whether it matches what is folded so; not noted, and False of an expression."""
        return self._matches is not None and self._matches(simple)

    def strike(self) -> None:
        """It was too slow."""
        self.strikes += 1
        self.is_off = self.strikes >= STRIKES


def _plain(pattern: Pattern) -> Callable[[str], bool]:
    """What tells whether a pattern without expression matches a folded text: mostly no search."""
    text = folded(pattern.text)
    inner = text.strip("*")
    if "*" in inner or "?" in inner or not inner:
        return pattern.matches
    front, behind = text.startswith("*"), text.endswith("*")
    if front and behind:
        return lambda simple: inner in simple
    if front:
        return lambda simple: simple.endswith(inner)
    if behind:
        return lambda simple: simple.startswith(inner)
    return lambda simple: simple == inner


def _word(pattern: Pattern) -> str:
    """What is in each folded text that a pattern matches; empty: not known.

    For an expression that holds of ASCII only: see ``small_letters``.
    """
    if pattern.is_expression:
        return literal_of(pattern.text[1:-1])
    return max(folded(pattern.text).replace("?", "*").split("*"), key=len)


class Test:
    """A condition: any of its patterns matches any of a field's texts."""

    __slots__ = ("field", "has_expression", "probes", "words")

    def __init__(self, condition: Condition, line: int) -> None:
        self.field = condition.field
        self.probes = [Probe(pattern, line) for pattern in condition.patterns]
        self.has_expression = any(probe.is_expression for probe in self.probes)
        words = [_word(probe.pattern) for probe in self.probes]
        # One of them is in each folded text that matches; if there is an expression, then in each
        # of ASCII. None: not known.
        self.words = tuple(words) if all(words) else ()

    def __repr__(self) -> str:
        return f"<Test {self.field} {self.probes}>"

    def found(self, texts: Texts) -> tuple[Pattern, str] | None:
        """The first pattern that matches, and what it matches; None if the condition fails.

        Those that never matched yet are tried, too: else they would seem useless.
        """
        if self.words and len(texts) == 1 and not self._may_match(*texts[0]):
            return None
        first: tuple[Pattern, str] | None = None
        for probe in self.probes:
            if first is None or not probe.has_matched:
                for text, simple in texts:
                    if probe.tries(text, simple):
                        first = first or (probe.pattern, text)
                        break
        return first

    def matching(self, texts: Texts) -> tuple[bool, ...]:
        """Which of its patterns match, not noted; of expressions that is not said."""
        return tuple(any(probe.would_match(simple) for _, simple in texts) for probe in self.probes)

    def _may_match(self, text: str, simple: str) -> bool:
        for word in self.words:
            if word in simple:
                return True
        if not self.has_expression or text.isascii():
            return False
        simple = small_letters(text)
        return any(word in simple for word in self.words)


def expanded(
    templates: Mapping[str, str], found: Mapping[str, tuple[Pattern, str]]
) -> dict[str, str]:
    """What is set, with what expressions found for the same field."""
    values = {}
    for field, template in templates.items():
        value = template
        if "\\" in template and field in found:
            pattern, text = found[field]
            try:
                value = pattern.expanded(text, template)
            except (TooSlow, ValueError):
                continue
        if not value.isprintable():
            value = "".join([letter if letter.isprintable() else " " for letter in value])
        values[field] = " ".join(value.split())
    return values
