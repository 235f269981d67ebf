"""The ids of the devices that applications see: the same after a restart, if the disk allows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import gevent
import pytest

from kptv.formats.hdhomerun import is_valid_device_id
from kptv.kept import device
from kptv.kept.device import NAME, DeviceIds, KeptSeed


def kept_seed(folder: Path) -> bytes:
    return KeptSeed(folder).get()


def kept_device_ids(folder: Path) -> DeviceIds:
    return DeviceIds(KeptSeed(folder).get)


def test_each_device_keeps_its_id_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    names = ["", "kids", "Kids", "ünï", "user:anna"]
    first, second = kept_device_ids(folder), kept_device_ids(folder)
    ids = [first.of(name) for name in names]
    assert [second.of(name) for name in names] == ids
    assert len(set(ids)) == len(names)
    assert all(is_valid_device_id(each) for each in ids)


def test_two_proxies_are_two_devices(tmp_path: Path) -> None:
    one, other = (kept_device_ids(tmp_path / name).of() for name in "ab")
    assert one != other


def test_the_file_is_its_owners_alone_and_nothing_is_left_beside_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seed = kept_seed(tmp_path)
    assert os.listdir(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_text() == f"{seed.hex()}\n"
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert kept_seed(tmp_path) == seed
    assert caplog.text == ""


@pytest.mark.parametrize(
    "text", ["", "xyz", "00" * 15, "00" * 17, "AA" * 16, "0" * 5000], ids=range(6)
)
def test_what_is_no_value_is_told_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / NAME).write_text(text)
    seed = kept_seed(tmp_path)
    assert "it holds something else, and is replaced." in caplog.text
    caplog.clear()
    assert kept_seed(tmp_path) == seed
    assert caplog.text == ""


def test_a_pipe_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / NAME)
    with gevent.Timeout(5.0):
        seed = kept_seed(tmp_path)
    assert kept_seed(tmp_path) == seed
    assert "is replaced" in caplog.text


def test_what_cannot_be_read_or_written_is_told_and_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).mkdir()
    ids = kept_device_ids(tmp_path)
    assert ids.of() == ids.of()
    assert "it cannot be read (Is a directory); it cannot be written" in caplog.text
    assert len(caplog.messages) == 1
    assert os.listdir(tmp_path) == [NAME]


def test_a_disk_that_gives_no_answer_is_waited_for_a_while_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, answer = os.pipe()
    monkeypatch.setattr(device, "_WITHIN", 0.01)
    monkeypatch.setattr(device, "_read", lambda path: os.read(hanging, 1))
    with gevent.Timeout(5.0):
        assert len(kept_seed(tmp_path)) == 16
    os.write(answer, b"x")
    assert "the disk gave no answer" in caplog.text
    os.close(answer)


def test_of_two_that_begin_at_once_both_have_what_the_first_one_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, others = device._read, b"ab" * 16

    def read(path: Path) -> bytes:
        """It is not there; when that is known, another process writes it."""
        try:
            return reading(path)
        finally:
            path.write_bytes(others)

    monkeypatch.setattr(device, "_read", read)
    assert kept_seed(tmp_path).hex().encode() == others
    assert os.listdir(tmp_path) == [NAME]


def test_the_seed_is_asked_for_once_and_only_when_an_id_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, reading = [], device._read

    def read(path: Path) -> bytes:
        asked.append(path)
        return reading(path)

    monkeypatch.setattr(device, "_read", read)
    ids = kept_device_ids(tmp_path)
    assert asked == []
    found = [gevent.spawn(ids.of) for _ in range(5)]
    gevent.joinall(found, timeout=5.0)
    assert len({each.value for each in found}) == 1
    assert len(asked) == 1


def test_who_may_not_write_waits_for_what_another_keeps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    follower = KeptSeed(tmp_path / "data", may_write=lambda: False)
    own = follower.get()
    assert follower.get() == own
    assert not (tmp_path / "data").exists()
    leader = KeptSeed(tmp_path / "data")
    assert leader.get() == follower.get() != own
    (tmp_path / "data" / NAME).unlink()
    assert leader.get() == follower.get(), "it has changed while it runs"
    assert caplog.text == ""


def test_a_key_is_that_of_all_who_have_the_folder_and_the_word(tmp_path: Path) -> None:
    one, two = KeptSeed(tmp_path), KeptSeed(tmp_path)
    assert one.key_for("tags", "word") == two.key_for("tags", "word")
    keys = {one.key_for(*each) for each in [("tags", "word"), ("tags", ""), ("other", "word")]}
    assert len(keys | {one.get()}) == 4
