"""From a plan to a slot: what is refused although it looked free, and what changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import gevent
import pytest

from kptv.channels.failover import Failover
from kptv.channels.health import Health, Policy
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.errors import AllInUse, Reason, Unavailable, UpstreamError
from kptv.metrics.counters import Metrics
from kptv.restream.attempts import Attempt, next_attempt, spare_attempt
from kptv.restream.feed import Feed
from kptv.restream.slots import LocalSlots
from tests.restream.far_slots import FarSlots
from tests.upstreams import upstream_of

SOURCES = (Source(1, "http://one/", 1), Source(2, "http://two/", 1))
ONE, TWO = (Stream(source, source.url + "1.ts") for source in SOURCES)
LIMIT = 10.0  # seconds; what hangs, fails


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


@pytest.fixture
def health() -> Health:
    return LocalHealth(Policy())


@pytest.fixture
def failover(health: Health) -> Failover:
    return Failover((ONE, TWO), health, Policy(), monotonic(), jitter=lambda: 1.0)


@pytest.fixture
def slots() -> FarSlots:
    return FarSlots(SOURCES)


def test_a_source_that_refuses_although_it_looked_free_makes_way_for_the_next(
    failover: Failover, slots: FarSlots
) -> None:
    slots.elsewhere[1] = 1
    assert not slots.full(), "nothing is known of other processes yet"
    attempt = next_attempt(failover, slots)
    assert attempt.stream == TWO
    assert slots.held(SOURCES[0]) == 0


def test_where_all_refuse_the_first_that_gets_free_is_taken(
    failover: Failover, slots: FarSlots
) -> None:
    slots.elsewhere.update({1: 1, 2: 1})
    asking = gevent.spawn(next_attempt, failover, slots)
    until(lambda: slots.waiting(1) == slots.waiting(2) == 1)
    slots.free(SOURCES[1])
    assert asking.get(timeout=LIMIT).stream == TWO
    assert slots.waiting(1) == 0


def test_where_all_refuse_to_the_end_the_channel_is_given_up(
    failover: Failover, slots: FarSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.channels.failover.SLOT_WAIT", 0.05)
    slots.elsewhere.update({1: 1, 2: 1})
    with gevent.Timeout(LIMIT), pytest.raises(AllInUse, match="in use"):
        next_attempt(failover, slots)
    assert slots.refusals < 20, "it waits, it does not ask in a loop"


def test_where_nobody_can_be_asked_for_slots_that_is_the_reason(
    failover: Failover, slots: FarSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.channels.failover.SLOT_WAIT", 0.05)
    slots.elsewhere.update({1: 1, 2: 1})
    slots.away = "Valkey is away"
    with gevent.Timeout(LIMIT), pytest.raises(Unavailable, match="Valkey is away") as raised:
        next_attempt(failover, slots)
    assert raised.type is Unavailable, "its connections are not in use"


def test_a_source_that_asks_for_a_rest_while_its_slot_is_asked_for_is_left_alone(
    failover: Failover, health: Health, slots: FarSlots
) -> None:
    asking = gevent.spawn(next_attempt, failover, slots)
    gevent.sleep(0)
    asks = UpstreamError(Reason.RATE_LIMITED, retry_after=60.0)
    health.refused(ONE, asks, monotonic(), busy=False)
    assert asking.get(timeout=LIMIT).stream == TWO
    assert slots.held(SOURCES[0]) == 0


def test_what_is_opened_beside_is_the_first_whose_source_does_not_refuse(health: Health) -> None:
    third = Source(3, "http://three/", 1)
    slots = FarSlots((*SOURCES, third))
    three = Stream(third, "http://three/1.ts")
    failover = Failover((ONE, TWO, three), health, Policy(), monotonic(), jitter=lambda: 1.0)
    failover.opened(ONE, monotonic())
    slots.elsewhere[2] = 1
    attempt = spare_attempt(failover, slots, monotonic())
    assert attempt is not None
    assert attempt.stream == three
    attempt.slot.close()
    slots.elsewhere[3] = 1
    assert spare_attempt(failover, slots, monotonic()) is None


def test_a_feed_whose_slot_somebody_keeps_does_not_give_it_back() -> None:
    slots = LocalSlots(SOURCES)
    slot = slots.try_acquire(SOURCES[0])
    assert slot is not None
    feed = Feed(Attempt(ONE, slot, 1.0), lambda stream: upstream_of(), Metrics().open("news"))
    kept = feed.keep_slot()
    feed.close("")
    assert slots.held(SOURCES[0]) == 1
    kept.close()
    kept.close()
    assert slots.held(SOURCES[0]) == 0
