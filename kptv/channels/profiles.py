"""What a profile makes of a catalog: a further list of some of its channels.

Theory of operation. The conditions look at each channel as it is served: at the name that is shown,
at the groups and sources of all its streams, at attributes of the first stream that has them. Those
that are chosen have an order and numbers of their own, or those of the main list. All this takes a
second for 500,000 channels. So it is a generator, as whatever takes long (see ``merging``).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from kptv.channels.catalog import BLOCK, Block, Catalog, Row, records_of
from kptv.channels.given import Given, Numbered
from kptv.channels.grouping import all_normalised
from kptv.channels.indexes import GroupIndex, group_slug_in
from kptv.channels.model import Source
from kptv.channels.number_blocks import Plan
from kptv.channels.numbering import numbered
from kptv.channels.ordering import STEP, by_number, ordered
from kptv.channels.packing import (
    FIELD,
    attribute_mark,
    attribute_of,
    group_names,
    groups_of,
    name_of,
    names_of,
    url_of,
)
from kptv.channels.rules.matching import Test, Texts, public_url, texts_of
from kptv.channels.rules.model import Condition, Profile
from kptv.channels.rules.outcome import about_slow
from kptv.channels.rules.sources import names_of as names_of_source
from kptv.channels.rules.tables import Complaint
from kptv.channels.served import NUMBERED_AS

PROFILE_PATH = "/profile/"  # of a profile's lists, below BASE_URL; its name follows

_AT_ONCE = 10  # channels looked at between two yields, unless expressions are tried
_REMEMBERED = 4000  # groups, or sources, of channels
_MANY = 100  # patterns that are tried on each channel

Records = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MadeProfile:
    """The channels of a profile, by their positions in the catalog."""

    profile: Profile
    positions: Sequence[int] = field(repr=False)  # in the order of the profile
    numbers: Sequence[int] | None = field(repr=False)  # by position; None: those of the lists
    numbered: Numbered | None = field(repr=False)  # what is to be kept of numbers of its own
    by_group: Mapping[str, Sequence[int]] = field(repr=False)  # by slug, in the same order
    unmatched: tuple[str, ...] = ()  # patterns that nothing has
    switched_off: tuple[str, ...] = ()  # patterns that were too slow

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What the operator should hear of while the proxy runs."""
        line, name = self.profile.line, f"profile.{self.profile.name}"
        told = [about_slow(line, text) for text in self.switched_off]
        if not self.positions:
            told.append(without_channels(self.profile))
        elif self.numbered is not None:
            told += [Complaint(line, f"{name}: {each}") for each in self.numbered.warnings]
        return tuple(told)

    def group(self, identifier: str) -> Sequence[int] | None:
        """Positions of a group's channels that are in the profile; None if there are none."""
        slug = self.group_slug(identifier)
        return None if slug is None else self.by_group[slug]

    def group_slug(self, identifier: str) -> str | None:
        """The slug of the group with this name or slug; None if no channel here is in it."""
        return group_slug_in(self.by_group, identifier)


def profiles_of(catalog: Catalog | None) -> Sequence[Profile]:
    """The profiles that the rules of a catalog name."""
    return catalog.ruled.rules.profiles if catalog is not None and catalog.ruled else ()


def make_profile(
    catalog: Catalog, profile: Profile, given: Given | None = None
) -> Generator[None, None, MadeProfile]:
    """What ``profile`` makes of ``catalog``; yields often. ``given``: its numbers of before."""
    choice = _Choice(profile, catalog.sources)
    positions = yield from _chosen(catalog, choice)
    numbers: array[int] | None = catalog.numbers
    own: Numbered | None = None
    if profile.sort and (profile.sort != NUMBERED_AS or profile.numbers or numbers is None):
        positions = yield from _sorted(catalog, positions, profile)
    if profile.numbers:
        blocks = _blocks(catalog, positions)
        own = yield from numbered(blocks, Plan(blocks=profile.numbers), given or Given())
        numbers = yield from _by_position(len(catalog), positions, own.numbers)
    if profile.sort == NUMBERED_AS and numbers is not None:
        positions = yield from _sorted_by(numbers, positions, profile.descending)
    groups = yield from _grouped(catalog, positions)
    unmatched = *choice.unmatched(), *(own.unused if own else ())
    return MadeProfile(profile, positions, numbers, own, groups, unmatched, choice.switched_off())


def without_channels(profile: Profile) -> Complaint:
    """What is said of a profile that chooses none."""
    return Complaint(profile.line, f"profile.{profile.name}: has no channels")


def _chosen(catalog: Catalog, choice: _Choice) -> Generator[None, None, array[int]]:
    """The positions of all channels that are chosen, as they are served."""
    positions, at_once = array("I"), 1 if choice.is_slow else _AT_ONCE
    for position, (_, row) in enumerate(catalog.rows()):
        if choice.takes(row):
            positions.append(position)
        if position % at_once == 0:
            yield
    return positions


def _sorted(
    catalog: Catalog, positions: array[int], profile: Profile
) -> Generator[None, None, array[int]]:
    names = _names(catalog, positions)
    order = yield from ordered(names, profile.sort, profile.descending)
    result = array("I")
    for start in range(0, len(order), STEP * 10):
        result.extend([positions[place] for place in order[start : start + STEP * 10]])
        yield
    return result


