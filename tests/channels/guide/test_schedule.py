"""A schedule is in order, without overlaps, and each of its shows has an end."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.guide.schedule import (
    GAP,
    Tidy,
    filled,
    filler,
    shift_of,
    shifted,
    tidied,
    with_filler,
    within,
)
from kptv.formats.xmltv.reading import Show

HOUR = 3600


def show(start: float, stop: float | None, title: str = "", desc: str = "") -> Show:
    """Times in hours."""
    xml = f"<title>x</title><desc>{desc}</desc>".encode()
    return Show("c", int(start * HOUR), None if stop is None else int(stop * HOUR), title, xml)


def hours(shows: list[Show]) -> list[tuple[float, float]]:
    assert all(s.stop is not None for s in shows)
    return [(s.start / HOUR, (s.stop or 0) / HOUR) for s in shows]


def titles(shows: list[Show]) -> str:
    return "".join(s.title for s in shows)


def tidy(*shows: Show) -> tuple[list[Show], Counter[Tidy]]:
    tally: Counter[Tidy] = Counter()
    return tidied(shows, tally), tally


@pytest.mark.parametrize(
    ("given_", "expected", "tally"),
    [
        ([(2, 3), (1, 2)], [(1, 2), (2, 3)], {}),
        ([(1, 2.5), (2, 3)], [(1, 2), (2, 3)], {Tidy.OVERLAP: 1}),
        ([(1, 2 + 60 / 3600), (2, 3)], [(1, 2), (2, 3)], {}),  # rounded seconds
        ([(1, 2 + 61 / 3600), (2, 3)], [(1, 2), (2, 3)], {Tidy.OVERLAP: 1}),
        ([(1, 1), (2, 1), (3, 4)], [(3, 4)], {Tidy.NO_LENGTH: 2}),
        ([(1, None), (3, 4)], [(1, 3), (3, 4)], {Tidy.NO_STOP: 1}),
        ([(1, None), (9, 10)], [(1, 7), (9, 10)], {Tidy.NO_STOP: 1}),
        ([(1, None)], [(1, 2)], {Tidy.NO_STOP: 1}),
        ([(1, 30)], [(1, 25)], {Tidy.TOO_LONG: 1}),
        ([(1, 40), (2, 3)], [(1, 2), (2, 3)], {Tidy.OVERLAP: 1}),
        ([(1, 2), (1, 2)], [(1, 2)], {Tidy.SAME_START: 1}),
        ([(1, None), (1, 2)], [(1, 2)], {Tidy.SAME_START: 1}),
        ([], [], {}),
    ],
)
def test_a_schedule_is_tidied(
    given_: list[tuple[float, float | None]],
    expected: list[tuple[float, float]],
    tally: dict[Tidy, int],
) -> None:
    shows, counted = tidy(*(show(*times) for times in given_))
    assert hours(shows) == expected
    assert +counted == Counter(tally)


def test_of_those_with_one_start_the_one_that_tells_most_stays() -> None:
    shows, _ = tidy(show(1, 2, "a"), show(1, 3, "b", desc="long"), show(1, 2, "c", desc="x"))
    assert titles(shows) == "b"


TIMES = st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 60)))


@given(st.lists(TIMES, max_size=15))
def test_no_two_overlap_and_all_have_a_length(told: list[tuple[int, int | None]]) -> None:
    shows, _ = tidy(*(show(*times) for times in told))
    assert all(s.stop is not None and 0 < s.stop - s.start <= 24 * HOUR for s in shows)
    assert all((a.stop or 0) <= b.start for a, b in pairwise(shows))
    assert tidied(shows, again := Counter()) == shows
    assert not again


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("+3", 10800), ("-1.5", -5400), (" 0,25 ", 900), ("2", 7200), ("", 0), ("x", 0), ("+99", 0)],
)
def test_a_shift_is_in_hours(text: str, seconds: int) -> None:
    assert shift_of(text) == seconds


def test_shows_are_shifted_also_those_without_a_stop() -> None:
    assert shifted([show(1, 2), show(3, None)], 60) == [
        show(1, 2)._replace(start=HOUR + 60, stop=2 * HOUR + 60),
        show(3, None)._replace(start=3 * HOUR + 60),
    ]


def test_another_guide_fills_before_behind_and_in_gaps_only() -> None:
    first = [show(10, 11, "a"), show(12, 13, "b"), show(13.2, 14, "c")]
    other = [show(n + 0.5, n + 1.5, "x") for n in range(8, 15)]
    shows = filled(first, other)
    assert hours(shows) == [
        *((8.5, 9.5), (9.5, 10)),
        (10, 11),
        *((11, 11.5), (11.5, 12)),
        (12, 13),
        (13.2, 14),  # 12 minutes are no gap
        *((14, 14.5), (14.5, 15.5)),
    ]
    assert [s.title for s in shows if s in first] == ["a", "b", "c"]


def test_the_first_that_tells_anything_is_the_first() -> None:
    other, third = [show(1, 2, "x")], [show(1, 2, "y"), show(5, 6, "z")]
    assert titles(filled([], other, third)) == "xz"
    assert filled([], [], []) == []
    assert filled(other, []) == other


@given(st.lists(TIMES, max_size=9), st.lists(TIMES, max_size=9))
def test_what_is_filled_is_tidy_and_the_first_untouched(
    one: list[tuple[int, int | None]], two: list[tuple[int, int | None]]
) -> None:
    first, _ = tidy(*(show(a, b, "a") for a, b in one))
    other, _ = tidy(*(show(a, b, "b") for a, b in two))
    shows = filled(first, other)
    assert [s for s in shows if s.title == "a"] == first
    assert all((a.stop or 0) <= b.start for a, b in pairwise(shows))
    assert all(s.start < (s.stop or 0) for s in shows)


def test_a_window_has_what_touches_it() -> None:
    shows = [show(n, n + 1) for n in range(6)]
    assert within(shows, 2 * HOUR + 1, 4 * HOUR) == shows[2:4]


def test_filler_stands_in_gaps_in_blocks_that_stay_where_they_are() -> None:
    shows = [show(5, 6, "a"), show(6.2, 7, "b")]
    made = with_filler(shows, filler("c", "Channel"), 1 * HOUR, 10 * HOUR)
    assert hours(made) == [(1, 3), (3, 5), (5, 6), (6.2, 7), (7, 9), (9, 10)]
    assert [s.title for s in made if s.title not in "ab"] == ["Channel"] * 4
    assert made[0].xml == b"<title>Channel</title>"
    later = with_filler(shows, filler("c", "Channel"), 2 * HOUR, 10 * HOUR)
    assert hours(later)[1:] == hours(made)[1:]


@given(st.lists(TIMES, max_size=9))
def test_with_filler_no_gap_is_left(told: list[tuple[int, int | None]]) -> None:
    shows, _ = tidy(*(show(*times) for times in told))
    made = with_filler(shows, filler("c", "C"), 5 * HOUR, 50 * HOUR)
    assert all((a.stop or 0) <= b.start for a, b in pairwise(made))
    inside = within(made, 5 * HOUR, 50 * HOUR)
    assert inside[0].start <= 5 * HOUR
    assert (inside[-1].stop or 0) >= 50 * HOUR
    assert all(b.start - (a.stop or 0) < GAP for a, b in pairwise(inside))
