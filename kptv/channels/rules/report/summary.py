"""What a rules file did to the lists, as a whole, and what in it does nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from kptv.channels.catalog import Catalog, Listing, Ruled
from kptv.channels.given import Given
from kptv.channels.packing import name_of
from kptv.channels.profiles import MadeProfile, make_profile, profiles_of
from kptv.channels.rules.model import Profile, Rule, Rules
from kptv.channels.rules.outcome import Outcome, Unmatched
from kptv.channels.rules.report.conflicts import (
    Apart,
    Conflict,
    alike_in,
    conflicts_in,
    countries_apart,
    prefixes_taken,
)
from kptv.channels.rules.report.listed import group_counts, rows_in_steps
from kptv.channels.rules.report.near import nearest_in_steps
from kptv.channels.rules.report.numbers import Renumberings, renumbered
from kptv.channels.rules.report.shadows import Shadows, shadows_on
from kptv.channels.rules.report.spares import Spare, spares_in

_MOST_NEAR = 50  # texts without a match for which near names are looked for
_GROUP_FIELDS = ("group", "group-title")


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A rule, and how it fared."""

    number: int  # from 1
    line: int
    hits: int
    samples: tuple[str, ...]  # names that it applied to, as lists have them
    shadowed_by: tuple[int, ...] = ()  # lines of the rules that decided before it


@dataclass(frozen=True, slots=True)
class ProfileTold:
    """A profile, and what it became."""

    name: str
    line: int
    channels: int
    warnings: tuple[str, ...] = ()  # of its numbers


@dataclass(frozen=True, slots=True)
class NoMatch:
    """What the file names, and no entry has."""

    line: int  # 0: not known
    table: str  # of the file: rule, names, alias, group, channel, numbers, profile
    text: str
    near: tuple[tuple[str, int], ...] = ()
    """Names that may be meant; entries in these groups (of a profile: channels), or 0."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a rules file did to the lists."""

    entries: int
    channels_before: int | None  # without rules; None: not known
    channels: int
    merged: int  # channels that have entries of several names
    dropped: int
    renamed: int
    rules: tuple[RuleTold, ...]
    no_match: tuple[NoMatch, ...]
    too_slow: tuple[Unmatched, ...]  # patterns that were switched off
    conflicts: tuple[Conflict, ...]
    alike: tuple[tuple[str, ...], ...]  # names that may mean one channel
    spares: tuple[Spare, ...]  # dropped entries of channels that are served
    prefixes: tuple[tuple[str, int], ...]  # that cleaning took, and of how many entries
    apart: tuple[Apart, ...]  # what ``split`` did
    profiles: tuple[ProfileTold, ...]
    numbering: tuple[str, ...]  # what is strange about numbers, in words
    renumbered: Renumberings  # channels that lose the number that they had


def report_on(
    catalog: Catalog,
    *,
    before: Catalog | None = None,
    listings: Sequence[Listing] = (),
    given: Given | None = None,
) -> Generator[None, None, Report]:
    """The report on a catalog that was made by rules; yields often.

    ``before``: the catalog without rules. Without ``listings``, those that the catalog was made
    of, fewer shadows are found, and the entries of groups are not counted. ``given``: the numbers
    that channels had.
    """
    assert catalog.ruled is not None
    rules, outcome = catalog.ruled.rules, catalog.ruled.outcome
    idle = {place for place, rule in enumerate(outcome.rules) if not rule.hits}
    shadows = yield from shadows_on(rules, idle, listings)
    counts = yield from group_counts(listings)
    profiles = yield from _made(catalog)
    no_match = yield from _without_match(catalog, shadows, counts, profiles)
    return Report(
        entries=outcome.entries,
        channels_before=None if before is None else len(before),
        channels=len(catalog),
        merged=len(outcome.merged),
        dropped=outcome.dropped,
        renamed=outcome.renamed,
        rules=tuple(rules_told(outcome, shadows)),
        no_match=no_match,
        too_slow=(*outcome.switched_off, *_too_slow_in(profiles)),
        conflicts=(yield from conflicts_in(catalog)),
        alike=(yield from alike_in(catalog)),
        spares=(yield from spares_in(catalog)),
        prefixes=(yield from prefixes_taken(catalog)),
        apart=(yield from countries_apart(catalog)),
        profiles=tuple(map(_profile_told, profiles)),
        numbering=catalog.ruled.numbered.warnings,
        renumbered=(yield from renumbered(catalog, given or Given())),
    )


