"""The users in ``users.db``, read and changed one at a time; all of it waits for the disk."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time

from kptv.channels.users.model import SecretKind, User, UserSecret
from kptv.channels.users.names import Taken, Unfit, fit_name, fit_secret, is_name
from kptv.channels.users.table import UserTable
from kptv.channels.users.values import fit_label, fit_user
from kptv.users.hashing import DIGEST_LENGTH, digest_of, new_salt, new_secret, slow_digest_of
from kptv.users.schema import MARKER, NAME, FileTrouble, give_to_owner, reading, reason_of, writing

MOST_USERS = 10_000
MOST_SECRETS = 50  # of a user, those that were revoked among them
COMMANDS_WAIT = 5.0  # seconds for another process that holds the file
OWN_WAIT = 0.05  # for the proxy's own thread: whoever waits for it has a page open
_USER = "id, name, created, enabled, expires, max_streams, refuses, groups, profile, note"
_FIELDS = ("enabled", "expires", "max_streams", "refuses", "groups", "profile", "note")


class NoSuchUser(Exception):
    """There is none of this name, or no such secret of it; the text says so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the file and its marker say."""

    is_on: bool = False  # there is a login
    table: UserTable = field(default_factory=UserTable)
    trouble: str = ""  # why nobody can be let in
    is_there: bool = False  # the file, and it can be read


@dataclass(frozen=True, slots=True)
class MadeSecret:
    """A new secret of a user: it is shown once, and known to nobody afterwards."""

    user: User
    secret: UserSecret
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a glance at the folder tells: another one, and the file must be read again."""

    marker: bool
    file: tuple[int, ...] | None  # None: there is none

    @property
    def size(self) -> int:
        """Bytes of the file; -1: there is none."""
        return -1 if self.file is None else self.file[0]


