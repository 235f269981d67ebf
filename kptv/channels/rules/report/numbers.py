"""Channels whose numbers become others: players that remember numbers do not follow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from kptv.channels.catalog import Catalog, Row, records_of
from kptv.channels.given import Given, keys_of
from kptv.channels.numbering import own_number
from kptv.channels.packing import name_of
from kptv.channels.rules.report.listed import STEP

MOST = 1000


@dataclass(frozen=True, slots=True)
class Renumbered:
    """A channel that gets another number than it had."""

    name: str
    slug: str
    before: int
    number: int


@dataclass(frozen=True, slots=True)
class Renumberings:
    """All of them, some told."""

    count: int = 0
    some: tuple[Renumbered, ...] = ()
    were_given: bool = False  # the numbers they had; else those were their lists'


def renumbered(catalog: Catalog, given: Given) -> Generator[None, None, Renumberings]:
    """The channels that lose the number that they were given, or their list's; yields often.

    Where nothing was given yet, players have the lists' numbers. Those that the file names one by
    one are no news.
    """
    numbers, count = catalog.numbers, 0
    some: list[Renumbered] = []
    if numbers is None or catalog.ruled is None:
        return Renumberings()
    said = {rule.number for rule in catalog.ruled.rules.channels.values()}
    for start in range(0, len(catalog), STEP):
        positions = range(start, min(start + STEP, len(catalog)))
        rows = list(catalog.rows(positions))
        had = _had(rows, given)
        for (slug, row), before, position in zip(rows, had, positions, strict=True):
            number = numbers[position]
            if before and before != number and number not in said:
                count += 1
                if len(some) < MOST:
                    some.append(Renumbered(name_of(records_of(row)[0]), slug, before, number))
        yield
    return Renumberings(count, tuple(some), were_given=len(given) > 0)


def _had(rows: Sequence[tuple[str, Row]], given: Given) -> list[int]:
    """The numbers that channels had; 0: none."""
    if len(given):
        return given.numbers_of(keys_of("\n".join(slug for slug, _ in rows).encode()))
    return [own_number(row) for _, row in rows]
