"""HLS channels: how soon they start, their cost, and how evenly they flow if the origin does not.

The origin (tests/hls_origin.py) runs beside this process on the load's core.
KPTV_BENCH_JITTER is how many seconds the run with the uneven origin lasts; 600 is the whole one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import cpu_seconds, pin, two_cores
from tests.functional.harness import Proxy
from tests.hls_origin import HlsOrigin

BITRATE = 8_000_000
SEGMENT = 4.0  # seconds
PACKETS = int(BITRATE * SEGMENT / 8 / 188)  # of a segment
STARTS = 10
IDLE = 0.5  # seconds before each: the channel before has ended
OWN = 50  # ms that the proxy may add; an idle origin's own times are hardly any
SETTLE = 6.0  # seconds after the start: what leaves at once is behind it
WINDOW = 24.0  # seconds of CPU measured
JITTER = float(os.environ.get("KPTV_BENCH_JITTER") or 60)


def run() -> list[Figure]:
    """Cold starts, CPU of a plain and of an encrypted channel, silence."""
    with two_cores() as cores:
        return [_starts(cores.server), *_cpu(cores.server), _silence(cores.server)]


def _starts(core: int) -> Figure:
    """The time that the proxy adds to the origin's answers; each channel is opened once."""
    waits, own = [], []
    with HlsOrigin(variants={"low": 800_000}, packets=2000) as origin:
        origin.produce()
        with closing(_proxy(core, *[f"{origin.url}&n={n}" for n in range(STARTS)])) as proxy:
            for number in range(STARTS):
                time.sleep(IDLE)
                before = len(origin.asked)
                with proxy.viewer(f"Channel {number}", keep=False) as viewer:
                    viewer.wait_for_bytes(1)
                    waits.append(viewer.first_byte_at - viewer.asked_at)
                segment = next(a for a in origin.asked[before:] if a.path.endswith(".ts"))
                own.append(segment.at - viewer.asked_at)
    added = statistics.median(waits) * 1e3
    asked = statistics.median(own) * 1e3
    return Figure(
        "cold HLS channel, request to first byte (2 playlists and a segment at an idle origin)",
        added,
        "ms",
        at_most(OWN),
        f"worst of {STARTS}: {max(waits) * 1e3:.0f}; segment asked for after {asked:.0f}",
    )


def _cpu(core: int) -> list[Figure]:
    figures = []
    for name, rotate, target in (("", 0, 1.5), (", AES-128", 2, 3.0)):
        with (
            HlsOrigin(duration=SEGMENT, packets=PACKETS, keys_rotate=rotate) as origin,
            closing(_proxy(core, origin.url)) as proxy,
            proxy.viewer("Channel 0", keep=False) as viewer,
        ):
            viewer.wait_for_bytes(PACKETS * 188)
            time.sleep(SETTLE)
            cpu, begun = cpu_seconds(proxy.worker_pid), time.monotonic()
            time.sleep(WINDOW)
            spent = (cpu_seconds(proxy.worker_pid) - cpu) / (time.monotonic() - begun)
        what = f"CPU of an HLS channel of {BITRATE / 1e6:g} Mbit/s{name}, one viewer"
        figures.append(Figure(what, spent * 100, "%", at_most(target), "of a core"))
    return figures


def _silence(core: int) -> Figure:
    """The viewer's longest wait while segments are up to 40% early or late."""
    with (
        HlsOrigin(duration=SEGMENT, packets=400, jitter=0.4) as origin,
        closing(_proxy(core, origin.url)) as proxy,
        proxy.viewer("Channel 0", keep=False) as viewer,
    ):
        viewer.wait_for_bytes(1)
        time.sleep(JITTER)
        longest = viewer.longest_silence()
    what = f"HLS, {SEGMENT:g} s segments ±40%, {JITTER:.0f} s: longest silence"
    return Figure(what, longest, "s", at_most(1.5 * SEGMENT))


def _proxy(core: int, *urls: str) -> Proxy:
    """A ready proxy with a channel for each URL: ``Channel 0``, ``Channel 1``, …"""
    folder = Path(tempfile.mkdtemp(prefix="bench-hls-"))
    entries = [f"#EXTINF:-1,Channel {number}\n{url}\n" for number, url in enumerate(urls)]
    path = folder / "list.m3u"
    path.write_text("#EXTM3U\n" + "".join(entries))
    proxy = Proxy(folder, f"{path}|0", STREAM_LINGER="0s").start()
    pin(proxy.worker_pid, core)
    return proxy
