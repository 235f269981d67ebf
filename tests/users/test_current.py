"""The users as they are now, whoever changes them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from gevent.event import Event

from kptv.users import current as module
from kptv.users.current import CurrentUsers
from kptv.users.schema import MARKER, NAME, FileTrouble
from kptv.users.store import NoSuchUser, Seen, UsersFile
from tests.users.test_checking import new_user
from tests.users.test_store import WRECKS, held

SOON = 0.02  # seconds between two looks
SEEN_WITHIN = 10.0  # seconds; a busy machine is slow


@contextmanager
def running(folder: Path, **how: object) -> Iterator[CurrentUsers]:
    users = CurrentUsers(folder, **{"every": SOON, **how})  # type: ignore[arg-type]
    users.start()
    try:
        yield users
    finally:
        users.close()


def wait_for(users: CurrentUsers, holds: Callable[[CurrentUsers], object]) -> None:
    """Wait until something holds, as a listener sees it."""
    changed = Event()
    users.watch(changed.set)
    deadline = monotonic() + SEEN_WITHIN
    while not holds(users):
        changed.clear()
        assert changed.wait(deadline - monotonic()), users


def test_until_it_is_read_nobody_is_let_in(tmp_path: Path) -> None:
    users = CurrentUsers(tmp_path)
    assert users.is_on
    assert users.trouble
    assert not users.alive
    users.close()


def test_without_users_nothing_is_opened_and_no_file_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.users.store.reading", None)
    with running(tmp_path) as users:
        assert (users.is_on, users.trouble, len(users.table), users.alive) == (False, "", 0, True)
        users.refresh()
        users.refresh()
        assert not users.is_on
    assert list(tmp_path.iterdir()) == []


def test_a_login_that_is_required_stands_without_any_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, require_login=True) as users:
        assert users.is_on
        assert users.trouble == (
            "users.db: it is not there, and REQUIRE_LOGIN says that there is a login"
        )
        assert f"users: {users.trouble}. Nobody can be let in" in caplog.messages
        users.changed_by(lambda file: file.add(new_user("anna")))
        assert not users.trouble
        users.changed_by(UsersFile.open_to_all)
        assert users.is_on
        assert not users.trouble


COMMAND = """
import sys
from pathlib import Path
from kptv.users.store import UsersFile
UsersFile(Path(sys.argv[1])).change("anna", enabled=False)
"""


def test_a_change_of_another_process_is_seen_within_two_seconds(tmp_path: Path) -> None:
    UsersFile(tmp_path).add(new_user("anna"))
    with running(tmp_path, every=module.EVERY) as users:
        assert users.table.by_name("anna") is not None
        seen, is_disabled = [], Event()

        def look() -> None:
            seen.append(monotonic())
            is_disabled.set()

        users.watch(look)
        subprocess.run([sys.executable, "-c", COMMAND, str(tmp_path)], check=True, timeout=30)
        done = monotonic()
        assert is_disabled.wait(SEEN_WITHIN)
        anna = users.table.by_name("anna")
        assert anna is not None
        assert not anna.enabled
        assert seen[0] - done < 2 + 1  # and one for a busy machine


def test_an_unchanged_file_is_read_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    UsersFile(tmp_path).add(new_user("anna"))
    with running(tmp_path, every=60) as users:
        users.refresh()  # two writes within one tick of the clock look the same
        monkeypatch.setattr("kptv.users.store.reading", None)
        users.refresh()
        assert len(users.table) == 1


def test_what_cannot_be_read_is_tried_again_though_nobody_has_written_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy for reading may have a journal for a while, and the file stays as it is."""
    UsersFile(tmp_path).add(new_user("anna"))
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(UsersFile, "read", lambda _: Seen(is_on=True, trouble="a journal"))
        users = CurrentUsers(tmp_path, every=60)
        users.start()
        users.watch(lambda: told.append(len(users.table)))
        users.refresh()
        users.refresh()
        assert (users.is_on, users.trouble, told) == (True, "a journal", [])
    users.refresh()
    users.close()
    assert (users.trouble, told) == ("", [1])
    assert len(caplog.messages) == 2


def test_two_writes_that_look_the_same_are_both_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    UsersFile(tmp_path).add(new_user("anna"))
    with running(tmp_path, every=60) as users:
        look = UsersFile(tmp_path).look()
        monkeypatch.setattr(UsersFile, "look", lambda file: look)
        users.refresh()
        UsersFile(tmp_path).change("anna", enabled=False)
        users._is_sure = False  # as after the first of them
        users.refresh()
        anna = users.table.by_name("anna")
        assert anna is not None
        assert not anna.enabled


