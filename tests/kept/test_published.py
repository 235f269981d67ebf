"""What is published is told when all that belongs to it is written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kptv.channels.xtream.ids import Odd
from kptv.kept.odd_ids import KeptOddIds
from kptv.kept.published import NAME, Published
from kptv.kept.shared import Kept

LIMIT = 10.0  # seconds that any wait may take


def test_all_who_share_the_folder_know_what_is_published(tmp_path: Path) -> None:
    one, two = Published(tmp_path), Published(tmp_path)
    assert two.has("a"), "nobody tells of anything there"
    one.tell({"a", "b"})
    assert [two.has(each) for each in "abc"] == [True, True, False]
    before = (tmp_path / NAME).stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    one.tell(["b", "a"])
    assert (tmp_path / NAME).stat() == before, "it is written again"
    one.tell([])
    assert not two.has("a")
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("text", [b"", b"[", b"7", b"\xff", b"null"], ids=range(5))
def test_what_cannot_be_read_holds_nobody_up(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    assert Published(tmp_path).has("a")


def test_what_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).mkdir()
    published = Published(tmp_path)
    published.tell(["a"])
    published.tell(["b"])
    assert len(caplog.messages) == 1
    assert os.listdir(tmp_path) == [NAME]


def test_it_is_told_behind_what_is_given_and_written(tmp_path: Path) -> None:
    kept, let = Kept(tmp_path, is_shared=True), Event()

    def give() -> None:
        let.wait()
        kept.odd_ids.keep(Odd({"news": 7}, {}))

    tell, known = kept.published.tell, []

    def told(digests: object) -> None:
        known.append(KeptOddIds(tmp_path).given().channels)
        tell(digests)  # type: ignore[arg-type]

    kept.published.tell = told  # type: ignore[method-assign]
    kept.odd_ids.given()
    kept.publish(give, ["a"])
    kept.publish(give, ["b"])  # instead of the first
    gevent.sleep(0.01)
    assert known == []
    let.set()
    with gevent.Timeout(LIMIT):
        while not (tmp_path / NAME).exists():
            gevent.sleep(0.001)
    assert known == [{"news": 7}]
    assert [kept.published.has(each) for each in "ab"] == [False, True]
