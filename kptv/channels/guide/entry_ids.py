"""The ids of our guide in our list: what a served entry's ``tvg-id`` becomes.

Most channels have their own tvg-id, or their slug where they have none, so that one byte a channel
says which. A channel that the guide does not know has its slug, too: with a tvg-id of its own it
might get another channel's shows.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import Catalog, Row
from kptv.channels.guide.ids import id_of_slug
from kptv.channels.packing import FIELD
from kptv.formats.m3u_attributes import INNER

_AT_ONCE = 256  # channels in one step: 0.2 ms
_SLUG, _OWN, _OTHER = 0, 1, 2
_START = b' tvg-id="'  # the first of an entry's attributes, see m3u_attributes
_SHIFT = re.compile(rb' tvg-shift="[^"]*"')  # the guide's times have it already


class EntryIds:
    """Which id each channel of a catalog has in our guide, by position; make it with ``made``."""

    def __init__(self, count: int) -> None:
        self._kinds = bytearray(count)
        self._others: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<EntryIds of={len(self._kinds)} others={len(self._others)}>"

    @classmethod
    def made(
        cls, catalog: Catalog, known: Iterable[Sequence[tuple[str, str]]]
    ) -> Generator[None, None, EntryIds]:
        """Those of ``catalog``, in steps; ``known``: (slug, id) of the guide, in pieces.

        It is fast where both have the same order.
        """
        ids, pieces = cls(len(catalog)), iter(known)
        ahead: dict[str, str] = {}
        for position, (slug, row) in enumerate(catalog.rows()):
            while (found := ahead.pop(slug, None)) is None:
                piece = next(pieces, None)
                if piece is None:
                    break
                ahead.update(piece)
                yield
            if found is not None:
                ids._add(position, slug, row, found)
            if position % _AT_ONCE == 0:
                yield
        return ids

    def _add(self, position: int, slug: str, row: Row, guide_id: str) -> None:
        if position >= len(self._kinds):  # the catalog was taken apart when it began
            return
        if _attributes(_first(row)).startswith(_attribute(guide_id)):
            self._kinds[position] = _OWN
        elif guide_id != id_of_slug(slug):
            self._kinds[position] = _OTHER
            self._others[position] = guide_id

    def of(self, position: int, slug: str) -> str | None:
        """The id of a channel; None: its tvg-id, as it is listed."""
        kind = self._kinds[position] if position < len(self._kinds) else _SLUG
        if kind == _OWN:
            return None
        return self._others[position] if kind == _OTHER else id_of_slug(slug)

    def put_into(
        self, rows: Iterable[tuple[str, Row]], positions: Iterable[int]
    ) -> Iterator[tuple[str, Row]]:
        """The ``rows`` of channels at ``positions``, each with its id."""
        for (slug, row), position in zip(rows, positions, strict=False):
            guide_id = self.of(position, slug)
            if guide_id is not None:
                row = _with_id(row, guide_id)
            yield slug, _without_shift(row)


def _with_id(row: Row, guide_id: str) -> Row:
    if not isinstance(row, bytes):  # the first candidate's counts
        first = _with_id(row[0], guide_id)
        assert isinstance(first, bytes)
        return (first, *row[1:])
    head, mark, text = row.rpartition(FIELD)
    if text.startswith(_START):
        text = text[text.index(b'"', len(_START)) + 1 :]
    return b"%b%b%b%b" % (head, mark, _attribute(guide_id), text)


def _without_shift(row: Row) -> Row:
    if isinstance(row, bytes):
        return _SHIFT.sub(b"", row) if b" tvg-shift=" in row else row
    if any(b" tvg-shift=" in record for record in row):
        return tuple([_SHIFT.sub(b"", record) for record in row])
    return row


def _first(row: Row) -> bytes:
    return row if isinstance(row, bytes) else row[0]


def _attributes(record: bytes) -> bytes:
    return record[record.rindex(FIELD) + 1 :]


def _attribute(guide_id: str) -> bytes:
    return b'%b%b"' % (_START, guide_id.replace('"', INNER).encode())