def test_a_change_of_ours_is_seen_when_it_is_done_and_told_in_the_loop(tmp_path: Path) -> None:
    with running(tmp_path, every=60) as users:
        told: list[tuple[bool, int]] = []
        users.watch(lambda: told.append((users.is_on, len(users.table))))
        shown = users.changed_by(lambda file: file.add(new_user("anna")))
        assert list(users.table) == [shown.user]
        users.changed_by(lambda file: file.delete("anna"))
        users.refresh()
        users.changed_by(UsersFile.open_to_all)
        users.changed_by(UsersFile.open_to_all)
        assert told == [(True, 1), (True, 0), (False, 0)]


def test_a_change_that_cannot_be_made_is_raised(tmp_path: Path) -> None:
    with running(tmp_path, every=60) as users:
        with pytest.raises(NoSuchUser):
            users.changed_by(lambda file: file.delete("anna"))
        users.changed_by(lambda file: file.add(new_user("anna")))
        with held(tmp_path), pytest.raises(FileTrouble, match="another process"):
            users.changed_by(lambda file: file.change("anna", enabled=False))
        assert len(users.table) == 1


def test_a_file_that_is_held_leaves_who_is_let_in_and_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    UsersFile(tmp_path).add(new_user("anna"))
    with running(tmp_path, every=60) as users:
        with held(tmp_path):
            users.refresh()
            users.refresh()
            assert len(users.table) == 1
            assert not users.trouble
        users.refresh()
    assert len([text for text in caplog.messages if "another process holds it" in text]) == 1


@pytest.mark.parametrize("wreck", WRECKS)
def test_a_file_that_is_wrecked_lets_nobody_in_until_it_is_back(
    tmp_path: Path, wreck: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    UsersFile(folder).add(new_user("anna"))
    copy = (folder / NAME).read_bytes()
    with running(folder) as users:
        WRECKS[wreck](folder / NAME)
        wait_for(users, lambda users: users.trouble and not len(users.table))
        assert users.is_on
        assert users.alive
        assert any("Nobody can be let in" in text for text in caplog.messages)
        if (folder / NAME).exists():
            (folder / NAME).rename(tmp_path / "aside")
        (folder / NAME).write_bytes(copy)
        wait_for(users, lambda users: not users.trouble and len(users.table))
        assert "the users can be read again" in caplog.messages


def test_losing_the_marker_opens_nothing(tmp_path: Path) -> None:
    UsersFile(tmp_path).add(new_user("anna"))
    with running(tmp_path, every=60) as users:
        (tmp_path / MARKER).unlink()
        users.refresh()
        assert users.is_on
        assert (tmp_path / MARKER).exists()


def test_losing_all_that_tells_of_a_login_opens_nothing_while_it_runs(tmp_path: Path) -> None:
    file = UsersFile(tmp_path)
    file.add(new_user("anna"))
    kept = (tmp_path / NAME).read_bytes()
    with running(tmp_path, every=60) as users:
        (tmp_path / NAME).unlink()
        (tmp_path / MARKER).unlink()
        for _ in range(2):
            users.refresh()
            assert (users.is_on, len(users.table)) == (True, 0)
            assert "restart" in users.trouble
            (tmp_path / NAME).touch()  # something has changed
        (tmp_path / NAME).write_bytes(kept)
        users.refresh()
        assert (users.is_on, len(users.table), users.trouble) == (True, 1, "")
        file.open_to_all()
        users.refresh()
        assert not users.is_on
    with running(tmp_path) as users:
        assert not users.is_on


def test_a_file_that_goes_first_and_its_marker_later_open_nothing_but_who_says_so_does(
    tmp_path: Path,
) -> None:
    file = UsersFile(tmp_path)
    file.add(new_user("anna"))
    with running(tmp_path, every=60) as users:
        for lost in (NAME, MARKER):
            (tmp_path / lost).unlink()
            users.refresh()
            assert (users.is_on, len(users.table)) == (True, 0)
        file.open_to_all()  # knows nothing of it: there is no login in this folder
        users.refresh()
        assert users.is_on
        (tmp_path / MARKER).touch()
        assert file.open_to_all()
        users.refresh()
        assert not users.is_on


def test_a_disk_that_hangs_at_the_start_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    real = UsersFile.read

    def read(file: UsersFile) -> object:
        answers.wait(20)
        return real(file)

    monkeypatch.setattr(UsersFile, "read", read)
    with running(tmp_path, within=0.05) as users:
        assert users.is_on
        assert "no answer" in users.trouble
        answers.set()
        wait_for(users, lambda users: not users.trouble)
        assert not users.is_on


def test_what_was_seen_earlier_does_not_replace_what_was_seen_later(tmp_path: Path) -> None:
    with running(tmp_path, every=60) as users:
        before = users._seen
        users.changed_by(lambda file: file.add(new_user("anna")))
        users._take(1, before)
        assert users.is_on
