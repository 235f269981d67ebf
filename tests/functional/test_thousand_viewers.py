"""A thousand viewers, and an operator who looks: health answers at once, the page costs little."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

VIEWERS = 1000
WINDOW = 4.0  # seconds of each measurement
SHARE = 0.02  # of a core, that an open page may take
NOISE = 0.01  # of a core: what two measurements of the same differ by

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


@contextmanager
def audience(port: int, path: str) -> Iterator[None]:
    """VIEWERS connections that read what comes, on a thread of their own."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def watch() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            while await reader.read(1 << 20):
                pass
        finally:
            writer.close()

    async def run() -> None:
        tasks = [asyncio.create_task(watch()) for _ in range(VIEWERS)]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


@contextmanager
def page(port: int) -> Iterator[None]:
    """What an open page asks for: the events, read as they come."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    open_now = [True]

    def read() -> None:
        while open_now[0] and answer.read1(65536):
            pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        open_now[0] = False  # the next figures end the reading
        thread.join(10)
        connection.close()


def cpu(pid: int) -> float:
    """Seconds of a core that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid: int) -> float:
    before, begun = cpu(pid), time.monotonic()
    time.sleep(WINDOW)  # what is measured is what happens in this time
    return (cpu(pid) - before) / (time.monotonic() - begun)


def test_health_answers_at_once_and_the_page_costs_little(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", bitrate=100_000)
    one.add_channel("News")
    proxy = start_proxy((one, 1))
    with audience(proxy.port, proxy.playlist()["News"]):
        eventually(
            lambda: proxy.metrics().value("iptv_proxy_clients_connected") == VIEWERS, timeout=30
        )
        eventually(lambda: proxy.metrics().value("iptv_proxy_bytes_transferred") > VIEWERS * 10_000)
        took = []
        for path in ("/healthz", "/readyz") * 10:
            begun = time.monotonic()
            assert proxy.get(path).status == 200
            took.append(time.monotonic() - begun)
        assert statistics.median(took) < 0.05
        without, with_page = [], []
        for _ in range(3):
            without.append(share(proxy.worker_pid))
            with page(proxy.port):
                with_page.append(share(proxy.worker_pid))
        rise = min(with_page) - min(without)
        assert rise < SHARE + NOISE
