"""Clients that want to stop the others: each attack goes on beside a viewer, who feels nothing."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.functional.harness import Proxy, Viewer, eventually
from tests.provider import Provider

LONGEST_SILENCE = 3.0  # seconds of a viewer; a quiet machine has under 0.3
ATTACK = 3.0  # seconds


class Stage:
    """A proxy, a viewer of its channel, and a clock that asks `/healthz` all the while."""

    def __init__(self, proxy: Proxy, viewer: Viewer) -> None:
        self.proxy = proxy
        self.viewer = viewer

    @contextlib.contextmanager
    def unharmed(self) -> Iterator[None]:
        """While this block runs the viewer has media and `/healthz` answers."""
        waits: list[float] = []
        over = threading.Event()
        asking = threading.Thread(target=self._ask, args=(waits, over))
        seen, begun = len(self.viewer.arrivals), time.monotonic()
        asking.start()
        try:
            yield
        finally:
            ended = time.monotonic()
            over.set()
            asking.join(30)
        times = [begun, *(at for at, _ in self.viewer.arrivals[seen:] if at <= ended), ended]
        assert max(later - at for at, later in pairwise(times)) < LONGEST_SILENCE
        assert waits
        assert max(waits) < LONGEST_SILENCE
        assert "Traceback" not in self.proxy.log

    def _ask(self, waits: list[float], over: threading.Event) -> None:
        while not waits or not over.wait(0.1):
            begun = time.monotonic()
            answer = self.proxy.get("/healthz")
            waits.append(time.monotonic() - begun if answer.status == 200 else 1000.0)


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    provider = share_provider("one")
    provider.add_channel("News")
    proxy = share_proxy((provider, 1))
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
        yield Stage(proxy, viewer)


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def drain(connection: socket.socket) -> bytes:
    """All that comes until the end, however it comes."""
    received = b""
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            received += data
    return received


def send_for(connection: socket.socket, data: bytes, seconds: float) -> int:
    """Send ``data`` again and again until the time is over or the other side hangs up."""
    until, sent = time.monotonic() + seconds, 0
    with contextlib.suppress(OSError):
        while time.monotonic() < until:
            sent += connection.send(data)
    return sent


def test_requests_that_are_pipelined_take_turns_with_everybody(stage: Stage) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with stage.unharmed(), connect(stage.proxy) as connection:
        reader = threading.Thread(target=drain, args=(connection,))
        reader.start()
        send_for(connection, request * 200, ATTACK)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        reader.join(30)


def test_a_connection_is_closed_after_a_thousand_requests(stage: Stage) -> None:
    with connect(stage.proxy) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1100)
        answers = drain(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == 1000
    assert answers.count(b"Connection: close") == 1


BODIES = {
    "chunks of a byte": (b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 10_000),
    "a long one": (b"Content-Length: 1000000000000", b"x" * 65536),
    "a trailer": (b"Transfer-Encoding: chunked", b"0\r\n" + b"x: y\r\n" * 10_000),
}


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_nobody_wants_ends_the_connection(
    stage: Stage, name: str, method: bytes
) -> None:
    header, body = BODIES[name]
    with stage.unharmed(), connect(stage.proxy) as connection:
        connection.sendall(method + b" /healthz HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        begun = time.monotonic()
        send_for(connection, body, ATTACK)
        assert time.monotonic() - begun < ATTACK  # hung up
        assert drain(connection)[:13] in (b"HTTP/1.1 200 ", b"HTTP/1.1 405 ", b"")


def test_the_answer_arrives_though_the_body_was_not_wanted(stage: Stage) -> None:
    body = b"x" * 200_000
    with connect(stage.proxy) as connection:
        connection.sendall(
            b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        answer = drain(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer


def test_a_body_may_take_ten_seconds_in_all(stage: Stage) -> None:
    """A byte a second keeps each single wait short."""
    with connect(stage.proxy) as connection:
        connection.sendall(
            b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        begun = time.monotonic()
        connection.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() - begun < 30:
            connection.send(b"[")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
    assert 8 < time.monotonic() - begun < 20
    assert answer.startswith(b"HTTP/1.1 4")
    assert "Traceback" not in stage.proxy.log


def test_a_header_may_take_some_seconds_and_no_more(stage: Stage) -> None:
    with connect(stage.proxy) as slow, connect(stage.proxy) as endless:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        endless.sendall(b"GET /healthz HTTP/1.1\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < 2:  # more than the second that an idle one has
            endless.send(b"X: y\r\n")
            time.sleep(0.2)
        slow.sendall(b"Host: x\r\nConnection: close\r\n\r\n")
        assert drain(slow).startswith(b"HTTP/1.1 200 ")
        endless.settimeout(0.2)
        ended = False
        while not ended and time.monotonic() - begun < 20:
            with contextlib.suppress(TimeoutError):
                endless.send(b"X: y\r\n")
                ended = not endless.recv(100)
        assert ended


def test_a_deep_json_is_answered_400(stage: Stage) -> None:
    answer = post(stage.proxy, b"[" * 4000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "A JSON object is wanted."}
    assert "Traceback" not in stage.proxy.log


def post(proxy: Proxy, body: bytes) -> bytes:
    with connect(proxy) as connection:
        connection.sendall(
            b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        return drain(connection)


def limit_descriptors(proxy: Proxy, count: int) -> None:
    """Its hard limit, before it reads it: all processes of it inherit that."""
    assert proxy.process is not None
    resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (count, count))


@contextlib.contextmanager
def many_descriptors(count: int) -> Iterator[None]:
    """This process may open so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count), hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("descriptors", [0, 1024])
