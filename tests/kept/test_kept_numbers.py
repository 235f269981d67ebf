"""Numbers outlive the process; a file that cannot be used costs the numbers, never the lists."""

from __future__ import annotations

import logging
import os
import sqlite3
from array import array
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from threading import Event

import gevent
import pytest

from kptv.channels.given import Numbered, key_of
from kptv.kept import database
from kptv.kept import numbers as numbers_module
from kptv.kept.database import KEPT_FOR, NAME, SEEN_EVERY, VERSION, Database, KeptList
from kptv.kept.numbers import KeptNumbers

DAY = 86_400.0


def numbered(
    numbers: dict[str, int], layout: tuple[int, ...] = (), changed: bool = True
) -> Numbered:
    places = range(len(numbers)) if changed else ()
    keys = array("q", [key_of(name.encode()) for name in numbers])
    return Numbered(array("I", numbers.values()), keys, layout, array("I", places))


def keep(kept: KeptNumbers, numbers: dict[str, int], name: str = "", **options: object) -> None:
    writing = kept.keep(numbered(numbers, **options), name)  # type: ignore[arg-type]
    if writing is not None:
        writing.get(timeout=20)


def numbers_in(kept: KeptNumbers, names: Iterable[str], name: str = "") -> list[int]:
    return kept.given(name).numbers_of([key_of(each.encode()) for each in names])


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])


def test_what_was_given_is_there_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    kept = KeptNumbers(folder)
    assert len(kept.given()) == 0
    assert not folder.exists(), "looking makes nothing"
    keep(kept, {"a": 1, "b": 700}, layout=(500,))
    keep(kept, {"a": 9}, "kids")
    keep(kept, {"a": 1, "b": 701, "c": 2}, layout=(500,))
    again = KeptNumbers(folder)
    assert numbers_in(again, "abcd") == [1, 701, 2, 0]
    assert numbers_in(again, "ab", "kids") == [9, 0]
    assert again.given().layout == (500,)
    assert again.given("other").layout == ()
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_fixed_numbers_are_not_kept_but_what_a_channel_had_besides(tmp_path: Path) -> None:
    both = numbered({"a": 100, "b": 200, "c": 3})
    fixed = Numbered(both.numbers, both.keys, (), array("I", [2]), {0: 5, 1: 0})
    kept = KeptNumbers(tmp_path)
    writing = kept.keep(fixed)
    assert writing is not None
    writing.get(timeout=20)
    assert numbers_in(KeptNumbers(tmp_path), "abc") == [5, 0, 3]


def test_nothing_is_written_where_nothing_is_new_but_once_a_week(tmp_path: Path) -> None:
    now = [100 * DAY]
    kept = KeptNumbers(tmp_path, lambda: now[0])
    keep(kept, {"a": 1})
    assert kept.keep(numbered({"a": 1}, changed=False)) is None
    now[0] += 6 * DAY
    again = KeptNumbers(tmp_path, lambda: now[0])
    assert again.keep(numbered({"a": 1}, changed=False)) is None
    now[0] += DAY
    assert again.keep(numbered({"a": 1}, changed=False)) is not None
    assert kept.keep(numbered({"a": 1}, changed=False)) is not None
    gevent.wait(timeout=20)


def test_numbers_of_channels_gone_for_90_days_are_forgotten(tmp_path: Path) -> None:
    now = [1000 * DAY]
    kept = KeptNumbers(tmp_path, lambda: now[0])
    keep(kept, {"a": 1, "b": 2})
    now[0] += (KEPT_FOR + SEEN_EVERY) * DAY
    keep(kept, {"a": 1}, changed=False)
    assert numbers_in(kept, "ab") == [1, 2]
    now[0] += SEEN_EVERY * DAY
    keep(kept, {"a": 1, "c": 3})
    assert numbers_in(kept, "abc") == [1, 0, 3]
    assert numbers_in(KeptNumbers(tmp_path), "abc") == [1, 0, 3]
    now[0] = 0  # a clock that forgot the time forgets nothing else
    again = KeptNumbers(tmp_path, lambda: now[0])
    keep(again, {"c": 3}, changed=False)
    now[0] = 1105 * DAY
    keep(again, {"d": 4})
    assert numbers_in(again, "acd") == [1, 3, 4]


def test_other_blocks_forget_the_channels_that_are_gone(tmp_path: Path) -> None:
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1, "b": 2})
    keep(kept, {"b": 2}, layout=(1,))
    assert numbers_in(kept, "ab") == [0, 2]
    assert numbers_in(KeptNumbers(tmp_path), "ab") == [0, 2]


