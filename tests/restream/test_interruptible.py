"""Breaking into a greenlet: when it may be done, and that those who do it go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from kptv.restream.interruptible import Interruptible

Block = Callable[[Interruptible], AbstractContextManager[None]]


class Leave(Exception):
    """Thrown in."""


class Runner:
    """Waits twice, each time in a block, and tells how that ended."""

    def __init__(self, block: Block = lambda greenlet: greenlet.work()) -> None:
        self.told: list[str] = []
        self.go_on = Event()
        self._block = block
        self.greenlet = Interruptible(self._run)
        self.greenlet.start()
        gevent.idle()

    def _run(self) -> None:
        for number in ("first", "second"):
            try:
                with self._block(self.greenlet):
                    self.go_on.wait()
                self.told.append(f"{number} done")
            except Leave:
                self.told.append(f"{number} left")
            except gevent.GreenletExit:
                self.told.append(f"{number} killed")
                raise


def test_it_leaves_what_it_is_at_and_goes_on_with_the_next() -> None:
    runner = Runner()
    runner.greenlet.leave(Leave())
    assert runner.told == [], "whoever asks goes on first"
    gevent.idle()
    assert runner.told == ["first left"]
    assert runner.greenlet.at_work
    runner.greenlet.kill()


def test_whoever_asks_from_the_event_loop_comes_to_the_end_of_what_it_does() -> None:
    runner, asked = Runner(), []

    def ask() -> None:
        runner.greenlet.leave(Leave())
        asked.append("and went on")

    get_hub().loop.run_callback(ask)
    gevent.idle()
    assert asked == ["and went on"]
    assert runner.told == ["first left"]
    runner.greenlet.kill()


def test_what_was_asked_of_work_that_is_over_does_not_hit_the_next() -> None:
    runner = Runner()
    runner.greenlet.leave(Leave())
    runner.greenlet.leave(Leave())
    gevent.idle()
    assert runner.told == ["first left"]
    runner.greenlet.kill()


def test_a_kill_wins_over_leaving() -> None:
    runner = Runner()
    runner.greenlet.leave(Leave())
    runner.greenlet.kill()
    assert not runner.greenlet.at_work
    gevent.idle()
    assert runner.told == ["first killed"]


def test_while_it_is_sealed_nothing_breaks_in() -> None:
    runner = Runner(lambda greenlet: greenlet.sealed())
    runner.greenlet.leave(Leave())
    runner.greenlet.kill()
    gevent.idle()
    assert runner.told == []
    runner.go_on.set()
    gevent.idle()
    assert runner.told == ["first done", "second done"]


def test_outside_of_work_only_a_kill_breaks_in() -> None:
    runner = Runner(lambda greenlet: nullcontext())
    runner.greenlet.leave(Leave())
    gevent.idle()
    assert runner.told == []
    runner.greenlet.kill()
    gevent.idle()
    assert runner.told == ["first killed"]


def test_one_that_has_ended_takes_a_kill_in_good_part() -> None:
    runner = Runner()
    runner.go_on.set()
    gevent.idle()
    runner.greenlet.kill()
    runner.greenlet.leave(Leave())
    gevent.idle()
    assert runner.told == ["first done", "second done"]
