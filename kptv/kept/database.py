"""``kptv.db``, a small SQLite file of DATA_DIR. Whatever is here waits for the disk.

It holds digests of slugs, and slugs themselves only of channels and groups whose ids are odd: so it
stays small whatever lists do.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kptv.channels.given import HIGHEST_KEPT
from kptv.channels.ids import HIGHEST

NAME = "kptv.db"
VERSION = 1  # of the schema; tells a program from before that it cannot know what is here
MOST_KEPT = 900_000  # numbers; a row takes 32 bytes, and what a list has anew must fit besides
KEPT_FOR = 90  # days, after the channel was there last
SEEN_EVERY = 7  # days between two writes of who is there: of 200,000 channels it takes 0.5 s
MOST_ODD = 10_000  # ids; there is one in 170 catalogs of 5,000 channels, unless somebody makes them
_PAGE = 4096
_MOST_PAGES = 50_000_000 // _PAGE  # whatever happens
_PORTION = 500  # numbers that are learned at once, 0.2 ms
_CACHED = 4000  # pages; with less, many numbers take twice the time
_LOCKED = 5.0  # seconds that another process may hold it; a reload lets two run for a moment
_MOST_BROKEN = 9  # files that were set aside
_SCHEMA = (
    "CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, layout TEXT NOT NULL,"
    " whole INTEGER NOT NULL)",
    "CREATE TABLE numbers (list INTEGER NOT NULL, channel INTEGER NOT NULL,"
    " number INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (list, channel)) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
# Tables that came later: a program that does not know one leaves it alone.
CHANNELS, GROUPS = "odd_ids", "odd_group_ids"  # whose odd ids: each table has its own
_ODD_IDS = "CREATE TABLE IF NOT EXISTS {} (slug TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE)"
_UPSERT = (  # a clock may have been wrong
    "INSERT INTO numbers VALUES (?, ?, ?, ?) ON CONFLICT (list, channel)"
    " DO UPDATE SET number = excluded.number, seen = max(seen, excluded.seen)"
)


LOST = -1  # what ``write`` gives where the file is a new one, and the change not all of a list


class Refused(Exception):
    """The file is not to be touched; the text says why."""


@dataclass(frozen=True, slots=True)
class KeptList:
    """The numbers of one list: by the keys of channels, and the blocks of that time."""

    layout: tuple[int, ...]
    keys: array[int]
    numbers: array[int]
    whole_on: int  # the day when all of it was written

    def portions(self) -> Iterator[tuple[array[int], array[int]]]:
        """All of them."""
        for start in range(0, len(self.keys), _PORTION):
            yield self.keys[start : start + _PORTION], self.numbers[start : start + _PORTION]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written of one list; ``items`` are keys and numbers, in portions."""

    name: str
    layout: tuple[int, ...]
    items: Iterable[tuple[Sequence[int], Sequence[int]]]
    today: int  # days since 1970
    is_whole: bool = False  # the items are all that the list has
    is_anew: bool = False  # what was there goes


