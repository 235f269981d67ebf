"""Channels that may be several, and what cleaning and ``split`` did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import StrEnum

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.grouping import normalised
from kptv.channels.packing import attribute_mark, attribute_of, fields_of, name_of
from kptv.channels.rules.cleaning import Cleaner
from kptv.channels.rules.countries import code_of, country_of
from kptv.channels.rules.model import Rules, ShownName, Step
from kptv.channels.rules.report.listed import listed_name_of, rows_in_steps

_TVG_ID = attribute_mark("tvg-id")
_COUNTRY = re.compile(r" \(([A-Z]{2})\)\Z")
_EDGES = " \t|:-–—[]()"
_LONGEST_PREFIX = 32  # letters
MOST_CONFLICTS = 1000
MOST_VALUES = 8  # of a conflict
MOST_PREFIXES = 200
MOST_ALIKE = 1000
_CLEANED_AT_ONCE = 20  # names, 0.3 ms


class ConflictKind(StrEnum):
    """What is in conflict."""

    GUIDE = "guide"  # its entries carry the tvg-ids of several channels


@dataclass(frozen=True, slots=True)
class Conflict:
    """A channel that may be several: no two show one name, so the other way round cannot be."""

    kind: ConflictKind
    name: str
    slug: str
    values: tuple[str, ...]  # tvg-ids


@dataclass(frozen=True, slots=True)
class Apart:
    """Channels of one name that their countries keep apart."""

    name: str
    channels: tuple[str, ...]  # shown names
    found: str  # the one that the bare name finds


def conflicts_in(catalog: Catalog) -> Generator[None, None, tuple[Conflict, ...]]:
    """All conflicts, up to a bound; yields often."""
    found: list[Conflict] = []
    for rows in rows_in_steps(catalog):
        for slug, records in rows:
            if len(records) > 1 and len(ids := _channels_told(records)) > 1:
                values = tuple(ids[:MOST_VALUES])
                found.append(Conflict(ConflictKind.GUIDE, name_of(records[0]), slug, values))
        yield
        if len(found) >= MOST_CONFLICTS:
            break
    return tuple(found[:MOST_CONFLICTS])


def _channels_told(records: Iterable[bytes]) -> list[str]:
    """The tvg-ids that name different channels.

    Only ids with a country are the same everywhere (``BBCOne.uk@HD``): others are each list's own.
    """
    ids: dict[str, str] = {}
    for record in records:
        if tvg_id := attribute_of(record, _TVG_ID):
            channel = tvg_id.partition("@")[0]
            if country_of(channel, ""):
                letters = "".join(filter(str.isalnum, channel.casefold()))  # ARD-alpha.de
                ids.setdefault(letters, channel)
    return list(ids.values())


def alike_in(catalog: Catalog) -> Generator[None, None, tuple[tuple[str, ...], ...]]:
    """Names of channels that have the same letters and digits: perhaps an alias is missing."""
    first: dict[int, int] = {}
    same: dict[int, list[int]] = {}
    position = 0
    for rows in rows_in_steps(catalog):
        for _, records in rows:
            letters = "".join(filter(_tells, normalised(name_of(records[0]))))
            before = first.setdefault(hash(letters), position)
            if letters and before != position and (before in same or len(same) < MOST_ALIKE):
                same.setdefault(before, [before]).append(position)
            position += 1
        yield
    return tuple(
        tuple(name_of(records_of(catalog.row(place))[0]) for place in places[:MOST_VALUES])
        for places in same.values()
    )


def _tells(letter: str) -> bool:
    """Whether names that differ in it are different: TV+ is not TV."""
    return letter.isalnum() or letter == "+"


def prefixes_taken(catalog: Catalog) -> Generator[None, None, tuple[tuple[str, int], ...]]:
    """Each prefix that cleaning took from served entries, and of how many; the commonest first."""
    rules = catalog.ruled.rules if catalog.ruled is not None else Rules()
    if Step.PREFIXES not in rules.names.clean:
        return ()
    cleaner, taken = Cleaner(rules.names), Counter[str]()
    for rows in rows_in_steps(catalog):
        for number, record in enumerate(record for _, records in rows for record in records):
            for prefix in _prefixes(cleaner, rules, record):
                if prefix in taken or len(taken) < MOST_PREFIXES:
                    taken[prefix] += 1
            if number % _CLEANED_AT_ONCE == 0:
                yield
    return tuple(taken.most_common())


def _prefixes(cleaner: Cleaner, rules: Rules, record: bytes) -> list[str]:
    """What was taken from in front of a name, if cleaning and nothing else made the shown one."""
    listed, shown = listed_name_of(fields_of(record)), name_of(record)
    if listed == shown and rules.names.show == ShownName.CLEANED:
        return []
    steps = cleaner.steps(listed)
    bare = _COUNTRY.sub("", shown)
    if not any(step == Step.PREFIXES for step, _ in steps):
        return []
    if listed != shown and bare not in (steps[-1][1], *rules.aliases):
        return []
    before, prefixes = listed, []
    for step, text in steps:
        if step == Step.PREFIXES:
            prefix = before[: max(before.rfind(text), 0)].strip(_EDGES)
            prefixes.append(prefix[:_LONGEST_PREFIX].upper())
        before = text
    return prefixes


def countries_apart(catalog: Catalog) -> Generator[None, None, tuple[Apart, ...]]:
    """The names that ``split`` gave to several channels, and which of these each finds."""
    if catalog.ruled is None or not catalog.ruled.rules.names.split_by_country:
        return ()
    shown: dict[str, list[str]] = {}
    for rows in rows_in_steps(catalog):
        for _, records in rows:
            name = name_of(records[0])
            if (country := _COUNTRY.search(name)) and code_of(country[1]):
                shown.setdefault(normalised(name[: country.start()]), []).append(name)
        yield
    apart = []
    for key, names in shown.items():
        found, bare = catalog.find(key), _COUNTRY.sub("", names[0])
        if found is not None and (len(names) > 1 or found.name not in names):
            apart.append(Apart(bare, tuple(names), found.name))
        yield
    return tuple(apart)
