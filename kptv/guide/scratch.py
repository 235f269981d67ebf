"""The shows that may be needed, on disk: guides are far larger than memory."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from kptv.formats.xmltv.reading import Show

_AT_ONCE = 256  # shows that are written together
_CACHE = -8 * 1024  # KB of pages in memory
_USUAL = 3600  # seconds of a show whose end is not told
_LONGEST = 6 * 3600


def fast_database(path: Path) -> sqlite3.Connection:
    """A new database that may be lost in a crash: it is thrown away then."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"PRAGMA cache_size={_CACHE}")
    return database


class Scratch:
    """Shows by guide and id; close it, and remove its file."""

    def __init__(self, path: Path, now: int, window: tuple[int, int]) -> None:
        """Shows outside the ``window`` are not kept."""
        self._now, self._window = now, window
        self._database = fast_database(path)
        self._database.execute(
            "CREATE TABLE told(channel INTEGER, start INTEGER, stop INTEGER, title TEXT, xml BLOB)"
        )
        self._database.execute("BEGIN")
        self._numbers: dict[tuple[int, str], int] = {}
        self._next = 0  # a number is not used again
        self._later: Counter[int] = Counter()  # shows of a channel that end after now
        self._ranges: dict[int, tuple[int, int]] = {}  # of guides: first start, last stop

    def __repr__(self) -> str:
        return f"<Scratch channels={len(self._numbers)}>"

    def add(self, guide: int, shows: Iterable[Show]) -> Iterator[None]:
        """Keep those of a guide, some at a time."""
        each = iter(shows)
        while some := list(islice(each, _AT_ONCE)):
            rows = [row for show in some if (row := self._row(guide, show))]
            self._database.executemany("INSERT INTO told VALUES (?, ?, ?, ?, ?)", rows)
            yield

    def _row(self, guide: int, show: Show) -> tuple[int, int, int | None, str, bytes] | None:
        start, stop = show.start, show.stop
        ends = start + _USUAL if stop is None else stop
        first, last = self._ranges.get(guide, (start, ends))
        self._ranges[guide] = min(first, start), max(last, ends)
        longest = start + _LONGEST if stop is None else stop
        if start >= self._window[1] or longest <= self._window[0]:
            return None
        number = self._numbers.get((guide, show.channel))
        if number is None:
            number = self._numbers[guide, show.channel] = self._next
            self._next += 1
        self._later[number] += ends > self._now
        return number, start, stop, show.title, show.xml

    def range(self, guide: int) -> tuple[int, int]:
        """First start and last stop of what a guide told; zeros if it told nothing."""
        return self._ranges.get(guide, (0, 0))

    def forget(self, guide: int) -> None:
        """Drop all that a guide told."""
        for key in [key for key in self._numbers if key[0] == guide]:
            del self._later[self._numbers.pop(key)]
        self._ranges.pop(guide, None)

    def ready(self) -> None:
        """All is told; from now on it is read."""
        self._database.execute("CREATE INDEX by_channel ON told(channel)")

    def later(self, guide: int, guide_id: str) -> int:
        """How many shows of an id of a guide end after now."""
        number = self._numbers.get((guide, guide_id))
        return 0 if number is None else self._later[number]

    def shows(self, guide: int, guide_id: str) -> list[Show]:
        """All shows of an id of a guide, as they came."""
        number = self._numbers.get((guide, guide_id))
        if number is None:
            return []
        rows = self._database.execute(
            "SELECT start, stop, title, xml FROM told WHERE channel = ? ORDER BY rowid", (number,)
        )
        return [Show(guide_id, *row) for row in rows]

    def close(self) -> None:
        """Close the file; may come twice."""
        self._database.close()
