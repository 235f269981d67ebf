"""What the benchmark of failovers works out: what a viewer gets, and what an ideal player shows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.outages import PICTURE, SECONDS, Picture, Scene, arrivals, pictures, shown

OUTAGE = 2.0  # seconds


def came(reserve: float, jump: float) -> list[Picture]:
    """Pictures of a programme that stops in its tenth second, for a player that has a reserve."""
    out = [Picture(max(0.0, n * PICTURE - reserve), n * PICTURE) for n in range(250)]
    begins = 10.0 - reserve + OUTAGE
    return [
        *out,
        *(Picture(begins + n * PICTURE, 10.0 + jump + n * PICTURE) for n in range(1000)),
    ]


@pytest.mark.parametrize("clock_stops", [False, True])
@pytest.mark.parametrize(
    ("reserve", "jump", "frozen"),
    [
        (3.0, 0.0, 0.0),
        (3.0, OUTAGE, OUTAGE),
        (0.5, 0.0, OUTAGE - 0.5),
    ],
)
def test_a_player_stands_still_for_what_its_reserve_does_not_cover_and_for_jumps(
    reserve: float, jump: float, frozen: float, clock_stops: bool
) -> None:
    seen = shown(came(reserve, jump), clock_stops=clock_stops)
    assert seen.frozen == pytest.approx(frozen, abs=2 * PICTURE)
    assert seen.underruns == (reserve < OUTAGE)


@pytest.mark.parametrize(("clock_stops", "frozen"), [(False, OUTAGE), (True, 2 * OUTAGE - 0.5)])
def test_a_clock_that_stops_adds_the_jump_to_the_wait(clock_stops: bool, frozen: float) -> None:
    seen = shown(came(0.5, OUTAGE), clock_stops=clock_stops)
    assert seen.frozen == pytest.approx(frozen, abs=2 * PICTURE)


def test_what_does_not_end_counts_to_the_end() -> None:
    seen = shown([Picture(0.0, 0.0), Picture(99.0, PICTURE)], clock_stops=True)
    assert seen.frozen == pytest.approx(SECONDS - PICTURE)


@pytest.mark.parametrize("burst", [0.0, 1.0])
def test_no_way_freezes_less_than_going_on(burst: float) -> None:
    """Whether clocks stop or run on, with providers that burst and with such that do not."""
    for clock_stops in (False, True):
        ours, beyond, everything = (
            shown(list(pictures(arrivals(Scene(skip, burst)))), clock_stops=clock_stops).frozen
            for skip in (None, 2.0, 0.0)
        )
        assert ours <= beyond + PICTURE
        assert ours <= everything - 1.0


@pytest.mark.parametrize("burst", [0.0, 1.0])
def test_nor_for_the_first_viewer_who_has_nothing_in_reserve(burst: float) -> None:
    for clock_stops in (False, True):
        ours, everything = (
            shown(
                list(pictures(arrivals(Scene(skip, burst, before=0.0)))), clock_stops=clock_stops
            ).frozen
            for skip in (None, 0.0)
        )
        assert ours <= everything + 2 * PICTURE


def test_the_viewer_gets_one_programme_from_a_keyframe_on() -> None:
    seen = list(pictures(arrivals(Scene(None))))
    assert seen[0].at == 0.0
    assert all(0 < after.dts - before.dts < 4 * PICTURE for before, after in pairwise(seen))
