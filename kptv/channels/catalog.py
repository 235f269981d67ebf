"""The catalog: an immutable snapshot of all channels, in the order they are served.

Theory of operation. Channels lie packed (see ``packing``) in blocks and are made when asked for, so
that 500,000 entries fit into a small machine. A catalog that is not needed any more is taken apart
by a generator that yields often, so that others can run: to free it at once would block for up to
170 ms.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, overload

from kptv.channels.given import Numbered
from kptv.channels.grouping import slug_of
from kptv.channels.indexes import OtherNames, SlugIndex, group_slug_in
from kptv.channels.model import Channel, Source
from kptv.channels.packing import group_names, groups_of, unpack
from kptv.channels.rules.model import Rules
from kptv.channels.rules.outcome import Outcome
from kptv.channels.secrets import NOTHING, Secrets

BLOCK = 512  # channels, or entries, that are freed at once: 50 µs

# A channel: the records of its streams, first candidate first. Most channels have only one.
Row = bytes | tuple[bytes, ...]


class Block(NamedTuple):
    """BLOCK channels; the last one of a catalog may have fewer."""

    rows: Sequence[Row]
    slugs: bytes  # one per line


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of one source, packed in blocks, in the order of its list."""

    source: Source
    blocks: list[Sequence[bytes]] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # x-tvg-url, …: secrets

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def take_apart(self) -> Generator[None]:
        """Free it in steps. A copy of the list of blocks stays whole."""
        while self.blocks:
            self.blocks.pop()
            yield


@dataclass(frozen=True, slots=True)
class Ruled:
    """The rules that a catalog was made by, and what came of them."""

    rules: Rules
    outcome: Outcome
    others: OtherNames = field(repr=False)  # names of entries and aliases, which find channels
    numbers: array[int] = field(repr=False)  # of the channels, by position
    numbered: Numbered = field(repr=False)  # the same as they were given, to be kept


class Catalog:
    """All channels; ``channels`` is a sequence in served order."""

    def __init__(
        self,
        listings: Sequence[Listing] = (),
        blocks: list[Block] | None = None,
        positions: SlugIndex | None = None,
        groups: dict[str, array[int]] | None = None,
        secrets: Secrets = NOTHING,
        left_out: int = 0,
        ruled: Ruled | None = None,
    ) -> None:
        """Use ``merging.build_catalog``."""
        self.sources = {listing.source.number: listing.source for listing in listings}
        self.secrets = secrets  # of all sources
        self.left_out = left_out  # entries: their source had enough of the same name
        self.list_headers = {listing.source.number: listing.headers for listing in listings}
        self.ruled = ruled  # None: there are no rules
        self._blocks = blocks or []
        self._positions = positions or SlugIndex(0)
        self._groups = groups or {}
        self._length = sum(len(block.rows) for block in self._blocks)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<Catalog channels={len(self)} sources={len(self.sources)}>"

    @property
    def numbers(self) -> array[int] | None:
        """The number of the channel at each position; None: they have those of the lists."""
        return None if self.ruled is None else self.ruled.numbers

    @property
    def by_group(self) -> Mapping[str, Sequence[int]]:
        """The positions of each group's channels, by its slug."""
        return self._groups

    @property
    def channels(self) -> Sequence[Channel]:
        """All channels, each made when it is asked for."""
        return _Channels(self)

    def find(self, identifier: str) -> Channel | None:
        """The channel with this slug, or else with this name in any spelling."""
        position = self.position(identifier)
        return None if position is None else self.channel(position)

    def position(self, identifier: str) -> int | None:
        """The position of the channel that ``find`` gives."""
        for slug in (identifier, slug_of(identifier)):
            for position in self._positions.candidates(slug):
                if self.slug(position) == slug:
                    return position
        if self.ruled is not None:
            for slug in (identifier, slug_of(identifier)):
                if (position_of_entry := self.ruled.others.get(slug)) is not None:
                    return position_of_entry
        return None

    def group(self, identifier: str) -> Sequence[int] | None:
        """Positions of a group's channels; the group is named in any spelling, or by its slug."""
        slug = self.group_slug(identifier)
        return None if slug is None else self._groups[slug]

    def group_slug(self, identifier: str) -> str | None:
        """The slug of the group with this name or slug; None if there is no such group."""
        return group_slug_in(self._groups, identifier)

    def groups(self) -> Iterator[tuple[str, str, int]]:
        """Slug, name and number of channels of each group."""
        for slug, positions in self._groups.items():
            names = (
                name
                for record in records_of(self.row(positions[0]))
                for name in group_names(groups_of(record))
            )
            yield slug, next((n for n in names if slug_of(n) == slug), slug), len(positions)

    def blocks(self) -> Sequence[Block]:
        """All channels as they lie, in served order."""
        return list(self._blocks)

    def row(self, position: int) -> Row:
        """The packed channel at ``position`` of the served order."""
        return self._blocks[position // BLOCK].rows[position % BLOCK]

    def slug(self, position: int) -> str:
        """The slug of the channel at ``position``."""
        return _slugs_of(self._blocks[position // BLOCK])[position % BLOCK]

    def rows(self, positions: Iterable[int] | None = None) -> Iterator[tuple[str, Row]]:
        """Slugs and packed channels: all, or those at ``positions``, in that order.

        The iteration goes on undisturbed while the catalog is taken apart.
        """
        blocks = list(self._blocks)
        if positions is None:
            for block in blocks:
                yield from zip(_slugs_of(block), block.rows, strict=True)
            return
        known: dict[int, _Lines] = {}
        for position in positions:
            number, place = divmod(position, BLOCK)
            slugs = known.get(number) or known.setdefault(number, _Lines(blocks[number].slugs))
            yield slugs[place], blocks[number].rows[place]

    def channel(self, position: int) -> Channel:
        """The channel at ``position`` of the served order."""
        streams = tuple([unpack(record, self.sources) for record in records_of(self.row(position))])
        return Channel(self.slug(position), streams[0].name, streams)

    def take_apart(self) -> Generator[None]:
        """Free it in steps, once another has taken its place; from the first on it is empty."""
        self._length = 0
        self._positions = SlugIndex(0)
        self._groups = {}
        self.ruled = None
        while self._blocks:
            self._blocks.pop()
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


class _Lines:
    """The lines of a text, each cut out alone; where they end takes 2 KB of each block."""

    __slots__ = ("_ends", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._ends = array("I", accumulate(map(len, text.split(b"\n"))))  # without line ends

    def __getitem__(self, place: int) -> str:
        start = self._ends[place - 1] if place else 0
        return self._text[start + place : self._ends[place] + place].decode()


def _slugs_of(block: Block) -> list[str]:
    return block.slugs.decode().split("\n")


def records_of(row: Row) -> tuple[bytes, ...]:
    """The records of a row, first candidate first."""
    return (row,) if isinstance(row, bytes) else row
