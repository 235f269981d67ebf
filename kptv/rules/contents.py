"""What the lists hold and what is served, for people to choose from."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from kptv.channels.catalog import Catalog, Listing, records_of
from kptv.channels.grouping import slug_of
from kptv.channels.packing import group_names, groups_of
from kptv.channels.rules.report.listed import group_counts


@dataclass(frozen=True, slots=True)
class ServedChannel:
    """A channel, as it will be served."""

    number: int  # 0: that of its list, if any
    name: str
    groups: tuple[str, ...]
    sources: tuple[str, ...]  # of its streams, in the order in which they are tried


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group of the lists."""

    name: str
    entries: int
    channels: int  # that are served in a group of this name


def served_channels(catalog: Catalog) -> Iterator[ServedChannel]:
    """The channels in the order in which they are served."""
    numbers = catalog.numbers
    for position, channel in enumerate(catalog.channels):
        groups = [
            group
            for record in records_of(catalog.row(position))
            for group in group_names(groups_of(record))
        ]
        yield ServedChannel(
            numbers[position] if numbers is not None else 0,
            channel.name,
            tuple(dict.fromkeys(groups)),
            tuple(stream.source.tag for stream in channel.streams),
        )


def listed_groups(
    catalog: Catalog, listings: Sequence[Listing], most: int
) -> Generator[None, None, tuple[ListedGroup, ...]]:
    """The groups with most entries."""
    if not most:
        return ()
    counts = yield from group_counts(listings)
    served = {slug: count for slug, _, count in catalog.groups()}
    names = sorted(counts, key=lambda name: (-counts[name], name))[:most]
    return tuple(ListedGroup(name, counts[name], served.get(slug_of(name), 0)) for name in names)
