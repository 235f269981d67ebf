"""How much of a stream is spliced at once."""

from __future__ import annotations

from kptv.restream.portions import LARGEST, SMALLEST, Portions


def test_a_usual_stream_is_never_cut() -> None:
    portions = Portions()
    assert not portions.took(0.001)
    assert portions.size == LARGEST
    assert portions.size % 188 == 0


def test_a_stream_that_takes_long_is_cut_until_it_does_not() -> None:
    portions = Portions()
    for _ in range(100):
        # As one of which 256 KB take half a second.
        others_have_a_turn = portions.took(portions.size * 2e-6)
    assert portions.size * 2e-6 < 0.04
    assert portions.size % 188 == 0
    assert others_have_a_turn


def test_it_is_never_cut_to_nothing_and_recovers() -> None:
    portions = Portions()
    for _ in range(100):
        portions.took(10.0)
    assert portions.size == SMALLEST
    for _ in range(100):
        portions.took(0.0)
    assert portions.size == LARGEST
