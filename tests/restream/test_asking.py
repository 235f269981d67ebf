"""Requests that wait for a window to change, and for how long nothing was asked for."""

from __future__ import annotations

import gevent
import pytest

from kptv.restream import asking as module
from kptv.restream.asking import Asking
from tests.restream.clocks import Clock
from tests.restream.test_hub import LIMIT


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def stays() -> bool:
    return False


def test_whoever_waits_looks_again_with_each_change(clock: Clock) -> None:
    asking, there = Asking(), [False]
    waiting = gevent.spawn(asking.wait, lambda: there[0], LIMIT, stays)
    gevent.idle()
    assert asking.is_waited_for
    asking.tell()
    gevent.idle()
    assert not waiting.ready()
    there[0] = True
    asking.tell()
    waiting.get(timeout=LIMIT)
    assert not asking.is_waited_for


def test_nobody_waits_longer_than_told(clock: Clock) -> None:
    asking = Asking()
    waiting = gevent.spawn(asking.wait, stays, 5.0, stays)
    gevent.idle()
    clock.now += 5.1
    asking.tell()
    waiting.get(timeout=LIMIT)


def test_a_wait_counts_as_asking_until_its_end_if_nobody_left(clock: Clock) -> None:
    asking, left = Asking(), [False]
    for leaves, quiet in ((False, 0.0), (True, 3.0)):
        waiting = gevent.spawn(asking.wait, stays, 2.0, lambda: left[0])
        gevent.idle()
        clock.now += 3
        left[0] = leaves
        assert asking.is_waited_for != leaves
        asking.tell()
        waiting.get(timeout=LIMIT)
        assert asking.quiet == quiet


def test_one_who_is_ended_while_waiting_waits_no_more(clock: Clock) -> None:
    asking = Asking()
    waiting = gevent.spawn(asking.wait, stays, 5.0, stays)
    gevent.idle()
    waiting.kill()
    assert not asking.is_waited_for
