"""How answers go out: streams as they are to the end of their connection, all others framed."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.functional.harness import Proxy
from tests.provider import Provider


@pytest.fixture(scope="module")
def proxy(share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]) -> Proxy:
    one = share_provider("one", limit=1)
    one.add_channel("News")
    return share_proxy((one, 1), STREAM_LINGER="0")


def head(proxy: Proxy, request: str) -> tuple[str, str, bool]:
    """Version, connection header, and whether the body comes in chunks."""
    received = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        connection.sendall(request.encode() + b"Host: x\r\n\r\n")
        while b"\r\n\r\n" not in received:
            data = connection.recv(65536)
            assert data, received
            received += data
    first, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    return first.split()[0], fields["Connection"], "Transfer-Encoding" in fields


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "request_line",
    ["GET /stream/news", "HEAD /stream/news", "GET //STREAM/news.ts", "GET /stream/nothing"],
)
def test_a_stream_and_its_refusals_go_out_as_they_are(
    proxy: Proxy, request_line: str, version: str
) -> None:
    assert head(proxy, f"{request_line} HTTP/{version}\r\n") == ("HTTP/1.0", "close", False)


@pytest.mark.parametrize("path", ["/playlist.m3u8", "/healthz", "/api/status", "/nothing"])
def test_other_answers_leave_the_connection_open(proxy: Proxy, path: str) -> None:
    assert head(proxy, f"GET {path} HTTP/1.1\r\n") == ("HTTP/1.1", "keep-alive", False)


def test_events_come_in_chunks_where_the_client_knows_them(proxy: Proxy) -> None:
    assert head(proxy, "GET /api/events HTTP/1.1\r\n") == ("HTTP/1.1", "keep-alive", True)
    assert head(proxy, "GET /api/events HTTP/1.0\r\n") == ("HTTP/1.0", "close", False)
