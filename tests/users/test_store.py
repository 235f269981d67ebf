"""`users.db`: what it keeps, and that no loss of it lets anybody in."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kptv.channels.users.model import Standing
from kptv.channels.users.names import Unfit
from kptv.users import schema, store
from kptv.users.schema import MARKER, NAME, FileTrouble
from kptv.users.store import MOST_SECRETS, NoSuchUser, UsersFile
from tests.users.test_checking import new_user

DAY = 86_400


def users_file(folder: Path, now: float = 1_800_000_000) -> UsersFile:
    return UsersFile(folder, 0.05, lambda: now)


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / NAME)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def names_in(folder: Path) -> list[str]:
    seen = users_file(folder).read()
    assert not seen.trouble
    return [user.name for user in seen.table]


def test_without_users_there_is_no_login_and_no_file(tmp_path: Path) -> None:
    seen = users_file(tmp_path).read()
    assert (seen.is_on, len(seen.table), seen.trouble) == (False, 0, "")
    with pytest.raises(NoSuchUser):
        users_file(tmp_path).change("anna", enabled=False)
    with pytest.raises(Unfit):
        users_file(tmp_path).add(new_user("live"))
    assert not users_file(tmp_path).open_to_all()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_there_holds_no_users(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not UsersFile(tmp_path / "file" / "data").read().is_on


def test_a_user_is_kept_with_all_that_is_said_of_him(tmp_path: Path) -> None:
    wanted = new_user(
        "Anna",
        enabled=False,
        expires=1_900_000_000,
        max_streams=2,
        refuses=True,
        groups=("News", "Spört"),
        profile="kids",
        note="upstairs",
    )
    shown = users_file(tmp_path).add(wanted, "tv")
    (kept,) = users_file(tmp_path).read().table
    assert kept == shown.user
    assert (kept.id, kept.name, kept.created) == (1, "anna", 1_800_000_000)
    for field in ("enabled", "expires", "max_streams", "refuses", "groups", "profile", "note"):
        assert getattr(kept, field) == getattr(wanted, field), field
    assert [(each.number, each.label) for each in kept.secrets] == [(1, "tv")]
    everything = (tmp_path / NAME).read_bytes()
    assert shown.text.encode() not in everything
    assert shown.text not in repr(shown)


def test_no_typed_secret_is_in_the_file_and_equal_ones_look_different(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    digests = {
        file.add(new_user(name), typed="correct-horse").secret.digest for name in ("anna", "bob")
    }
    assert len(digests) == 2
    assert b"correct-horse" not in (tmp_path / NAME).read_bytes()


def test_changes_are_kept_and_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    file.add(new_user("anna", groups=("News",)))
    file.change("ANNA", groups=None, max_streams=3)
    file.change("anna", enabled=False)
    (anna,) = file.read().table
    assert (anna.groups, anna.max_streams, anna.enabled) == (None, 3, False)
    with pytest.raises(Unfit):
        file.change("anna", note="fine", max_streams=-1)
    with pytest.raises(TypeError):
        file.change("anna", name="bob")
    with pytest.raises(Unfit):
        file.add(new_user("ANNA"))
    assert list(file.read().table) == [anna]


def test_ids_and_numbers_of_secrets_are_never_used_again(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    for name in ("anna", "bob"):
        file.add(new_user(name))
    file.delete("bob")
    shown = file.add(new_user("bob"))
    assert (shown.user.id, shown.secret.number) == (3, 3)
    file.delete("bob")
    file.open_to_all()
    assert file.add(new_user("eve")).user.id == 4


def test_a_file_that_was_lost_gives_no_id_of_before_again(tmp_path: Path) -> None:
    users_file(tmp_path).add(new_user("anna"))
    (tmp_path / NAME).unlink()
    shown = users_file(tmp_path).add(new_user("bob"))
    assert min(shown.user.id, shown.secret.number) > 1_800_000_000
    assert users_file(tmp_path).add(new_user("eve")).user.id == shown.user.id + 1


def test_secrets_come_and_go_and_old_revoked_ones_are_forgotten(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    file.add(new_user("anna"))
    for _ in range(MOST_SECRETS - 1):
        file.new_secret("anna", "tv")
    with pytest.raises(Unfit, match="revoke one"):
        file.new_secret("anna", "tv")
    with pytest.raises(NoSuchUser):
        file.revoke("anna", 999)
    anna = file.revoke("anna", 3)
    assert [each.number for each in anna.secrets if not each.is_good] == [3]
    users_file(tmp_path, 1_900_000_000).revoke("anna", 3)
    assert file.new_secret("anna", "tv").secret.number == MOST_SECRETS + 1
    (anna,) = file.read().table
    assert len(anna.secrets) == MOST_SECRETS
    assert all(each.is_good for each in anna.secrets)
    file.add(new_user("bob"))
    with pytest.raises(NoSuchUser):
        file.revoke("bob", 1)  # anna's


def test_a_clock_that_is_set_back_a_day_brings_nothing_back(tmp_path: Path) -> None:
    now = 1_800_000_000
    users_file(tmp_path, now).add(new_user("anna", expires=now - 60))
    users_file(tmp_path, now).new_secret("anna")
    users_file(tmp_path, now).revoke("anna", 1)
    file = users_file(tmp_path, now - DAY)
    assert file.new_secret("anna").secret.number == 3
    assert file.add(new_user("bob")).user.id == 2
    anna, _ = file.read().table
    assert [each.is_good for each in anna.secrets] == [False, True, True]
    assert anna.standing(now) is Standing.EXPIRED
    assert anna.standing(now - DAY) is Standing.ACTIVE  # the end is by the clock on the wall


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        users_file(folder).add(new_user("anna"))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {NAME: 0o600, MARKER: 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_is_the_proxys_to_read(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    users_file(tmp_path).add(new_user("anna"))
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {12345}


# --- the login stays on ---


def test_the_login_stays_on_without_users_until_it_is_opened(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    file.add(new_user("anna"))
    file.delete("anna")
    assert file.read().is_on
    assert file.open_to_all()
    assert not file.read().is_on
    assert not (tmp_path / MARKER).exists()


def test_users_stay_when_it_is_opened_and_the_next_one_closes_again(tmp_path: Path) -> None:
    file = users_file(tmp_path)
    file.add(new_user("anna"))
    file.open_to_all()
    assert names_in(tmp_path) == ["anna"]
    file.change("anna", enabled=False)
    assert not file.read().is_on
    file.add(new_user("bob"))
    assert file.read().is_on
    assert (tmp_path / MARKER).exists()


def test_a_marker_that_was_lost_comes_back(tmp_path: Path) -> None:
    users_file(tmp_path).add(new_user("anna"))
    (tmp_path / MARKER).unlink()
    assert users_file(tmp_path).read().is_on
    assert (tmp_path / MARKER).exists()


def test_a_first_user_who_cannot_be_made_closes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_USERS", 0)
    with pytest.raises(Unfit):
        users_file(tmp_path).add(new_user("anna"))
    assert not users_file(tmp_path).read().is_on
    assert not (tmp_path / MARKER).exists()


def test_a_marker_that_cannot_be_written_makes_no_user(tmp_path: Path) -> None:
    (tmp_path / MARKER).symlink_to(tmp_path / "gone" / "nowhere")
    with pytest.raises(FileTrouble, match=MARKER):
        users_file(tmp_path).add(new_user("anna"))
    assert names_in(tmp_path) == []


# --- what may become of the file ---

WRECKS = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2 - 100),
    "noise": lambda path: path.write_bytes(b"\x07" * 20_000),
    "another program": lambda path: (path.unlink(), execute(path.parent, "CREATE TABLE t (x)")),
    "newer": lambda path: execute(path.parent, "PRAGMA user_version = 99"),
    "no table": lambda path: execute(path.parent, "DROP TABLE secrets"),
    "odd name": lambda path: execute(path.parent, "UPDATE users SET name = 'Än/na'"),
    "odd number": lambda path: execute(path.parent, "UPDATE users SET max_streams = 'x'"),
    "odd groups": lambda path: execute(path.parent, "UPDATE users SET groups = '{]'"),
    "deep groups": lambda path: execute(
        path.parent, f"UPDATE users SET groups = '{'[' * 100_000}'"
    ),
    "no groups": lambda path: execute(path.parent, "UPDATE users SET groups = '[]'"),
    "odd kind": lambda path: execute(path.parent, "UPDATE secrets SET kind = 'x'"),
    "short digest": lambda path: execute(path.parent, "UPDATE secrets SET digest = x'00'"),
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
}


@pytest.mark.parametrize("wreck", WRECKS)
def test_whatever_becomes_of_it_nobody_is_let_in(tmp_path: Path, wreck: str) -> None:
    users_file(tmp_path).add(new_user("anna"))
    WRECKS[wreck](tmp_path / NAME)
    seen = users_file(tmp_path).read()
    assert (seen.is_on, len(seen.table)) == (True, 0)
    assert seen.trouble.startswith(f"{NAME}: ")
    if wreck in ("gone", "empty"):  # two losses at once: REQUIRE_LOGIN is for that
        return
    (tmp_path / MARKER).unlink()
    assert users_file(tmp_path).read().is_on


@pytest.mark.parametrize("wreck", [each for each in WRECKS if each not in ("gone", "empty")])
def test_a_file_that_cannot_be_read_is_never_written_over(tmp_path: Path, wreck: str) -> None:
    users_file(tmp_path).add(new_user("anna"))
    WRECKS[wreck](tmp_path / NAME)
    before = (tmp_path / NAME).read_bytes() if wreck != "a folder" else b""
    for change in (
        lambda file: file.new_secret("anna"),
        lambda file: file.change("anna", enabled=True),
        lambda file: file.revoke("anna", 1),
    ):
        with pytest.raises((FileTrouble, NoSuchUser)):
            change(users_file(tmp_path))
    if wreck != "a folder":
        assert (tmp_path / NAME).read_bytes() == before


def test_no_change_is_made_to_a_file_that_is_gone(tmp_path: Path) -> None:
    users_file(tmp_path).add(new_user("anna"))
    (tmp_path / NAME).unlink()
    with pytest.raises(FileTrouble, match="gone"):
        users_file(tmp_path).delete("anna")
    assert not (tmp_path / NAME).exists()


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_MOST_PAGES", 4)
    with pytest.raises(FileTrouble, match="no room"):
        users_file(tmp_path).add(new_user("anna"))
    assert not users_file(tmp_path).read().is_on
    assert not (tmp_path / MARKER).exists()
    monkeypatch.setattr(schema, "_MOST_PAGES", 10)
    made = []
    with pytest.raises(FileTrouble, match="no room"):  # noqa: PT012
        for number in range(100):
            users_file(tmp_path).add(new_user(f"u{number}", note="x" * 500))
            made.append(f"u{number}")
    assert names_in(tmp_path) == made
    users_file(tmp_path).delete(made[0])
    assert names_in(tmp_path) == made[1:]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_read_and_told(tmp_path: Path) -> None:
    users_file(tmp_path).add(new_user("anna"))
    (tmp_path / NAME).chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert names_in(tmp_path) == ["anna"]
        with pytest.raises(FileTrouble, match="whose"):
            users_file(tmp_path).change("anna", enabled=False)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_tells_nothing_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **how: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    seen = users_file(tmp_path).read()
    assert seen.is_on
    assert "see whose it and its folder are" in seen.trouble


# --- several processes ---

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process has the file for itself."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder / NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(10)


def test_a_file_that_another_process_holds_is_told_and_left(tmp_path: Path) -> None:
    users_file(tmp_path).add(new_user("anna"))
    with held(tmp_path):
        for ask in (UsersFile.read, lambda file: file.change("anna", enabled=False)):
            with pytest.raises(FileTrouble, match="another process") as caught:
                ask(users_file(tmp_path))
            assert caught.value.is_busy
    assert names_in(tmp_path) == ["anna"]


ADDER = """
import sys
from pathlib import Path
from kptv.channels.users.model import User
from kptv.users.store import UsersFile
sys.stdin.readline()
file = UsersFile(Path(sys.argv[1]))
for number in range(10):
    file.add(User(id=0, name=f"{sys.argv[2]}{number}"))
