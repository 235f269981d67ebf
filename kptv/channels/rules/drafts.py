"""An entry on its way through the rules, from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kptv.channels.rules.matching import NOTHING, Test, Texts, expanded, texts_of
from kptv.channels.rules.model import Rule
from kptv.channels.rules.naming import Told
from kptv.channels.rules.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Live:
    """A rule, and what of its conditions is to be tried still."""

    place: int
    rule: Rule
    when: tuple[Test, ...]
    unless: tuple[Test, ...]


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

    __slots__ = ("dropped", "found", "groups", "hits", "rank", "sets", "texts")

    def __init__(self, texts: FieldTexts, groups: tuple[str, ...]) -> None:
        self.texts = texts  # by field
        self.groups = groups
        self.sets: dict[str, str] = {}
        self.rank = 0
        self.dropped = False
        self.hits: list[int] = []
        self.found: dict[str, tuple[Pattern, str]] = {}  # what matched last, by field


def apply(rules: Sequence[Live], draft: Draft, told: Told | None) -> None:
    """Let ``rules`` change it; the first that keeps or drops it ends that."""
    for live in rules:
        if not _holds(live, draft):
            continue
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
        if rule.drop or rule.keep:
            return


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
