"""Merges the listings of all sources into a catalog.

Theory of operation. Merging 500,000 entries takes seconds. So whatever takes long is a generator
that yields every half millisecond and returns its result (``yield from``). Its driver may let
others run at each yield.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import BLOCK, Block, Catalog, Listing, Row
from kptv.channels.given import Given, Numbered
from kptv.channels.grouping import slug_of_normalised
from kptv.channels.indexes import GroupIndex, SlugIndex
from kptv.channels.joining import Joining
from kptv.channels.model import Source
from kptv.channels.number_blocks import Plan
from kptv.channels.numbering import numbered
from kptv.channels.ordering import STEP, by_number, ordered
from kptv.channels.rows import RowBlock, Rows, picked
from kptv.channels.rules.model import Rules
from kptv.channels.rules.sources import priority_of
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.channels.shared_secrets import ListLinks


def build_catalog(
    listings: Iterable[Listing],
    *,
    rules: Rules | None = None,
    given: Given | None = None,
    sort_field: str = "tvg-name",
    descending: bool = False,
) -> Generator[None, None, Catalog]:
    """Merges the listings: yields often, and returns the catalog.

    A channel's candidates stand in this order: those that rules rank lower; sources by their
    priority; those with a lower limit (0 last); then as SOURCES lists them, then as their list
    does. At most MOST_OF_ONE per source are kept. ``given``: numbers that rules gave before.
    """
    listings = sorted(listings, key=lambda listing: _preference(listing.source, rules))
    secrets = yield from _secrets(listings)
    joining = Joining(rules, listings) if rules is not None else None
    rows, left_out = yield from (_joined(listings, joining) if joining else _grouped(listings))
    order = yield from ordered(rows, sort_field, descending)
    numbers = _Numbers(joining.plan(), given or Given()) if joining else None
    if numbers and sort_field == "tvg-chno":  # the order by the lists' numbers says who has which
        order = yield from numbers.sort(rows, order, descending)
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
    ruled = None
    if joining and numbers:
        in_order, made = yield from numbers.of(blocks)
        ruled = yield from joining.ruled(order, in_order, made)
    yield from _free(rows)
    return Catalog(listings, blocks, positions, groups.positions, secrets, left_out, ruled)


class _Numbers:
    """The numbers of a catalog that rules make."""

    def __init__(self, plan: Plan, given: Given) -> None:
        self._plan, self._given = plan, given
        self._sorted: tuple[array[int], Numbered] | None = None

    def sort(
        self, rows: Sequence[RowBlock], order: array[int], descending: bool
    ) -> Generator[None, None, array[int]]:
        """The rows in the order of the numbers that they get in ``order``."""
        starts = range(0, len(order), BLOCK)
        blocks = (_block(*picked(rows, order[start : start + BLOCK])) for start in starts)
        made = yield from numbered(blocks, self._plan, self._given)
        order, in_order = yield from by_number(order, made.numbers, descending=descending)
        self._sorted = in_order, made
        return order

    def of(self, blocks: Sequence[Block]) -> Generator[None, None, tuple[array[int], Numbered]]:
        """The numbers of the channels in served order, and as they were given."""
        if self._sorted is None:
            made = yield from numbered(blocks, self._plan, self._given)
            self._sorted = made.numbers, made
        return self._sorted


def _block(names: Iterable[str], rows: Sequence[Row]) -> Block:
    return Block(rows, "\n".join(map(slug_of_normalised, names)).encode())


def _secrets(listings: Iterable[Listing]) -> Generator[None, None, Secrets]:
    """The secrets in the URLs of the sources and of their entries."""
    secrets = NOTHING
    for listing in listings:
        links = ListLinks()
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
