"""An entry on its way through the rules, from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from kptv.channels.rules.matching import NOTHING, Test, Texts, expanded, texts_of
from kptv.channels.rules.model import Rule
from kptv.channels.rules.naming import Told
from kptv.channels.rules.patterns import Pattern
from kptv.channels.rules.sieve import Word, words_of

DECIDED = ("source", "group")  # fields, by which others are left: no words are sought in them


class Live:
    """A rule, and what of its conditions is to be tried still."""

    __slots__ = ("_first", "_words", "place", "rule", "unless", "when")

    def __init__(
        self, place: int, rule: Rule, when: tuple[Test, ...], unless: tuple[Test, ...]
    ) -> None:
        self.place = place
        self.rule = rule
        self.when = when
        self.unless = unless
        self._first = when[0].field if when else ""
        is_sought = when and self._first not in DECIDED
        self._words = frozenset(words_of(when[0])) if is_sought else frozenset[Word]()

    def __repr__(self) -> str:
        return f"<Live {self.place}>"

    def may_hold(self, draft: Draft) -> bool:
        """Whether it is to be tried: not without a word of its first condition."""
        words = self._words
        if not words or draft.words is None or not words.isdisjoint(draft.words):
            return True
        return self._first in draft.replaced


class FieldTexts(dict[str, Texts]):
    """What conditions look at, by field; those of an entry's record are made when asked for."""

    __slots__ = ("_make",)

    def __init__(self, known: Mapping[str, Texts], make: Callable[[str], Texts] | None) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, field: str) -> Texts:
        texts = self[field] = self._make(field) if self._make else NOTHING
        return texts


class Draft:
    """An entry on its way through the rules."""

    __slots__ = (
        *("dropped", "found", "groups", "hits", "rank", "replaced", "sets", "texts", "words"),
    )

    def __init__(
        self, texts: FieldTexts, groups: tuple[str, ...], words: Collection[Word] | None
    ) -> None:
        self.texts = texts  # by field
        self.words = words  # of the rules, that it holds; None: that is not known
        self.replaced: set[str] = set()  # fields that rules set
        self.groups = groups
        self.sets: dict[str, str] = {}
        self.rank = 0
        self.dropped = False
        self.hits: list[int] = []
        self.found: dict[str, tuple[Pattern, str]] = {}  # what matched last, by field


def apply(rules: Sequence[Live], draft: Draft, told: Told | None) -> None:
    """Let ``rules`` change it; the first that keeps or drops it ends that."""
    for live in rules:
        if live.may_hold(draft) and _holds(live, draft):
            take(live, draft, told)
            if live.rule.drop or live.rule.keep:
                return


def take(live: Live, draft: Draft, told: Told | None = None) -> None:
    """Do what a rule says, whether it holds or not."""
    rule = live.rule
    draft.hits.append(live.place)
    if rule.sets:
        _set(draft, rule)
    if rule.rank is not None:
        draft.rank = rule.rank
    if told:
        told("rule", rule.line, _in_words(rule, draft))
    if rule.drop:
        draft.dropped = True


def _holds(live: Live, draft: Draft) -> bool:
    texts = draft.texts
    draft.found = {}
    for test in live.when:
        found = test.found(texts[test.field])
        if found is None:
            return False
        draft.found[test.field] = found
    return not any(test.found(texts[test.field]) for test in live.unless)


def _set(draft: Draft, rule: Rule) -> None:
    for field_name, value in expanded(rule.sets, draft.found).items():
        name = "group" if field_name.lower() == "group-title" else field_name.lower()
        draft.replaced.add(name)
        if name == "name":
            if value:
                draft.texts["name"] = texts_of([value])
        elif name == "group":
            draft.groups = (value,) if value else ()
            draft.texts["group"] = texts_of(draft.groups)
        else:
            draft.sets[name] = value
            draft.texts[name] = texts_of([value])


def _in_words(rule: Rule, draft: Draft) -> str:
    words = [
        f"{name} = {draft.texts[name.lower()][0][0]}"
        for name in rule.sets
        if name.lower() in draft.texts
    ]
    words += [f"rank = {rule.rank}"] if rule.rank is not None else []
    words += [word for word, holds in (("drop", rule.drop), ("keep", rule.keep)) if holds]
    return ", ".join(words)
