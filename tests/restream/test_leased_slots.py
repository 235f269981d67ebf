"""Slots that several instances share, beyond what any Slots must do (tests/restream/test_slots)."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from kptv.channels.model import Source
from kptv.instances.term import Times
from kptv.restream.leased_slots import LeasedSlots
from kptv.restream.slots import Slot
from tests.instances.house import LIMIT, House, until

pytestmark = pytest.mark.requires("redis-server")

ONE, TWO, FREE = Source(1, "a", 1), Source(2, "b", 2), Source(3, "c", 0)
SOURCES = (ONE, TWO, FREE)
SHORT = Times(lease=1.0, renewal=0.1, margin=0.4, call=0.2)


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture
def house(shared: House) -> Iterator[House]:
    yield shared
    shared.empty()


@pytest.fixture
def brief() -> Iterator[House]:
    """A house of its own, whose leases are short."""
    with House(SHORT) as house:
        yield house


def taken(slots: LeasedSlots, source: Source) -> Slot:
    slot = slots.try_acquire(source)
    assert slot is not None
    return slot


def obliging(slot: Slot) -> Slot:
    """Its holder hangs up as soon as it is lost."""
    slot.on_lost(slot.close)
    return slot


# --- Several instances ---


def test_instances_share_the_limit_of_a_source(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    first, second = taken(a, TWO), taken(b, TWO)
    assert a.try_acquire(TWO) is None
    assert b.try_acquire(TWO) is None
    assert a.full() == b.full() == {2}
    assert (first.others, a.held(TWO)) == (1, 1)
    second.close()
    house.heard()
    assert taken(a, TWO)


def test_a_source_is_one_whatever_its_number_at_each_instance(house: House) -> None:
    a, b = house.instance("a", [ONE]), house.instance("b", [Source(7, ONE.url, 1)])
    taken(a, ONE)
    assert b.try_acquire(Source(7, ONE.url, 1)) is None


def test_waiters_are_served_in_the_order_of_coming_over_instances(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    held, order = taken(a, ONE), []

    def wait(slots: LeasedSlots, name: str) -> None:
        slot = slots.acquire([ONE], LIMIT)
        assert slot is not None
        order.append(name)
        slot.close()

    waiters = []
    for slots, name in ((b, "first"), (a, "second"), (b, "third")):
        waiters.append(gevent.spawn(wait, slots, name))
        gevent.sleep(0.02)
    held.close()
    gevent.joinall(waiters, timeout=LIMIT, raise_error=True)
    assert order == ["first", "second", "third"]


def test_an_idle_slot_of_another_instance_gives_way(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    lingering = obliging(taken(a, ONE))
    lingering.mark_idle()
    assert b.acquire([ONE], LIMIT)
    assert lingering.lost


def test_a_standby_of_another_instance_gives_way_before_what_is_idle(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    idle, standby = obliging(taken(a, TWO)), obliging(taken(b, TWO))
    idle.mark_idle()
    standby.mark_standby()
    house.heard()
    assert a.acquire([TWO], LIMIT)
    assert (idle.lost, standby.lost) == (False, True)


def test_a_slot_that_is_wanted_again_stays_and_another_gives_way(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    used, idle = obliging(taken(a, TWO)), obliging(taken(a, TWO))
    used.mark_idle()
    idle.mark_idle()
    used.mark_used()
    house.heard()
    assert b.acquire([TWO], LIMIT)
    assert (used.lost, idle.lost) == (False, True)


def test_what_settles_is_given_to_who_waits_elsewhere(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    slot = taken(a, ONE)
    waiter = gevent.spawn(b.acquire, [ONE], LIMIT)
    slot.close(settle=0.05)
    house.heard()
    assert b.try_acquire(ONE) is None
    assert waiter.get(timeout=LIMIT / 2)


def test_an_instance_that_ends_leaves_its_slots_free(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    slot = taken(a, ONE)
    slot.close()
    house.members.pop("a").leave()
    assert taken(b, ONE)


def test_streams_without_a_limit_never_ask(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    a, asked = house.instance("a", SOURCES), []
    monkeypatch.setattr(house.members["a"], "tell", lambda op, **_: asked.append(op))
    slots = [taken(a, FREE) for _ in range(5)]
    waited = a.acquire([FREE], 0.0)
    assert waited is not None
    for slot in (*slots, waited):
        slot.mark_idle()
        slot.mark_used()
        slot.close(settle=0.01)
    gevent.sleep(0.02)
    assert asked == []
    assert a.held(FREE) == 0


# --- Without the server ---


def test_nothing_is_given_where_there_is_no_server(house: House) -> None:
    slots = house.join("lost", SOURCES, "unix:///nowhere/valkey.sock")
    until(lambda: "cannot be reached" in slots.away)
    assert slots.full() == {1, 2}
    assert slots.try_acquire(ONE) is None
    assert slots.acquire([ONE], 0.01) is None
    assert taken(slots, FREE)


def test_what_plays_goes_on_while_the_server_is_away_for_a_moment(brief: House) -> None:
    slots = brief.instance("a", SOURCES)
    slot = taken(slots, ONE)
    brief.valkey.freeze()
    until(lambda: slots.away)
    assert slots.try_acquire(TWO) is None
    brief.valkey.thaw()
    until(lambda: not slots.away)
    assert not slot.lost
    assert slots.try_acquire(ONE) is None
    assert brief.members["a"].lapses == 0


def test_all_is_given_up_before_the_server_gives_it_to_others(brief: House) -> None:
    a, b = brief.instance("a", SOURCES), brief.instance("b", SOURCES)
    slot, free = taken(a, ONE), taken(a, FREE)
    brief.members["a"]._courier._dial = _cut_off  # type: ignore[method-assign]
    brief.members["a"]._courier._hang_up()
    waiter = gevent.spawn(b.acquire, [ONE], LIMIT)
    until(lambda: slot.lost)
    assert not waiter.ready(), "the margin is left"
    assert not free.lost
    assert waiter.get(timeout=LIMIT)
    assert a.lost == 1
    assert brief.members["a"].lapses == 1


def test_it_joins_again_when_the_last_of_what_it_lost_is_closed(brief: House) -> None:
    slots = brief.instance("a", SOURCES)
    slot = taken(slots, ONE)
    waiter = gevent.spawn(slots.acquire, [ONE], LIMIT)
    brief.valkey.freeze()
    until(lambda: slot.lost)
    brief.valkey.thaw()
    gevent.sleep(0.3)
    assert not brief.members["a"].joined, "a connection of its former life is open"
    slot.close()
    until(lambda: brief.members["a"].joined)
    assert waiter.get(timeout=LIMIT), "who waited waits on"


def test_a_server_that_begins_anew_hears_of_what_is_held(brief: House) -> None:
    a, b = brief.instance("a", SOURCES), brief.instance("b", SOURCES)
    slot, waiter = taken(a, ONE), gevent.spawn(b.acquire, [ONE], LIMIT)
    brief.valkey.kill()
    brief.valkey.start()
    until(lambda: "anew" in a.away)
    until(lambda: not a.away and not b.away)
    assert not slot.lost
    assert not waiter.ready()
    slot.close()
    assert waiter.get(timeout=LIMIT)


def test_an_idle_slot_gives_way_also_after_the_server_began_anew(brief: House) -> None:
    a, b = brief.instance("a", SOURCES), brief.instance("b", SOURCES)
    slot = obliging(taken(a, ONE))
    slot.mark_idle()
    brief.valkey.kill()
    brief.valkey.start()
    until(lambda: "anew" in a.away)
    assert b.acquire([ONE], LIMIT)
    assert slot.lost


def test_one_that_comes_back_at_the_place_of_a_dead_one_is_given_its_slots(brief: House) -> None:
    a, b = brief.instance("a", SOURCES), brief.instance("b", SOURCES)
    taken(a, ONE)
    dead = brief.members["a"]
    gevent.killall(dead._greenlets)
    dead._courier.close()
    again = brief.join("a", SOURCES)
    assert again.acquire([ONE], 0.5), "sooner than its lease would have ended"
    assert b.try_acquire(ONE) is None


# --- Who is killed ---


@pytest.mark.parametrize("turns", range(12))
def test_who_asks_may_be_killed_at_each_turn(house: House, turns: int) -> None:
    slots = house.instance("a", SOURCES)
    held = taken(slots, ONE)
    waiter = gevent.spawn(slots.acquire, [ONE], LIMIT)
    gevent.sleep(0)
    held.close()
    for _ in range(turns):
        gevent.sleep(0)
    waiter.kill(block=False)
    waiter.join(LIMIT)
    if isinstance(waiter.value, Slot):
        waiter.value.close()
    assert slots.held(ONE) == 0
    assert slots.waiting(1) == 0
    taken(slots, ONE).close()


def test_a_grant_that_is_told_twice_is_one_slot(house: House) -> None:
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    held = taken(a, ONE)
    waiter = gevent.spawn(b.acquire, [ONE], LIMIT)
    until(lambda: b.waiting(1))
    held.close()
    slot = waiter.get(timeout=LIMIT)
    token = b.tokens[0][0]
    b.granted(token, b.tokens[0][1])
    house.members["b"]._term.renew_by(0.0)
    house.members["b"].look()
    gevent.sleep(0.02)
    assert a.try_acquire(ONE) is None
    assert b.held(ONE) == 1
    slot.close()
    b.granted(token, "anything")
    house.heard()
    assert taken(a, ONE)


def _cut_off() -> None:
    from kptv.instances.link import LinkError

    raise LinkError("cannot be reached")


def test_a_subscription_without_messages_is_tried_now_and_then(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.instances.link._QUIET", 0.02)
    a, b = house.instance("a", SOURCES), house.instance("b", SOURCES)
    slot, waiter = taken(a, ONE), gevent.spawn(b.acquire, [ONE], LIMIT)
    gevent.sleep(0.1)
    slot.close()
    assert waiter.get(timeout=1.0), "a renewal would tell later"
