"""Those who hold a channel, and those who wait for more of it."""

from __future__ import annotations

import gevent
import pytest

from kptv.metrics.counters import ChannelCounters
from kptv.restream.audience import Audience
from kptv.restream.lease import Lease, LeaseKind


@pytest.fixture
def audience() -> Audience:
    return Audience("news", ChannelCounters("News"))


def test_viewers_are_counted_and_a_recorder_is_none(audience: Audience) -> None:
    counters = ChannelCounters("News")
    audience = Audience("news", counters)
    body, window, recorder = (Lease(kind) for kind in LeaseKind)
    for lease in (body, window, recorder):
        audience.join(lease)
    assert (audience.viewers, counters.viewers, len(audience.leases)) == (2, 2, 3)
    assert not audience.leave(body, 1.0)
    assert not audience.leave(body, 2.0), "twice"
    assert not audience.leave(window, 3.0)
    assert (audience.viewers, counters.viewers) == (0, 0)
    assert audience.leave(recorder, 4.0), "the last one"
    assert audience.idle_since == 4.0


def test_all_who_wait_are_woken_in_the_order_of_their_coming(audience: Audience) -> None:
    woken: list[int] = []

    def wait(number: int) -> None:
        audience.wait(Lease())
        woken.append(number)

    waiting = [gevent.spawn(wait, number) for number in range(5)]
    gevent.idle()
    audience.wake()
    assert woken == [], "whoever wakes them goes on first"
    assert len(gevent.joinall(waiting, timeout=5.0)) == 5
    assert woken == [0, 1, 2, 3, 4]


def test_one_that_is_served_sleeps_on_until_it_cannot_be(audience: Audience) -> None:
    lease, answers = Lease(), [True, True, False]
    waiting = gevent.spawn(audience.wait, lease, lambda: answers.pop(0))
    gevent.idle()
    for left in (2, 1):
        audience.wake()
        gevent.idle()
        assert len(answers) == left
        assert lease.waiting
    audience.wake()
    waiting.get(timeout=5.0)
    assert not lease.waiting
    audience.wake()
    gevent.idle()
    assert answers == []


def test_one_that_cannot_be_served_by_a_fault_of_ours_is_let_go_and_costs_the_others_nothing(
    audience: Audience, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bool:
        raise KeyError("a bug")

    lost, other = Lease(), Lease()
    waiting = [gevent.spawn(audience.wait, lost, fail), gevent.spawn(audience.wait, other)]
    gevent.idle()
    audience.wake()
    assert len(gevent.joinall(waiting, timeout=5.0)) == 2
    assert (lost.dropped, other.dropped) == (True, False)
    assert "news: a viewer was lost" in caplog.text


def test_one_that_was_killed_while_it_waited_is_not_served(audience: Audience) -> None:
    served: list[int] = []
    lease = Lease()
    waiting = gevent.spawn(audience.wait, lease, lambda: bool(served.append(1)))
    gevent.idle()
    waiting.kill()
    audience.wake()
    gevent.idle()
    assert served == []
    assert not lease.waiting


def test_a_lease_that_is_dropped_ends_what_its_holder_does_unless_that_waits(
    audience: Audience,
) -> None:
    ended: list[str] = []
    lease = Lease(on_drop=lambda: ended.append("a send"))
    waiting = gevent.spawn(audience.wait, lease)
    gevent.idle()
    lease.drop()
    assert lease.dropped
    assert ended == []
    audience.wake()
    waiting.get(timeout=5.0)
    lease.drop()
    assert ended == ["a send"]
