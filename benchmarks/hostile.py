"""How much a viewer and ``/healthz`` are delayed by an attack: from a client, a list, a provider.

Each attack goes on beside a viewer of an 8 Mbit/s channel; told is the longest time without media,
and the longest wait for ``/healthz``, which is asked all the while.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.figures import Figure, at_most
from benchmarks.rig import running_proxy, two_cores
from tests.functional.harness import Proxy, Viewer
from tests.functional.test_hostile_providers import Odd, variants
from tests.provider import Provider

BITRATE = 8_000_000
SILENCE, HEALTH = 0.3, 0.5  # seconds; the targets
ATTACK = 5.0  # seconds, of clients
SETTLED = 3.0  # seconds in which a list is imported


def run() -> list[Figure]:
    """Two figures per attack; the first is without one, to compare."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as one,
        Provider("attacker") as attacker,
        Odd() as origin,
    ):
        one.add_channel("News")
        attacker.list.set("#EXTM3U\n")
        with (
            running_proxy(
                one, attacker, core=cores.server, IMPORT_REFRESH_INTERVAL="1s", STREAM_LINGER="0"
            ) as proxy,
            proxy.viewer("news") as viewer,
        ):
            viewer.wait_for_source("one")
            stage = Stage(proxy, viewer, attacker, origin)
            return [
                figure for name, attack in ATTACKS.items() for figure in stage.figures(name, attack)
            ]


@dataclass
class Stage:
    """Who plays in it."""

    proxy: Proxy
    viewer: Viewer
    attacker: Provider
    origin: Odd
    _waits: list[float] = field(default_factory=list)

    def figures(self, name: str, attack: Callable[[Stage], object]) -> Iterable[Figure]:
        """What was noticed of it."""
        self._waits.clear()
        seen, over = len(self.viewer.arrivals), threading.Event()
        asking = threading.Thread(target=self._ask, args=(over,))
        begun = time.monotonic()
        asking.start()
        try:
            attack(self)
        finally:
            ended = time.monotonic()
            over.set()
            asking.join(60)
        times = [begun, *(at for at, _ in self.viewer.arrivals[seen:] if at <= ended), ended]
        silence = max(later - at for at, later in pairwise(times))
        yield _figure(f"{name}: a viewer's longest silence", silence, SILENCE)
        yield _figure(f"{name}: /healthz, the longest wait", max(self._waits), HEALTH)

    def _ask(self, over: threading.Event) -> None:
        while not self._waits or not over.wait(0.05):
            begun = time.monotonic()
            self.proxy.get("/healthz")
            self._waits.append(time.monotonic() - begun)

    def imports(self, text: str) -> None:
        """The attacker's list, for as long as an import of it takes."""
        asked = len(self.attacker.list.requests)
        self.attacker.list.set(text)
        until = time.monotonic() + 60
        while len(self.attacker.list.requests) < asked + 2 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(SETTLED)


def _figure(what: str, seconds: float, target: float) -> Figure:
    return Figure(what, seconds * 1000, "ms", at_most(target * 1000))


@contextlib.contextmanager
def _connection(stage: Stage) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", stage.proxy.port), timeout=30) as connection:
        yield connection


def _nothing(_: Stage) -> None:
    time.sleep(ATTACK)


def _pipelining(stage: Stage) -> None:
    def read(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    until = time.monotonic() + ATTACK
    while time.monotonic() < until:
        with _connection(stage) as connection:
            reader = threading.Thread(target=read, args=(connection,))
            reader.start()
            with contextlib.suppress(OSError):
                while time.monotonic() < until:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            reader.join(30)


def _bodies(stage: Stage) -> None:
    until = time.monotonic() + ATTACK
    while time.monotonic() < until:
        with _connection(stage) as connection, contextlib.suppress(OSError):
            connection.sendall(
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            while time.monotonic() < until:
                connection.sendall(b"1\r\nx\r\n" * 10_000)


def _lines(stage: Stage) -> None:
    worst = ("a.ts?" * 12_000 + " x", f'#EXTINF:-1 a=x{" " * 60_000}",N')
    lines = "\n".join(worst * 100)
    stage.imports(f"#EXTM3U\n{lines}\n#EXTINF:-1,Last\nhttp://127.0.0.1:9/1\n")


def _variants(count: int, renditions: int) -> Callable[[Stage], None]:
    def attack(stage: Stage) -> None:
        stage.origin.playlist = variants(count, renditions)
        name = f"variants {count}"
        stage.imports(f"#EXTM3U\n#EXTINF:-1,{name}\n{stage.origin.url}\n")
        with stage.proxy.viewer(name) as viewer:
            viewer.wait_for_status(30)

    return attack


def _names(stage: Stage) -> None:
    name = "n" * 40_000
    entries = [f"#EXTINF:-1,{n:03d}{name}\nhttp://127.0.0.1:9/{n}" for n in range(200)]
    stage.imports("\n".join(["#EXTM3U", *entries, ""]))
    for _ in range(5):
        stage.proxy.get("/api/channels")


ATTACKS: dict[str, Callable[[Stage], object]] = {
    "nobody attacks": _nothing,
    "pipelined requests": _pipelining,
    "a body without an end": _bodies,
    "lines made to be slow": _lines,
    "6,000 variants of 6,000 renditions": _variants(6_000, 6_000),
    "49,000 variants that are not there": _variants(49_000, 0),
    "200 names of 40 KB": _names,
}
