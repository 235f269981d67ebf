"""An instance that only opens connections and holds them, for tests.instances.chaos.

Arguments: its name, the server's URL, a seed, the times of its lease as JSON, and a provider's
"address:port" per source. It leaves when it is terminated.
"""

# ruff: noqa: E402  # gevent patches before anything else is imported
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import os
import random
import signal
import socket
import sys
from contextlib import suppress

import gevent
from gevent.event import Event

from kptv.channels.model import Source
from kptv.instances.link import RedisLink, RedisMessages
from kptv.instances.member import Member
from kptv.instances.term import Times
from kptv.restream.leased_slots import LeasedSlots
from kptv.restream.slots import SETTLE, Slot

GREENLETS = 8
Address = tuple[str, int]


def play(slot: Slot, provider: Address, dice: random.Random, longest: float) -> None:
    """Hold a connection, sometimes for nobody, until it is lost or long enough."""
    lost = Event()
    slot.on_lost(lost.set)
    connection = socket.socket()
    try:
        if not lost.is_set():
            connection.connect(provider)
            if not lost.wait(dice.choice((0.02, 0.3, longest)) * dice.random()):
                if dice.random() < 0.5:
                    (slot.mark_idle if dice.random() < 0.5 else slot.mark_standby)()
                    lost.wait(longest / 2 * dice.random())
                    slot.mark_used()
                lost.wait(0.1 * dice.random())
    finally:
        connection.close()
        slot.close(SETTLE)


def use(
    slots: LeasedSlots, providers: dict[Source, Address], dice: random.Random, longest: float
) -> None:
    while True:
        wanted = dice.sample(list(providers), dice.randint(1, len(providers)))
        slot = None
        with suppress(gevent.Timeout), gevent.Timeout(dice.choice((0.01, 10.0))):
            if dice.random() < 0.3:
                slot = slots.try_acquire(wanted[0])
            else:
                slot = slots.acquire(wanted, 4 * dice.random())
        if slot is None:
            gevent.sleep(0.05)
        else:
            play(slot, providers[slot.source], dice, longest)


def main() -> None:
    name, url, seed, times_text, *addresses = sys.argv[1:]
    times = Times(**json.loads(times_text))
    providers: dict[Source, Address] = {}
    for n, address in enumerate(addresses, 1):
        host, _, port = address.partition(":")
        providers[Source(n, f"source {n}", n)] = host, int(port)
    member = Member(
        name,
        lambda: RedisLink(url, times.lease, times.call),
        lambda: RedisMessages(url, name, times.call),
        times,
    )
    slots = LeasedSlots(providers, member, times.call)
    member.start(slots)
    dice = random.Random(seed)
    longest = 2.5 * times.lease  # or what a lease does to a connection would never be seen
    terminated = Event()
    gevent.signal_handler(signal.SIGTERM, terminated.set)
    users = [gevent.spawn(use, slots, providers, dice, longest) for _ in range(GREENLETS)]
    parent = os.getppid()
    while not terminated.wait(1.0) and os.getppid() == parent:
        assert member.alive
        assert not any(each.dead for each in users)
    gevent.killall(users)
    member.leave()


if __name__ == "__main__":
    main()
