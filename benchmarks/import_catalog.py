"""Import of long lists: CPU, memory, how long all else stands still; the time of a served list.

Each measurement is a process of its own
that imports from a provider in another one over loopback HTTP, as the proxy does, while a greenlet
that wants to run every millisecond tells how long it could not.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Target, at_most

SIZES = {  # entries: seconds of CPU, MB, ms of standstill
    200_000: (2.5, 250, 30),
    500_000: (6.5, 550, 60),
}
REQUESTS = 100  # of the served list, for the percentile


def run() -> list[Figure]:
    """The figures, and what they should be."""
    return [figure for entries in SIZES for figure in _measured(entries)]


def _measured(entries: int) -> Iterator[Figure]:
    cpu, memory, standstill = SIZES[entries]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = sum(write_list(folder, number, entries // 2, "") for number in (1, 2))
        with provider(folder) as port, _importing(folder, port) as process:
            first = _report(process)
            what = f"{entries:,} entries ({size / 1e6:.0f} MB)"
            yield Figure(f"{what}: CPU, fetched to served", first["cpu"], "s", at_most(cpu))
            yield Figure(f"{what}: peak memory", first["memory"], "MB", at_most(memory))
            yield Figure(f"{what}: standstill", first["standstill"], "ms", at_most(standstill))
            yield from _list_figures(f"{entries:,} channels", int(first["port"]))
            for number in (1, 2):
                write_list(folder, number, entries // 2, " HD")
            again = _report(process)
            what = f"{entries:,} entries, all new"
            yield Figure(f"{what}: CPU", again["cpu"], "s", at_most(cpu))
            yield Figure(f"{what}: peak memory", again["memory"], "MB", at_most(memory))
            yield Figure(f"{what}: standstill", again["standstill"], "ms", at_most(standstill))


def write_list(folder: Path, number: int, entries: int, suffix: str) -> int:
    """Write a list with about 255 bytes per entry; gives its length."""
    path = folder / f"list{number}.m3u"
    with path.open("w", encoding="utf-8") as file:
        file.write("#EXTM3U\n")
        for n in range(entries):
            name = f"{'UK' if number == 1 else 'US'}: Télé {n % 1000} Channel {n}{suffix}"
            file.write(
                f'#EXTINF:-1 tvg-id="ch{n}.provider" tvg-name="{name}" tvg-logo="http://logo.exam'
                f'ple/{n % 977}/logo-{n}.png" group-title="Group | {n % 300}",{name}\n'
                f"http://provider{number}.example:8080/live/username/pass/{n}.ts\n"
            )
    return path.stat().st_size


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def provider(folder: Path) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _importing(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", __spec__.name, str(folder / "data"), str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _report(process: subprocess.Popen[str]) -> dict[str, float]:
    """The figures of an import that the process makes now."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("import\n")
    process.stdin.flush()
    report: dict[str, float] = json.loads(process.stdout.readline())
    return report


def _list_figures(what: str, port: int) -> Iterator[Figure]:
    def timed(path: str, headers: dict[str, str], all_of_it: bool) -> tuple[float, str]:
        begun = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read(None if all_of_it else 1)
        taken = time.perf_counter() - begun
        connection.close()
        return taken * 1000, answer.headers["ETag"]

    gzip, etag = {"Accept-Encoding": "gzip"}, timed("/playlist.m3u8", {}, False)[1]
    cases: list[tuple[str, dict[str, str], bool, int, Target | None]] = [
        ("gzipped, whole", gzip, True, REQUESTS, at_most(20)),
        ("plain, first byte", {}, False, REQUESTS, at_most(20)),
        ("plain, whole", {}, True, 5, None),
        ("not modified", {"If-None-Match": etag}, True, REQUESTS, at_most(5)),
    ]
    for case, headers, all_of_it, times, target in cases:
        taken = sorted(timed("/playlist.m3u8", headers, all_of_it)[0] for _ in range(times))
        p99 = taken[min(int(times * 0.99), times - 1)]
        yield Figure(f"list of {what}, {case}: p99", p99, "ms", target)


def _import_when_told(folder: Path, provider_port: int) -> None:
    """The measured process: it makes an import and a report per line on standard input."""
    import gevent
    from flask import Flask
    from gevent.fileobject import FileObject
    from gevent.pywsgi import WSGIServer

    from kptv.channels.model import Source
    from kptv.config import Config
    from kptv.upstream.channel_list import channel_list
    from kptv.upstream.client import HttpClient
    from kptv.upstream.importer import Importer
    from kptv.upstream.last_good import LastGood
    from kptv.upstream.merger import Merger
    from kptv.upstream.store import Store
    from kptv.web.players.lists import ServedLists, playlist_blueprint

    urls = [f"http://127.0.0.1:{provider_port}/list{number}.m3u" for number in (1, 2)]
    sources = tuple(Source(number, url, 1) for number, url in enumerate(urls, start=1))
    config = Config(sources=sources, data_dir=folder)
    client, store, lists = HttpClient(config), Store(folder), ServedLists(config)
    merger = Merger(
        [LastGood(channel_list(source), client, store) for source in sources], lists.replace
    )
    importer = Importer(merger.lists, merger.merge, config.import_refresh_interval, workers=4)
    app = Flask(__name__)
    app.register_blueprint(playlist_blueprint(lists))
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    longest = [0.0]

    def tick() -> None:
        while True:
            begun = time.perf_counter()
            gevent.sleep(0.001)
            longest[0] = max(longest[0], time.perf_counter() - begun - 0.001)

    gevent.spawn(tick)
    for _ in FileObject(sys.stdin, "r"):
        gc.collect()
        gevent.sleep(0.05)
        longest[0], begun = 0.0, time.process_time()
        done = importer.import_now()
        importer.start()
        done.wait()
        lists.get()
        report = {
            "cpu": time.process_time() - begun,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "standstill": longest[0] * 1000,
            "port": server.server_port,
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    from gevent.monkey import patch_all

    patch_all()
    _import_when_told(Path(sys.argv[1]), int(sys.argv[2]))
