"""Several instances in one process, around a real server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import gevent
import gevent.socket
import redis
import redis.connection

from kptv.channels.model import Source
from kptv.channels.resting import Rests
from kptv.instances.link import BASE, RedisLink, RedisMessages
from kptv.instances.member import Member
from kptv.instances.term import Times
from kptv.restream.leased_slots import LeasedSlots
from kptv.restream.shared_rests import SharedRests
from tests.instances.valkey import Valkey

# These tests run where nothing is patched; what else of the process would wait, does.
redis.connection.socket = gevent.socket  # type: ignore[attr-defined]

LIMIT = 10.0  # seconds; what hangs, fails


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


class House:
    """``with`` it there is a server, and instances that are gone afterwards."""

    def __init__(self, times: Times | None = None) -> None:
        self.times = times or Times()

    def __enter__(self) -> House:
        self._folder = TemporaryDirectory(prefix="kptv-")
        self.valkey = Valkey(Path(self._folder.name))
        self._client = redis.Redis.from_url(self.valkey.url)
        self.members: dict[str, Member] = {}
        self.rests: dict[str, Rests] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._client.close()
        self.valkey.kill()
        self._folder.cleanup()

    def instance(self, name: str, sources: Sequence[Source]) -> LeasedSlots:
        """The slots of an instance, as if the server had run for long."""
        run = self._client.info("server")["run_id"]  # type: ignore[index]
        self._client.mset({f"{BASE}:run": run, f"{BASE}:grace": 0})
        slots = self.join(name, sources)
        until(lambda: not slots.away)
        return slots

    def join(self, name: str, sources: Sequence[Source], url: str = "") -> LeasedSlots:
        """The slots of an instance that joins as one does."""
        times, url = self.times, url or self.valkey.url
        member = self.members[name] = Member(
            name,
            lambda: RedisLink(url, times.lease, times.call),
            lambda: RedisMessages(url, name, times.call),
            times,
        )
        slots = LeasedSlots(sources, member, times.call)
        shared = SharedRests(sources, member)
        self.rests[name] = shared.rests
        member.also("rests", shared)
        member.start(slots)
        return slots

    def heard(self) -> None:
        """Wait until the server has heard all that was said."""
        until(lambda: all(member._courier.idle for member in self.members.values()))

    def close(self) -> None:
        """All instances end."""
        for member in self.members.values():
            member.leave()
        self.members.clear()

    def empty(self) -> None:
        """All instances end, and the server forgets them and what they held."""
        self.close()
        kept = {f"{BASE}:run".encode(), f"{BASE}:grace".encode()}
        if keys := [key for key in self._client.keys(f"{BASE}:*") if key not in kept]:  # type: ignore[union-attr]
            self._client.delete(*keys)
