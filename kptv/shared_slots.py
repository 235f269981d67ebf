"""This instance among several: joined to the Valkey that they share, with its slots."""

from __future__ import annotations

import socket

import gevent

from kptv.config import Config
from kptv.instances.link import RedisLink, RedisMessages
from kptv.instances.member import Member
from kptv.instances.place import place_of
from kptv.instances.term import times_of
from kptv.metrics.families import LeaseState
from kptv.restream.leased_slots import LeasedSlots


class Instances:
    """The slots of this instance, and its membership; it joins at once."""

    def __init__(self, config: Config) -> None:
        """With the LEASES_URL and INSTANCE of ``config``."""
        url, times = config.leases_url, times_of(config.lease)
        self.name = config.instance or f"{socket.gethostname()}:{config.port}"
        place = place_of(self.name, config.port)
        self._member = Member(
            place,
            lambda: RedisLink(url, times.lease, times.call),
            lambda: RedisMessages(url, place, times.call),
            times,
        )
        self.slots = LeasedSlots(config.sources, self._member, times.call)
        self._member.start(self.slots)

    def __repr__(self) -> str:
        return f"<Instances {self._member!r}>"

    @property
    def alive(self) -> bool:
        """Whether it works, also while Valkey is away."""
        return self._member.alive

    def close(self) -> None:
        """Leave the others as soon as all is hung up; does not wait."""
        gevent.spawn(self._member.leave)

    def state(self) -> LeaseState:
        """How it stands, for Prometheus."""
        return LeaseState(
            away=self._member.away,
            held=len(self.slots.tokens),
            lost=self.slots.lost,
            calls=self._member.calls,
            renewed_ago=self._member.renewed_ago,
        )