def test_connections_that_drip_keep_no_place(
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
    descriptors: int,
) -> None:
    """More than there are places, or descriptors: who asks is served, who drips is hung up."""
    provider = start_provider("one")
    provider.add_channel("News")
    proxy = start_proxy((provider, 1), MAX_CLIENTS="50", wait=False)
    if descriptors:
        limit_descriptors(proxy, descriptors)
    proxy.wait_until_ready()
    with contextlib.ExitStack() as opened, many_descriptors(3000):
        for _ in range(1300):
            connection = opened.enter_context(connect(proxy))
            connection.sendall(b"GET /pla")
        begun = time.monotonic()
        assert proxy.get("/healthz").status == 200
        assert proxy.get("/playlist.m3u8").status == 200
        with proxy.viewer("news") as viewer:
            viewer.wait_for_source("one")
        assert time.monotonic() - begun < LONGEST_SILENCE


def test_where_descriptors_end_a_viewer_is_refused_at_once_and_health_answers(
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
) -> None:
    provider = start_provider("one")
    provider.add_channel("News")
    with contextlib.ExitStack() as watching:
        proxy = start_proxy((provider, 1), wait=False)
        limit_descriptors(proxy, 200)
        proxy.wait_until_ready()
        statuses = []
        for _ in range(220):
            viewer = watching.enter_context(proxy.viewer("news"))
            viewer.wait(lambda viewer=viewer: viewer.status != 0)
            statuses.append(viewer.status)
        assert set(statuses) == {200, 503}
        assert statuses.index(503) > 100
        assert proxy.get("/healthz").status == 200
        assert proxy.get("/playlist.m3u8").status == 200
    assert "Traceback" not in proxy.log


def test_no_more_viewers_than_max_clients(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    provider.add_channel("News")
    proxy = start_proxy((provider, 1), MAX_CLIENTS="2")
    with proxy.viewer("news") as first, proxy.viewer("news") as second:
        first.wait_for_source("one")
        second.wait_for_source("one")
        refused = proxy.get("/stream/news")
        assert (refused.status, refused.text) == (503, "Too many viewers; try again later.\n")
        first.leave()
        eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 1)
        with proxy.viewer("news") as third:
            third.wait_for_source("one")


def test_idle_connections_do_not_hold_up_the_end(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    provider.add_channel("News")
    proxy = start_proxy((provider, 1))
    with contextlib.ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(connect(proxy)).sendall(b"GET /he")
        for _ in range(20):  # between two requests
            connection = idle.enter_context(connect(proxy))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert proxy.stop() < 3
    assert "graceful timeout" not in proxy.log
