"""Ids that are no digests, in the file that keeps numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kptv.kept import database
from kptv.kept.database import NAME, Database
from kptv.kept.numbers import KeptNumbers
from tests.kept.test_kept_numbers import keep, numbers_in


def test_odd_ids_are_there_after_a_restart_beside_the_numbers(tmp_path: Path) -> None:
    assert Database(tmp_path).read_odd_ids() == {}
    assert not (tmp_path / NAME).exists()
    keep(KeptNumbers(tmp_path), {"bbc": 5})
    assert Database(tmp_path).read_odd_ids() == {}
    Database(tmp_path).write_odd_ids({"bbc": 7})
    Database(tmp_path).write_odd_ids({"zdf": 8})
    assert Database(tmp_path).read_odd_ids() == {"bbc": 7, "zdf": 8}
    assert numbers_in(KeptNumbers(tmp_path), ["bbc"]) == [5]


def test_a_file_of_ids_alone_has_room_for_numbers(tmp_path: Path) -> None:
    Database(tmp_path).write_odd_ids({"bbc": 7})
    keep(KeptNumbers(tmp_path), {"bbc": 5})
    assert numbers_in(KeptNumbers(tmp_path), ["bbc"]) == [5]
    assert Database(tmp_path).read_odd_ids() == {"bbc": 7}


def test_of_too_many_the_oldest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_ODD", 2)
    for number, slug in enumerate("abc", 1):
        Database(tmp_path).write_odd_ids({slug: number})
    assert Database(tmp_path).read_odd_ids() == {"b": 2, "c": 3}


def test_what_is_no_id_is_not_read(tmp_path: Path) -> None:
    Database(tmp_path).write_odd_ids({"bbc": 7})
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("INSERT INTO odd_ids VALUES ('zero', 0), ('large', 1 << 31)")
        connection.execute("INSERT INTO odd_ids VALUES ('text', 'x')")
    assert Database(tmp_path).read_odd_ids() == {"bbc": 7}
