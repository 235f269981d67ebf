"""Those who hold a channel, and those who wait for more of it."""

from __future__ import annotations

import gevent
import pytest

from kptv.metrics.counters import ChannelCounters
from kptv.restream.audience import Audience
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.lease import Lease, LeaseKind


def audience_of(counters: ChannelCounters) -> Audience:
    return Audience("news", counters, ChunkBuffer(1 << 20, Budget(1 << 20)))


@pytest.fixture
def audience() -> Audience:
    return audience_of(ChannelCounters("News"))


def test_viewers_are_counted_and_neither_a_window_nor_a_recorder_is_one() -> None:
    counters = ChannelCounters("News")
    audience = audience_of(counters)
    body, window, follower, recorder = (Lease(kind) for kind in LeaseKind)
    for lease in (body, window, recorder):
        audience.join(lease)
    for _ in range(2):
        audience.follow(follower)
    assert (audience.viewers, counters.viewers, len(audience.leases)) == (2, 2, 3)
    assert counters.followers == 1
    for _ in range(2):
        audience.unfollow(follower)
    assert (audience.viewers, counters.followers) == (1, 0)
    assert not audience.leave(body, 1.0)
    assert not audience.leave(body, 2.0), "twice"
    assert not audience.leave(window, 3.0)
    assert (audience.viewers, counters.viewers) == (0, 0)
    assert audience.leave(recorder, 4.0), "the last one"
    assert audience.idle_since == 4.0


def test_all_but_a_window_want_media_as_it_comes() -> None:
    audience = audience_of(ChannelCounters("News"))
    assert audience.live == 0
    body, window = Lease(), Lease(LeaseKind.WINDOW)
    seen = []
    for change in (audience.join, lambda lease: audience.leave(lease, 1.0)):
        for lease in (window, body):
            change(lease)
            seen.append(audience.live)
    assert seen == [0, 1, 1, 0]


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


def test_one_that_was_killed_while_it_waited_is_not_woken(audience: Audience) -> None:
    lease, other = Lease(), Lease()
    killed, waiting = gevent.spawn(audience.wait, lease), gevent.spawn(audience.wait, other)
    gevent.idle()
    killed.kill()
    audience.wake()
    waiting.get(timeout=5.0)
    assert not lease.waiting


def test_after_the_end_whoever_waits_is_woken(audience: Audience) -> None:
    audience.end()
    waiting = gevent.spawn(audience.wait, Lease())
    gevent.idle()
    audience.wake()
    waiting.get(timeout=5.0)


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
