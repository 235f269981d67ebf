"""What any Slots must do: never more than a source allows, given back once, in order of coming.

Another implementation is one more row of ``MADE``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest
from gevent.pool import Group

from kptv.channels.model import Source
from kptv.restream.slots import LocalSlots, Slot, Slots
from tests.instances.house import House
from tests.restream.far_slots import FarSlots

ONE, TWO, FREE = Source(1, "a", 1), Source(2, "b", 2), Source(3, "c", 0)
MADE: dict[str, Callable[[Sequence[Source]], Slots]] = {"local": LocalSlots, "far": FarSlots}
LIMIT = 10.0  # seconds; what hangs, fails


@pytest.fixture(scope="module")
def instances() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture(params=[*MADE, pytest.param("leased", marks=pytest.mark.requires("redis-server"))])
def made(request: pytest.FixtureRequest) -> Iterator[Callable[[Sequence[Source]], Slots]]:
    if request.param in MADE:
        yield MADE[request.param]
    else:
        house: House = request.getfixturevalue("instances")
        yield lambda sources: house.instance("a", sources)
        house.empty()


@pytest.fixture
def slots(made: Callable[[Sequence[Source]], Slots]) -> Slots:
    return made([ONE, TWO, FREE])


def taken(slots: Slots, source: Source) -> Slot:
    slot = slots.try_acquire(source)
    assert slot is not None
    return slot


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


def test_a_source_gives_as_many_slots_as_it_allows(slots: Slots) -> None:
    taken = [slots.try_acquire(TWO) for _ in range(3)]
    assert [slot is not None for slot in taken] == [True, True, False]
    assert slots.full() == {2}
    assert slots.held(TWO) == 2


def test_a_source_without_a_limit_is_never_full(slots: Slots) -> None:
    assert all(slots.try_acquire(FREE) for _ in range(1000))
    assert slots.held(FREE) == 1000
    assert not slots.full()


def test_a_slot_is_given_back_once_however_often_it_is_closed(slots: Slots) -> None:
    slot = slots.try_acquire(ONE)
    assert slot is not None
    assert slots.full() == {1}
    slot.close()
    slot.close()
    assert slots.held(ONE) == 0
    assert slots.try_acquire(ONE)


def test_waiters_get_the_slots_that_are_given_back_in_the_order_of_coming(
    slots: Slots,
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
    until(lambda: slots.waiting(1) == 5)
    held.close()
    assert slots.try_acquire(ONE) is None, "no newcomer overtakes"
    gevent.joinall(waiters, timeout=10, raise_error=True)
    assert order == [0, 1, 2, 3, 4]
    assert slots.held(ONE) == 0


def test_a_waiter_for_several_sources_takes_the_first_slot_of_any(
    slots: Slots,
) -> None:
    one, twos = slots.try_acquire(ONE), [slots.try_acquire(TWO) for _ in range(2)]
    waiter = gevent.spawn(slots.acquire, [ONE, TWO], 10)
    gevent.idle()
    assert twos[0] is not None
    assert one is not None
    twos[0].close()
    slot = waiter.get(timeout=10)
    assert slot.source == TWO


def test_waiting_ends_in_time_and_leaves_nothing_behind(slots: Slots) -> None:
    slots.try_acquire(ONE)
    assert slots.acquire([ONE], 0.01) is None
    assert slots.waiting(1) == 0


def test_a_waiter_that_is_killed_leaves_its_place(slots: Slots) -> None:
    held = slots.try_acquire(ONE)
    assert held is not None
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    gevent.idle()
    waiter.kill()
    held.close()
    assert slots.try_acquire(ONE)


def test_a_waiter_killed_as_it_is_served_gives_the_slot_back(slots: Slots) -> None:
    held = slots.try_acquire(ONE)
    assert held is not None
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    gevent.idle()
    waiter.kill(block=False)
    held.close()
    waiter.join(timeout=10)
    assert slots.held(ONE) == 0
    assert slots.try_acquire(ONE)


def test_a_wait_takes_the_slot_that_is_held_for_nobody(slots: Slots) -> None:
    lingering = taken(slots, ONE)
    lingering.on_lost(lingering.close)
    lingering.mark_idle()
    slot = slots.acquire([ONE], 10)
    assert slot is not None
    assert lingering.lost
    assert slots.held(ONE) == 1


def test_after_we_hung_up_the_provider_gets_a_moment_to_see_it(slots: Slots) -> None:
    slot = slots.try_acquire(ONE)
    assert slot is not None
    slot.close(settle=0.01)
    assert slots.try_acquire(ONE) is None
    assert slots.acquire([ONE], 10)


def test_fifty_on_three_slots_never_hold_more_than_three(
    made: Callable[[Sequence[Source]], Slots],
) -> None:
    source = Source(1, "a", 3)
    slots = made([source])
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


def test_a_waiter_told_to_look_again_gets_no_slot_and_keeps_its_place(
    slots: Slots,
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


def test_a_waiter_killed_as_it_is_told_to_look_again_leaves_nothing_behind(
    slots: Slots,
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


def test_of_two_slots_that_are_held_for_nobody_the_one_that_is_longest_is_taken(
    slots: Slots,
) -> None:
    first, second = taken(slots, TWO), taken(slots, TWO)
    for slot in (second, first):
        slot.on_lost(slot.close)
        slot.mark_idle()
    assert slots.acquire([TWO], 10)
    assert (first.lost, second.lost) == (False, True)


def test_a_slot_becomes_idle_while_somebody_waits_and_is_lost_at_once(slots: Slots) -> None:
    slot = taken(slots, ONE)
    slot.on_lost(slot.close)
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    until(lambda: slots.waiting(1) == 1)
    slot.mark_idle()
    assert slot.lost
    assert waiter.get(timeout=LIMIT).source == ONE


def test_a_slot_that_somebody_wants_again_is_not_taken(slots: Slots) -> None:
    slot = taken(slots, ONE)
    slot.mark_idle()
    slot.mark_used()
    assert slots.acquire([ONE], 0.01) is None
    assert not slot.lost


def test_an_idle_slot_is_left_where_another_source_is_waited_for(slots: Slots) -> None:
    idle = taken(slots, TWO)
    idle.mark_idle()
    taken(slots, ONE)
    assert slots.acquire([ONE], 0.01) is None
    assert not idle.lost


def test_an_idle_slot_that_was_closed_is_not_lost_as_well(slots: Slots) -> None:
    slot, told = taken(slots, ONE), []
    slot.on_lost(lambda: told.append("lost"))
    slot.mark_idle()
    slot.close()
    holder = taken(slots, ONE)
    assert slots.acquire([ONE], 0.01) is None
    slot.mark_idle()
    slot.lose()
    assert not told
    holder.close()
    assert slots.held(ONE) == 0


def test_a_slot_is_lost_once_and_still_closed_by_its_holder(slots: Slots) -> None:
    slot, told = taken(slots, ONE), []
    slot.on_lost(lambda: told.append("lost"))
    slot.mark_idle()
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    until(lambda: bool(told))
    slot.lose()
    slot.close()
    slot.close()
    assert waiter.get(timeout=LIMIT).source == ONE
    assert told == ["lost"]
    assert slots.held(ONE) == 1


def test_a_holder_that_comes_after_the_loss_hears_of_it_too(slots: Slots) -> None:
    slot, told = taken(slots, ONE), []
    slot.on_lost(lambda: told.append("first"))
    slot.mark_idle()
    waiter = gevent.spawn(slots.acquire, [ONE], 10)
    until(lambda: bool(told))
    slot.on_lost(lambda: told.append("second"))
    assert told == ["first", "second"]
    slot.close()
    waiter.get(timeout=LIMIT).close()


def test_a_slot_knows_how_many_others_there_are(slots: Slots) -> None:
    first = taken(slots, TWO)
    assert first.others == 0
    second = taken(slots, TWO)
    assert (first.others, second.others) == (1, 1)
    second.close(settle=0.01)
    assert first.others == 1, "the provider may not have seen it go"
    until(lambda: first.others == 0)


def test_asking_for_a_slot_may_be_killed_at_any_moment(slots: Slots) -> None:
    for moments in range(5):
        asking = gevent.spawn(slots.try_acquire, ONE)
        for _ in range(moments):
            gevent.sleep(0)
        asking.kill()
        if isinstance(asking.value, Slot):
            asking.value.close()
        assert slots.held(ONE) == 0
    assert slots.try_acquire(ONE)


def test_a_standby_gives_way_before_a_slot_that_is_idle_longer(
    made: Callable[[Sequence[Source]], Slots],
) -> None:
    slots = made([TWO])
    lost: list[str] = []
    idle, standby = taken(slots, TWO), taken(slots, TWO)
    idle.on_lost(lambda: lost.append("idle"))
    standby.on_lost(lambda: (lost.append("standby"), standby.close()))  # type: ignore[func-returns-value]
    idle.mark_idle()
    standby.mark_standby()
    assert (slots.held(TWO), slots.standing_by(TWO)) == (2, 1)
    assert slots.acquire([TWO], LIMIT) is not None
    assert lost == ["standby"]
    assert slots.standing_by(TWO) == 0


def test_a_standby_that_is_used_stays(slots: Slots) -> None:
    slot = taken(slots, ONE)
    slot.mark_standby()
    slot.mark_used()
    assert slots.acquire([ONE], 0.05) is None
    assert not slot.lost


def test_a_standby_for_whose_slot_somebody_waits_is_lost_at_once(slots: Slots) -> None:
    slot = taken(slots, ONE)
    slot.on_lost(slot.close)
    waiter = gevent.spawn(slots.acquire, [ONE], LIMIT)
    until(lambda: slots.waiting(1) == 1)
    slot.mark_standby()
    assert waiter.get(timeout=LIMIT) is not None
