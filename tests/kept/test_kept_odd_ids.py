"""Odd ids outlive the process; a file that cannot be used costs nothing else."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kptv.channels.xtream.ids import Odd
from kptv.kept import odd_ids
from kptv.kept.database import GROUPS, NAME, Database
from kptv.kept.odd_ids import KeptOddIds


def keep(kept: KeptOddIds, new: Odd) -> None:
    writing = kept.keep(new)
    assert writing is not None
    writing.get(timeout=20)


def test_what_was_given_is_there_after_a_restart(tmp_path: Path) -> None:
    kept = KeptOddIds(tmp_path)
    assert kept.given() == Odd()
    assert kept.keep(Odd()) is None
    assert not (tmp_path / NAME).exists(), "nothing is made before it is needed"
    keep(kept, Odd({"a": 7}, {"uk": 7}))
    keep(kept, Odd({"b": 8}))
    assert kept.given() == KeptOddIds(tmp_path).given() == Odd({"a": 7, "b": 8}, {"uk": 7})


def test_groups_and_channels_do_not_take_each_others_ids(tmp_path: Path) -> None:
    Database(tmp_path).write_odd_ids({"a": 7})
    Database(tmp_path).write_odd_ids({"a": 7}, GROUPS)
    assert Database(tmp_path).read_odd_ids() == Database(tmp_path).read_odd_ids(GROUPS) == {"a": 7}


def test_a_file_from_before_groups_had_ids_gets_their_table(tmp_path: Path) -> None:
    Database(tmp_path).write_odd_ids({"a": 7})
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("DROP TABLE odd_group_ids")
    kept = KeptOddIds(tmp_path)
    assert kept.given() == Odd({"a": 7})
    keep(kept, Odd({}, {"uk": 9}))
    assert KeptOddIds(tmp_path).given() == Odd({"a": 7}, {"uk": 9})


def test_what_could_not_be_read_is_read_by_the_next_look_though_nobody_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(KeptOddIds(tmp_path), Odd({"a": 7}))
    follower = KeptOddIds(tmp_path, leads=lambda: False)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read_odd_ids", read_only)
        assert follower.given() == Odd()
        assert follower.keep(Odd({"a": 1})) is None
        assert not follower.look()
    assert follower.look()
    assert follower.given() == Odd({"a": 7})


def read_only(*_: object) -> dict[str, int]:
    raise sqlite3.OperationalError("attempt to write a readonly database")


def test_a_file_that_cannot_be_used_is_told_of_once_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.WARNING):
        kept = KeptOddIds(tmp_path)
        assert kept.given() == Odd()
        keep(kept, Odd({"a": 7}))
        keep(kept, Odd({"b": 8}))
    assert kept.given() == Odd({"a": 7, "b": 8})
    assert len(caplog.records) == 1
    assert "memory only" in caplog.text
    assert (tmp_path / NAME).read_bytes() == b"no database" * 1000


def test_of_too_many_the_newest_are_kept_in_memory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odd_ids, "MOST_ODD", 2)
    kept = KeptOddIds(tmp_path)
    keep(kept, Odd({"a": 1, "b": 2}))
    keep(kept, Odd({"c": 3}))
    assert kept.given() == Odd({"b": 2, "c": 3})
