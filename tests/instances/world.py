"""Three instances, a real server, a provider that counts sockets, and what can go wrong there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import gevent
import redis

from kptv.channels.model import Source
from kptv.instances.link import BASE, RedisLink, Request
from kptv.instances.term import Times
from kptv.restream.shared_server import name_of
from tests.instances import network
from tests.instances.judge import Cores, Excess, Outcome, Provider
from tests.instances.network import Network
from tests.instances.relay import Relay
from tests.instances.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
LIMITS = (1, 2, 3)
SOURCES = [
    name_of(Source(n, f"source {n}", n)) for n in LIMITS
]  # as those of tests.instances.player
LIMIT = 10.0  # seconds; what hangs, fails


class Instance:
    """A process that is started, killed, frozen."""

    def __init__(self, name: str, relay: Relay, network: Network | None, more: list[str]) -> None:
        self.name, self.relay, self.network = name, relay, network
        before = network.before if network else ()
        module = ("-m", "tests.instances.player", name, relay.url)
        self._command = [*before, sys.executable, *module, *more]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(LIMIT)

    def leave(self) -> None:
        """It ends in peace, and says so to the server through its relay."""
        self._process.terminate()
        with gevent.Timeout(LIMIT):
            while self.alive:
                gevent.sleep(0.02)
        assert self._process.returncode in (0, -signal.SIGTERM)  # it had hardly begun

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def freeze(self, seconds: float) -> None:
        self._process.send_signal(signal.SIGSTOP)
        gevent.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)


class World:
    """All of it, while it runs."""

    def __init__(self, folder: Path, outcome: Outcome, times: Times) -> None:
        self.times, self.outcome = times, outcome
        self.dice = random.Random(outcome.seed)
        self.excesses: list[Excess] = []
        self.valkey = Valkey(folder)
        self.instances: list[Instance] = []
        self._busy: set[object] = set()
        self._ends = ExitStack()
        everywhere = "0.0.0.0" if network.is_own() else "127.0.0.1"
        self.providers = [Provider(everywhere, limit, self._seen) for limit in LIMITS]
        for number, name in enumerate("abc", 1):
            self._add(folder, number, f"{outcome.seed}{name}")
        self.cores = Cores(lambda: {each.name: each.pid for each in self.instances if each.alive})

    def _add(self, folder: Path, number: int, name: str) -> None:
        net, host = None, "127.0.0.1"
        address: str | Path = folder / f"{number}.sock"
        if network.is_own():
            net = Network()
            self._ends.callback(net.close)
            address, host = net.server, net.providers
        relay = Relay(address, folder / "valkey.sock")
        providers = [f"{host}:{provider.port}" for provider in self.providers]
        more = [name, json.dumps(asdict(self.times)), *providers]
        self.instances.append(Instance(name, relay, net, more))

    def close(self) -> None:
        self.cores.close()
        for instance in self.instances:
            instance.kill()
            instance.relay.close()
        for provider in self.providers:
            provider.close()
        self.valkey.thaw()
        self.valkey.kill()
        self._ends.close()

    def _seen(self, excess: Excess | None) -> None:
        self.outcome.opened += 1
        if excess is not None:
            self.excesses.append(excess)

    # --- what goes wrong ---

    def _some_time(self, most: float) -> float:
        return self.dice.random() * most * self.times.lease

    @contextmanager
    def _instance(self) -> Iterator[Instance]:
        """One to which nothing else is done meanwhile."""
        instance = self.dice.choice([each for each in self.instances if each not in self._busy])
        self._busy.add(instance)
        try:
            yield instance
        finally:
            self._busy.discard(instance)

    @contextmanager
    def _server(self) -> Iterator[Valkey]:
        """Likewise: who comes second waits."""
        while self.valkey in self._busy:
            gevent.sleep(0.05)
        self._busy.add(self.valkey)
        try:
            yield self.valkey
        finally:
            self._busy.discard(self.valkey)

    def kill_instance(self) -> None:
        with self._instance() as instance:
            instance.kill()
            gevent.sleep(self.dice.choice((0.0, self._some_time(1.5))))
            instance.start()

    def kill_server(self) -> None:
        with self._server() as server:
            server.kill()
            gevent.sleep(self.dice.choice((0.0, self._some_time(0.5))))
            server.start()

    def freeze_server(self) -> None:
        with self._server() as server:
            server.freeze()
            gevent.sleep(self._some_time(1.5))
            server.thaw()

    def cut(self) -> None:
        with self._instance() as instance:
            instance.relay.cut(self._some_time(2.0))

    def reset(self) -> None:
        with self._instance() as instance:
            instance.relay.reset()

    def hold(self) -> None:
        with self._instance() as instance:
            instance.relay.hold(self._some_time(2.0))

    def slow(self) -> None:
        with self._instance() as instance:
            instance.relay.slow(self._some_time(2.0), 2 * self.times.call * self.dice.random())

    def freeze_instance(self) -> None:
        """For less than the margin: longer than that, nothing is promised."""
        with self._instance() as instance, self.cores.stopped(instance.name):
            instance.freeze(self.dice.random() * self.times.margin * 0.7)

    # --- the same of cables, where there are some ---

    def unplug(self) -> None:
        with self._instance() as instance:
            if (net := instance.network) is not None:
                net.unplug()
                gevent.sleep(self._some_time(2.0))
                net.plug_in()
            else:
                instance.relay.hold(self._some_time(2.0))

    def mute(self) -> None:
        with self._instance() as instance:
            if (net := instance.network) is not None:
                net.mute()
                gevent.sleep(self._some_time(2.0))
                net.unmute()

    def deafen(self) -> None:
        with self._instance() as instance:
            if (net := instance.network) is not None:
                net.deafen()
                gevent.sleep(self._some_time(2.0))
                net.undeafen()

    # --- the end ---

    def leave(self) -> None:
        """All instances leave but the first, which dies; another looks after it."""
        first, *others = self.instances
        assert all(instance.alive for instance in self.instances)
        first.kill()
        for instance in others:
            instance.leave()
        gevent.sleep(self.times.lease)
        link = RedisLink(self.valkey.url, self.times.lease, LIMIT)
        said = json.dumps({"limits": [], "tokens": [], "sources": SOURCES})
        link.exchange([Request(op, "last|1", said) for op in ("join", "renew", "leave")])
        link.close()
        self.outcome.left = sizes(self.valkey.url)

    def judged(self) -> None:
        """What was seen, and who was kept from working when it was."""
        times, outcome = self.times, self.outcome
        outcome.waited = self.cores.longest(times.lease)
        for excess in self.excesses:
            outcome.worst = max(outcome.worst, excess.found - excess.limit)
            kept = self.cores.near(excess.at, times.lease, times.lease)
            about = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in kept.items())
            blame = "no instance was kept from working longer than the margin"
            if any(seconds > abs(times.margin) for seconds in kept.values()):
                blame = "the promise's third condition may have been broken"
            outcome.over.append(
                f"{excess.found} of {excess.limit}; without a core around then:"
                f" {about or 'nobody'}; {blame}"
            )


def sizes(url: str) -> dict[str, int]:
    """What a server holds of ours until it is told otherwise: by key, how many fields."""
    found: dict[str, int] = {}
    with redis.Redis.from_url(url) as client:
        for key in client.keys(f"{BASE}:*"):  # type: ignore[union-attr]
            if client.ttl(key) != -1:  # type: ignore[operator]
                continue  # it goes by itself
            kind = client.type(key)
            of = {b"hash": client.hlen, b"zset": client.zcard, b"set": client.scard}
            name = key.decode().removeprefix(f"{BASE}:")
            found[name] = of[kind](key) if kind in of else 1  # type: ignore[index,assignment,operator]
    return found
