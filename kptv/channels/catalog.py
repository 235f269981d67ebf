"""The catalog: an immutable snapshot of all channels, in the order they are served.

Theory of operation. Channels lie packed (see ``packing``) in blocks and are made when asked for, so
that 500,000 entries fit into a small machine. All that takes long is a generator that yields every
half millisecond and gives its result at the end (``yield from``); who drives it may let others run
at each yield. A catalog that is not needed any more is taken apart the same way: to free it at once
would block for up to 170 ms.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from kptv.channels.grouping import normalised, slug_of, slug_of_normalised
from kptv.channels.indexes import GroupIndex, SlugIndex
from kptv.channels.model import Channel, Source
from kptv.channels.ordering import STEP, natural, sorted_in_steps
from kptv.channels.packing import (
    FIELD,
    attribute_mark,
    attribute_of,
    group_names,
    groups_of,
    name_of,
    offer_of,
    united,
    unpack,
)
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.channels.shared_secrets import Links

BLOCK = 512  # channels, or entries, that are freed at once: 50 µs
_LONGEST_KEY = 256  # letters of a value that the list is ordered by
_GROUPS_AT_ONCE = 50  # that were not seen before: 0.2 ms
_SHARDS = 256  # dicts that share the names while grouping: to grow one with all blocks for 20 ms

# Streams of one channel that one source offers: a thousandth of a list that calls all the same is
# more than anybody tries, and each page would have to unpack them all.
MOST_OF_ONE = 64
_FEW = 8  # candidates that are compared one by one; a dict for each channel would take 40 MB

# A channel: the records of its streams, first candidate first; mostly there is but one.
Row = bytes | tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of one source, packed in blocks, in the order of its list."""

    source: Source
    blocks: list[list[bytes]] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # x-tvg-url, …: secrets

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def take_apart(self) -> Generator[None]:
        """Free it in steps; whoever iterates a copy of the blocks is not disturbed."""
        while self.blocks:
            self.blocks.pop()
            yield


