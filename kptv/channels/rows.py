"""The entries of all sources put together by name: the rows that a catalog is made of.

Names and records lie in blocks, since Python's garbage collector goes through a list at once: one
of 500,000 records would stop all else for 40 ms, each time. The records of one name are a tuple,
which it forgets once it has seen that they are only bytes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple

from kptv.channels.catalog import BLOCK, Row
from kptv.channels.grouping import all_normalised
from kptv.channels.packing import FIELD, names_of, offer_of, united

# Streams of one channel that one source offers. A list that gives a thousandth of its entries one
# name offers more than anybody tries, and each page would have to unpack them all.
MOST_OF_ONE = 64
_FEW = 8  # candidates that are compared one by one; a dict for each channel would take 40 MB
_AT_ONCE = 100  # rows between two yields
_SHARDS = 256  # dicts that share the names while grouping: one dict would block 20 ms as it grows

Records = (
    bytes | tuple[bytes, ...]
)  # of one name, in order of preference; bytes: the only one so far


class RowBlock(NamedTuple):
    """BLOCK rows; the last block may have fewer."""

    names: Sequence[str]  # normalised
    records: list[Records]


class Rows:
    """Rows by number, in the order in which their names came first."""

    def __init__(self) -> None:
        self.left_out = 0  # records: their source had enough of the same name
        self._full: list[RowBlock] = []
        self._names: list[str] = []  # of the block that is being filled, and its records
        self._records: list[Records] = []
        self._blocks = [self._records]  # the records of all blocks
        self._shards: list[dict[str, int]] = [{} for _ in range(_SHARDS)]  # numbers by name
        # Rows with many records, and the place of each offer in them. They are lists until all is
        # there: the collector would go through a tuple for each record that comes, to forget it.
        self._many: dict[int, list[bytes]] = {}
        self._offers: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self._full) * BLOCK + len(self._names)

    def __repr__(self) -> str:
        return f"<Rows {len(self)}>"

    def add(self, records: Sequence[bytes]) -> None:
        """Add some entries, those of a source after those that are preferred to it."""
        shards, count = self._shards, len(self)
        for name, record in zip(all_normalised(names_of(records)), records, strict=True):
            number = shards[hash(name) % _SHARDS].setdefault(name, count)
            if number < count:
                offer = record[: record.index(FIELD, record.index(FIELD) + 1)]
                self.join(number, record, offer)
                continue
            count += 1
            self._names.append(name)
            self._records.append(record)
            if not count % BLOCK:
                self._close_block()

    def put(self, name: str, record: bytes) -> int:
        """Add one entry under a name of its own; gives the number of its row."""
        count = len(self._full) * BLOCK + len(self._names)
        number = self._shards[hash(name) % _SHARDS].setdefault(name, count)
        if number < count:
            self.join(number, record, offer_of(record))
            return number
        self._names.append(name)
        self._records.append(record)
        if not (count + 1) % BLOCK:
            self._close_block()
        return number

    def join(self, number: int, record: bytes, offer: bytes) -> None:
        """Append ``record`` to a row, or unite it with that of the same offer (see ``offer_of``).

        It is left out, if its source has enough records in this row.
        """
        known = self._offers.get(number)
        if known is not None:
            self._join_many(self._many[number], known, offer, record)
            return
        rows, place_in_it = self._blocks[number // BLOCK], number % BLOCK
        records = rows[place_in_it]
        if isinstance(records, bytes):
            records = (records,)
        start = offer + FIELD
        for place, one in enumerate(records):
            if one.startswith(start):
                both = united(one, record)
                if both is not one:
                    united_records = (*records[:place], both, *records[place + 1 :])
                    rows[place_in_it] = united_records if len(records) > 1 else both
                return
        records += (record,)
        rows[place_in_it] = records
        if len(records) > _FEW:
            self._many[number] = list(records)
            self._offers[number] = {offer_of(one): n for n, one in enumerate(records)}

    def _join_many(
        self, records: list[bytes], known: dict[bytes, int], offer: bytes, record: bytes
    ) -> None:
        place = known.get(offer)
        if place is not None:
            records[place] = united(records[place], record)
        elif len(records) >= MOST_OF_ONE and records[-MOST_OF_ONE].startswith(
            offer[: offer.index(FIELD) + 1]
        ):
            self.left_out += 1
        else:
            known[offer] = len(records)
            records.append(record)

    def number_of(self, name: str) -> int | None:
        """The row of this name, until ``finish``."""
        return self._shards[hash(name) % _SHARDS].get(name)

    def name(self, number: int) -> str:
        """The name of a row, normalised."""
        block, place = divmod(number, BLOCK)
        return (self._full[block].names if block < len(self._full) else self._names)[place]

    def __getitem__(self, number: int) -> Records:
        many = self._many.get(number)
        return tuple(many) if many else self._blocks[number // BLOCK][number % BLOCK]

    def __setitem__(self, number: int, row: Records) -> None:
        """Replace the records of a row; none: it is left out."""
        self._blocks[number // BLOCK][number % BLOCK] = row
        self._many.pop(number, None)
        self._offers.pop(number, None)

    def _close_block(self) -> None:
        # The collector does not keep an eye on a tuple that holds only texts.
        self._full.append(RowBlock(tuple(self._names), self._records))
        self._names, self._records = [], []
        self._blocks.append(self._records)

    def finish(self) -> Generator[None, None, list[RowBlock]]:
        """All rows, in blocks; yields often."""
        if self._names:
            self._close_block()
        for count, (number, records) in enumerate(self._many.items(), 1):
            self._blocks[number // BLOCK][number % BLOCK] = tuple(records)
            if count % _AT_ONCE == 0:
                yield
        self._many.clear()
        self._blocks.clear()  # whoever has the rows frees them step by step
        while self._shards:
            self._shards.pop()
            yield
        return self._full


def picked(blocks: Sequence[RowBlock], numbers: Iterable[int]) -> tuple[list[str], tuple[Row, ...]]:
    """Names and records of the rows with these numbers."""
    picked_names: list[str] = []
    picked_rows: list[Row] = []
    for number in numbers:
        names, records = blocks[number // BLOCK]
        place = number % BLOCK
        picked_names.append(names[place])
        picked_rows.append(records[place])
    return picked_names, tuple(picked_rows)
