"""Merges the listings of all sources into a catalog.

Theory of operation. Merging 500,000 entries takes seconds. So whatever takes long is a generator
that yields every half millisecond and returns its result (``yield from``). Its driver may let
others run at each yield.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import BLOCK, Block, Catalog, Listing
from kptv.channels.grouping import normalised, slug_of_normalised
from kptv.channels.indexes import GroupIndex, SlugIndex
from kptv.channels.joining import Joining, priority_of
from kptv.channels.model import Source
from kptv.channels.ordering import STEP, natural, sorted_in_steps
from kptv.channels.packing import attribute_mark, attribute_of, repeats_name
from kptv.channels.rows import Records, RowBlock, Rows, picked
from kptv.channels.rules.model import Rules
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.channels.shared_secrets import Links

_LONGEST_KEY = 256  # letters of a value that the list is ordered by


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
    order = yield from _ordered(rows, sort_field, descending)
    blocks: list[Block] = []
    positions = SlugIndex(len(order))
    groups = GroupIndex()
    for start in range(0, len(order), BLOCK):
        names, block = picked(rows, order[start : start + BLOCK])
        slugs = list(map(slug_of_normalised, names))
        yield
        positions.add(slugs, start)
        yield from groups.add(block, start)
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


def _ordered(
    rows: Iterable[RowBlock], sort_field: str, descending: bool
) -> Generator[None, None, array[int]]:
    """Numbers of rows in served order: by the attribute, then by name. Those without come last."""
    mark, have_all = attribute_mark(sort_field), sort_field == "tvg-name"
    blocks: list[Sequence[str]] = []
    with_value, without = array("I"), array("I")
    for names, records in rows:
        keys: list[str] = []
        for start in range(0, len(names), STEP):
            end = start + STEP
            for row, (key, has_value) in enumerate(
                _keys(names[start:end], records[start:end], mark), len(blocks) * BLOCK + start
            ):
                keys.append(key)
                if has_value is not None:
                    (with_value if has_value or have_all else without).append(row)
            yield
        blocks.append(tuple(keys))
    order = yield from sorted_in_steps(blocks, with_value, descending=descending)
    order += yield from sorted_in_steps(blocks, without, descending=descending)
    yield from _free(blocks)
    return order


def _keys(
    names: Sequence[str], rows: Iterable[Records], mark: bytes
) -> Iterator[tuple[str, bool | None]]:
    """What each of some rows is ordered by, and whether it has a value of its own.

    None: there is nothing in the row, since rules have put it elsewhere.
    """
    natural_names = natural("\n".join(names)).split("\n")
    for name, key, records in zip(names, natural_names, rows, strict=True):
        if not records:
            yield "", None
            continue
        first = records if isinstance(records, bytes) else records[0]
        is_name = repeats_name(first, mark)
        value = "" if is_name else _value(records, mark)[:_LONGEST_KEY]
        if value and value.casefold() != name:
            yield f"{natural(normalised(value))}\0{key}", True
        else:  # the value is the name, or all rows of this part have none
            yield f"{key}\0{key}", is_name or value != ""


def _value(records: Records, mark: bytes) -> str:
    """The attribute's value in the first candidate that has one."""
    if isinstance(records, bytes):
        return attribute_of(records, mark)
    return next(filter(None, (attribute_of(record, mark) for record in records)), "")


def _free(blocks: list[RowBlock] | list[Sequence[str]]) -> Generator[None]:
    while blocks:
        blocks.pop()
        yield