"""


def test_two_processes_add_users_at_once_and_none_is_lost(tmp_path: Path) -> None:
    adders = [
        subprocess.Popen([sys.executable, "-c", ADDER, str(tmp_path), name], stdin=subprocess.PIPE)
        for name in ("a", "b")
    ]
    for each in adders:
        assert each.stdin is not None
        each.stdin.write(b"go\n")
        each.stdin.close()
    assert [each.wait(30) for each in adders] == [0, 0]
    table = users_file(tmp_path).read().table
    assert {user.name for user in table} == {f"{name}{n}" for name in "ab" for n in range(10)}
    assert sorted(user.id for user in table) == list(range(1, 21))


# --- another schema ---


def test_a_copy_is_made_before_the_file_is_brought_to_a_newer_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_file(tmp_path).add(new_user("anna"))
    more = (*schema.MIGRATIONS, ("ALTER TABLE users ADD COLUMN colour TEXT",))
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    assert names_in(tmp_path) == ["anna"]
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        assert connection.execute("SELECT name, colour FROM users").fetchall() == [("anna", None)]
    copy = tmp_path / f"{NAME}.schema-1"
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM users").fetchall() == [("anna",)]
    monkeypatch.undo()
    assert "newer" in users_file(tmp_path).read().trouble


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_file(tmp_path).add(new_user("anna"))
    bad = ("ALTER TABLE users ADD COLUMN colour TEXT", "no SQL")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, bad))
        assert users_file(tmp_path).read().trouble
    assert names_in(tmp_path) == ["anna"]