def rules_told(outcome: Outcome, shadows: Shadows | None = None) -> Iterator[RuleTold]:
    """Each rule, and how it fared."""
    by = shadows.by if shadows is not None else {}
    for place, rule in enumerate(outcome.rules):
        shadowed_by = tuple(sorted(by.get(place, ())))
        yield RuleTold(place + 1, rule.line, rule.hits, rule.samples, shadowed_by)


def _made(catalog: Catalog) -> Generator[None, None, list[MadeProfile]]:
    profiles = []
    for profile in profiles_of(catalog):
        profiles.append((yield from make_profile(catalog, profile)))
    return profiles


def _profile_told(made: MadeProfile) -> ProfileTold:
    warnings = made.numbered.warnings if made.numbered else ()
    return ProfileTold(made.profile.name, made.profile.line, len(made.positions), warnings)


def _too_slow_in(profiles: Sequence[MadeProfile]) -> Iterator[Unmatched]:
    for made in profiles:
        for text in made.switched_off:
            yield Unmatched(made.profile.line, text)


def _without_match(
    catalog: Catalog,
    shadows: Shadows,
    counts: Mapping[str, int],
    profiles: Sequence[MadeProfile],
) -> Generator[None, None, tuple[NoMatch, ...]]:
    """What matched nothing, though entries came to it, with what may be meant."""
    assert catalog.ruled is not None
    never_tried = {
        catalog.ruled.rules.rules[place].line
        for place in shadows.by
        if place < len(catalog.ruled.rules.rules)
    }
    found: list[NoMatch] = []
    for line, table, text in _idle_texts(catalog.ruled):
        if (line, text) in shadows.matching or (line and line in never_tried):
            continue
        near: tuple[tuple[str, int], ...] = ()
        if len(found) < _MOST_NEAR:
            near = yield from _near(catalog, table, line, text, counts)
        found.append(NoMatch(line, table, text, near))
        yield
    for made in profiles:
        for text in dict.fromkeys(made.unmatched):
            near = yield from _near(catalog, "profile", made.profile.line, text, counts)
            found.append(NoMatch(made.profile.line, "profile", text, near))
    return tuple(found)


def _idle_texts(ruled: Ruled) -> Iterator[tuple[int, str, str]]:
    """Line, table and text of all that matched nothing, each once."""
    rules, seen = ruled.rules, set()
    for unmatched in ruled.outcome.unmatched:
        for line, table in _places_of(rules, unmatched):
            if (told := (line, table, unmatched.text)) not in seen:
                seen.add(told)
                yield told


def _places_of(rules: Rules, unmatched: Unmatched) -> Iterator[tuple[int, str]]:
    line, text = unmatched.line, unmatched.text
    places = [
        ("names", "apart", any(pattern.text == text for pattern in rules.names.apart)),
        ("group", text, text in rules.groups),
        ("alias", text, text in rules.aliases),
        ("numbers", text, text in rules.numbers),
    ]
    tables = [name for name, key, is_in in places if is_in and rules.line_of(name, key) == line]
    if text in rules.channels and rules.channels[text].line == line:
        tables.append("channel")
    for table in tables or ["rule"]:
        yield line, table


def _near(
    catalog: Catalog, table: str, line: int, text: str, counts: Mapping[str, int]
) -> Generator[None, None, tuple[tuple[str, int], ...]]:
    assert catalog.ruled is not None
    is_of_groups = table in ("rule", "profile") and _is_of_groups(catalog.ruled.rules, line, text)
    if table == "numbers" or (table == "profile" and is_of_groups):  # as they are called here
        served: dict[str, int] = {}
        for _, name, count in catalog.groups():
            served[name] = count
            yield
        near = yield from nearest_in_steps(text, served)
        return tuple((name, served[name]) for name in near)
    if table == "group" or is_of_groups:
        groups = catalog.ruled.outcome.groups
        near = yield from nearest_in_steps(text, groups)
        return tuple((name, counts.get(name, 0)) for name in near)
    if table not in ("channel", "alias"):
        return ()
    names: list[str] = []
    for rows in rows_in_steps(catalog):
        names += [name_of(records[0]) for _, records in rows]
        yield
    return tuple((name, 0) for name in (yield from nearest_in_steps(text, names)))


def _is_of_groups(rules: Rules, line: int, text: str) -> bool:
    """Whether it is about groups, in the rule, or profile, on this line."""
    if any(profile.line == line and text in profile.numbers for profile in rules.profiles):
        return True
    tables: Iterator[Rule | Profile] = chain(rules.rules, rules.profiles)
    return any(
        condition.field in _GROUP_FIELDS and pattern.text == text
        for table in tables
        if table.line == line
        for condition in (*table.when, *table.unless)
        for pattern in condition.patterns
    )
