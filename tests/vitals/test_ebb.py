"""When memory goes back to the system."""

from __future__ import annotations

import itertools

from kptv.vitals.ebb import CALM, CROWD, Ebb, trimmer


def told(*connections: int) -> list[int]:
    """The seconds at which it was over; one number of connections per second."""
    ebb = Ebb()
    return [second for second, now in enumerate(connections) if ebb.over(now, 100.0 + second)]


def test_it_is_over_once_some_time_after_a_crowd_has_left() -> None:
    left = 2
    assert told(10, 10 + CROWD, *[10] * 30) == [left + CALM]


def test_few_who_leave_are_no_crowd() -> None:
    assert told(10 + CROWD - 1, *[10] * 30) == []


def test_a_crowd_that_leaves_one_by_one_is_a_crowd() -> None:
    hundredth = CROWD // 2
    assert told(*range(2 * CROWD, 0, -2), *[0] * 30) == [hundredth + CALM]


def test_a_crowd_that_comes_back_keeps_the_memory() -> None:
    assert told(800, 0, 0, 400, *[780] * 30) == []


def test_each_crowd_counts_anew() -> None:
    storm = [800, *[0] * 20]
    first, second = told(*storm, *storm)
    assert second - first == len(storm)


def test_the_c_library_gives_back_what_is_free() -> None:
    trim = trimmer()
    if trim is not None:
        assert trim() in (0, 1)


def test_who_comes_and_goes_all_the_time_changes_nothing() -> None:
    assert told(*itertools.chain.from_iterable([(500, 450)] * 30)) == []
