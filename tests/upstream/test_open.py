"""What becomes of each answer a provider may give, told by a real one on loopback.

Silence and hanging need gevent's sockets: they are tested through gunicorn in tests/functional.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from time import process_time

import pytest
import requests

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import IsLive, Reason, UpstreamError
from kptv.formats.dash import is_dash, is_dash_film
from kptv.ports import FilmBody
from kptv.upstream.client import HttpClient
from kptv.upstream.failures import parse_retry_after
from kptv.upstream.http_film import told_length
from kptv.upstream.open import Opener
from tests.functional.failing import RawServer
from tests.provider import Bad, How, Provider, Reply
from tests.provider import Stream as Served
from tests.shared import opener_of
from tests.upstreams import data_of, film_of

SOURCE = Source(1, "http://127.0.0.1/unused", 1)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(bitrate=20_000_000) as provider:
        yield provider


@pytest.fixture
def served(provider: Provider) -> Served:
    return provider.add_channel("News")


@pytest.fixture
def opener() -> Iterator[Opener]:
    config = Config(sources=(SOURCE,), user_agent="Test/1", req_referrer="http://ref/", ffmpeg="")
    client = HttpClient(config)
    yield opener_of(config, client)
    client.close()


def read(opener: Opener, url: str, pieces: int = 5, **headers: str) -> bytes:
    with closing(opener.open_stream(Stream(SOURCE, url, headers=headers))) as chunks:
        return data_of(islice(chunks, pieces))


def film_at(opener: Opener, url: str) -> FilmBody:
    with closing(opener.open_stream(Stream(SOURCE, url))) as upstream:
        return film_of(upstream)


def failure(opener: Opener, url: str, pieces: int = 10_000) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(opener, url, pieces)
    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("chunked", [False, True])
def test_whole_packets_come_out(
    opener: Opener, served: Served, provider: Provider, chunked: bool
) -> None:
    served.chunked = chunked
    data = read(opener, served.url)
    assert len(data) >= 2048
    assert len(data) % 188 == 0
    assert set(data[::188]) == {0x47}
    provider.wait(lambda: provider.connections == 0)


def test_junk_before_the_first_packet_is_dropped(opener: Opener, served: Served) -> None:
    served.junk = b"junk, with a G in it" * 50
    assert read(opener, served.url)[0] == 0x47


def test_the_bytes_count_not_the_content_type(opener: Opener, served: Served) -> None:
    served.content_type = "text/html"
    assert read(opener, served.url)[0] == 0x47


def test_a_body_that_is_compressed_is_unpacked(opener: Opener, served: Served) -> None:
    served.content_encoding = "gzip"
    served.compressed = True
    assert read(opener, served.url)[0] == 0x47


def test_a_body_that_is_compressed_is_unpacked_also_where_nobody_says_so(
    opener: Opener, served: Served
) -> None:
    served.compressed = True
    assert read(opener, served.url)[0] == 0x47


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (404, Reason.HTTP_ERROR),
        (500, Reason.HTTP_ERROR),
        (429, Reason.RATE_LIMITED),
        (458, Reason.RATE_LIMITED),
        (Bad.HTML, Reason.NOT_MEDIA),
        (Bad.GARBAGE, Reason.NOT_MEDIA),
        (Bad.EMPTY, Reason.EMPTY),
        (Bad.RESET, Reason.RESET),
        (Bad.NO_ANSWER, Reason.RESET),
        (Bad.REDIRECT_LOOP, Reason.HTTP_ERROR),
        (Reply(200, {}, b"#EXTM3U\n#EXT-X-VERSION:3\n"), Reason.NOT_MEDIA),
        (Reply(204), Reason.HTTP_ERROR),
        (Reply(302, {"Location": "ftp://elsewhere/"}), Reason.BAD_URL),
        (Reply(302, {"Location": "http://[bad/"}), Reason.BAD_URL),
        (Reply(200, {}, b"G" * 100), Reason.NOT_MEDIA),
    ],
    ids=str,
)
def test_a_bad_answer_has_its_reason(
    opener: Opener, served: Served, provider: Provider, how: How, reason: Reason
) -> None:
    served.fail_with(how)
    assert failure(opener, served.url).reason is reason
    provider.wait(lambda: provider.sockets == 0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (Bad.END, Reason.ENDED),
        (Bad.SHORT_BODY, Reason.ENDED),
        (Bad.RESET, Reason.RESET),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_bad_ending_has_its_reason(
    opener: Opener, served: Served, how: Bad, reason: Reason, chunked: bool
) -> None:
    served.chunked = chunked
    served.fail_with(how, after_packets=200)
    assert failure(opener, served.url).reason is reason


def test_nobody_there_is_a_refusal(opener: Opener, provider: Provider) -> None:
    assert failure(opener, provider.refused_url("/1.ts")).reason is Reason.REFUSED


@pytest.mark.parametrize(
    "url",
    ["ftp://x/y", "/no/scheme", "http://", "http://a b/", "http://[x"],
)
def test_an_address_that_cannot_be_opened_is_said_to_be_one(opener: Opener, url: str) -> None:
    assert failure(opener, url).reason in (Reason.BAD_URL, Reason.REFUSED)


def test_what_the_provider_asks_for_comes_with_the_failure(opener: Opener, served: Served) -> None:
    served.fail_with(Reply(503, {"Retry-After": "17"}))
    error = failure(opener, served.url)
    assert (error.reason, error.status, error.retry_after) == (Reason.RATE_LIMITED, 503, 17)


def test_headers_go_with_every_request_after_redirects_too(
    opener: Opener, served: Served, provider: Provider
) -> None:
    served.redirect_to_token()
    read(opener, served.url, **{"User-agent": "Own/2", "X-Key": "ключ"})
    assert len(provider.requests) == 2
    for request in provider.requests:
        assert request.headers["user-agent"] == "Own/2"
        assert request.headers["referer"] == "http://ref/"
        assert "x-key" in request.headers
        assert request.headers["connection"] == "close"


def test_the_next_connection_starts_from_the_lists_url_again(
    opener: Opener, served: Served, provider: Provider
) -> None:
    served.redirect_to_token()
    read(opener, served.url)
    provider.wait(lambda: provider.connections == 0)
    read(opener, served.url)
    assert [request.path == served.path for request in provider.requests] == [
        True,
        False,
        True,
        False,
    ]


def test_a_redirect_is_followed_without_reading_its_body(
    opener: Opener, served: Served, provider: Provider
) -> None:
    behind = provider.add_channel("Behind")
    for _ in range(50):  # one connection after the other: none is used again while it closes
        served.fail_with(Reply(302, {"Location": behind.path}, bytes(3_000_000)), times=1)
        assert read(opener, served.url, pieces=1)
    assert len(behind.requests) == 50


@pytest.mark.parametrize("base", ["/live//u/p", "//live/u"])
def test_empty_segments_of_a_path_stay_in_requests_and_where_they_are_redirected_to(
    opener: Opener, provider: Provider, base: str
) -> None:
    moved, there = provider.stream(f"{base}/1.ts"), provider.stream(f"{base}/2.ts")
    moved.redirect_to("2.ts")
    assert read(opener, moved.url, pieces=1)
    assert [request.target for request in provider.requests] == [moved.path, there.path]


def test_a_channel_list_behind_a_channel_is_followed_once_to_its_first_entry(
    opener: Opener, served: Served, provider: Provider
) -> None:
    listed = provider.add_channel("List")
    body = f"#EXTM3U\n#EXTINF:-1,One\n{served.path}\n#EXTINF:-1,Two\nhttp://x/\n"
    listed.fail_with(Reply(200, {}, body.encode()))
    assert read(opener, listed.url)[0] == 0x47
    assert [request.path for request in provider.requests] == [listed.path, served.path]
    provider.wait(lambda: provider.sockets == 0)
    outer = provider.add_channel("Outer")
    outer.fail_with(Reply(200, {}, f"#EXTM3U\n#EXTINF:-1,One\n{listed.path}\n".encode()))
    assert failure(opener, outer.url).reason is Reason.NOT_MEDIA
    assert len(provider.requests) == 4


def test_a_film_is_found_to_be_one_by_its_bytes(opener: Opener, provider: Provider) -> None:
    data = b"\0\0\0\x18ftypmp42" + bytes(10_000)
    film = provider.add_file("/movie/u/p/1.mp4", data, "application/octet-stream")
    body = film_at(opener, film.url)
    assert body.status == 200
    assert body.headers["Content-Type"] == "video/mp4"
    assert b"".join(body) == data
    body.close()
    body.close()


@pytest.mark.parametrize(
    ("location", "error"),
    [("rtsp://127.0.0.1:1/x", IsLive), ("file:///etc/passwd", UpstreamError)],
)
def test_a_film_that_has_moved_to_another_protocol_is_live_if_that_is_played(
    opener: Opener, served: Served, location: str, error: type[Exception]
) -> None:
    served.redirect_to(location)
    with pytest.raises(error):
        opener.open_film(Stream(SOURCE, served.url), "bytes=5-9")


# Matroska and MP4 as live encoders send them: without an end that is known.
LIVE_MKV = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska\x18\x53\x80\x67\x01" + b"\xff" * 7
LIVE_MP4 = b"\0\0\0\x18ftypmp42\0\0\2\0moov mvex"


@pytest.mark.parametrize("head", [LIVE_MKV, LIVE_MP4, LIVE_MKV + b"V_VP8"])
@pytest.mark.parametrize("told", ["length", "ranges", "part", "nothing"])
def test_what_has_an_end_or_a_picture_for_files_only_is_a_film_and_all_else_is_live(
    opener: Opener, served: Served, head: bytes, told: str
) -> None:
    body = head + bytes(5000)
    status, headers = 200, b"Content-Length: %d\r\n" % len(body)
    if told == "ranges":
        headers = b"Accept-Ranges: bytes\r\n"
    elif told == "part":
        status, headers = 206, b"Content-Range: bytes 0-%d/%d\r\n" % (len(body) - 1, len(body))
    elif told == "nothing":
        headers = b"Content-Type: video/mp4\r\n"
    answer = b"HTTP/1.1 %d OK\r\n%b\r\n%b" % (status, headers, body)
    is_film = told != "nothing" or b"V_VP8" in head
    with RawServer(answer) as server:
        if is_film:
            with closing(film_at(opener, server.url())) as film:
                assert b"".join(film) == body
        else:
            with pytest.raises(UpstreamError) as caught:
                read(opener, server.url())
            assert caught.value.reason is Reason.UNSUPPORTED  # there is no ffmpeg here
        assert len(server.requests) == 1


def test_a_range_of_a_film_is_asked_for_and_answered(opener: Opener, provider: Provider) -> None:
    film = provider.add_file("/movie/u/p/1.mp4", bytes(range(256)) * 10)
    body = opener.open_film(Stream(SOURCE, film.url), "bytes=5-9")
    assert (body.status, body.headers["Content-Range"]) == (206, "bytes 5-9/2560")
    assert b"".join(body) == bytes((5, 6, 7, 8, 9))
    body.close()
    beyond = opener.open_film(Stream(SOURCE, film.url), "bytes=9999-")
    assert beyond.status == 416
    beyond.close()


FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 1000


@pytest.mark.parametrize("packing", ["gzip", "GZIP", "x-gzip", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("known", [False, True])
def test_a_film_that_is_packed_although_we_asked_for_identity_comes_unpacked_without_a_length(
    opener: Opener, provider: Provider, packing: str, known: bool
) -> None:
    film = provider.add_file("/movie/u/p/1.mp4", FILM)
    data = FILM
    for name in packing.lower().split(", "):
        data = zlib.compress(data) if name == "deflate" else gzip.compress(data)
    headers = {"Content-Encoding": packing, "ETag": '"packed"', "Accept-Ranges": "bytes"}
    film.fail_with(Reply(200, headers, data))
    body = opener.open_film(Stream(SOURCE, film.url), None) if known else film_at(opener, film.url)
    with closing(body):
        assert b"".join(body) == FILM
    assert dict(body.headers) == {"Content-Type": "video/mp4"}
    assert provider.requests[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("known", [False, True])
def test_a_film_that_is_packed_though_nobody_says_so_comes_unpacked_without_a_length(
    opener: Opener, provider: Provider, known: bool
) -> None:
    film = provider.add_file("/movie/u/p/1.mp4", FILM)
    film.fail_with(Reply(200, {"Accept-Ranges": "bytes"}, gzip.compress(FILM)))
    body = opener.open_film(Stream(SOURCE, film.url), None) if known else film_at(opener, film.url)
    with closing(body):
        assert b"".join(body) == FILM
    assert dict(body.headers) == {"Content-Type": "video/mp4"}


def test_a_part_of_a_film_that_is_packed_is_not_used_but_the_whole_film(
    opener: Opener, provider: Provider
) -> None:
    film = provider.add_file("/movie/u/p/1.mp4", FILM)
    packed = {"Content-Encoding": "gzip", "Content-Range": "bytes 5-9/1000"}
    film.fail_with(Reply(206, packed, gzip.compress(FILM)[5:10]), times=1)
    with closing(opener.open_film(Stream(SOURCE, film.url), "bytes=5-9")) as body:
        assert body.status == 200
        assert body.headers["Content-Length"] == str(len(FILM))
        assert b"".join(body) == FILM
    assert [request.headers.get("range") for request in film.requests] == ["bytes=5-9", None]
    provider.wait(lambda: provider.sockets == 0)
    assert provider.max_connections_seen == 1


def test_a_film_packed_in_a_way_nobody_knows_is_no_film(opener: Opener, provider: Provider) -> None:
    film = provider.add_file("/movie/u/p/1.mp4", FILM)
    film.fail_with(Reply(200, {"Content-Encoding": "br"}, b"\x8b\x00" + bytes(5000)))
    with pytest.raises(UpstreamError) as caught:
        opener.open_film(Stream(SOURCE, film.url), "bytes=5-9")
    assert caught.value.reason is Reason.NOT_MEDIA
    provider.wait(lambda: provider.sockets == 0)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"Content-Length": "100"}, "100"),
        ({"Content-Length": "100, 100"}, "100"),
        ({"Content-Length": "100, 99"}, None),
        ({"Content-Length": "+100"}, None),
        ({"Content-Length": "1_00"}, None),
        ({"Content-Length": "-1"}, None),
        ({"Content-Length": "٣"}, None),
        ({"Content-Length": "99", "Transfer-Encoding": "chunked"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_length_is_passed_on_only_where_it_is_one(
    headers: dict[str, str], sent: str | None
) -> None:
    response = requests.Response()
    response.headers.update(headers)
    assert told_length(response) == sent


def test_the_page_of_a_range_beyond_the_end_is_not_passed_on(
    opener: Opener, served: Served
) -> None:
    page = b"<html>http://panel.example/"
    served.fail_with(Reply(416, {"Content-Range": "bytes */9", "Content-Type": "text/html"}, page))
    with closing(opener.open_film(Stream(SOURCE, served.url), "bytes=99-")) as body:
        assert list(body) == []
        assert body.headers["Content-Length"] == "0"
        assert body.headers["Content-Range"] == "bytes */9"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("9" * 400, 86400),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=100) == seconds


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("Video/MP4", "Video/MP4"),
        ("multipart/byteranges; boundary=x", "multipart/byteranges; boundary=x"),
        ("video/mp4\x01", "application/octet-stream"),
    ],
)
def test_a_part_of_a_file_is_media_or_bytes_but_never_a_page(
    opener: Opener, served: Served, told: str, sent: str
) -> None:
    headers = {"Content-Type": told, "Content-Length": "3", "ETag": '"\x02"'}
    served.fail_with(Reply(206, headers, b"<p>"))
    file = opener.open_film(Stream(SOURCE, served.url), "bytes=0-2")
    with closing(file):
        assert b"".join(file) == b"<p>"
    assert file.headers["Content-Type"] == sent
    assert "ETag" not in file.headers


@pytest.mark.parametrize("piece", [b"<!---->", b" ", b"<MPD ", b"<!--", b"<?xml"])
def test_a_body_made_to_be_slow_is_told_at_once(piece: bytes) -> None:
    body = piece * (256 * 1024 // len(piece))
    begun = process_time()
    is_dash(body)
    is_dash_film(body)
    assert process_time() - begun < 1.0
