"""A cold start while no provider answers: when the list of the last good copy is served."""

from __future__ import annotations

import contextlib
import http.client
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.import_catalog import provider, write_list
from benchmarks.rig import span
from tests.functional.harness import Proxy

ENTRIES = 50_000
TIMES = 3
_DEADLINE = 30.0  # seconds for a start
_GZIP = {"Accept-Encoding": "gzip"}


def run() -> list[Figure]:
    """The figures, and what they should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in (1, 2):
            write_list(folder, number, ENTRIES // 2, "")
        with provider(folder) as port:
            urls = [f"http://127.0.0.1:{port}/list{number}.m3u" for number in (1, 2)]
            # Modules stay compiled, as they are where the proxy is installed.
            sources = ",".join(f"{url}|1" for url in urls)
            proxy = Proxy(folder, sources, PYTHONDONTWRITEBYTECODE="")
            try:
                _start(proxy)
                proxy.stop()
            except BaseException:
                proxy.close()
                raise
        try:
            return _figures([_timed_start(proxy) for _ in range(TIMES)])
        finally:
            proxy.close()


def _figures(starts: list[tuple[float, float]]) -> list[Figure]:
    what = f"cold start, {ENTRIES:,} entries, no provider answers: list served"
    booted, served = ([start[which] for start in starts] for which in (0, 1))
    after = [whole - boot for boot, whole in starts]
    boot = f"{statistics.median(booted):.2f} s until it answers at all: gunicorn, Python, modules"
    return [
        Figure(f"{what}, after the first answer", statistics.median(after), "s", at_most(1)),
        Figure(
            f"{what}, after the start of gunicorn",
            statistics.median(served),
            "s",
            note=span(served, 2) + boot,
        ),
    ]


def _timed_start(proxy: Proxy) -> tuple[float, float]:
    found = _start(proxy)
    proxy.stop()
    return found


def _start(proxy: Proxy) -> tuple[float, float]:
    """Seconds from the start of the process to the first answer, and to the whole list."""
    begun = time.perf_counter()
    proxy.start(wait=False)
    answered = 0.0
    while time.perf_counter() - begun < _DEADLINE:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it does not listen yet
            status = proxy.get("/playlist.m3u8", _GZIP).status
            now = time.perf_counter() - begun
            answered = answered or now
            if status == 200:
                return answered, now
        time.sleep(0.005)
    raise TimeoutError(f"no list after {_DEADLINE:.0f} s:\n{proxy.log}")
