"""Slots reserved and released, and renewals of many: a process for the benchmark `scale`.

    python -m benchmarks._calls_of_slots URL SECONDS

It prints JSON: ``waits``, the seconds until each slot was granted; ``renewal``, the seconds of CPU
that a renewal takes here, and ``server``, those that it takes there.
"""

# ruff: noqa: E402  # gevent patches before anything else is imported
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import sys
import time
from dataclasses import replace

import gevent
import redis

from benchmarks.rig import cpu_seconds
from kptv.channels.model import Source
from kptv.instances.link import RedisLink, RedisMessages
from kptv.instances.member import Member
from kptv.instances.term import Times, times_of
from kptv.restream.leased_slots import LeasedSlots

RATE = 500  # a second
HELD = 200  # slots
RENEWALS = 500  # a second, while they are measured
_SECONDS = 4.0  # that they are measured
_SOURCES = (Source(1, "http://127.0.0.1/calls", RATE), Source(2, "http://127.0.0.1/held", HELD))


def joined(url: str, place: str, times: Times) -> tuple[Member, LeasedSlots]:
    """An instance that may reserve."""
    member = Member(
        place,
        lambda: RedisLink(url, times.lease, times.call),
        lambda: RedisMessages(url, place, times.call),
        times,
    )
    slots = LeasedSlots(_SOURCES, member, times.call)
    member.start(slots)
    with gevent.Timeout(times.lease + 10):
        while slots.away:
            gevent.sleep(0.01)
    return member, slots


def reserve_and_release(slots: LeasedSlots, seconds: float) -> list[float]:
    """How long each waited until it was granted."""
    waits: list[float] = []

    def one() -> None:
        begun = time.monotonic()
        slot = slots.try_acquire(_SOURCES[0])
        assert slot is not None
        waits.append(time.monotonic() - begun)
        slot.close(0.0)

    begun, tries = time.monotonic(), []
    for number in range(int(RATE * seconds)):
        gevent.sleep(max(begun + number / RATE - time.monotonic(), 0.0))
        tries.append(gevent.spawn(one))
    gevent.joinall(tries, timeout=10, raise_error=True)
    assert len(waits) == len(tries)
    return waits


def renewals(url: str, server: int) -> tuple[float, float]:
    """CPU of one, here and there, while many slots are held: more often than in life."""
    times = replace(times_of(3.0), renewal=1 / RENEWALS)
    member, slots = joined(url, "holds", times)
    held = [slots.try_acquire(_SOURCES[1]) for _ in range(HELD)]
    assert all(held)
    calls, here, there = member.calls, time.process_time(), cpu_seconds(server)
    gevent.sleep(_SECONDS)
    count = member.calls - calls
    assert count > RENEWALS / 10, "hardly any"
    found = (time.process_time() - here) / count, (cpu_seconds(server) - there) / count
    for slot in held:
        if slot is not None:
            slot.close(0.0)
    member.leave()
    return found


def main() -> None:
    url, seconds = sys.argv[1], float(sys.argv[2])
    client = redis.Redis.from_url(url)
    server = int(client.info("server")["process_id"])
    client.close()
    member, slots = joined(url, "calls", times_of(3.0))
    waits = reserve_and_release(slots, seconds)
    member.leave()
    renewal, of_server = renewals(url, server)
    print(json.dumps({"waits": waits, "renewal": renewal, "server": of_server}))


if __name__ == "__main__":
    main()
