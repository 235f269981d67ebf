"""What reaches a provider: redirects followed once, headers on every request, one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.failing import RawServer, assert_nothing_leaked
from tests.functional.harness import Proxy
from tests.numbered_ts import NumberedStream
from tests.provider import Bad, Gate, Provider, Request, Stream

AGENT, ORIGIN, REFERRER = "Box/1.0 (test)", "https://portal.example", "https://portal.example/tv/"
# Lines of an entry, between #EXTINF and the address; what follows the address; what it asks for.
OWN_HEADERS: dict[str, tuple[list[str], str, dict[str, str]]] = {
    "vlcopt": (
        ["#EXTVLCOPT:http-user-agent=Own/2.0", "#EXTVLCOPT:http-referrer=https://own.example/"],
        "",
        {"user-agent": "Own/2.0", "referer": "https://own.example/", "origin": ORIGIN},
    ),
    "pipe": (
        [],
        "|User-Agent=Own%2F3.0&Referer=https%3A%2F%2Fown.example%2Fa&X-Key=abc",
        {"user-agent": "Own/3.0", "referer": "https://own.example/a", "x-key": "abc"},
    ),
    "kodiprop": (
        ["#KODIPROP:inputstream.adaptive.stream_headers=User-Agent=Own%2F4.0&Cookie=a%3Db"],
        "",
        {"user-agent": "Own/4.0", "cookie": "a=b", "referer": REFERRER},
    ),
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    edge: Provider  # no source: where redirects lead
    streams: dict[str, Stream]
    proxy: Proxy


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    one, edge = (share_provider(n, limit=1, bitrate=4e6) for n in ("one", "edge"))
    names = ("relative", "rooted", "absolute", "permanent", "token", "dead end", "plain")
    streams = {name: one.add_channel(name) for name in names}
    here = one.stream("/live/user-one/sesame-one/edge.ts")
    there = edge.stream("/live/user-edge/sesame-edge/edge.ts")
    streams["relative"].redirect_to("edge.ts")
    streams["rooted"].redirect_to(here.path, 307)
    streams["absolute"].redirect_to(there.url)
    streams["permanent"].redirect_to(there.url, 301)
    streams["token"].redirect_to_token()
    streams["dead end"].redirect_to(edge.refused_url(there.path))
    for name, (lines, behind, _) in OWN_HEADERS.items():
        stream = streams[name] = one.stream(f"/live/user-one/sesame-one/{name}.ts")
        stream.redirect_to_token()
        one.list.entries += (f"#EXTINF:-1,{name}", *lines, stream.url + behind)
    proxy = share_proxy(
        (one, 1),
        STREAM_LINGER="0",
        RETRY_DELAY="100ms",
        MAX_RETRIES="1",
        MAX_FAILURES_BEFORE_BLOCK="1000",
        USER_AGENT=AGENT,
        REQ_ORIGIN=ORIGIN,
        REQ_REFERRER=REFERRER,
        DEBUG="true",
    )
    yield Stage(one, edge, streams, proxy)
    assert one.max_connections_seen == 1
    assert edge.max_connections_seen == 1
    assert_nothing_leaked(proxy, one, edge)


def new_requests(provider: Provider, seen: int) -> list[Request]:
    """The requests since there were ``seen``."""
    return provider.requests[seen:]


@pytest.mark.parametrize("name", ["relative", "rooted", "absolute", "permanent"])
def test_the_next_connection_starts_from_the_lists_address_again(stage: Stage, name: str) -> None:
    server = stage.edge if name in ("absolute", "permanent") else stage.one
    path = f"/live/user-{server.name}/sesame-{server.name}/edge.ts"
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_source(server.name).wait_for_bytes(50_000)
        asked, played = len(stage.streams[name].requests), len(server.requests_to(path))
        assert server.break_stream(path, Bad.END) == 1
        server.wait(lambda: len(server.requests_to(path)) == played + 1)
        viewer.wait_for_bytes(50_000)
        assert len(stage.streams[name].requests) == asked + 1
        assert len(viewer.runs()) == 2
    for provider in (stage.one, stage.edge):
        provider.wait(lambda provider=provider: provider.sockets == 0)


def test_an_address_that_works_once_is_fetched_anew_for_each_connection(stage: Stage) -> None:
    stream, seen = stage.streams["token"], len(stage.one.requests)
    with stage.proxy.viewer("token") as viewer:
        for _ in range(3):
            viewer.wait_for_bytes(50_000)
            stream.break_now(Bad.END)
            connections = len(stream.requests)
            stage.one.wait(lambda connections=connections: len(stream.requests) > connections)
        viewer.wait_for_bytes(50_000)
        assert not viewer.ended
    paths = [request.path for request in new_requests(stage.one, seen)]
    assert paths[::2] == [stream.path] * 4
    assert len(set(paths[1::2])) == 4
    stage.one.wait(lambda: stage.one.sockets == 0)


def test_a_redirect_to_a_machine_that_is_down_is_a_failure_that_names_no_address(
    stage: Stage,
) -> None:
    with stage.proxy.viewer("dead end") as viewer:
        assert viewer.wait_for_status() == 503
        viewer.wait_for_end()
        assert "127.0.0.1" not in viewer.text
    assert stage.proxy.metrics().value("iptv_proxy_stream_errors", kind="refused") == 2


def test_our_headers_are_on_every_request_lists_too(stage: Stage) -> None:
    with stage.proxy.viewer("absolute") as viewer:
        viewer.wait_for_source("edge")
    with stage.proxy.viewer("plain") as viewer:
        viewer.wait_for_source("one")
    requests = [
        *stage.one.list.requests,
        *stage.streams["absolute"].requests,
        *stage.edge.requests,
        *stage.streams["plain"].requests,
    ]
    assert {request.path for request in requests} > {"/get.php", stage.streams["plain"].path}
    for request in requests:
        sent = [request.headers[name] for name in ("user-agent", "origin", "referer")]
        assert sent == [AGENT, ORIGIN, REFERRER], request.path


@pytest.mark.parametrize("name", OWN_HEADERS)
def test_an_entrys_own_headers_are_sent_after_redirects_too(stage: Stage, name: str) -> None:
    seen = len(stage.one.requests)
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_source("one")
    first, second = new_requests(stage.one, seen)
    assert first.path == stage.streams[name].path
    assert second.path != first.path
    expected = OWN_HEADERS[name][2]
    for request in (first, second):
        assert {key: request.headers.get(key) for key in expected} == expected
    stage.one.wait(lambda: stage.one.sockets == 0)


def test_what_the_viewer_sends_is_not_passed_on(stage: Stage) -> None:
    seen = len(stage.one.requests)
    own = {"User-Agent": "viewer/1", "Cookie": "viewer=1", "Range": "bytes=0-", "X-Own": "1"}
    with stage.proxy.viewer("plain", headers=own) as viewer:
        viewer.wait_for_source("one")
        assert viewer.status == 200
        assert "Content-Range" not in viewer.headers
    (request,) = new_requests(stage.one, seen)
    assert request.headers["user-agent"] == AGENT
    assert not {"cookie", "range", "x-own"} & request.headers.keys()


@pytest.mark.parametrize(
    ("length", "then"), [("Content-Length: 0\r\n", b""), ("", b"moved\n" * 1000)]
)
def test_a_redirect_is_hung_up_on_even_where_its_server_would_go_on(
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
    length: str,
    then: bytes,
) -> None:
    edge = start_provider("edge")
    played = edge.add_channel("news")
    answer = f"HTTP/1.1 302 Found\r\nLocation: {played.url}\r\n{length}\r\n".encode()
    with RawServer(answer, hold=True, then=then) as server:
        one = start_provider("one")
        one.add_channel("news", url=server.url("/1.ts"))
        proxy = start_proxy((one, 1))
        with proxy.viewer("news") as viewer:
            viewer.wait_for_source("edge")
            assert server.closed.acquire(timeout=10)  # while the stream plays


def test_a_provider_that_asks_for_a_digest_gives_its_list_streams_and_segments(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one", limit=1, bitrate=4e6)
    one.gate = Gate("ann", "s3cret word", "SHA-256", uses=7)
    login = one.url("").replace("://", "://ann:s3cret%20word@")
    plain, listed = one.add_channel("plain"), one.url("/list.m3u8")
    one.list.entries[-1] = login + plain.path
    one.list.entries += ("#EXTINF:-1,pieces", listed.replace(one.url(""), login))
    packets = NumberedStream("one", "pieces", 9, bitrate=1e6).packets(2000, 0.0)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    for number in range(4):  # absolute addresses, without user and password
        file = one.add_file(f"/{number}.ts", packets[number * 500 * 188 :][: 500 * 188])
        playlist += f"#EXTINF:0.75,\n{file.url}\n"
    one.add_file("/list.m3u8", (playlist + "#EXT-X-ENDLIST\n").encode())
    proxy = start_proxy(f"{login}/get.php|1", STREAM_LINGER="0", DEBUG="true")
    with proxy.viewer("plain") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
    one.wait(lambda: one.sockets == 0)
    one.max_sockets_seen = 0
    with proxy.viewer("pieces") as viewer:
        viewer.wait(lambda: viewer.received >= 1500 * 188)
        assert [run.lost for run in viewer.runs()] == [0]
    assert one.max_sockets_seen == 1
    assert one.max_connections_seen == 1
    assert_nothing_leaked(proxy, one)
    for secret in ("s3cret", "ann:"):
        assert secret not in proxy.log + proxy.get("/playlist.m3u8").text
