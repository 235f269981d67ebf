"""Merges the listings of all sources into a catalog.

Theory of operation. Merging 500,000 entries takes seconds. So whatever takes long is a generator
that yields every half millisecond and returns its result (``yield from``). Its driver may let
others run at each yield.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import BLOCK, Block, Catalog, Listing, Row, records_of
from kptv.channels.grouping import normalised, slug_of_normalised
from kptv.channels.indexes import GroupIndex, SlugIndex
from kptv.channels.model import Source
from kptv.channels.ordering import STEP, natural, sorted_in_steps
from kptv.channels.packing import (
    FIELD,
    attribute_mark,
    attribute_of,
    name_of,
    offer_of,
    united,
)
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.channels.shared_secrets import Links

_LONGEST_KEY = 256  # letters of a value that the list is ordered by
_GROUPS_AT_ONCE = 50  # new ones, 0.2 ms
_SHARDS = 256  # dicts that share the names while grouping: one dict would block 20 ms as it grows

# Streams of one channel that one source offers. A list that gives a thousandth of its entries one
# name offers more than anybody tries, and each page would have to unpack them all.
MOST_OF_ONE = 64
_FEW = 8  # candidates that are compared one by one; a dict for each channel would take 40 MB


def build_catalog(
    listings: Iterable[Listing], *, sort_field: str = "tvg-name", descending: bool = False
) -> Generator[None, None, Catalog]:
    """Merges the listings: yields often, and returns the catalog.

    A channel's candidates stand in this order: sources with a lower limit first (0 last), then as
    SOURCES lists them, then as their list does. At most MOST_OF_ONE per source are kept.
    """
    listings = sorted(listings, key=lambda listing: _preference(listing.source))
    secrets = yield from _secrets(listings)
    names, rows, left_out = yield from _grouped(listings)
    order = yield from _ordered(names, rows, sort_field, descending)
    blocks: list[Block] = []
    positions = SlugIndex(len(order))
    groups = GroupIndex()
    for start in range(0, len(order), BLOCK):
        numbers = order[start : start + BLOCK]
        block_rows = [_row(rows[number]) for number in numbers]
        slugs = [slug_of_normalised(names[number]) for number in numbers]
        yield
        learned = groups.learned
        for position, (slug, row) in enumerate(zip(slugs, block_rows, strict=True), start):
            positions.add(slug, position)
            groups.add(records_of(row), position)
            if groups.learned > learned:  # a group's slug costs as much as all the rest
                learned = groups.learned + _GROUPS_AT_ONCE
                yield
        blocks.append(Block(block_rows, "\n".join(slugs).encode()))
        yield
    yield from _free(names, rows, order)
    return Catalog(listings, blocks, positions, groups.positions, secrets, left_out)


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


def _row(records: bytes | list[bytes]) -> Row:
    return records if isinstance(records, bytes) else tuple(records)


def _preference(source: Source) -> tuple[bool, int, int]:
    return source.max_connections == 0, source.max_connections, source.number


def _grouped(
    listings: Iterable[Listing],
) -> Generator[None, None, tuple[list[str], list[bytes | list[bytes]], int]]:
    """Normalised names, the records of each in order of preference, and how many were left out."""
    left_out = 0
    names: list[str] = []
    rows: list[bytes | list[bytes]] = []  # bytes: the only record so far
    shards: list[dict[str, int]] = [{} for _ in range(_SHARDS)]
    offers: dict[int, dict[bytes, int]] = {}  # of rows with many records
    for records in _in_steps(listings):
        for record in records:
            name = normalised(name_of(record))
            shard = shards[hash(name) % _SHARDS]
            row = shard.get(name)
            if row is None:
                shard[name] = len(rows)
                names.append(name)
                rows.append(record)
            else:
                left_out += not _add_candidate(rows, row, record, offers)
        yield
    while shards:
        shards.pop()
        yield
    return names, rows, left_out


def _in_steps(listings: Iterable[Listing]) -> Iterator[list[bytes]]:
    """All records, in portions that may be gone through without a yield."""
    for listing in listings:
        for block in listing.blocks:
            for start in range(0, len(block), STEP):
                yield block[start : start + STEP]


def _add_candidate(
    rows: list[bytes | list[bytes]], row: int, record: bytes, offers: dict[int, dict[bytes, int]]
) -> bool:
    """Append ``record`` to a row, or unite it with that of the same source and URL.

    False if it was left out: its source has enough records in this row.
    """
    records = rows[row]
    if isinstance(records, bytes):
        if offer_of(records) == offer_of(record):
            rows[row] = united(records, record)
            return True
        records = rows[row] = [records]
    known = offers.get(row)
    if known is None:
        known = {offer_of(one): place for place, one in enumerate(records)}
        if len(records) > _FEW:
            offers[row] = known
    offer = offer_of(record)
    place = known.get(offer)
    if place is not None:
        records[place] = united(records[place], record)
        return True
    mark = offer[: offer.index(FIELD) + 1]
    if len(records) >= MOST_OF_ONE and records[-MOST_OF_ONE].startswith(mark):
        return False
    known[offer] = len(records)
    records.append(record)
    return True


def _ordered(
    names: Sequence[str], rows: Sequence[bytes | list[bytes]], sort_field: str, descending: bool
) -> Generator[None, None, list[int]]:
    """Rows in served order: by the attribute, then by name. Rows without it come last."""
    mark = attribute_mark(sort_field)
    keys: list[str] = []
    with_value: list[int] = []
    without: list[int] = []
    for row, (name, records) in enumerate(zip(names, rows, strict=True)):
        key, value = natural(name), _value(records, mark)[:_LONGEST_KEY]
        (with_value if value or sort_field == "tvg-name" else without).append(row)
        if value and value.casefold() != name:
            keys.append(f"{natural(normalised(value))}\0{key}")
        else:  # the value is the name, or all rows of this part have none
            keys.append(f"{key}\0{key}")
        if row % STEP == 0:
            yield
    order = yield from sorted_in_steps(keys, with_value, descending=descending)
    order += yield from sorted_in_steps(keys, without, descending=descending)
    yield from _free(keys)
    return order


def _value(records: bytes | Iterable[bytes], mark: bytes) -> str:
    """The attribute's value in the first candidate that has one."""
    if isinstance(records, bytes):
        return attribute_of(records, mark)
    return next(filter(None, (attribute_of(record, mark) for record in records)), "")


def _free(*lists: list[str] | list[int] | list[bytes | list[bytes]]) -> Generator[None]:
    for items in lists:
        while items:
            del items[-BLOCK:]
            yield
