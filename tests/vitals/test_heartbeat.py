"""Signs of life of the greenlets that must never stop."""

from __future__ import annotations

from kptv.vitals.heartbeat import LONGEST, Heartbeat


def test_a_loop_that_has_just_begun_is_alive() -> None:
    assert Heartbeat(100.0).alive(100.0 + LONGEST)


def test_a_loop_that_stands_still_is_dead_until_it_goes_on() -> None:
    heartbeat = Heartbeat(100.0, longest=5.0)
    heartbeat.beat(103.0)
    assert heartbeat.alive(108.0)
    assert not heartbeat.alive(108.1)
    heartbeat.beat(120.0)
    assert heartbeat.alive(120.0)
