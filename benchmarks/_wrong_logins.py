"""Wrong logins, many at once, beside a running stream: each of them costs a slow digest."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks._beside_a_stream import BITRATE, add_users, watched
from benchmarks.figures import Figure
from benchmarks.rig import compiled, cpu_seconds, percentile, running_proxy, two_cores
from kptv.channels.users.model import User
from tests.provider import Provider

AT_ONCE = 20
WAVES = 10  # so each name is tried five times, and the tries are not yet held back
_NAMES = [f"user{number}" for number in range(AT_ONCE)]
_TYPED, _WRONG = "correct-horse", "battery-staple"
_LEAST = 5e-3  # seconds of CPU that a slow digest takes anywhere


@dataclass(frozen=True, slots=True)
class Try:
    """A wrong login, from a household of its own: the proxy believes this machine who asks."""

    name: str
    address: str

    def seconds(self, port: int) -> float:
        """How long it takes to be refused."""
        query = urlencode({"username": self.name, "password": _WRONG})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            begun = time.monotonic()
            path = f"/player_api.php?{query}"
            connection.request("GET", path, headers={"X-Forwarded-For": self.address})
            answer = connection.getresponse()
            assert answer.status == 401
            assert answer.read()
            return time.monotonic() - begun
        finally:
            connection.close()


def run(waves: int = WAVES) -> list[Figure]:
    """The figures, and what they should be."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("viewers") as (viewers,),
    ):
        provider.add_channel("played")
        with running_proxy(provider, core=cores.server) as proxy:
            add_users(proxy, (User(id=0, name=name) for name in _NAMES), typed=_TYPED)
            secret = add_users(proxy, [User(id=0, name="viewer")])["viewer"]
            with watched(viewers, proxy, f"/u/{secret}/stream/played") as beside:
                before, waits = cpu_seconds(proxy.worker_pid), list[float]()
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    for wave in range(waves):
                        waits += pool.map(lambda each: each.seconds(proxy.port), _wave(wave))
                cpu = (cpu_seconds(proxy.worker_pid) - before) / len(waits)
                assert cpu > _LEAST, f"{cpu * 1e3:.1f} ms of CPU: nothing slow was done"
                return _figures(waits, cpu, beside.felt(f"{AT_ONCE} wrong logins at once"))


def _wave(number: int) -> list[Try]:
    """So many tries: half of the names are users', the others nobody's."""
    begin = number % 2 * AT_ONCE // 2
    names = _NAMES[begin : begin + AT_ONCE // 2]
    names += [f"nobody{number}-{each}" for each in range(AT_ONCE - len(names))]
    return [Try(name, f"198.51.{number}.{at}") for at, name in enumerate(names, 1)]


def _figures(waits: list[float], cpu: float, felt: list[Figure]) -> list[Figure]:
    middle = f"median {percentile(waits, 0.5) * 1e3:.0f}"
    what = f"{AT_ONCE} wrong logins at once"
    return [
        *felt,
        Figure(
            f"{what}: answered, p99 of {len(waits)}",
            percentile(waits, 0.99) * 1e3,
            "ms",
            note=middle,
        ),
        Figure(f"{what}: CPU of each, with the stream", cpu * 1e3, "ms"),
    ]
