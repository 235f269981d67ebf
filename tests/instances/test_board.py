"""What instances show of themselves, on a real server."""

from __future__ import annotations

from itertools import count
from time import sleep

import gevent
import pytest

from kptv.instances.board import Board
from kptv.instances.link import LinkError, RedisBoard
from tests.instances.valkey import Valkey

pytestmark = pytest.mark.requires("redis-server")

CALL = 5.0  # seconds


def test_each_sees_what_all_show_and_a_silent_one_is_taken_down(valkey: Valkey) -> None:
    one, two = RedisBoard(valkey.url, CALL), RedisBoard(valkey.url, CALL)
    one.put_up("one", "a|b é", 60)
    found = sorted(two.put_up("two", "c", 60))
    assert [(place, text) for place, _, text in found] == [("one", "a|b é"), ("two", "c")]
    assert 0 <= found[0][1] < CALL
    sleep(0.03)
    assert [place for place, _, _ in two.put_up("two", "d", 0.02)] == ["two"]
    one.close()
    two.close()


def test_all_that_is_put_up_expires(valkey: Valkey) -> None:
    link = RedisBoard(valkey.url, CALL)
    link.put_up("one", "a", 0.02)
    sleep(0.04)
    assert [place for place, _, _ in link.put_up("two", "b", 60)] == ["two"]
    link.close()


class _Flaky:
    """Fails at first, then shows all that was put up."""

    def __init__(self) -> None:
        self.turns = count()
        self.closed = 0

    def put_up(self, place: str, text: str, keep: float) -> list[tuple[str, float, str]]:
        if next(self.turns) == 0:
            raise LinkError("cannot be reached")
        return [(place, 1.0, text), ("other", 61.0, "old")]

    def close(self) -> None:
        self.closed += 1


def test_a_failure_is_tried_again_and_what_is_old_is_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kptv.instances.board.INTERVAL", 0.001)
    link = _Flaky()
    board = Board("one", lambda: link)
    board.start(lambda: "text")
    with gevent.Timeout(10):
        while not board.seen():
            gevent.sleep(0.001)
    assert [(shown.place, shown.text) for shown in board.seen()] == [("one", "text")]
    assert link.closed == 1
    assert board.alive
    board.close()
    assert not board.alive
