"""Long work in slices: it also sends the garbage collector, before there is much for it to do."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from itertools import count, pairwise

import gevent
import pytest

from kptv.pace import Pace, one_by_one


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """The generations that were collected since."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_long_work_has_what_is_new_collected_though_it_makes_no_containers(
    collected: list[int],
) -> None:
    pace, deadline = Pace(), time.monotonic() + 10
    while 1 not in collected and time.monotonic() < deadline:
        pace()
    assert 1 in collected


def test_many_that_work_one_by_one_take_no_longer_turns_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = count()
    monkeypatch.setattr("kptv.pace.perf_counter", lambda: float(next(clock)))  # each is due
    monkeypatch.setattr("kptv.pace._TOGETHER", Pace())
    made: list[int] = []
    turns = 0

    def pieces(of: int) -> Iterator[int]:
        for _ in range(20):
            made.append(of)
            yield of

    def watch() -> None:
        nonlocal turns
        while True:
            gevent.sleep(1e-6)
            turns += 1

    watcher = gevent.spawn(watch)
    try:
        with gevent.Timeout(10):
            gevent.joinall([gevent.spawn(list, one_by_one(pieces(n))) for n in range(5)])
    finally:
        watcher.kill()
    assert turns >= len(made) * 0.9 == 90
    assert all(first != second for first, second in pairwise(made))


def test_who_leaves_holds_up_nobody() -> None:
    left = one_by_one(iter([1, 2, 3]))
    assert next(left) == 1
    with gevent.Timeout(10):
        assert list(one_by_one(iter([1, 2, 3]))) == [1, 2, 3]

    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        list(one_by_one(fails()))
    with gevent.Timeout(10):
        assert list(one_by_one(iter([1]))) == [1]
        assert next(left) == 2