def _names(catalog: Catalog, positions: Sequence[int]) -> Iterator[tuple[list[str], list[Row]]]:
    """Names, normalised, and rows, block by block: 0.5 ms for each."""
    for start in range(0, len(positions), BLOCK):
        rows = [catalog.row(position) for position in positions[start : start + BLOCK]]
        yield all_normalised(names_of(records_of(row)[0] for row in rows)), rows


def _blocks(catalog: Catalog, positions: Sequence[int]) -> Iterator[Block]:
    """The channels as numbering wants them, few at once: their order leads all over the catalog."""
    channels = catalog.rows(positions)
    while some := list(islice(channels, STEP)):
        yield Block([row for _, row in some], "\n".join([slug for slug, _ in some]).encode())


def _by_position(
    channels: int, positions: Sequence[int], numbers: array[int]
) -> Generator[None, None, array[int]]:
    """``numbers``, which stand beside ``positions``, by position; 0: not in the profile."""
    result = array("I", bytes(4 * channels))
    for start in range(0, len(positions), STEP * 10):
        end = start + STEP * 10
        for position, number in zip(positions[start:end], numbers[start:end], strict=True):
            result[position] = number
        yield
    return result


def _sorted_by(
    numbers: Sequence[int], positions: Sequence[int], descending: bool
) -> Generator[None, None, array[int]]:
    beside = array("I")
    for start in range(0, len(positions), STEP * 10):
        beside.extend([numbers[position] for position in positions[start : start + STEP * 10]])
        yield
    result, _ = yield from by_number(positions, beside, descending=descending)
    return result


def _grouped(
    catalog: Catalog, positions: Sequence[int]
) -> Generator[None, None, dict[str, array[int]]]:
    """The positions of each group, by its slug, in the same order."""
    groups = GroupIndex()
    for start in range(0, len(positions), STEP):
        some = positions[start : start + STEP]
        yield from groups.add([(position, catalog.row(position)) for position in some])
        yield
    return groups.positions


class _Choice:
    """Which channels a profile takes."""

    def __init__(self, profile: Profile, sources: Mapping[int, Source]) -> None:
        self.profile = profile
        self._sources = {str(n).encode(): names_of_source(s) for n, s in sources.items()}
        self._when = self._tests(profile.when)
        self._unless = self._tests(profile.unless)
        self._kept: dict[tuple[str, Records], Texts] = {}  # of groups and sources

    def __repr__(self) -> str:
        return f"<_Choice {self.profile.name}>"

    @property
    def is_slow(self) -> bool:
        """Whether a channel may take a time: expressions are tried, or many patterns."""
        tests = [test for test, _ in (*self._when, *self._unless)]
        patterns = sum(len(test.probes) for test in tests)
        return patterns > _MANY or any(test.has_expression for test in tests)

    def takes(self, row: Row) -> bool:
        """Whether all of ``when`` holds, and nothing of ``unless``."""
        records = records_of(row)
        return all(test.found(texts(records)) for test, texts in self._when) and not any(
            test.found(texts(records)) for test, texts in self._unless
        )

    def unmatched(self) -> Iterator[str]:
        """Patterns that nothing has, of the conditions that channels came to."""
        for test, _ in self._when:
            yield from _without_match(test)
            if not any(probe.has_matched for probe in test.probes):
                return  # none came to those behind it
        for test, _ in self._unless:
            yield from _without_match(test)

    def switched_off(self) -> tuple[str, ...]:
        """Patterns that were too slow."""
        return tuple(
            probe.pattern.text
            for test, _ in (*self._when, *self._unless)
            for probe in test.probes
            if probe.is_off
        )

    # --- what conditions look at ---

    def _tests(self, conditions: Sequence[Condition]) -> list[_TestOf]:
        """The tests, the fast ones first."""
        tests = [
            (Test(condition, self.profile.line), self._reader(condition.field))
            for condition in conditions
        ]
        return sorted(tests, key=lambda test: test[0].has_expression)

    def _reader(self, field_name: str) -> Callable[[Records], Texts]:
        """What gives the texts of a field of a channel."""
        of_fields: dict[str, Callable[[Records], Texts]] = {
            "name": lambda records: texts_of([name_of(records[0])]),
            "url": lambda records: texts_of([public_url(url_of(r).decode()) for r in records]),
            "group": self._groups,
            "source": self._names_of_sources,
        }
        mark = attribute_mark(field_name)
        return of_fields.get(field_name, lambda records: _attribute(records, mark))

    def _groups(self, records: Records) -> Texts:
        packed = tuple([groups_of(record) for record in records])
        return self._texts("group", packed, group_names)

    def _names_of_sources(self, records: Records) -> Texts:
        numbers = tuple([record[: record.index(FIELD)] for record in records])
        return self._texts("source", numbers, lambda number: self._sources[number])

    def _texts(
        self, field_name: str, packed: Records, names: Callable[[bytes], Sequence[str]]
    ) -> Texts:
        """All names in ``packed``; most channels share them with others."""
        texts = self._kept.get((field_name, packed))
        if texts is None:
            if len(self._kept) >= _REMEMBERED:
                self._kept.clear()
            texts = texts_of(dict.fromkeys(name for some in packed for name in names(some)))
            self._kept[field_name, packed] = texts
        return texts


def _without_match(test: Test) -> Iterator[str]:
    for probe in test.probes:
        if not probe.has_matched and not probe.is_off:
            yield probe.pattern.text


_TestOf = tuple[Test, Callable[[Records], Texts]]  # a condition, and what it looks at


def _attribute(records: Records, mark: bytes) -> Texts:
    values = (attribute_of(record, mark) for record in records)
    return texts_of([next(filter(None, values), "")])
