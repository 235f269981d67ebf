"""Odd answers of real servers: what is in them is read, told by a raw server on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

import pytest

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.documents import Edition, open_document
from kptv.upstream.hls.requester import Requester
from tests.functional.failing import RawServer
from tests.numbered_ts import PACKET, NumberedStream
from tests.shared import opener_of
from tests.upstreams import film_of

SOURCE = Source(1, "http://127.0.0.1/unused", 1)
TS = NumberedStream("one", "odd", 1).packets(200, 0.0)
LIST = b"#EXTM3U\n#EXTINF:-1,One\nhttp://h/1.ts\n"


def chunked(body: bytes, size: int = 1000, ext: bytes = b"", end: bytes = b"\r\n") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b%b%b%b" % (len(p), ext, end, p, end) for p in (*pieces, b""))


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n"
ODD = {  # what stands before a body, and how the body is sent
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\n\r\n", TS),
    "ICY": (b"ICY 200 OK\r\nicy-name: x\r\n\r\n", TS),
    "blank lines": (b"\r\n\r\n" + OK + b"\r\n", TS),
    "bare LF": (OK.replace(b"\r", b"") + CHUNKED.replace(b"\r", b"") + b"\n", chunked(TS)),
    "120 lines": (OK + b"X-Padding: 0\r\n" * 120 + CHUNKED + b"\r\n", chunked(TS)),
    "70 KB": (OK + b"X: " + b"y" * 70_000 + b"\r\n" + CHUNKED + b"\r\n", chunked(TS)),
    "no colon": (OK + b"X; y\r\n" + CHUNKED + b"\r\n", chunked(TS)),
    "space before colon": (OK + b"Transfer-Encoding : chunked\r\n\r\n", chunked(TS)),
    "folded": (OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n", chunked(TS)),
    "null": (OK + b"X: a\0b\r\n" + CHUNKED + b"\r\n", chunked(TS)),
    "not Latin": (OK + "X-Назва: Ю\r\n".encode() + CHUNKED + b"\r\n", chunked(TS)),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"\r\n", TS),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK + CHUNKED + b"\r\n", chunked(TS)),
    "odd extensions": (OK + CHUNKED + b"\r\n", chunked(TS, ext=b" x\0\xff")),
    "chunks with LF": (OK + CHUNKED + b"\r\n", chunked(TS, end=b"\n")),
    "two lengths": (OK + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n", TS),
    "same length twice": (OK + LENGTH % len(TS) * 2 + b"\r\n", TS),
    "length and chunked": (OK + b"Content-Length: 9\r\n" + CHUNKED + b"\r\n", chunked(TS)),
    "203": (b"HTTP/1.1 203 Non-Authoritative\r\n\r\n", TS),
    "299": (b"HTTP/1.1 299 Whatever\r\n\r\n", TS),
    "206": (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/*\r\n\r\n", TS),
}


@pytest.fixture
def config() -> Config:
    return Config(sources=(SOURCE,))


@pytest.fixture
def client(config: Config) -> Iterator[HttpClient]:
    client = HttpClient(config)
    yield client
    client.close()


def played(config: Config, client: HttpClient, url: str) -> tuple[bytes, UpstreamError]:
    """All that comes of a stream, and why it ended."""
    data = b""
    with closing(opener_of(config, client).open_stream(Stream(SOURCE, url))) as chunks:
        try:
            for piece in chunks:
                data += piece.data
        except UpstreamError as error:
            return data, error
    raise AssertionError("it ended without an error")


@pytest.mark.parametrize("name", ODD)
def test_of_an_odd_answer_every_packet_comes_out_and_nothing_else(
    config: Config, client: HttpClient, name: str
) -> None:
    head, body = ODD[name]
    with RawServer(head + body) as server:
        data, error = played(config, client, server.url())
    assert data == TS
    assert error.reason is Reason.ENDED


@pytest.mark.parametrize("name", ["203", "HTTP/2.0", "no colon", "206", "120 lines", "two lengths"])
def test_a_channel_list_in_an_odd_answer_is_read_whole(client: HttpClient, name: str) -> None:
    head, _ = ODD[name]
    body = chunked(LIST) if CHUNKED in head else LIST
    with RawServer(head + body) as server:
        source = Source(1, server.url(), 1)
        with open_document(client, channel_list(source), Edition()) as opened:
            assert opened is not None
            assert b"".join(opened[1]) == LIST


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10000\r\n\r\n", "HTTP 206"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\n\r\n", "HTTP 206"),
        (b"HTTP/1.1 205 Reset Content\r\n\r\n", "HTTP 205"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "HTTP 101"),
        (b"HELLO 200 OK\r\n\r\n", "not an HTTP answer"),
        (b"\r\n\r\n", "not an HTTP answer"),
        (OK + b"X: ", "not an HTTP answer"),
        (OK + b"X: y\r\n" * 6000 + b"\r\n", "not an HTTP answer"),
        (OK + b"X: " + b"y" * 400_000 + b"\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "not an HTTP answer"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_whole_or_has_no_end_is_refused(
    client: HttpClient, head: bytes, reason: str
) -> None:
    with RawServer(head + b"0123456789") as server, pytest.raises(UpstreamError, match=reason):
        client.get(SOURCE, server.url(), headers={}, timeout=(5, 5))


@pytest.mark.parametrize("middle", [b"\r\n-5\r\n", b"x\r\n5\r\n", b"\r\n\r\n"])
def test_chunks_that_cannot_be_told_end_the_stream_before_they_get_into_the_picture(
    config: Config, client: HttpClient, middle: bytes
) -> None:
    begin = b"%x\r\n%b" % (len(TS), TS)
    with RawServer(OK + CHUNKED + b"\r\n" + begin + middle + TS) as server:
        data, error = played(config, client, server.url())
    assert data == TS
    assert error.reason is Reason.ENDED


def test_lines_that_are_no_field_are_told_of_once(
    config: Config, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    head, body = ODD["no colon"]
    with caplog.at_level(logging.INFO), RawServer(head + body) as server:
        for _ in range(3):
            played(config, client, server.url())
            with Requester(config, client, Stream(SOURCE, server.url())) as requests:
                requests.read(server.url(), len(TS))
    told = [record.getMessage() for record in caplog.records]
    assert told == ["source-1: 1 lines of an answer's head are no field"]


FILM = b"\0\0\0\x18ftypmp42" + bytes(5000)


@pytest.mark.parametrize(
    "status", [b"203 Fine", b"206 Part\r\nContent-Range: bytes 0-5011/5012", b"299 Hm"]
)
def test_a_film_in_any_success_is_a_whole_film(
    config: Config, client: HttpClient, status: bytes
) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5012\r\n\r\n" + FILM
    with RawServer(answer) as server:
        opener = opener_of(config, client)
        chunks = opener.open_stream(Stream(SOURCE, server.url()))
        film = film_of(chunks)
    with closing(film) as body:
        assert body.status == 200
        assert body.headers["Content-Length"] == "5012"
        assert "Content-Range" not in body.headers
        assert b"".join(body) == FILM


def test_a_segment_in_any_success_is_a_whole_segment(config: Config, client: HttpClient) -> None:
    with (
        RawServer(b"HTTP/1.1 206 Part\r\nContent-Length: 188\r\n\r\n" + TS[:PACKET]) as server,
        Requester(config, client, Stream(SOURCE, server.url())) as requests,
    ):
        assert requests.read(server.url(), 1000).body == TS[:PACKET]
