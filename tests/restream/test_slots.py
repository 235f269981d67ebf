"""Slots: never more than a source allows, given back once, handed on in the order of coming."""

from __future__ import annotations

import random

import gevent
import pytest
from gevent.pool import Group

from kptv.channels.model import Source
from kptv.restream.slots import LocalSlots, Slot

ONE, TWO, FREE = Source(1, "a", 1), Source(2, "b", 2), Source(3, "c", 0)


@pytest.fixture
def slots() -> LocalSlots:
    return LocalSlots([ONE, TWO, FREE])


def test_a_source_gives_as_many_slots_as_it_allows(slots: LocalSlots) -> None:
    taken = [slots.try_acquire(TWO) for _ in range(3)]
    assert [slot is not None for slot in taken] == [True, True, False]
    assert slots.full() == {2}
    assert slots.held(TWO) == 2


def test_a_source_without_a_limit_is_never_full(slots: LocalSlots) -> None:
    assert all(slots.try_acquire(FREE) for _ in range(1000))
    assert slots.held(FREE) == 1000
    assert not slots.full()


def test_a_slot_is_given_back_once_however_often_it_is_closed(slots: LocalSlots) -> None:
    slot = slots.try_acquire(ONE)
    assert slot is not None
    with slot:
        assert slots.full() == {1}
    slot.close()
    slot.close()
    assert slots.held(ONE) == 0
    assert slots.try_acquire(ONE)


def test_a_slot_that_was_transferred_is_given_back_by_its_new_owner(
    slots: LocalSlots,
) -> None:
    slot = slots.try_acquire(ONE)
    assert slot is not None
    moved = slot.transfer()
    slot.close()
    assert slots.held(ONE) == 1
    moved.close()
    assert slots.held(ONE) == 0


def test_who_waits_gets_the_slot_that_is_given_back_in_the_order_of_coming(
    slots: LocalSlots,
) -> None:
    order: list[int] = []

    def wait(number: int) -> None:
        slot = slots.acquire([ONE], 10)
        assert slot is not None
        order.append(number)
        slot.close()

    held = slots.try_acquire(ONE)
    assert held is not None
    waiters = [gevent.spawn(wait, number) for number in range(5)]
    gevent.idle()
    assert slots.waiting(1) == 5
    held.close()
    assert slots.try_acquire(ONE) is None, "no newcomer overtakes"
    gevent.joinall(waiters, timeout=10, raise_error=True)
    assert order == [0, 1, 2, 3, 4]
    assert slots.held(ONE) == 0


def test_who_waits_for_several_sources_takes_the_first_slot_of_any(
    slots: LocalSlots,
) -> None:
    one, twos = slots.try_acquire(ONE), [slots.try_acquire(TWO) for _ in range(2)]
    waiter = gevent.spawn(slots.acquire, [ONE, TWO], 10)
    gevent.idle()
    assert twos[0] is not None
    assert one is not None
    twos[0].close()
    slot = waiter.get(timeout=10)
    assert slot.source == TWO


def test_waiting_ends_in_time_and_leaves_nothing_behind(slots: LocalSlots) -> None:
    slots.try_acquire(ONE)
    assert slots.acquire([ONE], 0.01) is None
    assert slots.waiting(1) == 0


def test_a_waiter_that_is_killed_leaves_its_place(slots: LocalSlots) -> None:
    held = slots.try_acquire(ONE)
    assert held is not None
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    gevent.idle()
    waiter.kill()
    held.close()
    assert slots.try_acquire(ONE)


def test_a_waiter_killed_as_it_is_served_gives_the_slot_back(slots: LocalSlots) -> None:
    held = slots.try_acquire(ONE)
    assert held is not None
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    gevent.idle()
    waiter.kill(block=False)
    held.close()
    waiter.join(timeout=10)
    assert slots.held(ONE) == 0
    assert slots.try_acquire(ONE)


def test_a_wait_asks_for_a_slot_that_is_held_for_nobody(slots: LocalSlots) -> None:
    lingering = slots.try_acquire(ONE)
    assert lingering is not None
    slots.reclaim = lambda numbers: lingering.close() if 1 in numbers else None
    slot = slots.acquire([ONE], 10)
    assert slot is not None


def test_after_we_hung_up_the_provider_gets_a_moment_to_see_it(slots: LocalSlots) -> None:
    slot = slots.try_acquire(ONE)
    assert slot is not None
    slot.close(settle=0.01)
    assert slots.try_acquire(ONE) is None
    assert slots.acquire([ONE], 10)


def test_fifty_on_three_slots_never_hold_more_than_three() -> None:
    source = Source(1, "a", 3)
    slots = LocalSlots([source])
    held, most = 0, 0

    def use() -> None:
        nonlocal held, most
        for _ in range(20):
            slot = slots.acquire([source], 30)
            assert isinstance(slot, Slot)
            held += 1
            most = max(most, held)
            gevent.sleep(random.random() / 1000)
            held -= 1
            slot.close()

    group = Group()
    for _ in range(50):
        group.spawn(use)
    assert group.join(timeout=60)
    assert most == 3
    assert slots.held(source) == 0
    assert slots.waiting(1) == 0


def test_who_is_told_to_look_again_has_no_slot_and_its_place_in_the_order(
    slots: LocalSlots,
) -> None:
    held, served = slots.try_acquire(ONE), []

    def wait(name: str) -> None:
        while (slot := slots.acquire([ONE], timeout=10.0)) is None:
            pass
        served.append(name)
        slot.close()

    waiting = [gevent.spawn(wait, name) for name in ("first", "second", "third")]
    gevent.idle()
    slots.look_again()
    gevent.idle()
    assert slots.waiting(1) == 3
    assert held is not None
    held.close()
    gevent.joinall(waiting, timeout=10.0, raise_error=True)
    assert served == ["first", "second", "third"]
    assert slots.held(ONE) == 0


def test_who_is_killed_as_it_is_told_to_look_again_leaves_nothing_behind(
    slots: LocalSlots,
) -> None:
    held = slots.try_acquire(ONE)
    waiting = gevent.spawn(slots.acquire, [ONE], 10.0)
    gevent.idle()
    waiting.kill(block=False)
    slots.look_again()
    waiting.join(timeout=10.0)
    assert isinstance(waiting.value, gevent.GreenletExit)
    assert slots.waiting(1) == 0
    assert held is not None