class UsersFile:
    """The file in ``folder``. Methods raise FileTrouble, NoSuchUser and Unfit."""

    def __init__(
        self, folder: Path, wait: float = COMMANDS_WAIT, now: Callable[[], float] = time
    ) -> None:
        self.path = folder / NAME
        self.marker = folder / MARKER
        self._wait = wait
        self._now = now

    def __repr__(self) -> str:
        return f"<UsersFile {self.path.name!r}>"

    # --- reading ---

    def look(self) -> Glance:
        """A glance; nothing is opened. Raises FileTrouble."""
        try:
            marker = self.marker.exists()
            about = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):  # DATA_DIR itself may not be there
            return Glance(marker, None)
        except OSError as error:
            raise FileTrouble(reason_of(error)) from error
        return Glance(
            marker,
            (about.st_size, about.st_dev, about.st_ino, about.st_mtime_ns, about.st_ctime_ns),
        )

    def read(self) -> Seen:
        """Who there is; raises FileTrouble only if another process holds the file."""
        try:
            look = self.look()
            if look.size <= 0:  # one that was just begun is empty
                return self._without_file(look)
            with reading(self.path, self._wait) as connection:
                is_on = self._is_on(connection)
                users = tuple(_users(connection))
        except FileTrouble as trouble:
            if trouble.is_busy:
                raise
            return Seen(is_on=True, trouble=str(trouble))
        return Seen(is_on, UserTable(users), is_there=True)

    def _without_file(self, look: Glance) -> Seen:
        if not look.marker:
            return Seen()
        return Seen(True, trouble=f"{NAME}: {self._what_is_lost(look)}")

    def _what_is_lost(self, look: Glance) -> str:
        what = "it is gone" if look.file is None else "it is empty"
        return f"{what}, and {MARKER} says that there is a login"

    def _is_on(self, connection: sqlite3.Connection) -> bool:
        """Whether a login is needed; a marker that was lost comes back."""
        if self.marker.exists():
            return True
        if not _is_required(connection):
            return False
        with suppress(FileTrouble):  # in a folder that cannot be written the row is enough
            self._mark()  # whoever takes both away cannot while we read
        return True

    # --- changing ---

    def add(self, wanted: User, label: str = "", typed: str | None = None) -> MadeSecret:
        """A new user with a first secret; the first user of all begins the login.

        Of ``wanted`` the id, the time and the secrets are not used. ``typed``: instead of a made
        secret.
        """
        wanted = fit_user(replace(wanted, name=fit_name(wanted.name)))
        salt, label = new_salt(), fit_label(label)
        text, digest = _made(typed, salt)
        now = int(self._now())
        with self._beginning() as connection:
            _make_room(connection, wanted.name)
            user = connection.execute(
                "INSERT INTO users (name, created, enabled, expires, max_streams, refuses, groups,"
                " profile, note, salt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (wanted.name, now, *map(_kept, _values(wanted)), salt),
            ).lastrowid
            number = _add_secret(connection, user, (typed is not None, label, now, digest))
            return _shown(connection, wanted.name, number, text)

    def change(self, name: str, **fields: object) -> User:
        """Another enabled, expires, max_streams, refuses, groups, profile or note."""
        if unknown := fields.keys() - set(_FIELDS):
            raise TypeError(f"no fields of a user: {unknown}")
        with self._changing() as connection:
            user = fit_user(replace(_user(connection, name), **fields))  # type: ignore[arg-type]
            places = ", ".join(f"{field} = ?" for field in _FIELDS)
            values = (*map(_kept, _values(user)), user.id)
            connection.execute(f"UPDATE users SET {places} WHERE id = ?", values)
            return user

    def new_secret(self, name: str, label: str = "", typed: str | None = None) -> MadeSecret:
        """One more secret, as for another device."""
        label = fit_label(label)
        with self._changing() as connection:
            user = _user(connection, name)
            (salt,) = connection.execute(
                "SELECT salt FROM users WHERE id = ?", (user.id,)
            ).fetchone()
            text, digest = _made(typed, salt)
            _forget_revoked(connection, user)
            about = (typed is not None, label, int(self._now()), digest)
            number = _add_secret(connection, user.id, about)
            return _shown(connection, user.name, number, text)

    def revoke(self, name: str, number: int) -> User:
        """The user without this secret: it opens nothing any more."""
        with self._changing() as connection:
            user = _user(connection, name)
            if number not in {secret.number for secret in user.secrets}:
                raise NoSuchUser(f"{user.name} has no secret {number}.")
            connection.execute(
                "UPDATE secrets SET revoked = ? WHERE number = ? AND revoked IS NULL",
                (int(self._now()), number),
            )
            return _user(connection, name)

    def delete(self, name: str) -> User:
        """The user who is gone now, with all secrets; the login stays on."""
        with self._changing() as connection:
            user = _user(connection, name)
            connection.execute("DELETE FROM secrets WHERE user = ?", (user.id,))
            connection.execute("DELETE FROM users WHERE id = ?", (user.id,))
            return user

    def open_to_all(self) -> bool:
        """End the login, until the next user is made; True: there was one. Users stay."""
        look = self.look()
        was_on = look.marker
        if look.size > 0 or look.marker:  # a file says so: that none is there opens nothing
            with writing(self.path, self._wait) as connection:
                if look.size <= 0:
                    _begin_late(connection, int(self._now()))
                was_on |= connection.execute("DELETE FROM login").rowcount > 0
        try:
            self.marker.unlink(missing_ok=True)
        except OSError as error:
            raise FileTrouble(f"{MARKER} cannot be removed: {error.strerror}") from error
        return was_on

    # --- how ---

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A change of a file that is there."""
        look = self.look()
        if look.size <= 0 and look.marker:
            raise FileTrouble(self._what_is_lost(look))
        if look.size <= 0:
            raise NoSuchUser("There are no users.")
        with writing(self.path, self._wait) as connection:
            yield connection

    @contextmanager
    def _beginning(self) -> Iterator[sqlite3.Connection]:
        """A change after which there is a login, and a file, if there was none."""
        was_marked, is_first = True, False
        try:
            with writing(self.path, self._wait) as connection:
                was_marked, is_first = self.marker.exists(), not _is_required(connection)
                if is_first:
                    connection.execute("INSERT INTO login VALUES (1)")
                    self._mark()
                if (
                    was_marked
                    and not connection.execute("SELECT 1 FROM sqlite_sequence").fetchone()
                ):
                    _begin_late(connection, int(self._now()))
                yield connection
        except BaseException:
            if is_first and not was_marked:  # nobody was made, so nothing closes
                self.marker.unlink(missing_ok=True)
            raise

    def _mark(self) -> None:
        try:
            marker = os.open(self.marker, os.O_CREAT | os.O_WRONLY, 0o600)
            os.fsync(marker)
            os.close(marker)
            give_to_owner(self.marker)
        except OSError as error:
            raise FileTrouble(f"{MARKER} cannot be written: {error.strerror}") from error


def _make_room(connection: sqlite3.Connection, name: str) -> None:
    """Raises Unfit if there is none for a user of this name."""
    (count,) = connection.execute("SELECT count(*) FROM users").fetchone()
    if count >= MOST_USERS:
        raise Taken(f"There are {MOST_USERS} users already.")
    if connection.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
        raise Taken(f"There is a user {name} already.")


def _begin_late(connection: sqlite3.Connection, now: int) -> None:
    """The file of before was lost: nobody who had an id then must be taken for another."""
    connection.execute(
        "INSERT INTO sqlite_sequence VALUES ('users', ?), ('secrets', ?)", (now, now)
    )


def _made(typed: str | None, salt: bytes) -> tuple[str, bytes]:
    """A secret, and its digest."""
    if typed is not None:
        return typed, slow_digest_of(fit_secret(typed), salt)
    made = new_secret()
    return made, digest_of(made)


def _values(user: User) -> tuple[object, ...]:
    return tuple(getattr(user, field) for field in _FIELDS)


def _kept(value: object) -> object:
    """A value as the file has it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value


