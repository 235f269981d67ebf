"""A busy loop is told from a quiet one, and what is done about it does not swing to and fro."""

from __future__ import annotations

from kptv.vitals.load import BUSY, OVER, QUIET, Load

STEP = 0.5


class Loop:
    """An event loop whose load is told to somebody."""

    def __init__(self) -> None:
        self.now, self.spent = 100.0, 7.0
        self.load = Load(self.now, self.spent)
        self.changes = 0  # how often it became busy or quiet

    def run(self, seconds: float, share: float, *, busy_share: float | None = None) -> None:
        """Takes ``share`` of a core; while it is busy ``busy_share``, if that is another."""
        for _ in range(int(seconds / STEP)):
            busy = self.load.busy
            taken = busy_share if busy and busy_share is not None else share
            self.now, self.spent = self.now + STEP, self.spent + taken * STEP
            self.load.sample(self.now, self.spent)
            self.changes += self.load.busy is not busy


def test_a_loop_is_quiet_until_it_has_been_busy_for_a_while() -> None:
    loop = Loop()
    loop.run(OVER - STEP, 1.0)
    assert not loop.load.busy
    loop.run(OVER, 1.0)
    assert loop.load.busy
    assert loop.load.share == 1.0


def test_a_burst_is_no_load() -> None:
    loop = Loop()
    loop.run(10.0, BUSY / 2)
    loop.run(STEP, 1.0)
    loop.run(10.0, BUSY / 2)
    assert loop.changes == 0


def test_it_stays_busy_until_it_is_quiet_and_quiet_until_it_is_busy() -> None:
    loop, between = Loop(), (BUSY + QUIET) / 2
    loop.run(20.0, between)
    assert not loop.load.busy
    loop.run(20.0, 0.9)
    loop.run(20.0, between)
    assert loop.load.busy
    loop.run(20.0, QUIET / 2)
    assert not loop.load.busy


def test_a_load_that_is_nearly_halved_while_it_is_busy_does_not_swing() -> None:
    for percent in range(5, 100):
        loop = Loop()
        loop.run(300.0, percent / 100, busy_share=percent / 100 * 0.51)
        assert loop.changes == (percent / 100 >= BUSY)


def test_a_sample_that_comes_late_counts_for_its_time() -> None:
    load = Load(100.0, 0.0)
    load.sample(160.0, 54.0)  # the loop stood still for a minute
    assert load.share == 0.9
    assert load.busy
