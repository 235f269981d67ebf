"""Rules that no entry reaches, as an earlier one has decided: shadowed by it.

Theory of operation. All entries are judged once more, by rules of which none keeps or drops. What
such a rule applies to then, and did not before, an earlier one had taken from it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace

from kptv.channels.catalog import Listing
from kptv.channels.rules.model import Names, Rules
from kptv.channels.rules.verdicts import Judge

_AT_ONCE = 50  # entries judged between two yields


@dataclass(slots=True)
class Shadows:
    """By place of a rule the lines of those that decided before it, and what would match."""

    by: dict[int, set[int]] = field(default_factory=dict)
    matching: set[tuple[int, str]] = field(default_factory=set)  # line and text of patterns


def shadows_on(
    rules: Rules, idle: Collection[int], listings: Sequence[Listing]
) -> Generator[None, None, Shadows]:
    """The shadows on the ``idle`` rules, which applied to nothing; yields often."""
    shadows = Shadows()
    if not idle:
        return shadows
    last = _that_decides_all(rules)
    for place in idle:
        if place > last >= 0:
            shadows.by[place] = {rules.rules[last].line}
    if listings:
        yield from _try_on(listings, rules, shadows, idle)
    return shadows


def _that_decides_all(rules: Rules) -> int:
    """The place of the first rule that no entry passes; -1: there is none."""
    for place, rule in enumerate(rules.rules):
        if (rule.keep or rule.drop) and not rule.when and not rule.unless:
            return place
    return -1


def _try_on(
    listings: Sequence[Listing], rules: Rules, shadows: Shadows, idle: Collection[int]
) -> Generator[None]:
    endless = tuple(replace(rule, keep=False, drop=False) for rule in rules.rules)
    without = replace(rules, rules=endless, names=Names(), aliases={})
    judge = Judge(without, [listing.source for listing in listings])
    for listing in listings:
        for block in listing.blocks:
            for start in range(0, len(block), _AT_ONCE):
                some = block[start : start + _AT_ONCE]
                for _, _, fate, _ in (yield from judge.judged(some)):
                    _note(fate.hits, rules, shadows, idle)
                yield
    shadows.matching = {(p.line, p.pattern.text) for p in judge.probes() if p.has_matched}


def _note(hits: Sequence[int], rules: Rules, shadows: Shadows, idle: Collection[int]) -> None:
    decided = next((place for place in hits if _decides(rules, place)), None)
    for place in hits:
        if decided is not None and place > decided and place in idle:
            shadows.by.setdefault(place, set()).add(rules.rules[decided].line)


def _decides(rules: Rules, place: int) -> bool:
    return rules.rules[place].keep or rules.rules[place].drop
