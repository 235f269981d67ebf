"""Three instances, a real server, a provider that counts sockets, and all that can go wrong.

`python -m tests.instances.chaos [seed] [seeds] [seconds]` runs many seeds; CI runs one.
"""

from __future__ import annotations

import json
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from kptv.instances.term import Times
from tests.instances.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
TIMES = Times(lease=3.0, renewal=0.5, margin=1.0, call=0.3)
LIMITS = (1, 2, 3)


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    opened: int = 0
    done: dict[str, int] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = ", ".join(f"{n} {what}" for what, n in sorted(self.done.items()))
        return f"seed {self.seed}: {self.opened} connections; {done}; {len(self.over)} too many"


class Provider:
    """Counts its open connections as the kernel knows them, whenever one more comes."""

    def __init__(self, limit: int, outcome: Outcome, begun: float) -> None:
        self._limit, self._outcome, self._begun = limit, outcome, begun
        self._open: set[Any] = set()
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port: int = self._server.server_port

    def close(self) -> None:
        self._server.stop()

    def _serve(self, connection: Any, address: object) -> None:
        self._open = {each for each in self._open if not _hung_up(each)}
        if not _hung_up(connection):
            self._open.add(connection)
        self._outcome.opened += 1
        if len(self._open) > self._limit:
            at = monotonic() - self._begun
            self._outcome.over.append(f"{at:.2f} s: {len(self._open)} of {self._limit}")
        with suppress(OSError):
            connection.recv(1)
        self._open.discard(connection)


def _hung_up(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


class Relay:
    """Between an instance and the server; may be cut, or hold all that is sent."""

    def __init__(self, path: Path, server: Path) -> None:
        self.url = f"unix://{path}"
        self._server_path = str(server)
        self._open: set[Any] = set()
        self._flows = Event()
        self._flows.set()
        self._is_cut = False
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(16)
        self._server = StreamServer(listener, self._serve)
        self._server.start()

    def close(self) -> None:
        self._server.stop()
        self.reset()

    def reset(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float) -> None:
        self._is_cut = True
        self.reset()
        gevent.sleep(seconds)
        self._is_cut = False

    def hold(self, seconds: float) -> None:
        """Half open: what was sent arrives late, or never."""
        self._flows.clear()
        gevent.sleep(seconds)
        self._flows.set()

    def _serve(self, here: Any, address: object) -> None:
        there = socket.socket(socket.AF_UNIX)
        try:
            if self._is_cut:
                return
            there.connect(self._server_path)
            self._open |= {here, there}
            back = gevent.spawn(self._pump, there, here)
            self._pump(here, there)
            back.join()
        except OSError:
            pass
        finally:
            self._open -= {here, there}
            here.close()
            there.close()

    def _pump(self, one: Any, other: Any) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
        for each in one, other:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Instance:
    """A process that is started, killed, frozen."""

    def __init__(self, name: str, relay: Relay, arguments: list[str]) -> None:
        self.relay = relay
        module = ("-m", "tests.instances.player", name, relay.url)
        self._command = [sys.executable, *module, *arguments]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

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
        self.times = times
        self.dice = random.Random(outcome.seed)
        self.outcome = outcome
        self.valkey = Valkey(folder)
        begun = monotonic()
        self.providers = [Provider(limit, outcome, begun) for limit in LIMITS]
        self.instances = []
        for name in "abc":
            relay = Relay(folder / f"{name}.sock", folder / "valkey.sock")
            ports = [str(provider.port) for provider in self.providers]
            arguments = [f"{outcome.seed}{name}", json.dumps(asdict(times)), *ports]
            self.instances.append(Instance(name, relay, arguments))

    def close(self) -> None:
        for instance in self.instances:
            instance.kill()
            instance.relay.close()
        for provider in self.providers:
            provider.close()
        self.valkey.thaw()
        self.valkey.kill()

    # --- what goes wrong ---

    def _some_time(self, most: float) -> float:
        return self.dice.random() * most * self.times.lease

    def kill_instance(self) -> None:
        instance = self.dice.choice(self.instances)
        instance.kill()
        gevent.sleep(self.dice.choice((0.0, self._some_time(1.5))))
        instance.start()

    def kill_server(self) -> None:
        self.valkey.kill()
        gevent.sleep(self.dice.choice((0.0, self._some_time(0.5))))
        self.valkey.start()

    def freeze_server(self) -> None:
        self.valkey.freeze()
        gevent.sleep(self._some_time(1.5))
        self.valkey.thaw()

    def cut(self) -> None:
        self.dice.choice(self.instances).relay.cut(self._some_time(2.0))

    def reset(self) -> None:
        self.dice.choice(self.instances).relay.reset()

    def hold(self) -> None:
        self.dice.choice(self.instances).relay.hold(self._some_time(2.0))

    def freeze_instance(self) -> None:
        """For less than the margin: longer than that, nothing is promised."""
        self.dice.choice(self.instances).freeze(self.dice.random() * self.times.margin * 0.4)


ALL: tuple[Callable[[World], None], ...] = (
    World.kill_instance,
    World.kill_server,
    World.freeze_server,
    World.cut,
    World.reset,
    World.hold,
    World.freeze_instance,
)


def run(
    seed: int,
    seconds: float,
    times: Times = TIMES,
    faults: tuple[Callable[[World], None], ...] = ALL,
) -> Outcome:
    """The chaos of this seed."""
    outcome = Outcome(seed)
    with TemporaryDirectory(prefix="kptv-") as folder:
        world = World(Path(folder), outcome, times)
        try:
            ends = monotonic() + seconds
            while monotonic() < ends:
                gevent.sleep(world.dice.random() * times.lease * world.dice.choice((0.3, 1.0, 3.0)))
                fault = world.dice.choice(faults)
                fault(world)
                outcome.done[fault.__name__] = outcome.done.get(fault.__name__, 0) + 1
            assert all(instance.alive for instance in world.instances)
        finally:
            world.close()
    return outcome


def main() -> None:
    first, seeds, seconds = (int(each) for each in (*sys.argv[1:], "1", "1", "45")[:3])
    wrong = 0
    for seed in range(first, first + seeds):
        outcome = run(seed, seconds)
        print(outcome, *outcome.over[:5], sep="\n  ", flush=True)
        wrong += bool(outcome.over)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
