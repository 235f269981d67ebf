"""A body that never ends: what has come is given, whatever part of its frames is still to come."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import gevent.socket
import gevent.ssl
import pytest

from kptv.channels.model import Source
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient
from kptv.upstream.fairness import _FairAnswer, receiver_of
from kptv.upstream.progressive import END_OF_BODY, read_body
from tests.functional.certificates import certificate_in

LIMIT = 20.0  # seconds that any wait may take
SOURCE = Source(1, "http://127.0.0.1/unused", 1)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Provider:
    """A server that sends what it is told, when it is told."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._asked = threading.Thread(target=self._accept)
        self._asked.start()

    def _accept(self) -> None:
        self._connection, _ = self._listener.accept()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.recv(65536)
        self._connection.sendall(HEAD)

    def send(self, data: bytes) -> None:
        self._asked.join(LIMIT)
        assert self._connection is not None
        self._connection.sendall(data)

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()


@contextmanager
def playing(stall: float = LIMIT) -> Iterator[tuple[Provider, Iterator[bytes]]]:
    with (
        gevent.Timeout(LIMIT),
        closing(Provider()) as provider,
        closing(HttpClient(Config(sources=(SOURCE,)))) as client,
    ):
        response = client.get(SOURCE, provider.url, headers={}, timeout=(LIMIT, stall))
        yield provider, read_body(response, LIMIT, stall)
        hang_up(response)


LONG = bytes(range(250)) * 100  # longer than what a file of a socket keeps: its end is left there
PARTS = {  # of the frames; before each of them, nothing else comes
    "no line end": (b"61a8\r\n" + LONG, b"\r\n5\r\nworld\r\n"),
    "half a line end": (b"61a8\r\n" + LONG + b"\r", b"\n5\r\nworld\r\n"),
    "no size": (b"61a8\r\n" + LONG + b"\r\n", b"5\r\nworld\r\n"),
    "a part of a size": (b"61a8\r\n" + LONG + b"\r\n0", b"5\r\nworld\r\n"),
    "a part of an extension": (b"61a8\r\n" + LONG + b"\r\n5;a=", b"b\r\nworld\r\n"),
    "a part of a chunk": (b"61ad\r\n" + LONG, b"world\r\n"),
}


def come(body: Iterator[bytes], size: int) -> bytes:
    """The next ``size`` bytes."""
    data = b""
    while len(data) < size:
        data += next(body)
    return data


@pytest.mark.parametrize("begun", [False, True], ids=["at the start", "in the middle"])
@pytest.mark.parametrize("name", PARTS)
def test_what_has_come_does_not_wait_for_the_rest_of_a_frame(name: str, begun: bool) -> None:
    first, then = PARTS[name]
    with playing() as (provider, body):
        if begun:
            provider.send(b"3\r\n123\r\n")
            assert next(body) == b"123"
        provider.send(first)
        assert come(body, len(LONG)) == LONG  # nobody sends more before this is here
        provider.send(then)
        assert come(body, 5) == b"world"


def test_silence_begins_with_the_last_byte_whatever_part_of_a_frame_came_with_it() -> None:
    with playing(stall=0.2) as (provider, body):
        provider.send(b"3\r\n123\r\n")
        assert next(body) == b"123"
        provider.send(b"61a8\r\n" + LONG + b"\r")
        assert come(body, len(LONG)) == LONG
        with pytest.raises(UpstreamError) as raised:
            next(body)
        assert raised.value.reason in (Reason.STALLED, Reason.TIMEOUT)


def test_bytes_that_come_one_by_one_are_given_one_by_one() -> None:
    with playing() as (provider, body):
        for byte in b"\x00abc\xff":
            for sent in (b"1", b"\r", b"\n", b"%c" % byte):
                provider.send(sent)
            assert next(body) == b"%c" % byte
            provider.send(b"\r\n")


@pytest.mark.parametrize(
    ("last", "detail"),
    [
        (b"0\r\nX: y\r\n\r\n", END_OF_BODY),
        (b"0\r\n", END_OF_BODY),
        (b"", "body shorter than announced"),
        (b"7\r\nshort", "body shorter than announced"),
        (b"no size\r\n", "body shorter than announced"),
    ],
    ids=["trailer", "no last line", "no last chunk", "a part of a chunk", "no chunk"],
)
def test_the_end_comes_behind_all_that_came(last: bytes, detail: str) -> None:
    with playing() as (provider, body):
        provider.send(b"3\r\n123\r\n")
        assert next(body) == b"123"
        provider.send(b"3\r\n456\r\n" + last)
        provider.hang_up()
        parts: list[bytes] = []
        with pytest.raises(UpstreamError) as raised:
            parts.extend(body)
        assert b"".join(parts) == b"456" + (b"short" if b"short" in last else b"")
        assert (raised.value.reason, raised.value.detail) == (Reason.ENDED, detail)


def test_a_part_of_a_record_of_tls_is_not_waited_for(tmp_path: Path) -> None:
    certificate = certificate_in(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate.certificate, certificate.key)
    reads, writes = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = theirs.wrap_bio(reads, writes, server_side=True)
    near, wire = gevent.socket.socketpair()
    ours = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname = False
    ours.load_verify_locations(certificate.certificate)

    def answer() -> None:
        while True:
            try:
                far.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.sendall(writes.read())
                reads.write(wire.recv(65536))
        wire.sendall(writes.read())

    with gevent.Timeout(LIMIT), closing(wire), closing(near):
        shaking = gevent.spawn(answer)
        connection = ours.wrap_socket(near)
        shaking.join()
        original = _FairAnswer(connection, method="GET")
        raw = SimpleNamespace(_original_response=original)
        receive = receiver_of(cast(Any, SimpleNamespace(raw=raw)))
        assert receive is not None
        room = memoryview(bytearray(65536))
        far.write(b"first")
        first = writes.read()
        far.write(b"second")
        second = writes.read()
        wire.sendall(first + second[:-1])
        assert bytes(room[: receive(room)]) == b"first"
        with pytest.raises(BlockingIOError):
            receive(room)
        wire.sendall(second[-1:])
        assert bytes(room[: receive(room)]) == b"second"
        wire.close()
        assert receive(room) == 0
        connection.close()
