"""The cost of many viewers of one channel, beside the least that it can be.

The proxy and `fanout.c` take turns on one core; the crowd and the provider have the other. The C
fan-out gathers for as long as the proxy did in its turn (larger chunks are cheaper for both), and
for GATHER at least. Each round starts both anew; told is the median of the rounds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.rig import (
    GATHER,
    Cores,
    Crowd,
    compiled,
    cpu_seconds,
    resident,
    running_proxy,
    span,
    two_cores,
    yardstick,
)
from tests.provider import Provider

LOADS = ((1000, 8_000_000), (2000, 2_000_000))  # viewers, bit/s
ROUNDS = 3
SETTLE = 5.0  # seconds after the last has joined: all have the media from before, which takes 3
WINDOW = 6.0  # seconds measured
BUFFERED = 4.0  # seconds; full before the first viewer is counted, so that it is in none's memory
FILLED = 2.0  # seconds that this takes: the provider sends as much at once
BEHIND = 0.3  # seconds of media by which a viewer may trail the one that got most


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server used and delivered in its turn."""

    cpu: float  # seconds
    seconds: float
    bytes: int
    gathered: float  # seconds of media that a viewer got at once, on average
    behind: float  # seconds of media by which the slowest viewer trailed the fastest
    ended: int  # viewers that lost their connection
    memory: int  # resident bytes, more than before the viewers

    @property
    def per_gigabyte(self) -> float:
        """Seconds of CPU."""
        return self.cpu / self.bytes * 1e9


@dataclass(frozen=True, slots=True)
class Round:
    """A turn of each."""

    ours: Turn
    theirs: Turn

    @property
    def ratio(self) -> float:
        """Bytes per CPU-second: the proxy's part of the C fan-out's."""
        return self.theirs.per_gigabyte / self.ours.per_gigabyte


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two, ready for viewers."""

    pid: int
    port: int
    path: str
    memory: int  # resident bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """The programs and cores, and the load that they are put under."""

    cores: Cores
    fanout: Path
    viewers: Path
    count: int
    bitrate: int

    def round(self) -> Round:
        """The proxy and the C fan-out, by turns."""
        with Provider("one", bitrate=self.bitrate) as provider:
            news = provider.add_channel("News")
            news.burst = BUFFERED
            with self._proxy(provider) as server:
                ours = self._turn(server)
                gather = max(GATHER, ours.gathered)
                with yardstick(self.fanout, news, self.cores.server, gather) as (pid, port):
                    return Round(ours, self._turn(Server(pid, port, "/", resident(pid))))

    @contextlib.contextmanager
    def _proxy(self, provider: Provider) -> Iterator[Server]:
        """One that has a full buffer; a viewer keeps it."""
        size, path = f"{int(BUFFERED * self.bitrate / 8)}", "/stream/news"
        with (
            running_proxy(provider, core=self.cores.server, BUFFER_SIZE_PER_STREAM=size) as proxy,
            Crowd(self.viewers, proxy.port, path, 1),
        ):
            time.sleep(FILLED)
            yield Server(proxy.worker_pid, proxy.port, path, resident(proxy.worker_pid))

    def _turn(self, server: Server) -> Turn:
        with Crowd(self.viewers, server.port, server.path, self.count) as crowd:
            time.sleep(SETTLE)
            crowd.report()
            begun, cpu = time.monotonic(), cpu_seconds(server.pid)
            time.sleep(WINDOW)
            report = crowd.report()
            return Turn(
                cpu=cpu_seconds(server.pid) - cpu,
                seconds=time.monotonic() - begun,
                bytes=report.bytes,
                gathered=report.bytes / report.reads * 8 / self.bitrate,
                behind=(report.most - report.least) * 8 / self.bitrate,
                ended=report.ended,
                memory=resident(server.pid) - server.memory,
            )


def run(quick: bool = False) -> list[Figure]:
    """CPU per byte beside the yardstick, memory per viewer, and whether all kept up."""
    rounds = 1 if quick else ROUNDS
    with two_cores() as cores, compiled("fanout", "viewers") as (fanout, viewers):
        stages = [Stage(cores, fanout, viewers, *load) for load in LOADS]
        return [
            figure
            for stage in stages
            for figure in _figures(stage, [stage.round() for _ in range(rounds)])
        ]


def _figures(stage: Stage, rounds: Sequence[Round]) -> list[Figure]:
    load = f"{stage.count:,} viewers of {stage.bitrate / 1e6:g} Mbit/s"
    ours, theirs = [one.ours for one in rounds], [one.theirs for one in rounds]
    ratios = [one.ratio for one in rounds]
    costs = [median(turn.per_gigabyte for turn in turns) for turns in (ours, theirs)]
    gathered = [median(turn.gathered for turn in turns) * 1e3 for turns in (ours, theirs)]
    return [
        Figure(
            f"{load}: bytes per CPU-second, of a fan-out in C",
            median(ratios),
            "",
            at_least(0.82),
            f"{span(ratios, 2)}{costs[0]:.2f} and {costs[1]:.2f} s/GB,"
            f" chunks of {gathered[0]:.0f} and {gathered[1]:.0f} ms",
            headline=True,
        ),
        Figure(
            f"{load}: one core used",
            median(turn.cpu / turn.seconds for turn in ours) * 100,
            "%",
            at_most(100),
        ),
        Figure(
            f"{load}: slowest viewer's media behind",
            max(turn.behind for turn in ours),
            "s",
            at_most(BEHIND),
        ),
        Figure(f"{load}: viewers lost", sum(turn.ended for turn in ours), "", at_most(0)),
        Figure(
            f"{load}: memory a viewer",
            median(turn.memory for turn in ours) / stage.count / 1024,
            "KB",
            at_most(25),
        ),
    ]