def test_a_file_that_somebody_took_away_is_written_again_with_all_that_it_had(
    tmp_path: Path,
) -> None:
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1, "b": 2, "gone": 3}, layout=(500,))
    keep(kept, {"a": 9}, "kids")
    (tmp_path / NAME).unlink()
    both = numbered({"a": 1, "b": 2, "c": 4}, layout=(500,))
    writing = kept.keep(Numbered(both.numbers, both.keys, (500,), array("I", [2])))
    assert writing is not None
    writing.get(timeout=20)
    again = KeptNumbers(tmp_path)
    assert numbers_in(again, ["a", "b", "gone", "c"]) == [1, 2, 3, 4]
    assert numbers_in(again, "a", "kids") == [9]
    assert again.given().layout == (500,)


def test_names_that_change_daily_fill_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, scale = 9_000, 100
    assert most * scale == database.MOST_KEPT
    for module in (database, numbers_module):
        monkeypatch.setattr(module, "MOST_KEPT", most)
    now = [1000 * DAY]
    kept = KeptNumbers(tmp_path, lambda: now[0])
    for day in range(25):
        keep(kept, {f"event {day} {n}": day * 1000 + n + 1 for n in range(1000)})
        now[0] += DAY
    assert rows(tmp_path) <= most + 1000
    assert len(kept.given()) <= most + 1000
    assert numbers_in(kept, ["event 24 5", "event 17 5", "event 2 5"]) == [24_006, 17_006, 0]
    assert (tmp_path / NAME).stat().st_size * scale < 50_000_000
    assert database._MOST_PAGES * 4096 <= 50_000_000


def test_a_newer_file_is_not_touched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE future (x)")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    kept = KeptNumbers(tmp_path)
    for _ in range(2):
        keep(kept, {"a": 1})
    assert path.read_bytes() == before
    assert numbers_in(kept, "a") == [1]
    (told,) = [record.message for record in caplog.records]
    assert f"a newer version has written it (schema {VERSION + 1})" in told
    assert "kept in memory only" in told


def test_a_file_of_another_program_is_not_touched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("CREATE TABLE notes (x)")
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1})
    assert "another program has written it" in caplog.text


@pytest.mark.parametrize("how", ["rubbish", "half"])
def test_a_broken_file_is_set_aside_and_the_next_is_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    path = tmp_path / NAME
    if how == "rubbish":
        path.write_bytes(b"rubbish, not a database at all" * 1000)
    else:
        keep(KeptNumbers(tmp_path), {f"c{n}": n + 1 for n in range(5000)})
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    broken = path.read_bytes()
    kept = KeptNumbers(tmp_path)
    assert numbers_in(kept, ["c1"]) == [0]
    keep(kept, {"a": 1})
    assert numbers_in(KeptNumbers(tmp_path), "a") == [1]
    assert (tmp_path / f"{NAME}.broken-1").read_bytes() == broken
    (told,) = [record.message for record in caplog.records]
    assert "is broken" in told
    assert "kptv.db.broken-1" in told


def test_a_broken_file_takes_its_journal_along(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"rubbish" * 1000)
    (tmp_path / f"{NAME}-journal").write_bytes(b"old")
    Database(tmp_path).set_aside()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{NAME}.broken-1",
        f"{NAME}.broken-1-journal",
    ]


def test_so_many_broken_files_are_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 10):
        (tmp_path / f"{NAME}.broken-{number}").touch()
    (tmp_path / NAME).write_bytes(b"rubbish" * 1000)
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1})
    assert (tmp_path / NAME).read_bytes() == b"rubbish" * 1000
    assert numbers_in(kept, "a") == [1]
    assert "cannot be moved" in caplog.text


def test_a_folder_that_cannot_be_written_is_told_once_and_written_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "data"
    folder.touch()
    kept = KeptNumbers(folder)
    keep(kept, {"a": 1})
    keep(kept, {"a": 1, "b": 2})
    assert numbers_in(kept, "ab") == [1, 2]
    assert len(caplog.records) == 1
    assert "see that the folder can be written" in caplog.text
    folder.unlink()
    keep(kept, {"a": 1, "b": 2}, changed=False)
    assert numbers_in(KeptNumbers(folder), "ab") == [1, 2]
    assert "can be written again" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_can_only_be_read_gives_what_it_has(tmp_path: Path) -> None:
    keep(KeptNumbers(tmp_path), {"a": 1})
    (tmp_path / NAME).chmod(0o400)
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1, "b": 2})
    assert numbers_in(kept, "ab") == [1, 2]
    assert numbers_in(KeptNumbers(tmp_path), "ab") == [1, 0]


