"""When the next standby may be opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kptv.restream.pauses import Pauses


def pause_after(pauses: Pauses, now: float) -> float:
    """Seconds from ``now`` until one may be opened."""
    return next(float(wait) for wait in range(1000) if pauses.over(now + wait))


@pytest.mark.parametrize(
    ("happens", "pauses"),
    [
        (lambda p, now: p.failed(now, now - 1.0), [5, 10, 20, 40, 60, 60]),
        (lambda p, now: p.failed(now, now - 10.0), [0, 0, 0]),
        (lambda p, now: p.lost(now), [5, 5, 5]),
        (lambda p, now: p.died(now), [0, 5, 10, 20, 40, 60, 60]),
    ],
    ids=["it failed", "it stood for a while", "its slot was lost", "it killed what played"],
)
def test_how_long_it_waits(happens: Callable[[Pauses, float], None], pauses: list[float]) -> None:
    row, now, seen = Pauses(), 0.0, []
    for _ in pauses:
        happens(row, now)
        seen.append(pause_after(row, now))
        now += 100.0
    assert seen == pauses


def test_a_stream_that_goes_on_beside_one_ends_the_row() -> None:
    row = Pauses()
    for now in (0.0, 1.0, 2.0):
        row.died(now)
    row.outlived()
    row.died(100.0)
    assert row.over(100.0)


def test_a_death_ends_no_pause_that_goes_on() -> None:
    row = Pauses()
    row.failed(0.0, 0.0)
    row.died(1.0)
    assert not row.over(4.9)
    assert row.over(5.0)
