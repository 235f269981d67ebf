"""Nonsense from clients: a clear answer, nothing lost, nobody else disturbed."""

from __future__ import annotations

import contextlib
import email
import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.failing import assert_nothing_leaked, note
from tests.functional.harness import Proxy, Viewer, eventually
from tests.provider import Provider, Stream

NAMES = {  # of channels that are not there
    "unknown": b"nothing-of-this-name",
    "empty": b"",
    "slash": b"/",
    "slashes": b"//////",
    "dots": b"..",
    "dot path": b"../../etc/passwd",
    "encoded slash": b"..%2f",
    "encoded path": b"..%2f..%2f..%2fetc%2fpasswd",
    "double encoded": b"%252e%252e%252f",
    "backslash": b"..\\..\\wsgi.py",
    "NUL": b"%00",
    "NUL behind a name": b"news%00",
    "bad UTF-8": b"%ff%fe",
    "cut UTF-8": b"%e2%82",
    "surrogate": b"%ed%a0%80",
    "percent": b"%",
    "percent percent": b"%%%zz",
    "line break": b"a%0d%0aSet-Cookie:%20x=1",
    "escape": b"%1b[31m",
    "long": b"x" * 7000,
    "long encoded": b"%e2%82%ac" * 800,
    "query": b"x?url=http://127.0.0.1/&a=%00",
    "fragment": b"x#y",
    "markup": b"<script>alert(1)</script>",
    "markup encoded": b"%3Cscript%3E%7B%7B7*7%7D%7D",
    "format": b"{0.__class__}%s%n",
    "address": b"http://127.0.0.1:1/1.ts",
}
TOO_MUCH = {  # more than the server takes
    "long line": b"GET /stream/" + b"x" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "very long line": b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET /stream/news HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /stream/news HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
}
NONSENSE = {  # on the socket; what is no request may be answered with nothing
    "raw bytes": b"GET /stream/\xff\xfe\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "noise": bytes(range(256)) * 8,
    "nothing": b"",
    "line breaks": b"\r\n" * 100,
    "HTTP/0.9": b"GET /stream/news\r\n\r\n",
    "version": b"GET /stream/news HTTP/9.9\r\nHost: x\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad header": b"GET /stream/news HTTP/1.1\r\nHost x\r\n: y\r\n\r\n",
    "two lengths": b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "bad length": b"POST /stream/news HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "half a request": b"GET /stream/news HTT",
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    news: Stream
    proxy: Proxy
    worker: int
    seen: int  # requests of the provider at the start

    def assert_unharmed(self) -> None:
        """The same process answers, and nobody asked the provider for anything."""
        assert self.proxy.worker_pid == self.worker
        assert self.proxy.get("/healthz").status == 200
        assert len(self.one.requests) == self.seen


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    """With a viewer who must not notice anything of what the tests do."""
    one = share_provider("one", limit=1)
    news = one.add_channel("News")
    proxy = share_proxy((one, 1), STREAM_LINGER="0", DEBUG="true")
    with proxy.viewer("news") as viewer:
        viewer.wait_for_bytes(50_000)
        yield Stage(one, news, proxy, proxy.worker_pid, len(one.requests))
        viewer.wait_for_bytes(50_000)
        note(f"the viewer beside: {viewer.longest_silence():.3f} s without media")
        assert not viewer.ended
        (run,) = viewer.runs()
        assert (run.lost, run.disordered) == (0, 0)
    proxy.wait_idle()
    assert one.max_connections_seen == 1
    assert_nothing_leaked(proxy, one)


def exchange(proxy: Proxy, request: bytes) -> bytes:
    """All that comes back to ``request`` until the proxy closes the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        with contextlib.suppress(OSError):  # it may hang up before it has read all
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                received += data
    return received


def ask(stage: Stage, target: bytes, method: bytes = b"GET") -> tuple[int, dict[str, str], str]:
    """Status, headers (names in lower case) and body of the answer."""
    request = b"%b %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (method, target)
    head, _, body = exchange(stage.proxy, request).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in fields}
    return int(first.split()[1]), headers, body.decode()


def assert_nothing_or_a_line(answer: bytes) -> None:
    while answer:  # what follows a request may be taken for another one
        head, _, rest = answer.partition(b"\r\n\r\n")
        message = email.message_from_bytes(head.partition(b"\r\n")[2])
        headers = {name.lower(): value for name, value in message.items()}
        size = int(headers["content-length"])
        assert_one_line(headers, rest[:size].decode())
        answer = rest[size:]


def assert_one_line(headers: dict[str, str], body: str) -> None:
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert body.endswith("\n")
    assert len(body.splitlines()) == 1
    assert 5 < len(body) < 200


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_channels_is_told_so_in_a_line(stage: Stage, name: str) -> None:
    status, headers, body = ask(stage, b"/stream/" + NAMES[name])
    assert status in (400, 404)
    assert_one_line(headers, body)
    assert "set-cookie" not in headers
    stage.assert_unharmed()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/stream/news", "/playlist.m3u8", "/metrics", "/nothing"])
def test_a_method_that_makes_no_sense_is_told_so_in_a_line(
    stage: Stage, method: str, path: str
) -> None:
    status, headers, body = ask(stage, path.encode(), method.encode())
    assert status in (404, 405, 501)
    assert_one_line(headers, body)
    stage.assert_unharmed()


@pytest.mark.parametrize(
    "path",
    [b"/", b"/favicon.ico", b"/stream", b"/streams/news", b"/admin", b"/%00", b"/%ff", b"/%"],
)
def test_other_paths_are_answered_in_a_line(stage: Stage, path: bytes) -> None:
    status, headers, body = ask(stage, path)
    assert status == (200 if path == b"/" else 404)
    assert_one_line(headers, body)


@pytest.mark.parametrize("group", [b"%00", b"%ff", b"..%2f", b"%", b"x" * 7000, b"nothing"])
def test_a_group_that_is_not_there_is_told_so_in_a_line(stage: Stage, group: bytes) -> None:
    status, headers, body = ask(stage, b"/%b/playlist.m3u8" % group)
    assert status in (400, 404)
    assert_one_line(headers, body)


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_request_that_is_too_long_is_refused(stage: Stage, name: str) -> None:
    answer = exchange(stage.proxy, TOO_MUCH[name])
    # Nothing: where the answer was lost because the server did not read what it refused.
    assert not answer or answer.split()[1] in (b"400", b"414", b"431")
    assert_nothing_or_a_line(answer)
    stage.assert_unharmed()


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_on_the_socket_harms_nobody(stage: Stage, name: str) -> None:
    answer = exchange(stage.proxy, NONSENSE[name])
    assert not answer or answer.split()[1][:1] in (b"4", b"5")
    assert_nothing_or_a_line(answer)
    stage.assert_unharmed()


@pytest.mark.parametrize(
    "wanted", ["bytes=0-", "bytes=5-9", "bytes=-1", "bytes=9-5", "lines=1-2", "bytes=0-0,5-9", "x"]
)
def test_a_range_of_a_live_stream_is_the_stream(stage: Stage, wanted: str) -> None:
    with stage.proxy.viewer("news", headers={"Range": wanted}) as viewer:
        viewer.wait_for_source("one")
        assert viewer.status == 200
        assert "Content-Range" not in viewer.headers
    stage.assert_unharmed()


def test_head_of_a_stream_says_what_get_says_and_opens_nothing(stage: Stage) -> None:
    with stage.proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
        told = {**viewer.headers}
    answer = stage.proxy.get("/stream/news", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    varying = ("Date", "Connection", "Transfer-Encoding")
    asked = {name: value for name, value in answer.headers.items() if name not in varying}
    assert asked == {name: value for name, value in told.items() if name not in varying}
    assert asked["Content-Type"] == "video/mp2t"
    assert asked["Cache-Control"] == "no-store"
    assert asked["X-Accel-Buffering"] == "no"
    assert asked["Access-Control-Allow-Origin"] == "*"
    assert stage.proxy.get("/stream/nothing", method="HEAD").status == 404
    stage.assert_unharmed()


@pytest.mark.parametrize("path", ["/stream/news", "/stream/News", "/stream/NEWS", "/stream/%4eews"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_channel_answers_to_its_slug_and_its_name(stage: Stage, path: str, version: str) -> None:
    with Viewer(stage.proxy.port, path, version=version).start() as viewer:
        viewer.wait_for_source("one")
        assert viewer.status == 200
    stage.assert_unharmed()


def test_a_viewer_that_says_goodbye_without_reading_on_is_let_go(stage: Stage) -> None:
    """Its window stays closed and no reset comes: no send ever fails."""

    def clients() -> float:
        return stage.proxy.metrics().value("iptv_proxy_clients_connected")

    eventually(lambda: clients() == 1)  # those of other tests have left
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", stage.proxy.port))
        connection.sendall(b"GET /stream/news HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(100)
        assert clients() == 2
        waiting_to_send(connection)
        connection.shutdown(socket.SHUT_WR)
        eventually(lambda: clients() == 1)
    stage.assert_unharmed()


def waiting_to_send(connection: socket.socket) -> None:
    """Wait until the other side has more to send than we have room for."""

    def unread() -> int:
        return struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))[0]

    sizes: deque[int] = deque(maxlen=20)

    def full() -> bool:
        sizes.append(unread())
        return len(sizes) == 20 and sizes[0] == sizes[-1] > 0

    eventually(full)


def test_two_requests_in_one_go_are_a_stream_and_no_harm(stage: Stage) -> None:
    """Pipelining: the second request is never read, the stream has no end."""
    request = "GET /stream/news HTTP/1.1\r\nHost: x\r\n\r\n"
    path = f"/stream/news HTTP/1.1\r\nHost: x\r\n\r\n{request}GET /healthz"
    with Viewer(stage.proxy.port, path).start() as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        (run,) = viewer.runs()
        assert run.lost == 0
    stage.assert_unharmed()


def test_fifty_connections_that_say_nothing_keep_nobody_out(stage: Stage) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", stage.proxy.port), timeout=20)
            idle.enter_context(connection)
        with stage.proxy.viewer("news") as viewer:
            viewer.wait_for_source("one")
        stage.assert_unharmed()
