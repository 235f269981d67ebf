"""Films and recordings: what the provider says is a file passes through, with Range, in a slot."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from kptv.web.clients import SEND_TIMEOUT
from tests.functional.failing import assert_nothing_leaked
from tests.functional.harness import Answer, Proxy
from tests.provider import Bad, File, Provider, Reply, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

NOISE = random.Random(1).randbytes(300_000)
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + NOISE
MKV = b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska" + NOISE
LARGE = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + NOISE * 100  # more than sockets hold


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    films: dict[str, File]
    news: Stream
    proxy: Proxy

    def get(self, name: str, **headers: str) -> Answer:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        answer = self.proxy.get(f"/stream/{name}", headers=named)
        self.one.wait(lambda: self.one.sockets == 0)
        return answer


def add_film(provider: Provider, name: str, data: bytes, content_type: str = "video/mp4") -> File:
    path = f"/movie/{provider.user}/{provider.password}/{name}.bin"
    film = provider.add_file(path, data, content_type)
    provider.list.entries += (f"#EXTINF:-1,{name}", film.url)
    return film


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    one = share_provider("one", limit=1)
    films = {
        name: add_film(one, name, *content)
        for name, content in {
            "film": (MP4,),
            "unknown": (MP4,),
            "matroska": (MKV, "application/octet-stream"),
            "lying": (MP4, "video/mp2t"),
            "broken": (MP4,),
            "turning": (MP4,),
            "large": (LARGE,),
            "whole": (MP4,),
        }.items()
    }
    films["whole"].ranges = False
    news = one.add_channel("news")
    proxy = share_proxy((one, 1), STREAM_LINGER="0", RETRY_DELAY="200ms", DEBUG="true")
    yield Stage(one, films, news, proxy)
    proxy.wait_idle()
    assert one.max_connections_seen == 1
    assert_nothing_leaked(proxy, one)


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("film", MP4, "video/mp4"),
        ("matroska", MKV, "video/x-matroska"),
        ("lying", MP4, "video/mp4"),
    ],
)
def test_a_file_comes_whole_with_its_length_and_the_type_of_its_bytes(
    stage: Stage, name: str, data: bytes, content_type: str
) -> None:
    for _ in range(2):  # the second time it is known to be a file
        answer = stage.get(name)
        assert answer.status == 200
        assert answer.body == data
        assert answer.headers["Content-Length"] == str(len(data))
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"] == content_type
    assert stage.get(name, Range="bytes=100-199").headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-", 0, len(MP4)), ("bytes=1000-1999", 1000, 2000), ("bytes=-500", -500, None)],
)
def test_a_range_of_a_file_is_answered_with_that_range(
    stage: Stage, wanted: str, start: int, stop: int | None
) -> None:
    stage.get("film")
    answer = stage.get("film", Range=wanted)
    assert answer.status == 206
    assert answer.body == MP4[start:stop]
    first = start % len(MP4)
    last = first + len(answer.body) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(MP4)}"
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_a_range_of_what_is_not_known_to_be_a_file_yet_is_answered_too(stage: Stage) -> None:
    answer = stage.get("unknown", Range="bytes=1000-1999")
    assert answer.status == 206
    assert answer.body == MP4[1000:2000]


def test_a_range_beyond_the_end_is_told_so(stage: Stage) -> None:
    stage.get("film")
    answer = stage.get("film", Range=f"bytes={len(MP4)}-")
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(MP4)}"


def test_a_provider_without_ranges_sends_the_whole_file(stage: Stage) -> None:
    for _ in range(2):
        answer = stage.get("whole", Range="bytes=1000-1999")
        assert answer.status == 200
        assert answer.body == MP4


def test_head_opens_nothing(stage: Stage) -> None:
    stage.get("film")
    seen = len(stage.one.requests)
    answer = stage.proxy.get("/stream/film", method="HEAD")
    assert answer.status == 200
    assert answer.body == b""
    assert answer.headers["Content-Type"] == "video/mp4"
    assert stage.proxy.get("/stream/large", method="HEAD").status == 200
    assert len(stage.one.requests) == seen


@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=0-"}])
def test_no_film_is_a_page_in_our_name_and_no_header_breaks_the_answer(
    stage: Stage, wanted: dict[str, str]
) -> None:
    stage.get("film")
    headers = {
        "Content-Type": "text/html",
        "Content-Range": f"bytes 0-{len(MP4) - 1}/{len(MP4)}",
        "Last-Modified": "a\x01b",
        "Content-Length": str(len(MP4)),
    }
    stage.films["film"].fail_with(Reply(206, headers, MP4), times=1)
    answer = stage.get("film", **wanted)
    assert answer.status == 206
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Last-Modified" not in answer.headers
    assert answer.body == MP4


def test_a_file_that_breaks_off_is_cut_short_for_its_viewer_and_frees_the_slot(
    stage: Stage,
) -> None:
    stage.get("broken")
    answer = Reply(200, {"Content-Length": str(len(MP4))}, MP4[:100_000])
    stage.films["broken"].fail_with(answer, times=1)
    with stage.proxy.viewer("broken") as viewer:
        assert viewer.wait_for_end() == "cut"
        assert bytes(viewer.body) == MP4[:100_000]
    stage.one.wait(lambda: stage.one.sockets == 0)
    rest = stage.get("broken", Range="bytes=100000-")
    assert rest.body == MP4[100_000:]


def test_a_viewer_that_leaves_a_file_frees_its_slot_for_a_channel(stage: Stage) -> None:
    viewer = stage.proxy.viewer("large", receive_buffer=4096).wait_for_bytes(100_000)
    viewer.pause()
    assert stage.one.connections == 1
    viewer.vanish()
    with stage.proxy.viewer("news") as news:
        news.wait_for_source("one")
    stage.one.wait(lambda: stage.one.connections == 0)


def test_a_viewer_that_stops_a_film_keeps_its_slot_for_half_a_minute_at_most(
    stage: Stage,
) -> None:
    """Whoever comes back asks for the rest with a Range: players do so by themselves."""
    with stage.proxy.viewer("large", receive_buffer=4096) as viewer:
        viewer.wait_for_bytes(100_000).pause()
        assert stage.one.connections == 1
        stage.one.wait(lambda: stage.one.connections == 0, timeout=SEND_TIMEOUT + 15)
        with stage.proxy.viewer("news") as news:
            news.wait_for_source("one")
        viewer.resume()
        assert viewer.wait_for_end() == "cut"
        assert LARGE.startswith(viewer.body)
    assert "Socket error" not in stage.proxy.log


def test_a_viewer_that_says_goodbye_to_a_film_without_reading_on_frees_its_slot_soon(
    stage: Stage,
) -> None:
    """Its window stays closed and no reset comes: no send ever fails."""
    stage.get("large", Range="bytes=0-9")
    with socket.socket() as viewer:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.connect(("127.0.0.1", stage.proxy.port))
        viewer.sendall(b"GET /stream/large HTTP/1.1\r\nHost: x\r\n\r\n")
        viewer.recv(100)
        viewer.shutdown(socket.SHUT_WR)
        stage.one.wait(lambda: stage.one.connections == 0, timeout=SEND_TIMEOUT / 2)


def test_a_file_waits_for_the_slot_of_a_channel_being_watched(stage: Stage) -> None:
    stage.get("film")
    with stage.proxy.viewer("news") as news:
        news.wait_for_source("one")
        with stage.proxy.viewer("film") as viewer:
            news.wait_for_bytes(50_000)
            assert not viewer.status
            news.leave()
            assert viewer.wait_for_status() == 200
            viewer.wait_for_end()
            assert bytes(viewer.body) == MP4


def test_what_was_a_file_and_is_live_now_is_played_at_once_and_not_blamed(stage: Stage) -> None:
    stage.get("turning")
    live = Reply(302, {"Location": stage.news.url})
    stage.films["turning"].fail_with(live)
    with stage.proxy.viewer("turning") as viewer:
        viewer.wait_for_source("one")
        assert viewer.headers["Content-Type"] == "video/mp2t"
    stage.one.wait(lambda: stage.one.connections == 0)
    assert stage.proxy.metrics().value("iptv_proxy_stream_errors", channel="turning") == 0
    assert stage.one.max_connections_seen == 1


def test_a_file_comes_from_the_second_source_where_the_first_fails(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    first, second = (add_film(provider, "film", MP4) for provider in (one, two))
    proxy = start_proxy((one, 1), (two, 1), STREAM_TIMEOUT="1s", MAX_FAILURES_BEFORE_BLOCK="1000")
    for how in (404, Bad.HTML, Bad.RESET, Bad.HANG, Bad.EMPTY):
        first.fail_with(how)
        for wanted in ({}, {"Range": "bytes=10-"}):
            answer = proxy.get("/stream/film", headers=wanted)
            assert answer.body == MP4[10 if wanted else 0 :], how
            one.wait(lambda: one.sockets == 0)
    assert len(second.requests) >= 10
    assert one.max_connections_seen == two.max_connections_seen == 1
    assert_nothing_leaked(proxy, one, two)
