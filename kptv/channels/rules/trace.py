"""What rules make of one entry, step by step: for ``explain``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kptv.channels.model import Source
from kptv.channels.rules.countries import country_of
from kptv.channels.rules.model import Rules
from kptv.channels.rules.verdicts import EntryVerdict, Judge


@dataclass(frozen=True, slots=True)
class TraceStep:
    """What happened, by which line of the file (0: by no single one), and what it led to."""

    what: str  # "source", "rule", "group", "alias", or a step of cleaning
    line: int
    result: str


@dataclass(frozen=True, slots=True)
class Trace:
    """All steps, and the channel that the entry becomes part of."""

    steps: tuple[TraceStep, ...]
    verdict: EntryVerdict
    country: str  # with ``split``; empty: not known

    @property
    def key(self) -> str:
        """The normalised name by which entries join."""
        key = self.verdict.key
        end = f" ({self.country.lower()})"
        return f"{key.removesuffix(end)}{end}" if self.country and key else key


def trace(
    rules: Rules,
    name: str,
    *,
    source: int = 1,
    groups: Iterable[str] = (),
    attributes: Mapping[str, str] | None = None,
    sources: Iterable[Source] = (),
) -> Trace:
    """What becomes of an entry that a list names so; ``attributes`` may hold its ``url``."""
    steps: list[TraceStep] = []
    given = {key.lower(): value for key, value in (attributes or {}).items()}
    verdict = Judge(rules, sources).explained(
        name,
        source,
        tuple(groups),
        given,
        lambda what, line, result: steps.append(TraceStep(what, line, result)),
    )
    country = ""
    if rules.names.split_by_country and not verdict.is_dropped:
        told = {**given, **verdict.sets}
        country = country_of(told.get("tvg-id", ""), told.get("tvg-country", ""))
        country = country or verdict.country
    return Trace(tuple(steps), verdict, country)
