"""Turns for many who have much to send at once."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from kptv.restream import turnstile
from kptv.restream.turnstile import Turnstile


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A slice is over after three looks at this clock."""
    ticks = [0.0]

    def look() -> float:
        ticks[0] += turnstile.SLICE / 3
        return ticks[0]

    monkeypatch.setattr(turnstile, "perf_counter", look)
    return ticks


def test_all_have_a_first_turn_before_anyone_has_a_second(clock: list[float]) -> None:
    turns, seen = Turnstile(), []

    def send(name: int) -> None:
        for part in range(3):
            turns.wait()
            seen.append((part, name))

    gevent.joinall([gevent.spawn(send, name) for name in range(5)], raise_error=True, timeout=10)
    assert seen == [(part, name) for part in range(3) for name in range(5)]


def test_others_run_between_two_slices(clock: list[float]) -> None:
    turns, seen = Turnstile(), []
    for number in range(6):
        turns.add(lambda number=number: seen.append(number))  # type: ignore[misc]
    counts = []
    while len(seen) < 6:
        gevent.sleep(1e-6)
        counts.append(len(seen))
    assert [count for count in dict.fromkeys(counts) if count] == [2, 4, 6]


def test_what_is_added_during_a_turn_comes_behind_the_others() -> None:
    turns, seen, over = Turnstile(), [], Event()

    def first() -> None:
        seen.append("first")
        turns.add(lambda: (seen.append("third"), over.set()))

    turns.add(first)
    turns.add(lambda: seen.append("second"))
    assert over.wait(10)
    assert seen == ["first", "second", "third"]


def test_one_that_was_killed_while_it_waited_is_not_woken_and_the_next_one_is() -> None:
    turns, seen, gone = Turnstile(), [], Event()

    def killed() -> None:
        try:
            turns.wait()
        finally:
            gone.wait(10)  # a stray switch would end this

    def other() -> None:
        turns.wait()
        seen.append(gone.is_set())

    first, second = gevent.spawn(killed), gevent.spawn(other)
    gevent.sleep(0)
    first.kill(block=False)
    second.join(10)
    assert seen == [False]
    assert not first.ready()
    gone.set()
    first.join(10)
    assert first.ready()
