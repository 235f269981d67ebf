"""The cost of a thousand viewers of one channel, beside the least that it can be.

The proxy and `fanout.c`, which coalesces alike, take turns on one core; the crowd and the provider
have the other.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.rig import (
    Cores,
    Crowd,
    compiled,
    cpu_seconds,
    pin,
    resident,
    running_proxy,
    two_cores,
)
from tests.provider import Provider, Stream

VIEWERS = 1000
BITRATE = 8_000_000
ROUNDS = 3  # turns of each
SETTLE = 3.0  # seconds after the last viewer has joined: what it got at once is behind it
WINDOW = 6.0  # seconds measured
BUFFER = 4 << 20  # full before the first viewer is counted, so that it is in no viewer's memory
BUFFER_FULL = BUFFER * 8 / BITRATE * 1.5  # seconds
BEHIND = 0.3  # seconds of media by which a viewer may trail the one that got most


@dataclass
class Cost:
    """CPU that one server used, and bytes that it delivered, over all its turns."""

    cpu: float = 0.0  # seconds
    seconds: float = 0.0
    bytes: int = 0
    behind: float = 0.0  # seconds of media by which the slowest viewer trailed the fastest
    ended: int = 0  # viewers that lost their connection
    memory: int = 0  # resident bytes, more than before the first turn

    @property
    def per_gigabyte(self) -> float:
        """Seconds of CPU."""
        return self.cpu / self.bytes * 1e9


def run() -> list[Figure]:
    """CPU per byte beside the yardstick, memory per viewer, and whether all kept up."""
    ours, theirs = Cost(), Cost()
    with (
        two_cores() as cores,
        compiled("fanout", "viewers") as (fanout, viewers),
        Provider("one", bitrate=BITRATE) as provider,
    ):
        news = provider.add_channel("News")
        with (
            running_proxy(provider, core=cores.server, BUFFER_SIZE_PER_STREAM=f"{BUFFER}") as proxy,
            _yardstick(fanout, news, cores) as (pid, port),
            Crowd(viewers, proxy.port, "/stream/news", 1),  # keeps the hub, and so its buffer
        ):
            time.sleep(BUFFER_FULL)
            base = resident(proxy.worker_pid)
            for _ in range(ROUNDS):
                with Crowd(viewers, proxy.port, "/stream/news", VIEWERS) as crowd:
                    _measure(ours, proxy.worker_pid, crowd)
                    ours.memory = max(ours.memory, resident(proxy.worker_pid) - base)
                with Crowd(viewers, port, "/", VIEWERS) as crowd:
                    _measure(theirs, pid, crowd)
    return _figures(ours, theirs)


@contextlib.contextmanager
def _yardstick(program: Path, stream: Stream, cores: Cores) -> Iterator[tuple[int, int]]:
    """The C fan-out of this stream: process id and port."""
    command = [str(program), str(stream.provider.port), stream.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            pin(process.pid, cores.server)
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def _measure(cost: Cost, pid: int, crowd: Crowd) -> None:
    """Add one turn of the server ``pid``."""
    time.sleep(SETTLE)
    crowd.report()
    begun, cpu = time.monotonic(), cpu_seconds(pid)
    time.sleep(WINDOW)
    report = crowd.report()
    cost.cpu += cpu_seconds(pid) - cpu
    cost.seconds += time.monotonic() - begun
    cost.bytes += report.bytes
    cost.behind = max(cost.behind, (report.most - report.least) * 8 / BITRATE)
    cost.ended += report.ended


def _figures(ours: Cost, theirs: Cost) -> list[Figure]:
    load = f"{VIEWERS:,} viewers of {BITRATE / 1e6:g} Mbit/s"
    return [
        Figure(
            f"{load}: bytes a CPU-second, proxy ÷ C fan-out",
            theirs.per_gigabyte / ours.per_gigabyte,
            "",
            at_least(0.82),
            f"{ours.per_gigabyte:.2f} and {theirs.per_gigabyte:.2f} s/GB",
        ),
        Figure(f"{load}: one core used", ours.cpu / ours.seconds * 100, "%", at_most(100)),
        Figure(f"{load}: slowest viewer's media behind", ours.behind, "s", at_most(BEHIND)),
        Figure(f"{load}: viewers lost", ours.ended, "", at_most(0)),
        Figure(f"{load}: memory a viewer", ours.memory / VIEWERS / 1024, "KB", at_most(25)),
    ]