class Catalog:
    """All channels; ``channels`` is a sequence in served order."""

    def __init__(
        self,
        listings: Sequence[Listing] = (),
        blocks: list[list[Row]] | None = None,
        slugs: list[bytes] | None = None,
        positions: SlugIndex | None = None,
        groups: dict[str, array[int]] | None = None,
        secrets: Secrets = NOTHING,
        left_out: int = 0,
    ) -> None:
        """Use ``build_catalog``."""
        self.sources = {listing.source.number: listing.source for listing in listings}
        self.secrets = secrets  # of all sources
        self.left_out = left_out  # entries, beyond MOST_OF_ONE
        self.list_headers = {listing.source.number: listing.headers for listing in listings}
        self._blocks = blocks or []
        self._slugs = slugs or []  # of one block each, a line each
        self._positions = positions or SlugIndex(0)
        self._groups = groups or {}
        self._length = sum(map(len, self._blocks))

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<Catalog channels={len(self)} sources={len(self.sources)}>"

    @property
    def channels(self) -> Sequence[Channel]:
        """All channels, each made when it is asked for."""
        return _Channels(self)

    def find(self, identifier: str) -> Channel | None:
        """The channel of this slug or else of this name, in any spelling."""
        for slug in (identifier, slug_of(identifier)):
            for position in self._positions.candidates(slug):
                if self.slug(position) == slug:
                    return self.channel(position)
        return None

    def group(self, identifier: str) -> Sequence[int] | None:
        """Positions of the channels of a group, by its name in any spelling or its slug."""
        slug = self.group_slug(identifier)
        return None if slug is None else self._groups[slug]

    def group_slug(self, identifier: str) -> str | None:
        """The slug of the group of this name, or of this slug; None: there is none."""
        slugs = (identifier, slug_of(identifier))
        return next((slug for slug in slugs if slug in self._groups), None)

    def groups(self) -> Iterator[tuple[str, str, int]]:
        """Slug, name and number of channels of each group."""
        for slug, positions in self._groups.items():
            names = (
                name
                for record in records_of(self.row(positions[0]))
                for name in group_names(groups_of(record))
            )
            yield slug, next((n for n in names if slug_of(n) == slug), slug), len(positions)

    def row(self, position: int) -> Row:
        """The packed channel at ``position`` of the served order."""
        return self._blocks[position // BLOCK][position % BLOCK]

    def slug(self, position: int) -> str:
        """The slug of the channel at ``position``."""
        return self._slugs[position // BLOCK].decode().split("\n")[position % BLOCK]

    def rows(self, positions: Iterable[int] | None = None) -> Iterator[tuple[str, Row]]:
        """Slugs and packed channels, all or those at ``positions``, which ascend.

        Goes on undisturbed while the catalog is taken apart.
        """
        all_slugs, blocks = list(self._slugs), list(self._blocks)
        if positions is None:
            for joined, block in zip(all_slugs, blocks, strict=True):
                yield from zip(joined.decode().split("\n"), block, strict=True)
            return
        current, slugs = -1, [""]
        for position in positions:
            if position // BLOCK != current:
                current = position // BLOCK
                slugs = all_slugs[current].decode().split("\n")
            yield slugs[position % BLOCK], blocks[current][position % BLOCK]

    def channel(self, position: int) -> Channel:
        """The channel at ``position`` of the served order."""
        streams = tuple([unpack(record, self.sources) for record in records_of(self.row(position))])
        return Channel(self.slug(position), streams[0].name, streams)

    def take_apart(self) -> Generator[None]:
        """Free it in steps, when another has taken its place; at once it is an empty one."""
        self._length = 0
        self._positions = SlugIndex(0)
        self._groups = {}
        while self._blocks:
            self._blocks.pop()
            self._slugs.pop()
            yield


class _Channels(Sequence[Channel]):
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __len__(self) -> int:
        return len(self._catalog)

    @overload
    def __getitem__(self, index: int) -> Channel: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Channel]: ...
    def __getitem__(self, index: int | slice) -> Channel | Sequence[Channel]:
        if isinstance(index, slice):
            return [self._catalog.channel(i) for i in range(*index.indices(len(self)))]
        return self._catalog.channel(range(len(self))[index])


def records_of(row: Row) -> tuple[bytes, ...]:
    """The records of a row, first candidate first."""
    return (row,) if isinstance(row, bytes) else row


def build_catalog(
    listings: Iterable[Listing], *, sort_field: str = "tvg-name", descending: bool = False
) -> Generator[None, None, Catalog]:
    """Merges the listings; yields often, gives the catalog at the end.

    A channel's candidates stand in this order: sources of the lower limit first (0 last), then as
    SOURCES lists them, then as their list does. MOST_OF_ONE of a source are kept.
    """
    listings = sorted(listings, key=lambda listing: _preference(listing.source))
    secrets = yield from _secrets(listings)
    names, rows, left_out = yield from _grouped(listings)
    order = yield from _ordered(names, rows, sort_field, descending)
    blocks: list[list[Row]] = []
    slugs: list[bytes] = []
    positions = SlugIndex(len(order))
    groups = GroupIndex()
    for start in range(0, len(order), BLOCK):
        numbers = order[start : start + BLOCK]
        block = [_row(rows[number]) for number in numbers]
        block_slugs = [slug_of_normalised(names[number]) for number in numbers]
        yield
        learned = groups.learned
        for position, (slug, row) in enumerate(zip(block_slugs, block, strict=True), start):
            positions.add(slug, position)
            groups.add(records_of(row), position)
            if groups.learned > learned:  # the slug of a group costs as much as all else
                learned = groups.learned + _GROUPS_AT_ONCE
                yield
        blocks.append(block)
        slugs.append("\n".join(block_slugs).encode())
        yield
    yield from _free(names, rows, order)
    return Catalog(listings, blocks, slugs, positions, groups.positions, secrets, left_out)


def _secrets(listings: Iterable[Listing]) -> Generator[None, None, Secrets]:
    """What of the sources' URLs, and of their entries', must not be told."""
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
    """Normalised names, beside each its records in order of preference; how many were left out."""
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
    """All records, so many at once as may be gone through without a yield."""
    for listing in listings:
        for block in listing.blocks:
            for start in range(0, len(block), STEP):
                yield block[start : start + STEP]


def _add_candidate(
    rows: list[bytes | list[bytes]], row: int, record: bytes, offers: dict[int, dict[bytes, int]]
) -> bool:
    """Append ``record`` to a row; if its source offers this URL there already, unite the two.

    False: it was left out, for its source has enough there.
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
    """Rows as they are served: by the attribute, then by name, those without it at the end."""
    mark = attribute_mark(sort_field)
    keys: list[str] = []
    with_value: list[int] = []
    without: list[int] = []
    for row, (name, records) in enumerate(zip(names, rows, strict=True)):
        key, value = natural(name), _value(records, mark)[:_LONGEST_KEY]
        (with_value if value or sort_field == "tvg-name" else without).append(row)
        if value and value.casefold() != name:
            keys.append(f"{natural(normalised(value))}\0{key}")
        else:  # it is the name, or there is none, which then is the same for all
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