def _add_secret(
    connection: sqlite3.Connection, user: int | None, about: tuple[bool, str, int, bytes]
) -> int:
    is_typed, label, now, digest = about
    kind = SecretKind.TYPED if is_typed else SecretKind.MADE
    number = connection.execute(
        "INSERT INTO secrets (user, kind, label, created, digest) VALUES (?, ?, ?, ?, ?)",
        (user, kind.value, label, now, digest),
    ).lastrowid
    assert number is not None
    return number


def _forget_revoked(connection: sqlite3.Connection, user: User) -> None:
    """Let there be room for one more secret; raises Unfit."""
    if len(user.secrets) < MOST_SECRETS:
        return
    revoked = [secret.number for secret in user.secrets if not secret.is_good]
    if not revoked:
        raise Taken(f"{user.name} has {MOST_SECRETS} secrets already: revoke one.")
    connection.execute("DELETE FROM secrets WHERE number = ?", (min(revoked),))


def _shown(connection: sqlite3.Connection, name: str, number: int, text: str) -> MadeSecret:
    user = _user(connection, name)
    secret = next(each for each in user.secrets if each.number == number)
    return MadeSecret(user, secret, text)


def _is_required(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM login").fetchone() is not None


def _user(connection: sqlite3.Connection, name: str) -> User:
    """The user of this name, in any case; raises NoSuchUser."""
    found = list(_users(connection, "WHERE name = ?", (name.lower(),)))
    if not found:
        raise NoSuchUser("There is no user of that name.")
    return found[0]


def _users(
    connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()
) -> Iterator[User]:
    """Raises FileTrouble for what no program of ours has written."""
    secrets: dict[object, list[UserSecret]] = {}
    try:
        for user, *about in connection.execute(
            "SELECT secrets.user, number, kind, label, secrets.created, revoked, digest, salt"
            f" FROM secrets JOIN users ON users.id = secrets.user {where} ORDER BY number",
            values,
        ):
            secrets.setdefault(user, []).append(_secret_of(*about))
        for row in connection.execute(f"SELECT {_USER} FROM users {where} ORDER BY id", values):
            yield _user_of(row, tuple(secrets.get(row[0], ())))
    except (ValueError, TypeError, RecursionError, Unfit) as error:
        raise FileTrouble("a row of it makes no sense: put a copy of it back") from error


def _secret_of(
    number: object, kind: object, label: object, created: object, revoked: object, *kept: object
) -> UserSecret:
    digest, salt = kept
    if not isinstance(digest, bytes) or len(digest) != DIGEST_LENGTH or not isinstance(salt, bytes):
        raise ValueError("no digest")
    of_kind = SecretKind(str(kind))
    return UserSecret(
        number=_whole(number),
        kind=of_kind,
        label=str(label),
        created=_whole(created),
        revoked=None if revoked is None else _whole(revoked),
        digest=digest,
        salt=salt if of_kind is SecretKind.TYPED else b"",
    )


def _user_of(row: tuple[object, ...], secrets: tuple[UserSecret, ...]) -> User:
    identifier, name, created, enabled, expires, most, refuses, groups, profile, note = row
    if not isinstance(name, str) or not is_name(name):
        raise ValueError("no name")
    return fit_user(
        User(
            id=_whole(identifier),
            name=name,
            created=_whole(created),
            enabled=_whole(enabled) != 0,
            expires=None if expires is None else _whole(expires),
            max_streams=_whole(most),
            refuses=_whole(refuses) != 0,
            groups=None if groups is None else tuple(json.loads(str(groups))),
            profile=str(profile),
            note=str(note),
            secrets=secrets,
        )
    )


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("no whole number")
    return value
