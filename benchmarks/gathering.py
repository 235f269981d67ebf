"""What larger chunks buy: viewers per core, and what they cost: latency."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Figure
from benchmarks.rig import Crowd, compiled, cpu_seconds, pin, two_cores
from kptv.restream.gathering import BUSY_TICK, LARGE_TICK
from tests.functional.harness import Proxy
from tests.provider import Provider

VIEWERS = 1000
TIMED = 20  # viewers more, whose packets tell when they were sent
BITRATE = 8_000_000
SETTLE = 4.0  # seconds after the last viewer has joined
WINDOW = 8.0  # seconds measured
TICK = "BENCH_TICK"  # see _one_tick.py
ROUNDS = 2  # turns of each


def run() -> list[Figure]:
    """Both in turn, each time before a proxy of its own."""
    figures: list[Figure] = []
    with (
        two_cores() as cores,
        compiled("viewers") as (program,),
        Provider("one", bitrate=BITRATE) as provider,
    ):
        provider.add_channel("News")
        for tick in (LARGE_TICK, BUSY_TICK):
            turns = [_turn(provider, program, cores.server, tick) for _ in range(ROUNDS)]
            per_core, median, p99 = (fmean(values) for values in zip(*turns, strict=True))
            name = f"chunks of {tick * 1e3:.0f} ms, viewers of {BITRATE / 1e6:g} Mbit/s"
            note = f"latency: median {median:.0f} ms, p99 {p99:.0f}"
            figures.append(Figure(f"{name}: on a core", per_core, "", None, note))
    return figures


def _turn(provider: Provider, program: Path, core: int, tick: float) -> tuple[float, float, float]:
    """Viewers per core; milliseconds, median and p99, from provider to viewer."""
    with tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(Path(folder), f"{provider.list_url}|0", **{TICK: f"{tick}"})
        try:
            proxy.start(app="benchmarks._one_tick:app")
            pin(proxy.worker_pid, core)
            with (
                Crowd(program, proxy.port, "/stream/news", VIEWERS),
                Crowd(program, proxy.port, "/stream/news", TIMED, marks=True) as timed,
            ):
                time.sleep(SETTLE)
                timed.report()
                begun, cpu = time.monotonic(), cpu_seconds(proxy.worker_pid)
                time.sleep(WINDOW)
                share = (cpu_seconds(proxy.worker_pid) - cpu) / (time.monotonic() - begun)
                report = timed.report()
        finally:
            proxy.close()
    return (VIEWERS + TIMED) / share, report.median, report.p99
