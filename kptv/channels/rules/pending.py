"""What a rules file may say although nothing heeds it yet."""

from __future__ import annotations

from collections.abc import Iterator

from kptv.channels.rules.model import Rules, SourceRule
from kptv.channels.rules.tables import Complaint

_OF_SOURCES = ("guide",)
_NOTHING = SourceRule(line=0)


def without_effect(rules: Rules) -> list[Complaint]:
    """Each thing in the file that has no effect yet, so that nobody relies on it."""
    return sorted(Complaint(line, f"{what}: has no effect yet") for line, what in _pending(rules))


def _pending(rules: Rules) -> Iterator[tuple[int, str]]:
    for name, source in rules.sources.items():
        for key in _OF_SOURCES:
            if getattr(source, key) != getattr(_NOTHING, key):
                yield source.line, f"source.{name}.{key}"
