"""Entries as their lists have them, also when rules gave them other names."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kptv.channels.catalog import Catalog, Listing, records_of
from kptv.channels.grouping import all_normalised, normalised
from kptv.channels.model import Source
from kptv.channels.packing import (
    FIELD,
    LISTED_NAME,
    fields_of,
    group_names,
    groups_of,
    names_of,
    url_of,
)
from kptv.formats.m3u_attributes import unquoted

_NUMBER, _URL, _NAME, _GROUPS, _HEADERS, _TEXT = range(6)  # places of a record's fields
STEP = 100  # entries looked at between two yields
MOST_OF_ONE_NAME = 50  # entries


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry, as its list has it."""

    name: str
    source: str  # its tag
    number: int = field(default=0, repr=False)  # of the source
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    url: str = field(default="", repr=False)  # a secret


def listed_entries(catalog: Catalog, records: Iterable[bytes]) -> Iterator[ListedEntry]:
    """The entries of a channel, by the names that their lists have."""
    for record in records:
        fields = fields_of(record)
        number = int(fields[_NUMBER])
        yield ListedEntry(listed_name_of(fields), catalog.sources[number].tag, number)


def listed_name_of(fields: Sequence[bytes]) -> str:
    """The name that the list has for the entry with these fields."""
    name = fields[_NAME].decode()
    if LISTED_NAME.encode() not in fields[_HEADERS]:
        return name
    return unquoted(fields[_HEADERS].decode()).get(LISTED_NAME, name)


def records_in(listings: Iterable[Listing]) -> Iterator[tuple[Source, Sequence[bytes]]]:
    """All records as the lists have them, in portions."""
    for listing in listings:
        for block in listing.blocks:
            for start in range(0, len(block), STEP):
                yield listing.source, block[start : start + STEP]


def entries_called(
    listings: Sequence[Listing], name: str
) -> Generator[None, None, list[ListedEntry]]:
    """Entries that a list names so, some of all sources; else those of a like spelling."""
    simple = normalised(name)
    exact: list[ListedEntry] = []
    alike: list[ListedEntry] = []
    for source, records in records_in(listings):
        for record, called in zip(records, all_normalised(names_of(records)), strict=True):
            if called == simple and len(alike) < MOST_OF_ONE_NAME:
                entry = _entry_of(record, source)
                alike.append(entry)
                if entry.name == name:
                    exact.append(entry)
        yield
    return exact or alike


def entries_offering(
    listings: Sequence[Listing], offers: Collection[tuple[int, str]]
) -> Generator[None, None, list[ListedEntry]]:
    """The entries of these sources, by number, and URLs; each the first time that it is listed."""
    found: dict[tuple[int, str], ListedEntry] = {}
    for source, records in records_in(listings):
        for record in records:
            offer = source.number, url_of(record).decode()
            if offer in offers and offer not in found:
                found[offer] = _entry_of(record, source)
        yield
    return [found[offer] for offer in offers if offer in found]


def names_in(listings: Iterable[Listing]) -> Iterator[str]:
    """The name of each entry."""
    for _, records in records_in(listings):
        yield from names_of(records).split("\n")


def group_counts(listings: Iterable[Listing]) -> Generator[None, None, dict[str, int]]:
    """The groups that the lists have, each with the number of its entries."""
    packed: dict[bytes, int] = {}
    for _, records in records_in(listings):
        for record in records:
            groups = groups_of(record)
            packed[groups] = packed.get(groups, 0) + 1
        yield
    counts: dict[str, int] = {}
    for groups, count in packed.items():
        for group in group_names(groups):
            counts[group] = counts.get(group, 0) + count
    return counts


def _entry_of(record: bytes, source: Source) -> ListedEntry:
    fields = fields_of(record)
    return ListedEntry(
        fields[_NAME].decode(),
        source.tag,
        source.number,
        tuple(group_names(fields[_GROUPS])),
        unquoted(fields[_TEXT].decode()),
        fields[_URL].decode(),
    )


def is_of(record: bytes, entry: ListedEntry) -> bool:
    """Whether it is the same offer."""
    number, url, _ = record.split(FIELD, 2)
    return int(number) == entry.number and url.decode() == entry.url


def rows_in_steps(catalog: Catalog) -> Iterator[list[tuple[str, tuple[bytes, ...]]]]:
    """Slugs and records of all channels, in portions of about STEP records."""
    some: list[tuple[str, tuple[bytes, ...]]] = []
    count = 0
    for slug, row in catalog.rows():
        records = records_of(row)
        some.append((slug, records))
        count += len(records)
        if count >= STEP:
            yield some
            some, count = [], 0
    yield some
