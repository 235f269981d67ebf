"""``users.db``, a small SQLite file of DATA_DIR: how it is opened, and what it must look like.

Theory of operation. Whether there is a login is told by a file beside it (the *marker*) and by a
row in it, so that the loss of neither opens anything. All trouble is one exception,
``FileTrouble``: whoever meets it while reading lets nobody in.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kptv.kept.database import schema_version, tables_in

NAME = "users.db"
MARKER = "login-required"
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
        " created INTEGER NOT NULL, enabled INTEGER NOT NULL, expires INTEGER,"
        " max_streams INTEGER NOT NULL, refuses INTEGER NOT NULL, groups TEXT,"
        " profile TEXT NOT NULL, note TEXT NOT NULL, salt BLOB NOT NULL)",
        "CREATE TABLE secrets (number INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL,"
        " kind TEXT NOT NULL, label TEXT NOT NULL, created INTEGER NOT NULL, revoked INTEGER,"
        " digest BLOB NOT NULL)",
        "CREATE INDEX secrets_of ON secrets (user)",
        "CREATE TABLE login (required INTEGER NOT NULL)",
    ),
)  # from each version of the schema to the next; the first makes a new file
_TABLES = {"users", "secrets", "login"}
_MOST_PAGES = 10_000  # of 4 kB, whatever happens
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_OURS = "it cannot be opened: see whose it and its folder are"
_SENTENCES = {
    sqlite3.SQLITE_FULL: "there is no room on the disk",
    sqlite3.SQLITE_READONLY: "it cannot be written: see whose it and its folder are",
    sqlite3.SQLITE_CANTOPEN: _NOT_OURS,
    sqlite3.SQLITE_PERM: _NOT_OURS,
    sqlite3.SQLITE_IOERR: "the disk has failed, or is full",
}
_RESTORE = "put a copy of it back, or move it away and make the users anew"


class FileTrouble(Exception):
    """The file cannot be used; the text says why."""

    def __init__(self, why: str, *, is_busy: bool = False) -> None:
        super().__init__(f"{NAME}: {why}")
        self.is_busy = is_busy  # another process holds it; it may be tried again


def reason_of(error: OSError) -> str:
    """What the system says, in words."""
    if isinstance(error, PermissionError):
        return _NOT_OURS
    return error.strerror or type(error).__name__


def version_of() -> int:
    """The schema that this program knows."""
    return len(MIGRATIONS)


@contextmanager
def reading(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """A connection that sees one state of the file, which is there. Raises FileTrouble."""
    with _connected(path, wait) as connection:
        if 0 < schema_version(connection) < version_of():
            _migrate(connection, path)
        connection.execute("BEGIN")
        _check(connection, path)
        yield connection
        connection.rollback()


@contextmanager
def writing(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """A connection that nobody else writes beside; what is done counts if all was done.

    A new file is made if there is none. Raises FileTrouble.
    """
    with _told():
        _make_file(path)
    with _connected(path, wait) as connection:
        connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
        _migrate(connection, path)
        connection.execute("BEGIN IMMEDIATE")
        try:
            _check(connection, path)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise


@contextmanager
def _connected(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=rw"  # never makes a file
    with (
        _told(),
        closing(sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None)) as connection,
    ):
        yield connection


@contextmanager
def _told() -> Iterator[None]:
    """The errors of SQLite and of the system, in words."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise FileTrouble("another process holds it", is_busy=True) from error
        if code in _BROKEN:
            raise FileTrouble(f"it is broken ({error}): {_RESTORE}") from error
        raise FileTrouble(_SENTENCES.get(code, str(error))) from error
    except OSError as error:
        raise FileTrouble(reason_of(error)) from error


def _make_file(path: Path) -> None:
    """Let there be a file that only its owner can read: whoever owns the folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    give_to_owner(path)


def give_to_owner(path: Path) -> None:
    """What root makes in a folder of the proxy's must be the proxy's to read."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and path.stat().st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to our schema; a copy is made before, unless it is a new one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)
        if version == 0 and tables_in(connection):
            raise FileTrouble("another program has written it")
        if 0 < version < version_of():
            _copy(path, version)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < version_of():
            connection.execute(f"PRAGMA user_version = {version_of()}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def _copy(path: Path, version: int) -> None:
    """Keep the file as it is; nobody writes it now, but who begins to cannot copy it."""
    copy = path.with_name(f"{path.name}.schema-{version}")
    partial = copy.with_name(f"{copy.name}.part")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as kept, closing(sqlite3.connect(partial)) as target:
        kept.backup(target)
    give_to_owner(partial)
    os.replace(partial, copy)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = schema_version(connection)
    if version > version_of():
        raise FileTrouble(f"a newer version of the proxy has written it (schema {version})")
    if version == 0 and tables_in(connection):
        raise FileTrouble("another program has written it")
    if version < version_of() or not tables_in(connection) >= _TABLES:
        raise FileTrouble(f"tables of it are gone: {_RESTORE}")
