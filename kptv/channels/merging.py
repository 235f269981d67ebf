"""Merges the listings of all sources into a catalog.

Theory of operation. Merging 500,000 entries takes seconds. So whatever takes long is a generator
that yields every half millisecond and returns its result (``yield from``). Its driver may let
others run at each yield.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import BLOCK, Block, Catalog, Listing
from kptv.channels.grouping import slug_of_normalised
from kptv.channels.indexes import GroupIndex, SlugIndex
from kptv.channels.joining import Joining, priority_of
from kptv.channels.model import Source
from kptv.channels.ordering import STEP, ordered
from kptv.channels.rows import RowBlock, Rows, picked
from kptv.channels.rules.model import Rules
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.channels.shared_secrets import Links


def build_catalog(
    listings: Iterable[Listing],
    *,
    rules: Rules | None = None,
    sort_field: str = "tvg-name",
    descending: bool = False,
) -> Generator[None, None, Catalog]:
    """Merges the listings: yields often, and returns the catalog.

    A channel's candidates stand in this order: those that rules rank lower; sources by their
    priority; those with a lower limit (0 last); then as SOURCES lists them, then as their list
    does. At most MOST_OF_ONE per source are kept.
    """
    listings = sorted(listings, key=lambda listing: _preference(listing.source, rules))
    secrets = yield from _secrets(listings)
    joining = Joining(rules, listings) if rules is not None else None
    rows, left_out = yield from (_joined(listings, joining) if joining else _grouped(listings))
    order = yield from ordered(rows, sort_field, descending)
    blocks: list[Block] = []
    positions = SlugIndex(len(order))
    groups = GroupIndex()
    for start in range(0, len(order), BLOCK):
        names, block = picked(rows, order[start : start + BLOCK])
        slugs = list(map(slug_of_normalised, names))
        yield
        positions.add(slugs, start)
        yield from groups.add(enumerate(block, start))
        blocks.append(Block(block, "\n".join(slugs).encode()))
        yield
    ruled = (yield from joining.ruled(order)) if joining else None
    yield from _free(rows)
    return Catalog(listings, blocks, positions, groups.positions, secrets, left_out, ruled)


def _secrets(listings: Iterable[Listing]) -> Generator[None, None, Secrets]:
    """The secrets in the URLs of the sources and of their entries."""
    secrets = NOTHING
    for listing in listings:
        links = Links()
        for records in _in_steps([listing]):
            links.add(records)
            yield
        shared = yield from links.secrets()
        secrets |= secrets_of_list(listing.source.url) | shared
    return secrets


def _preference(source: Source, rules: Rules | None) -> tuple[object, ...]:
    limit = source.max_connections
    return *priority_of(source, rules), limit == 0, limit, source.number


def _grouped(listings: Iterable[Listing]) -> Generator[None, None, tuple[list[RowBlock], int]]:
    """The rows of all names, in blocks, and how many entries were left out."""
    rows = Rows()
    for records in _in_steps(listings):
        rows.add(records)
        yield
    blocks = yield from rows.finish()
    return blocks, rows.left_out


def _joined(
    listings: Iterable[Listing], joining: Joining
) -> Generator[None, None, tuple[list[RowBlock], int]]:
    """As ``_grouped``, by rules."""
    for records in _in_steps(listings):
        yield from joining.add(records)
    blocks = yield from joining.finish()
    return blocks, joining.rows.left_out


def _in_steps(listings: Iterable[Listing]) -> Iterator[Sequence[bytes]]:
    """All records, in portions that may be gone through without a yield."""
    for listing in listings:
        for block in listing.blocks:
            for start in range(0, len(block), STEP):
                yield block[start : start + STEP]


def _free(blocks: list[RowBlock]) -> Generator[None]:
    while blocks:
        blocks.pop()
        yield
