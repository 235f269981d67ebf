"""What rules changed, channel by channel: what joined, was renamed, was dropped."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.grouping import normalised
from kptv.channels.packing import name_of
from kptv.channels.rules.report.listed import ListedEntry, listed_entries, rows_in_steps

MOST = 1000  # changes of a kind
MOST_ENTRIES = 64  # of a channel


class ChangeKind(StrEnum):
    """What became of entries."""

    JOINED = "joined"  # entries of several names are one channel
    RENAMED = "renamed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What became of a channel, or of entries that are not served."""

    kind: ChangeKind
    name: str  # that is shown, or was in the list
    slug: str  # empty: it is not served
    entries: tuple[ListedEntry, ...]
    line: int = 0  # of the rule that dropped it


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes of a kind, some of them told."""

    count: int
    some: tuple[ChannelChange, ...]


def changes_in(
    catalog: Catalog, most: int = MOST
) -> Generator[None, None, dict[ChangeKind, Changes]]:
    """What the rules changed; at most so many of each kind are told. Yields often."""
    told: dict[ChangeKind, list[ChannelChange]] = {kind: [] for kind in ChangeKind}
    counts = dict.fromkeys(ChangeKind, 0)
    for rows in rows_in_steps(catalog):
        for slug, records in rows:
            if change := _change(catalog, slug, records):
                counts[change.kind] += 1
                if len(told[change.kind]) < most:
                    told[change.kind].append(change)
        yield
    if catalog.ruled is not None:
        outcome = catalog.ruled.outcome
        counts[ChangeKind.DROPPED] = len(outcome.dropped_fields)
        for dropped in islice(outcome.dropped_entries, most):
            source = catalog.sources[dropped.source]
            entry = ListedEntry(dropped.name, source.tag, source.number)
            change = ChannelChange(ChangeKind.DROPPED, dropped.name, "", (entry,), dropped.line)
            told[ChangeKind.DROPPED].append(change)
    return {kind: Changes(counts[kind], tuple(told[kind])) for kind in ChangeKind}


def change_at(catalog: Catalog, position: int) -> ChannelChange | None:
    """What became of the channel at ``position``; None: its entries are called as it is shown."""
    return _change(catalog, catalog.slug(position), records_of(catalog.row(position)))


def _change(catalog: Catalog, slug: str, records: Sequence[bytes]) -> ChannelChange | None:
    entries = tuple(listed_entries(catalog, records[:MOST_ENTRIES]))
    shown, names = name_of(records[0]), {entry.name for entry in entries}
    if names == {shown}:
        return None
    kind = ChangeKind.JOINED if len({*map(normalised, names)}) > 1 else ChangeKind.RENAMED
    if kind == ChangeKind.RENAMED and normalised(shown) in {*map(normalised, names)}:
        return None
    return ChannelChange(kind, shown, slug, entries)
