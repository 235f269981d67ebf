"""Waits for slots that a server gives, ended at each turn, and links to it that break at each turn.

Two instances at a real server: one holds what the other waits for, and gives it back meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import gevent
from gevent import socket
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.model import Source
from kptv.instances import member
from kptv.restream.leased_slots import LeasedSlots
from kptv.restream.slots import Slot
from tests.cancellation.turns import at_each_turn
from tests.instances.house import House, until
from tests.instances.world import sizes

SOURCE = Source(1, "http://h/list", 1)
OTHER = Source(2, "http://h/other", 1)
End = Callable[["Pair", Greenlet], object]


class Pair:
    """The instance whose wait is ended, and the other one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.slots, self.other = (house.instance(name, (SOURCE, OTHER)) for name in "ab")
        self.got: list[Slot] = []  # and not given back yet
        self.waiter: Greenlet | None = None

    def wait(self) -> None:
        """The other's slot comes; then it is given back."""
        held = self.hold()
        try:
            self.waiter = gevent.spawn(self.take, self.slots, (SOURCE,))
            gevent.spawn_later(0.003, self.let_go, held)
            self.waiter.join()
        finally:
            self.let_go(held)
            self.waiter.kill(block=False)

    def ask(self) -> None:
        """One slot is free, the other is held by the other instance."""
        held = self.hold()
        try:
            self.waiter = gevent.spawn(self.take, self.slots, (SOURCE, OTHER))
            self.waiter.join()
        finally:
            self.let_go(held)
            self.waiter.kill(block=False)

    def hold(self) -> Slot:
        held = self.other.acquire((SOURCE,), 5.0)
        assert held is not None
        self.got.append(held)
        return held

    def let_go(self, held: Slot) -> None:
        if held in self.got:
            self.got.remove(held)
            held.close(0.0)

    def take(self, slots: LeasedSlots, sources: tuple[Source, ...]) -> None:
        slot = slots.acquire(sources, 5.0)
        if slot is None:
            return
        self.got.append(slot)
        assert sum(got.source == slot.source for got in self.got) == 1, "it is double"
        try:
            gevent.sleep(0.001)
        finally:
            self.got.remove(slot)
            slot.close(0.0)

    def check(self) -> None:
        """Nobody holds or waits for anything, here and there; and all can be had."""
        assert not self.got
        everybody = (self.slots, self.other)
        until(lambda: not any(slots.away for slots in everybody))
        self.house.heard()
        for slots in everybody:
            assert not slots.tokens
            assert not slots._asks
            assert not slots._tokens
            assert not any(slots.held(source) for source in (SOURCE, OTHER))
        until(self.have_all)  # what a former life held settles for a moment
        left = {name.partition(":")[0] for name in sizes(self.house.valkey.url)}
        assert not left & {"slots", "waiting", "queue", "grants", "idle", "asked"}, left

    def have_all(self) -> bool:
        """Whether each instance can have all slots, and then nobody any more."""
        for slots in self.slots, self.other:
            had = [slots.try_acquire(source) for source in (SOURCE, OTHER)]
            more = self.other.try_acquire(SOURCE) if None not in had else None
            for slot in filter(None, (*had, more)):
                slot.close(0.0)
            assert more is None
            if None in had:
                return False
        self.house.heard()
        return True


def scene(act: Callable[[Pair], None], end: End) -> int:
    member._LISTEN_AGAIN = 0.02  # type: ignore[attr-defined]
    with House() as house:
        pair = Pair(house)
        pair.have_all()

        def begin() -> Greenlet:
            return gevent.spawn(act, pair)

        return at_each_turn(begin, lambda victim: end(pair, victim), pair.check)


# --- how it ends ---


def kill(pair: Pair, victim: Greenlet) -> None:
    """Who waits is killed; who holds goes on."""
    if pair.waiter is not None:
        pair.waiter.kill(block=False)


def kill_as_it_is_granted(pair: Pair, victim: Greenlet) -> None:
    """In the very turn in which the slot is made, before who waits could know of it."""
    slots = pair.slots
    grant = slots._grant

    def granted(token: str, name: str) -> bool:
        del slots._grant  # type: ignore[method-assign]
        kill(pair, victim)  # which comes before the waking by what follows
        return grant(token, name)

    slots._grant = granted  # type: ignore[method-assign]


def break_both(pair: Pair, victim: Greenlet) -> None:
    """What is between them and the server resets their connections."""
    for name in "ab":
        _reset(pair.house, name)


def break_and_kill(pair: Pair, victim: Greenlet) -> None:
    break_both(pair, victim)
    get_hub().loop.run_callback(kill, pair, victim)


def lapse(pair: Pair, victim: Greenlet) -> None:
    """The term is over: all is given up, and the wait goes on in another life."""
    one = pair.house.members["a"]
    one._term.over()
    one._lapse_if_over(gevent.get_hub().loop.now() + 1e9)
    one.look()


def _reset(house: House, name: str) -> None:
    link = house.members[name]._courier._link
    if link is not None:
        with suppress(OSError, AttributeError):  # it is being made, or was just closed
            link._connection._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]


def _played(act: Callable[[Pair], None], end: End) -> Callable[[], int]:
    return lambda: scene(act, end)


SCENES: dict[str, Callable[[], int]] = {
    "a wait for a slot, killed": _played(Pair.wait, kill),
    "a wait for a slot, killed as it is granted": _played(Pair.wait, kill_as_it_is_granted),
    "a wait for a slot, its links broken": _played(Pair.wait, break_both),
    "a wait for a slot, its links broken, then killed": _played(Pair.wait, break_and_kill),
    "a wait for a slot, its term over": _played(Pair.wait, lapse),
    "a slot asked for, killed": _played(Pair.ask, kill),
    "a slot asked for, its links broken": _played(Pair.ask, break_both),
}
