"""The script without a way to it: what is told is carried out at once, by a clock that is set."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import redis

from kptv.instances.link import SCRIPT
from tests.instances.valkey import Valkey

_BASE = "{near}"
_CLOCK = f"{_BASE}clock"
_SCRIPT = SCRIPT.replace("redis.call('TIME')", f"redis.call('LRANGE', '{_CLOCK}', 0, -1)")
LEASE = 15_000  # ms
_runs = count()


class NearServer:
    """Begins anew with each one that is made; it is told the time, in seconds."""

    def __init__(self, valkey: Valkey, lease: int = LEASE) -> None:
        self.lease = lease
        self._client = redis.Redis.from_url(valkey.url)
        self._script = self._client.register_script(_SCRIPT)
        self.now = 0.0
        self.begin_anew()

    def begin_anew(self) -> None:
        self._run = f"run {next(_runs)}"

    def call(self, owner: str, op: str, given: dict[str, Any]) -> dict[str, Any]:
        ms = round(self.now * 1000) + 10**12
        with self._client.pipeline() as both:
            both.delete(_CLOCK)
            both.rpush(_CLOCK, ms // 1000, ms % 1000 * 1000)
            both.execute()
        asked = [op, self._run, owner, self.lease, 1, json.dumps(given)]
        answer: dict[str, Any] = json.loads(self._script([_BASE], asked))  # type: ignore[arg-type]
        return answer

    def messages(self, name: str) -> Callable[[], list[dict[str, Any]]]:
        """What is told to this instance from now on."""
        heard = self._client.pubsub()
        heard.subscribe(f"{_BASE}:to:{name}")
        assert heard.get_message(timeout=5.0)

        def so_far() -> list[dict[str, Any]]:
            found = []
            while message := heard.get_message(timeout=0.05):
                found.append(json.loads(message["data"]))
            heard.close()
            return found

        return so_far

    def read(self, name: str) -> bytes:
        return self._client.get(f"{_BASE}:{name}")  # type: ignore[return-value]

    def all_that_it_holds(self) -> bytes:
        """As somebody reads it who is let in there."""
        held: list[bytes] = []
        for key in self._client.keys(f"{_BASE}:*"):  # type: ignore[union-attr]
            kind = self._client.type(key)
            read = {b"string": self._client.get, b"hash": self._client.hgetall}.get(kind)  # type: ignore[call-overload]
            held.append(key + b" " + (str(read(key)).encode() if read else b""))
        return b"\n".join(held)

    def close(self) -> None:
        self._client.close()


class NearMember:
    """An instance at it (see the Server of shared_counts)."""

    def __init__(self, server: NearServer, name: str) -> None:
        self.server = server
        self.reachable = True
        self.away = ""
        self._unsaid: list[tuple[str, Callable[[Any], object], dict[str, Any]]] = []
        self._name = name
        self._lives = count(1)
        self.calls: list[str] = []
        self.live_again()

    def live_again(self) -> None:
        """It has died, and another process is at its place."""
        self.owner = f"{self._name}|{next(self._lives)}"
        self.join()

    def join(self) -> dict[str, Any]:
        return self.server.call(self.owner, "join", {"limits": [], "tokens": []})

    def renew(self) -> dict[str, Any]:
        return self.server.call(self.owner, "renew", {"sources": []})

    def tell(
        self, op: str, answered: Callable[[Any], object] = lambda _: None, **given: Any
    ) -> None:
        if not self.reachable:
            self._unsaid.append((op, answered, given))
            return
        self.calls.append(op)
        answered(self.server.call(self.owner, op, given))

    def lose_sight(self, why: str) -> None:
        self.reachable, self.away = False, why

    def come_back(self) -> None:
        self.reachable, self.away = True, ""
        unsaid, self._unsaid = self._unsaid, []
        for op, answered, given in unsaid:
            self.tell(op, answered, **given)
