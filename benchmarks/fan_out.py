"""The cost of many viewers of one channel, beside the least that it can be.

The proxy and `fanout.c` take turns on one core; the crowd and the provider have the other. The C
fan-out gathers for as long as the proxy did in its turn (larger chunks are cheaper for both), and
for GATHER at least. Each round starts both anew; told is the median of the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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
ROUNDS = 3  # turns of each
SETTLE = 3.0  # seconds after the last viewer has joined: what it got at once is behind it
WINDOW = 6.0  # seconds measured
QUICK_WINDOW = 4.0
BUFFERED = 4.0  # seconds; full before the first viewer is counted, so that it is in none's memory
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
    memory: int = 0  # resident bytes, more than before the viewers

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
class Stage:
    """The programs and cores, and how long a turn is."""

    cores: Cores
    fanout: Path
    viewers: Path
    window: float

    def round(self, count: int, bitrate: int) -> Round:
        """One turn of each with so many viewers."""
        buffer = f"{int(BUFFERED * bitrate / 8)}"
        with Provider("one", bitrate=bitrate) as provider:
            news = provider.add_channel("News")
            with (
                running_proxy(
                    provider, core=self.cores.server, BUFFER_SIZE_PER_STREAM=buffer
                ) as proxy,
                Crowd(self.viewers, proxy.port, "/stream/news", 1),  # keeps the hub, its buffer
            ):
                time.sleep(BUFFERED * 1.5)
                base = resident(proxy.worker_pid)
                with Crowd(self.viewers, proxy.port, "/stream/news", count) as crowd:
                    ours = self._turn(proxy.worker_pid, crowd, bitrate, base)
            gather = max(GATHER, ours.gathered)
            with (
                yardstick(self.fanout, news, self.cores.server, gather) as (pid, port),
                Crowd(self.viewers, port, "/", count) as crowd,
            ):
                return Round(ours, self._turn(pid, crowd, bitrate, 0))

    def _turn(self, pid: int, crowd: Crowd, bitrate: int, base: int) -> Turn:
        time.sleep(SETTLE)
        crowd.report()
        begun, cpu = time.monotonic(), cpu_seconds(pid)
        time.sleep(self.window)
        report = crowd.report()
        return Turn(
            cpu=cpu_seconds(pid) - cpu,
            seconds=time.monotonic() - begun,
            bytes=report.bytes,
            gathered=report.bytes / report.reads * 8 / bitrate,
            behind=(report.most - report.least) * 8 / bitrate,
            ended=report.ended,
            memory=resident(pid) - base,
        )


def run(quick: bool = False) -> list[Figure]:
    """CPU per byte beside the yardstick, memory per viewer, and whether all kept up."""
    with two_cores() as cores, compiled("fanout", "viewers") as (fanout, viewers):
        stage = Stage(cores, fanout, viewers, QUICK_WINDOW if quick else WINDOW)
        return [
            figure
            for count, bitrate in LOADS
            for figure in _figures(
                f"{count:,} viewers of {bitrate / 1e6:g} Mbit/s",
                count,
                [stage.round(count, bitrate) for _ in range(1 if quick else ROUNDS)],
            )
        ]


def _figures(load: str, count: int, rounds: Sequence[Round]) -> list[Figure]:
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
            median(turn.memory for turn in ours) / count / 1024,
            "KB",
            at_most(25),
        ),
    ]
