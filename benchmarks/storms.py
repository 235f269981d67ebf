"""What it costs if everybody comes at once: to a cold channel, to a running one, and back again.

A few viewers were there before, and must hardly notice. Memory is the worker's, more than it had
with one viewer whose channel had a full buffer.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, Report, compiled, resident, running_proxy, two_cores
from tests.functional.harness import Proxy
from tests.provider import Provider

WITHIN = 1.0  # seconds in which they come
AT_ONCE = 0.05  # seconds in which they come back
EARLIER = 50  # viewers that were there before
BITRATE = 8_000_000
BURST = 5.0  # seconds of media that the provider sends at once
BUFFER = 4 << 20  # bytes; full when the base is taken
BUFFER_FULL = BUFFER * 8 / BITRATE * 1.5  # seconds
SETTLE = 2.0  # seconds after the earlier viewers have come
AFTER = 5.0  # seconds after a storm
SAMPLE = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    viewers: int = 800
    later: float = 60.0  # seconds after the last has left


WHOLE, QUICK = Extent(), Extent(viewers=200, later=5.0)


@dataclass(frozen=True, slots=True)
class Storm:
    """What one storm did."""

    viewers: int
    crowd: Report
    earlier: Report
    peak: int  # bytes of memory, more than the base
    after: int


def run(quick: bool = False) -> list[Figure]:
    """Each storm before a proxy of its own, but for the return, which follows one."""
    extent = QUICK if quick else WHOLE
    with (
        two_cores() as cores,
        compiled("viewers") as (program,),
        Provider("one", bitrate=BITRATE) as provider,
    ):
        for name in ("News", "Sport"):
            provider.add_channel(name).burst = BURST
        settings = {"BUFFER_SIZE_PER_STREAM": f"{BUFFER}", "STREAM_LINGER": "0"}
        with running_proxy(provider, core=cores.server, **settings) as proxy:
            cold = _cold(program, proxy, extent)
        with running_proxy(provider, core=cores.server, **settings) as proxy:
            running = _running(program, proxy, extent)
    return [*cold, *running]


def _cold(program: Path, proxy: Proxy, extent: Extent) -> list[Figure]:
    with Crowd(program, proxy.port, "/stream/sport", EARLIER, marks=True) as earlier:
        with Crowd(program, proxy.port, "/stream/news", 1):
            time.sleep(BUFFER_FULL)
            base = resident(proxy.worker_pid)
        time.sleep(SETTLE)  # the channel ends with its only viewer
        crowd = _storm(program, proxy, extent.viewers, WITHIN)
        storm = _measured(crowd, earlier, proxy.worker_pid, base)
    return [
        *_figures("come to a cold channel", storm, headline=True),
        _left("cold", proxy, base, extent.later),
    ]


def _running(program: Path, proxy: Proxy, extent: Extent) -> list[Figure]:
    with Crowd(program, proxy.port, "/stream/news", EARLIER, marks=True) as earlier:
        time.sleep(max(BUFFER_FULL, SETTLE))
        base = resident(proxy.worker_pid)
        first, again = (
            _measured(
                _storm(program, proxy, extent.viewers, within), earlier, proxy.worker_pid, base
            )
            for within in (WITHIN, AT_ONCE)
        )
    return [
        *_figures("come to a running channel", first),
        *_figures("leave and come back at once", again),
        _left("running", proxy, base, extent.later),
    ]


def _storm(program: Path, proxy: Proxy, viewers: int, within: float) -> Crowd:
    return Crowd(program, proxy.port, "/stream/news", viewers, within=within)


def _measured(crowd: Crowd, earlier: Crowd, pid: int, base: int) -> Storm:
    """The storm that ``crowd`` is, from its first viewer to AFTER seconds after its last."""
    earlier.report()
    with _peak(pid) as peak, crowd:
        time.sleep(AFTER)
        after = resident(pid)
        return Storm(crowd.count, crowd.report(), earlier.report(), max(peak) - base, after - base)


@contextlib.contextmanager
def _peak(pid: int) -> Iterator[list[int]]:
    """The memory of a process at many moments."""
    seen = [resident(pid)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE):
            seen.append(resident(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def _figures(what: str, storm: Storm, headline: bool = False) -> list[Figure]:
    name, lost = f"{storm.viewers} {what}", storm.crowd.ended + storm.earlier.ended
    peak, after = (size / storm.viewers / 1024 for size in (storm.peak, storm.after))
    return [
        Figure(f"{name}: memory a viewer, peak", peak, "KB", at_most(60)),
        Figure(
            f"{name}: memory a viewer, {AFTER:g} s after",
            after,
            "KB",
            at_most(25),
            headline=headline,
        ),
        Figure(f"{name}: first keyframe of the last", storm.crowd.latest, "ms", at_most(1000)),
        Figure(f"{name}: p99 of {EARLIER} others", storm.earlier.p99, "ms", at_most(150)),
        Figure(f"{name}: lost", lost, "viewers", at_most(0)),
    ]


def _left(where: str, proxy: Proxy, base: int, later: float) -> Figure:
    time.sleep(later)
    more = (resident(proxy.worker_pid) - base) / 2**20
    return Figure(
        f"{where}: {later:g} s after all have left, memory above the base", more, "MB", at_most(15)
    )
