"""An endless body is received from its socket, and is the same as through all layers."""

from __future__ import annotations

import gc
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from kptv.channels.model import Source
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.ports import Piece
from kptv.upstream.aligned import started
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient
from kptv.upstream.reading import BodyReader, Bound
from tests.functional.failing import RawServer

LIMIT = 20.0  # seconds that any wait may take
MOST = 256 * 1024
BODY = bytes(range(256)) * 4000
OK = b"HTTP/1.1 200 OK\r\n"
SOURCE = Source(1, "http://127.0.0.1/unused", 1)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(Config(sources=(SOURCE,)))
    with gevent.Timeout(LIMIT):
        yield client
    client.close()


@contextmanager
def reading(client: HttpClient, url: str, silence: float = LIMIT) -> Iterator[BodyReader]:
    response = client.get(SOURCE, url, headers={}, timeout=(LIMIT, silence))
    yield BodyReader(response, MOST)
    hang_up(response)


def bound(seconds: float = LIMIT) -> Bound:
    return seconds, UpstreamError(Reason.STALLED)


def whole(reader: BodyReader) -> bytes:
    parts = []
    while part := reader.read(bound):
        assert len(part) <= MOST
        parts.append(part)
    return b"".join(parts)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
FRAMED = [
    (b"\r\n", BODY),
    (b"Content-Length: %d\r\n\r\n" % len(BODY), BODY + b"not of it"),
    (CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
]
FRAMINGS = ["none", "length", "chunks"]


@pytest.mark.parametrize(("head", "body"), FRAMED, ids=FRAMINGS)
@pytest.mark.parametrize("hold", [False, True], ids=["hangs up", "holds"])
def test_a_body_comes_from_its_socket(
    client: HttpClient, head: bytes, body: bytes, hold: bool
) -> None:
    hold = hold and body is not BODY  # only the end of the connection ends it
    with (
        RawServer(OK + head + body, hold=hold) as server,
        reading(client, server.url()) as reader,
    ):
        assert "direct=True" in repr(reader)
        assert whole(reader) == BODY


def test_one_that_is_packed_comes_through_the_layers(client: HttpClient) -> None:
    head = OK + b"Content-Encoding: gzip\r\n" + CHUNKED
    packed = gzip.compress(BODY)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    with RawServer(head + body) as server, reading(client, server.url()) as reader:
        assert "direct=False" in repr(reader)
        assert whole(reader) == BODY


def test_its_bound_is_asked_for_only_if_something_is_waited_for(client: HttpClient) -> None:
    asked: list[int] = []

    def counted() -> Bound:
        asked.append(size)
        return bound()

    with (
        RawServer(OK + b"\r\n" + BODY, hold=True) as server,
        reading(client, server.url(), silence=0.2) as reader,
    ):
        size = len(reader.read(bound))
        while size < len(BODY):
            part = reader.gathered()
            size += len(reader.read(bound) if part is None else part)
        assert asked == []
        assert reader.gathered() is None
        with pytest.raises(UpstreamError):
            reader.read(counted)
        assert asked == [len(BODY)]


def test_what_comes_right_behind_a_short_read_is_more_to_read(client: HttpClient) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    wanted, over = threading.Semaphore(0), threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(OK + b"\r\n" + BODY[:100])
        for _ in range(2):
            wanted.acquire(timeout=LIMIT)
            connection.sendall(BODY[:100])
        over.wait(LIMIT)
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    with reading(client, f"http://127.0.0.1:{listener.getsockname()[1]}/") as reader:
        reader.read(bound)
        for _ in range(2):
            wanted.release()
            while (part := reader.gathered()) is None:
                gevent.sleep(0.001)
            assert len(part) == 100
    over.set()
    thread.join(LIMIT)
    listener.close()


def test_one_that_breaks_off_is_told_from_one_that_ends(client: HttpClient) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(OK + b"\r\n" + BODY[:1000])
        gone.wait(LIMIT)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    with reading(client, f"http://127.0.0.1:{listener.getsockname()[1]}/") as reader:
        size = 0
        while size < 1000:
            size += len(reader.read(bound))
        gone.set()
        thread.join(LIMIT)
        with pytest.raises(UpstreamError) as raised:
            reader.read(bound)
        assert raised.value.reason is Reason.RESET
    listener.close()


def test_the_first_media_of_a_stream_is_not_kept_while_it_lasts() -> None:
    made: set[int] = set()

    def pieces() -> Iterator[Piece]:
        while True:
            piece = Piece(bytes(188_000))
            made.add(id(piece.data))
            yield piece
            del piece

    stream = started(pieces(), 2 * 188_000)
    next(stream)
    next(stream)
    kept = [each for each in gc.get_objects() if isinstance(each, Piece) and id(each.data) in made]
    assert len(made) >= 2
    assert len(kept) <= 1  # the one that was given last
