"""Instances that share their rests by the real script, in a time that the test tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import redis

from kptv.channels.health import Policy
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.errors import Reason, UpstreamError
from kptv.instances.link import SCRIPT
from kptv.restream.shared_rests import SharedRests
from kptv.restream.shared_server import name_of
from tests.instances.valkey import Valkey

LEASE, RENEWAL = 15.0, 2.0  # seconds
_CLOCK, _SEND = "redis.call('TIME')", "'PUBLISH'"
_runs = count()

Answer = dict[str, Any]

SECRET = "dave:pass123"
ONE = Source(1, f"http://list.example/{SECRET}/one.m3u", 1, "most.example")
TWO = Source(2, "http://list.example/two.m3u", 0, "most.example")
FREE = Source(3, "http://free.example/list.m3u", 0, "free.example")


def stream(path: str, source: Source = ONE, host: str = "most.example") -> Stream:
    return Stream(source, f"http://{host}/{SECRET}/{path}", path)


NEWS, SPORT = stream("news"), stream("sport")
ELSEWHERE, BESIDE_IT = stream("x", host="other.example"), stream("y", host="other.example")


class Street:
    """Where they are: the server, and the time."""

    def __init__(self, valkey: Valkey) -> None:
        assert _CLOCK in SCRIPT
        assert _SEND in SCRIPT
        # Messages lie where they can be taken in turn.
        script = SCRIPT.replace(_CLOCK, "{ ARGV[7], ARGV[8] }").replace(_SEND, "'RPUSH'")
        self._client = redis.Redis.from_url(valkey.url)
        self._script = self._client.script_load(script)
        self._instances: list[Instance] = []
        self.now = self._renewed_at = 1000.0
        self.restart()

    def restart(self) -> None:
        """The server begins anew."""
        self.run = f"street {next(_runs)}"

    def close(self) -> None:
        self._client.close()

    def instance(self, name: str, *sources: Source) -> Instance:
        """One that has joined."""
        instance = Instance(self, name, sources)
        self._instances.append(instance)
        instance.join()
        return instance

    def pass_time(self, seconds: float) -> None:
        """Renewals take place meanwhile."""
        end = self.now + seconds
        while self._renewed_at + RENEWAL <= end:
            self.now = self._renewed_at = self._renewed_at + RENEWAL
            for instance in self._instances:
                instance.renew()
        self.now = end

    def carry_out(self, place: str, op: str, given: dict[str, object]) -> Answer:
        micros = round(self.now * 1_000_000)
        clock = (micros // 1_000_000, micros % 1_000_000)
        asked = (op, self.run, f"{place}|1", round(LEASE * 1000), 1, json.dumps(given), *clock)
        answer: Answer = json.loads(self._client.evalsha(self._script, 1, "{s}", *asked))
        return answer

    def kept(self) -> str:
        """All rests that the server knows, as it keeps them."""
        keys: list[bytes] = self._client.keys("{s}:rests:*")  # type: ignore[assignment]
        return str([(key, self._client.hgetall(key)) for key in keys])

    def lasting(self) -> list[str]:
        """The keys of rests, and of who wants to hear of them, that would stay for ever."""
        keys = (key for what in ("rests", "knows") for key in self._client.keys(f"{{s}}:{what}:*"))
        return [str(key) for key in keys if self._client.pttl(key) < 0]

    def deliver(self) -> None:
        """Messages come at once."""
        for instance in self._instances:
            while message := self._client.lpop(f"{{s}}:to:{instance.name}"):
                instance.heard(json.loads(message)["rests"])  # type: ignore[arg-type]


class Instance:
    """One of them, which is also what its rests take for the server."""

    def __init__(self, street: Street, name: str, sources: Sequence[Source]) -> None:
        self.name = name
        self.joined = False
        self.deaf = False  # no message comes
        self.messages = 0
        self._held_back: list[Callable[[], None]] | None = None
        self.away = ""
        self._street = street
        self._limits = [(name_of(each), each.max_connections) for each in sources]
        self.shared = SharedRests(sources, self, lambda: street.now)
        self.health = LocalHealth(Policy(), self.shared.rests)

    # --- what a test does ---

    def join(self) -> None:
        self._street.carry_out(self.name, "join", {"limits": self._limits, "tokens": []})
        self.joined = True
        self.shared.joined()

    def leave(self) -> None:
        """It hears nothing, and nobody hears it."""
        self.joined = False
        self.shared.lapsed()

    def renew(self) -> None:
        if not self.joined:
            return
        answer = self._street.carry_out(self.name, "renew", {"sources": []})
        if answer["is"] == "unknown":
            self.join()
        elif what := answer.get("rests"):
            self.shared.told(what)

    def refused(self, stream: Stream, retry_after: float | None = None, status: int = 429) -> None:
        """A provider asks it to leave a stream alone."""
        error = UpstreamError(
            Reason.RATE_LIMITED, f"HTTP {status}", status=status, retry_after=retry_after
        )
        self.health.refused(stream, error, self._street.now, busy=False)

    def hold_back(self) -> None:
        """What it tells is on its way until ``go_on``."""
        self._held_back = []

    def say_one(self) -> None:
        """What it held back first is carried out."""
        assert self._held_back
        self._held_back.pop(0)()

    def go_on(self) -> None:
        """All that it held back is carried out, and nothing more is held back."""
        while self._held_back:
            self.say_one()
        self._held_back = None

    def rests_for(self, stream: Stream) -> float:
        """Seconds until it may open a stream."""
        return max(round(self.health.ready_at(stream) - self._street.now, 3), 0.0)

    def heard(self, what: Any) -> None:
        self.messages += 1
        if self.joined and not self.deaf:
            self.shared.told(what)

    # --- for its rests ---

    def tell(
        self, op: str, answered: Callable[[Any], object] = lambda _: None, **given: object
    ) -> None:
        def carried() -> None:
            answer = self._street.carry_out(self.name, op, given)
            if what := answer.get("rests"):
                self.shared.told(what)
            answered(answer)
            self._street.deliver()

        if self._held_back is None:
            carried()
        else:
            self._held_back.append(carried)

    def look(self) -> None:
        """Nothing: it joins when the test says so."""


def pair(street: Street) -> tuple[Instance, Instance]:
    return street.instance("a", ONE, TWO), street.instance("b", ONE, TWO)
