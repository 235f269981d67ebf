"""What a tape says is lost, and what only came late."""

from __future__ import annotations

import pytest

from tests.formats.ts_maker import Maker
from tests.functional.tapes import PACKET, RATE, TICKS, Tape

PICTURES = 50  # before the gap, and behind it


def _tape(*, skipped: int, silent: int, late: int = 0) -> Tape:
    """Of two upstreams: the time between them, and the lateness of the last picture, in pictures.

    ``skipped`` is what the clock moved on by.
    """
    one = Maker(audio=None, size=150)
    two = Maker(audio=None, size=150, time=900_000 + (PICTURES + skipped) * TICKS // RATE)
    two.counters = one.counters
    data, arrivals = b"", []
    for number in range(2 * PICTURES):
        picture = (one if number < PICTURES else two).picture()
        at = number + (silent if number >= PICTURES else 0)
        at += late if number == PICTURES - 1 else 0
        data += picture
        arrivals.append((at / RATE, len(picture)))
    assert len(data) % PACKET == 0
    return Tape.of(data, tuple(arrivals))


@pytest.mark.parametrize("late", [0, 1, 24])
@pytest.mark.parametrize(("skipped", "silent"), [(25, 25), (30, 25), (25, 30), (3, 0)])
def test_a_picture_that_comes_late_is_not_taken_for_one_that_was_lost(
    skipped: int, silent: int, late: int
) -> None:
    """An upstream's last picture may lie in the proxy until the upstream is given up."""
    ((media, passed),) = _tape(skipped=skipped, silent=max(silent, late), late=late).lost()
    assert round(media * RATE) == skipped + 1
    assert round((media - passed) * RATE) == skipped - max(silent, late)


def test_a_tape_without_a_gap_has_lost_nothing() -> None:
    assert _tape(skipped=0, silent=0).lost() == []