def test_what_could_not_be_read_is_read_by_the_next_look_though_nobody_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy for reading may have a journal for a while, and the file stays as it is."""
    keep(KeptNumbers(tmp_path), {"a": 5})
    follower = KeptNumbers(tmp_path, leads=lambda: False)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", read_only)
        assert numbers_in(follower, "a") == [0]
        keep(follower, {"a": 1})
        assert not follower.look()
    assert follower.look()
    assert numbers_in(follower, "a") == [5]
    assert not follower.look()


def read_only(_: Database) -> dict[str, KeptList]:
    raise sqlite3.OperationalError("attempt to write a readonly database")


def test_a_full_disk_loses_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1})
    monkeypatch.setattr(database, "_MOST_PAGES", 5)
    many = {"a": 1, **{f"c{n}": n + 2 for n in range(5000)}}
    keep(kept, many)
    assert "database or disk is full" in caplog.text
    assert numbers_in(kept, ["c9"]) == [11]
    assert numbers_in(KeptNumbers(tmp_path), ["a", "c9"]) == [1, 0]
    monkeypatch.undo()
    keep(kept, many, changed=False)
    assert numbers_in(KeptNumbers(tmp_path), ["a", "c9"]) == [1, 11]


def test_what_is_given_while_the_file_forgets_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000 * DAY]
    kept = KeptNumbers(tmp_path, lambda: now[0])
    keep(kept, {"a": 1})
    now[0] += 200 * DAY
    read, is_read, go_on = Database.read, Event(), Event()

    def slowly(database: Database) -> dict[str, KeptList]:
        found = read(database)
        is_read.set()
        assert go_on.wait(20)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", slowly)
        writing = [kept.keep(numbered({"b": 2, "c": 3}))]
        with gevent.Timeout(20):
            while not is_read.is_set():
                gevent.sleep(0.001)
        writing.append(kept.keep(numbered({"b": 2, "c": 4})))
        writing.append(kept.keep(numbered({"k": 1}), "kids"))
        assert numbers_in(kept, "abc") == [1, 2, 4]
        go_on.set()
        gevent.joinall(writing[:1], timeout=20, raise_error=True)
        assert numbers_in(kept, "bc") == [2, 4]
    gevent.joinall(writing, timeout=20, raise_error=True)
    assert numbers_in(kept, "abc") == numbers_in(KeptNumbers(tmp_path), "abc") == [0, 2, 4]
    assert numbers_in(kept, "k", "kids") == [1]


def test_whoever_is_ended_while_it_reads_or_keeps_leaves_it_to_the_next(tmp_path: Path) -> None:
    keep(KeptNumbers(tmp_path), {"a": 1})
    kept = KeptNumbers(tmp_path)
    ended = gevent.spawn(kept.given)
    gevent.sleep(0)
    ended.kill()
    assert numbers_in(kept, "a") == [1]
    many = {f"c{n}": n + 2 for n in range(50_000)}
    ended = gevent.spawn(kept.keep, numbered(many))
    gevent.sleep(0)
    assert not ended.ready()
    ended.kill()
    keep(kept, {"a": 1, **many}, changed=False)
    assert numbers_in(KeptNumbers(tmp_path), ["a", "c49999"]) == [1, 50_001]


def test_a_disk_that_hangs_holds_nobody_up_and_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(KeptNumbers(tmp_path), {"a": 1})
    hangs = Event()
    monkeypatch.setattr("kptv.kept.numbers._READ_WITHIN", 0.05)
    monkeypatch.setattr(database.Database, "read", lambda _: hangs.wait(20))
    kept = KeptNumbers(tmp_path)
    assert len(kept.given()) == 0
    keep(kept, {"a": 5})
    hangs.set()
    monkeypatch.undo()
    assert numbers_in(KeptNumbers(tmp_path), "a") == [1]
    assert "gave no answer" in caplog.text


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE lists SET whole = 'x', layout = x'ff'", ""),
        ("DROP TABLE numbers", "tables of it are gone; it is left as it is"),
    ],
)
def test_a_file_that_somebody_changed_stops_no_import(
    statement: str, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(KeptNumbers(tmp_path), {"a": 1})
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute(statement)
        connection.commit()
    kept = KeptNumbers(tmp_path)
    keep(kept, {"a": 1, "b": 2})
    keep(kept, {"a": 1, "b": 3})
    assert numbers_in(kept, "ab") == [1, 3]
    assert told in caplog.text
    assert caplog.text.count("WARNING") == bool(told)
