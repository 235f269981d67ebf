"""Everything is given back: what is open, held and counted is at its base after the last viewer."""

from __future__ import annotations

import re
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.functional.harness import Metrics, Proxy, eventually
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

MEGABYTE = 1024**2
VIEWERS, ROUNDS = 200, 20
GAUGES = ("iptv_proxy_active_connections", "iptv_proxy_clients_connected")
RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Crowd:
    """Many viewers on one thread: what they get is counted, and never more than ``enough``."""

    def __init__(self, proxy: Proxy, paths: list[str], size: int) -> None:
        self._received: dict[socket.socket, int] = {}
        self._enough: set[socket.socket] = set()
        self._ready = selectors.DefaultSelector()
        for n in range(size):
            viewer = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
            viewer.sendall(f"GET {paths[n % len(paths)]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            viewer.setblocking(False)
            self._received[viewer] = 0
            self._ready.register(viewer, selectors.EVENT_READ)

    def wait_for_bytes(self, enough: int, timeout: float = 60.0) -> None:
        """Until each has ``enough``, or the end of its answer."""
        deadline = time.monotonic() + timeout
        while len(self._enough) < len(self._received):
            assert time.monotonic() < deadline, f"{len(self._enough)} of {len(self._received)}"
            for key, _ in self._ready.select(0.5):
                self._read(key.fileobj, enough)  # type: ignore[arg-type]

    def _read(self, viewer: socket.socket, enough: int) -> None:
        data = viewer.recv(65536)
        self._received[viewer] += len(data)
        if not data or self._received[viewer] >= enough:
            self._ready.unregister(viewer)
            self._enough.add(viewer)

    def leave(self, reset: bool) -> None:
        for viewer in self._received:
            if reset:
                viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            viewer.close()
        self._ready.close()


@dataclass(frozen=True)
class Stage:
    proxy: Proxy
    one: Provider


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Stage:
    one = share_provider("one", limit=4, bitrate=600_000)
    for n in range(4):
        one.add_channel(f"Channel {n}")
    one.add_channel("Missing").fail_with(404)
    one.add_channel("Hanging").fail_with(Bad.HANG)
    proxy = share_proxy(
        (one, 4),
        STREAM_LINGER="0",
        RETRY_DELAY="50ms",
        MAX_RETRIES="1",
        STREAM_TIMEOUT="500ms",
        BUFFER_SIZE_PER_STREAM="1MB",
        MAX_FAILURES_BEFORE_BLOCK="1000000",
    )
    return Stage(proxy, one)


def come_and_go(
    proxy: Proxy, paths: list[str], size: int, reset: bool, enough: int = 8_000
) -> None:
    crowd = Crowd(proxy, paths, size)
    try:
        crowd.wait_for_bytes(enough)
    finally:
        crowd.leave(reset)


def assert_idle(proxy: Proxy) -> None:
    proxy.wait_idle()
    scrape = proxy.metrics()
    assert [s for s in scrape.samples if s.name in GAUGES and s.value] == []


def test_two_hundred_viewers_come_and_go_twenty_times_and_leave_nothing(stage: Stage) -> None:
    proxy = stage.proxy
    paths = [f"/stream/channel-{n}" for n in range(4)]
    for reset in (False, True, False):  # buffers and pools that stay are there now
        come_and_go(proxy, paths, VIEWERS, reset)
    assert_idle(proxy)
    descriptors, memory = proxy.descriptors(), proxy.memory()
    for n in range(ROUNDS):
        come_and_go(proxy, paths, VIEWERS, reset=n % 2 == 0)
    assert_idle(proxy)
    eventually(lambda: proxy.descriptors() <= descriptors)
    grown = (proxy.memory() - memory) / MEGABYTE
    assert grown < 8, f"{grown:.1f} MB more"
    stage.one.wait(lambda: stage.one.sockets == 0)
    assert stage.one.max_connections_seen <= 4


@pytest.mark.parametrize("path", ["/stream/missing", "/stream/hanging"])
def test_viewers_of_what_does_not_play_leave_nothing(stage: Stage, path: str) -> None:
    proxy = stage.proxy
    come_and_go(proxy, [path], 10, reset=False)
    assert_idle(proxy)
    descriptors = proxy.descriptors()
    for n in range(3):
        come_and_go(proxy, [path], 50, reset=n % 2 == 0)  # all are told
        Crowd(proxy, [path], 50).leave(reset=n % 2 == 0)  # nobody waits for it
    assert_idle(proxy)
    eventually(lambda: proxy.descriptors() <= descriptors)
    stage.one.wait(lambda: stage.one.sockets == 0)


def test_requests_that_are_cut_short_leave_nothing(stage: Stage) -> None:
    proxy = stage.proxy
    descriptors = proxy.descriptors()
    for n in range(100):
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client:
            client.sendall(b"GET /stream/channel-0 HTTP/1.1\r\nHost: x\r\n\r\n"[: n % 48])
            if n % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    assert_idle(proxy)
    eventually(lambda: proxy.descriptors() <= descriptors)
    assert "Traceback" not in proxy.log


# --- what /metrics says ---


def test_the_figures_are_what_the_provider_and_the_viewers_counted(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=2)
    news = one.add_channel('News, "24" \\ 7')
    sport = one.add_channel("Sport")
    proxy = start_proxy((one, 2), STALL_TIMEOUT="60s", RETRY_DELAY="50ms", STREAM_LINGER="0")
    viewers = [proxy.viewer(news.name) for _ in range(3)]
    viewers.append(proxy.viewer("Sport"))
    for viewer in viewers:
        viewer.wait_for_bytes(5_000)
    news.break_now(Bad.END)
    news.fail_with(404, times=1)
    for viewer in viewers:
        viewer.wait_for_bytes(20_000)
    for stream in (news, sport):
        stream.break_now(Bad.SILENCE)

    scrape = proxy.metrics()
    documented = {
        "iptv_proxy_active_connections": {"channel"},
        "iptv_proxy_clients_connected": {"channel"},
        "iptv_proxy_bytes_transferred": {"channel"},
        "iptv_proxy_stream_errors": {"channel", "kind"},
    }
    assert documented.items() <= families(scrape).items()
    for name, clients in ((news.name, 3), ("Sport", 1)):
        assert scrape.value("iptv_proxy_clients_connected", channel=name) == clients
        assert scrape.value("iptv_proxy_active_connections", channel=name) == 1
    assert one.connections == 2
    errors = {
        (s.labels["channel"], s.labels["kind"]): s.value
        for s in scrape.samples
        if s.name == "iptv_proxy_stream_errors"
    }
    assert errors == {(news.name, "ended"): 1, (news.name, "http_error"): 1}
    eventually(lambda: counted(proxy, news.name) == sum(v.received for v in viewers[:3]))
    eventually(lambda: counted(proxy, "Sport") == viewers[3].received)

    before = counted(proxy, news.name)
    for viewer in viewers:
        viewer.leave()
    assert_idle(proxy)
    assert counted(proxy, news.name) >= before, "a counter never falls"


def families(scrape: Metrics) -> dict[str, set[str]]:
    return {s.name: set(s.labels) for s in scrape.samples if s.name.startswith("iptv_proxy")}


def counted(proxy: Proxy, channel: str) -> float:
    return proxy.metrics().value("iptv_proxy_bytes_transferred", channel=channel)


def test_no_request_makes_a_series_of_its_own(stage: Stage) -> None:
    def series_after_nonsense(n: int) -> int:
        for path in (f"/{n}", f"/stream/nothing-{n}", f"/{n}/playlist.m3u8"):
            assert stage.proxy.get(path).status == 404
        return len(stage.proxy.metrics().samples)

    assert len({series_after_nonsense(n) for n in range(20)}) == 1


def test_no_figure_tells_a_secret(stage: Stage) -> None:
    with stage.proxy.viewer("channel-0") as viewer:
        viewer.wait_for_bytes(2_000)
        text = stage.proxy.metrics().text
    assert not any(secret in text for secret in stage.one.secrets)
    assert re.search(r'iptv_proxy_clients_connected\{channel="Channel 0"\} 1', text)
