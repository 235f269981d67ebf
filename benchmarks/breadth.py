"""Many channels with one viewer each: what a channel costs, how many fit, what they hold.

Providers and viewers are processes of their own (headend.py, watchers.py) on the load's core.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Cores, cpu_seconds, pin, resident, two_cores
from tests.functional.harness import Proxy

BITRATE = 4_000_000
CHANNELS, SEGMENTED = 100, 50
MOST = 400  # channels; more are not tried
STEP = 20  # channels more at a time
STALL = 1.0  # seconds that a viewer may wait
SETTLE = 8.0  # seconds after the last viewer has joined: how busy the proxy is, it knows by then
WINDOW = 12.0  # seconds measured
TRY = 6.0  # seconds for each number of channels that may fit
HUBS = 40
LIMIT = 256 << 20  # bytes: MAX_BUFFER_SIZE
FULL = LIMIT * 8 / BITRATE / HUBS * 2  # seconds; then all of it is used, and was for a while
_DEADLINE = 60.0  # seconds for viewers to get their first media


@dataclass(frozen=True, slots=True)
class Heard:
    """What the viewers have seen since the report before; see watchers.py."""

    playing: int
    ended: int
    bytes: int
    longest: float  # seconds
    late: float  # seconds by which they themselves were held up, at most


class Watchers:
    """One viewer for each channel, in a process of their own."""

    def __init__(self, proxy: Proxy, path: str) -> None:
        self._process = _started("watchers", proxy.port, path)

    def report(self, count: int = 0) -> Heard:
        """What they saw since the last report; from now on there are ``count`` of them."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{count}\n")
        stdin.flush()
        playing, ended, size, longest, late = stdout.readline().split()
        return Heard(int(playing), int(ended), int(size), float(longest), float(late))

    def gather(self, count: int) -> bool:
        """Wait until so many play; False: not all do."""
        deadline = time.monotonic() + _DEADLINE
        while (heard := self.report(count)).playing < count:
            if heard.ended or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def close(self) -> None:
        """Hang up."""
        _end(self._process)


def run(quick: bool = False) -> list[Figure]:
    """Channels that never end, channels in segments, and the memory of both's buffers."""
    with two_cores() as cores:
        live = _cost(cores, "/stream/channel-{}", CHANNELS, "channels", 0.6)
        segmented = _cost(cores, "/stream/segments-{}", SEGMENTED, "HLS channels", 1.2)
        return [*live, *segmented, _memory(cores), *([] if quick else [_fitting(cores)])]


def _cost(cores: Cores, path: str, count: int, name: str, target: float) -> list[Figure]:
    with _running(cores, count) as proxy, contextlib.closing(Watchers(proxy, path)) as watchers:
        assert watchers.gather(count), proxy.log
        time.sleep(SETTLE)
        share, heard = _share(proxy, watchers, WINDOW)
    load = f"{count} {name} of {BITRATE / 1e6:g} Mbit/s, a viewer each"
    total = f"{share:.0%} in all; {heard.ended} lost"
    return [
        Figure(f"{load}: CPU a channel", share / count * 100, "%", at_most(target), total),
        Figure(
            f"{load}: longest silence",
            heard.longest,
            "s",
            at_most(STALL),
            f"viewers looked every {heard.late * 1e3:.0f} ms at least",
        ),
    ]


def _fitting(cores: Cores) -> Figure:
    """How many channels play at once without a stall."""
    fitting, share, longest = 0, 0.0, 0.0
    with (
        _running(cores, MOST) as proxy,
        contextlib.closing(Watchers(proxy, "/stream/channel-{}")) as watchers,
    ):
        for count in range(CHANNELS, MOST + 1, STEP):
            if not watchers.gather(count):
                break
            time.sleep(SETTLE if count == CHANNELS else 1.0)
            taken, heard = _share(proxy, watchers, TRY)
            if heard.ended or heard.longest > STALL or heard.bytes < _due(count):
                break
            fitting, share, longest = count, taken, heard.longest
    what = f"channels of {BITRATE / 1e6:g} Mbit/s that fit, a viewer each, no stall above 1 s"
    return Figure(
        what, fitting, "", None, f"{share:.0%} of a core, longest silence {longest:.2f} s"
    )


def _due(count: int) -> float:
    """Bytes that so many viewers get if none is held up; some of a stream is left out."""
    return 0.95 * count * BITRATE / 8 * TRY


def _memory(cores: Cores) -> Figure:
    """What many hubs hold if all memory for buffers is used."""
    with (
        _running(cores, HUBS, MAX_BUFFER_SIZE=f"{LIMIT}") as proxy,
        contextlib.closing(Watchers(proxy, "/stream/channel-{}")) as watchers,
    ):
        base = resident(proxy.worker_pid)
        assert watchers.gather(HUBS), proxy.log
        time.sleep(FULL)
        more = resident(proxy.worker_pid) - base
    what = f"{HUBS} hubs: memory beyond the base, of MAX_BUFFER_SIZE"
    note = f"{more / 1e6:.0f} MB, base {base / 1e6:.0f} MB"
    return Figure(what, more / LIMIT * 100, "%", at_most(120), note)


def _share(proxy: Proxy, watchers: Watchers, seconds: float) -> tuple[float, Heard]:
    """The share of a core that the proxy takes, and what viewers see meanwhile."""
    watchers.report()
    begun, cpu = time.monotonic(), cpu_seconds(proxy.worker_pid)
    time.sleep(seconds)
    heard = watchers.report()
    return (cpu_seconds(proxy.worker_pid) - cpu) / (time.monotonic() - begun), heard


@contextlib.contextmanager
def _running(cores: Cores, channels: int, **settings: str) -> Iterator[Proxy]:
    """A ready proxy before a headend of so many channels of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        headend = _started("headend", channels, BITRATE)
        assert headend.stdout is not None
        address = f"http://127.0.0.1:{int(headend.stdout.readline())}/list.m3u"
        proxy = Proxy(Path(folder), f"{address}|0", **settings)
        try:
            proxy.start()
            pin(proxy.worker_pid, cores.server)
            yield proxy
        finally:
            proxy.close()
            _end(headend)


def _started(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    """It ends with its stdin."""
    with process:
        assert process.stdin is not None
        process.stdin.close()