class Database:
    """The file in ``folder``. Methods raise OSError, sqlite3.Error and Refused."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def __repr__(self) -> str:
        return f"<Database {self.path.name!r}>"

    def read(self) -> dict[str, KeptList]:
        """All lists by name; nothing is written, and no file made."""
        if not self.path.exists():
            return {}
        with self._connected() as connection:
            if schema_version(connection) == 0:
                return {}
            lists = connection.execute("SELECT name, id, layout, whole FROM lists").fetchall()
            return {name: _list(connection, *about) for name, *about in lists}

    def write(self, change: Change) -> int:
        """Write all of it or nothing; gives how many numbers were forgotten, or LOST."""
        self._make_file()
        with self._connected() as connection, _transaction(connection):
            is_new = _make_tables(connection)
            forgotten = _write(connection, change)
            return LOST if is_new and not change.is_whole else forgotten

    def read_odd_ids(self, whose: str = CHANNELS) -> dict[str, int]:
        """The ids by slug that are no digests (see ``channels.ids``)."""
        if not self.path.exists():
            return {}
        with self._connected() as connection:
            if whose not in tables_in(connection):
                return {}
            return {
                slug: odd
                for slug, odd in connection.execute(f"SELECT slug, id FROM {whose} ORDER BY rowid")
                if isinstance(slug, str) and isinstance(odd, int) and 0 < odd <= HIGHEST
            }

    def write_odd_ids(self, new: Mapping[str, int], whose: str = CHANNELS) -> None:
        """Write these, too; of more than MOST_ODD the oldest are forgotten."""
        self._make_file()
        with self._connected() as connection, _transaction(connection):
            _make_tables(connection)
            connection.executemany(f"INSERT OR REPLACE INTO {whose} VALUES (?, ?)", new.items())
            connection.execute(
                f"DELETE FROM {whose} WHERE rowid NOT IN"
                f" (SELECT rowid FROM {whose} ORDER BY rowid DESC LIMIT ?)",
                (MOST_ODD,),
            )

    def set_aside(self) -> Path | None:
        """Move a broken file out of the way; None if there are enough of them already."""
        for number in range(1, _MOST_BROKEN + 1):
            aside = self.path.with_name(f"{NAME}.broken-{number}")
            if not aside.exists():
                os.replace(self.path, aside)
                journal = self.path.with_name(f"{NAME}-journal")
                if journal.exists():  # SQLite would apply it to the next file
                    os.replace(journal, f"{aside}-journal")
                return aside
        return None

    def _make_file(self) -> None:
        """Let there be a file that only its owner can read."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDONLY, 0o600))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(
            sqlite3.connect(self.path, timeout=_LOCKED, isolation_level=None)
        ) as connection:
            version = schema_version(connection)
            if version > VERSION:
                raise Refused(f"a newer version has written it (schema {version})")
            if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise Refused("another program has written it")
            if version == VERSION and not tables_in(connection) >= {"lists", "numbers"}:
                raise Refused("tables of it are gone")
            connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
            connection.execute(f"PRAGMA cache_size = {_CACHED}")
            yield connection


def _make_tables(connection: sqlite3.Connection) -> bool:
    """Let there be all tables; True: the file is a new one."""
    is_new = schema_version(connection) == 0
    for statement in _SCHEMA if is_new else ():
        connection.execute(statement)
    for whose in (CHANNELS, GROUPS):
        connection.execute(_ODD_IDS.format(whose))
    return is_new


def schema_version(connection: sqlite3.Connection) -> int:
    """The version of its schema; 0: nobody has written one."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def tables_in(connection: sqlite3.Connection) -> set[str]:
    """The names of its tables."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in found}


def _list(connection: sqlite3.Connection, number: int, layout: str, whole: int) -> KeptList:
    keys, numbers = array("q"), array("I")
    for key, given in connection.execute(
        "SELECT channel, number FROM numbers WHERE list = ?", (number,)
    ):
        if isinstance(key, int) and isinstance(given, int) and 0 < given <= HIGHEST_KEPT:
            keys.append(key)
            numbers.append(given)
    firsts = tuple(int(first) for first in str(layout).split() if first.isdecimal())
    return KeptList(firsts, keys, numbers, whole if isinstance(whole, int) else 0)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _write(connection: sqlite3.Connection, change: Change) -> int:
    layout = " ".join(map(str, change.layout))
    connection.execute(
        "INSERT INTO lists (name, layout, whole) VALUES (?, ?, 0)"
        " ON CONFLICT (name) DO UPDATE SET layout = excluded.layout",
        (change.name, layout),
    )
    (number,) = connection.execute("SELECT id FROM lists WHERE name = ?", (change.name,)).fetchone()
    if change.is_anew:
        connection.execute("DELETE FROM numbers WHERE list = ?", (number,))
    connection.executemany(
        _UPSERT,
        (
            (number, key, given, change.today)
            for keys, numbers in change.items
            for key, given in zip(keys, numbers, strict=True)
            if given
        ),
    )
    if not change.is_whole:
        return 0
    connection.execute("UPDATE lists SET whole = ? WHERE id = ?", (change.today, number))
    return _forget(connection, change.today)


def _forget(connection: sqlite3.Connection, today: int) -> int:
    """Forget channels that are gone for long; if there are too many, those gone longest."""
    oldest, left = today - KEPT_FOR - SEEN_EVERY, MOST_KEPT
    for seen, count in connection.execute(
        "SELECT seen, count(*) FROM numbers GROUP BY seen ORDER BY seen DESC"
    ):
        left -= count
        if left < 0:
            oldest = max(oldest, seen + 1)
            break
    return connection.execute(
        "DELETE FROM numbers WHERE seen < ? AND seen < ?", (oldest, today)
    ).rowcount
