"""This instance among several: joined to the Valkey that they share, with all that it shares."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Sequence

import gevent

from kptv.config import Config
from kptv.instances.board import Board, Shown
from kptv.instances.link import LinkError, RedisBoard, RedisLink, RedisMessages
from kptv.instances.member import Member
from kptv.instances.place import Claim, place_of
from kptv.instances.term import times_of
from kptv.metrics.families import LeaseState
from kptv.restream.leased_slots import LeasedSlots
from kptv.restream.shared_rests import SharedRests
from kptv.web.players.shared_counts import SharedStreamCounts

_TWICE = (
    "is not asked: another process on this machine has INSTANCE={name} and PORT={port}, too;"
    " give each an INSTANCE of its own"
)


class Instances:
    """What this instance shares, and its membership; it joins at once."""

    def __init__(self, config: Config) -> None:
        """With the LEASES_URL and INSTANCE of ``config``."""
        url, times = config.leases_url, times_of(config.lease)
        self.name = config.instance or f"{socket.gethostname()}:{config.port}"
        place = place_of(self.name, config.port)
        self._claim = Claim(place)

        def alone_here() -> None:
            if not self._claim.stands():
                raise LinkError(_TWICE.format(name=self.name, port=config.port))

        def dial() -> RedisLink:
            alone_here()
            return RedisLink(url, times.lease, times.call)

        def board() -> RedisBoard:
            alone_here()
            return RedisBoard(url, times.call)

        self._member = Member(
            place,
            dial,
            lambda: RedisMessages(url, place, times.call),
            times,
        )
        self.slots = LeasedSlots(config.sources, self._member, times.call)
        shared = SharedRests(config.sources, self._member)
        self.rests = shared.rests
        self._member.also("rests", shared)
        self.counts = SharedStreamCounts(self._member, key_of(config), times.call)
        self._member.also("streams", self.counts)
        self._member.start(self.slots)
        self.address = config.instance if ":" in config.instance else f":{config.port}"
        self._board = Board(place, board)

    def __repr__(self) -> str:
        return f"<Instances {self._member!r}>"

    @property
    def alive(self) -> bool:
        """Whether it works, also while Valkey is away."""
        return self._member.alive and self._board.alive

    @property
    def place(self) -> str:
        """Where it is: no other process can be there while this one lives."""
        return self._board.place

    @property
    def away(self) -> str:
        """Why no slot of a limited source can be had now, and what else is so; empty: they can."""
        away = self._member.away
        alone = ". This instance counts users' streams alone." if self.counts.is_alone else ""
        return away and f"{away}{alone}"

    def seen(self) -> Sequence[Shown]:
        """What the instances showed last, this one among them."""
        return self._board.seen()

    def show(self, text: Callable[[], str], look: Callable[[], object]) -> None:
        """Have the others see what ``text`` says, each second; ``look`` at them then."""
        self._board.start(text, look)

    def stir(self) -> None:
        """Show the others at once what there is to show."""
        self._board.stir()

    def close(self) -> None:
        """Leave the others as soon as all is hung up; does not wait."""
        gevent.spawn(self._board.close)
        gevent.spawn(self._leave)

    def state(self) -> LeaseState:
        """How it stands, for Prometheus."""
        return LeaseState(
            away=self._member.away,
            held=len(self.slots.tokens),
            lost=self.slots.lost,
            calls=self._member.calls,
            renewed_ago=self._member.renewed_ago,
        )

    def _leave(self) -> None:
        self._member.leave()
        self._claim.close()


def key_of(config: Config) -> bytes:
    """What all instances know and their Valkey does not, made of their settings.

    The links to the accounts' lists have logins in them, and the same ones at all instances.
    """
    secrets = (config.admin_token, *sorted(source.url for source in config.sources))
    return hashlib.sha256("\n".join(secrets).encode()).digest()
