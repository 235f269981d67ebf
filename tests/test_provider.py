"""The simulator is the ground truth of the functional tests: here it is judged itself."""

from __future__ import annotations

import gzip
import http.client
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.numbered_ts import PACKET, check_ts, marks, runs
from tests.provider import Bad, Provider, Reply, Stream


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider("one") as running:
        yield running


class Client:
    """A raw HTTP client: what the simulator sends, to the byte."""

    def __init__(self, provider: Provider, path: str, *headers: str, method: str = "GET") -> None:
        self.socket = socket.create_connection(("127.0.0.1", provider.port), timeout=10)
        lines = (f"{method} {path} HTTP/1.1", "Host: x", *headers, "", "")
        self.socket.sendall("\r\n".join(lines).encode())

    def read(self, size: int) -> bytes:
        """That many bytes, or what came before the end."""
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1) or pytest.fail(f"ended in the headers: {head!r}")
        return head

    def read_to_end(self) -> bytes:
        return self.read(1 << 30)

    def vanish(self) -> None:
        """Close with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def get(url: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", url[url.index(parts.path) :], headers=named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def playing(provider: Provider, stream: Stream) -> Client:
    """A client whose stream has begun."""
    client = Client(provider, stream.path)
    assert b"200 OK" in client.read_head()
    assert client.read(PACKET)[0] == 0x47
    return client


# --- counting ---


def test_a_connection_counts_from_its_request_until_the_client_closes(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream):
        assert provider.connections == 1
        assert stream.connections == 1
    provider.wait(lambda: provider.connections == 0)
    assert provider.max_connections_seen == 1


@pytest.mark.parametrize("leave", ["close", "vanish"])
@pytest.mark.parametrize("how", [None, Bad.HANG, Bad.SILENCE])
def test_a_close_is_noticed_at_once(provider: Provider, leave: str, how: Bad | None) -> None:
    stream = provider.add_channel("News")
    if how:
        stream.fail_with(how)
    delays = []
    for _ in range(10):
        client = Client(provider, stream.path)
        provider.wait(lambda: provider.connections == 1)
        left = time.monotonic()
        client.vanish() if leave == "vanish" else client.socket.close()
        provider.wait(lambda: provider.connections == 0)
        delays.append(provider.history[-1][0] - left)
    assert sorted(delays)[len(delays) // 2] < 0.005


def test_a_client_that_closes_before_it_opens_is_never_counted_twice(
    provider: Provider,
) -> None:
    stream = provider.add_channel("News")
    for turn in range(300):
        client = Client(provider, stream.path)
        client.read(500)
        client.vanish() if turn % 2 else client.socket.close()
    assert provider.max_connections_seen == 1


def test_connections_to_lists_are_not_counted(provider: Provider) -> None:
    with Client(provider, provider.list.path) as client:
        client.read_head()
        assert provider.sockets == 1
        assert provider.max_connections_seen == 0


def test_one_connection_too_many_is_turned_away_and_seen() -> None:
    with Provider(limit=1, limit_answer=Reply(458, {"Retry-After": "3"})) as provider:
        stream = provider.add_channel("News")
        with playing(provider, stream):
            answer, _ = get(stream.url)
            assert (answer.status, answer.headers["Retry-After"]) == (458, "3")
            assert provider.connections == 1
        assert (provider.max_connections_seen, provider.turned_away) == (2, 1)
        provider.wait(lambda: provider.connections == 0)
        playing(provider, stream).socket.close()


def test_each_account_has_a_limit_of_its_own() -> None:
    with Provider(limit=1) as provider:
        for user in ("anna", "bert"):
            provider.stream(f"/live/{user}/secret/1.ts")
        clients = [
            playing(provider, provider.stream(f"/live/{u}/secret/1.ts")) for u in ["anna", "bert"]
        ]
        assert (provider.connections, provider.max_connections_seen) == (2, 1)
        assert provider.account("anna").connections == 1
        for client in clients:
            client.socket.close()


def test_requests_are_kept_with_their_headers(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(404)
    before = time.monotonic()
    get(stream.url, User_Agent="VLC")
    (request,) = stream.requests
    assert (request.method, request.headers["user-agent"]) == ("GET", "VLC")
    assert before <= request.at <= time.monotonic()
    assert provider.requests_to(stream.path) == [request]


# --- lists ---


def test_the_list_holds_the_channels_added(provider: Provider) -> None:
    stream = provider.add_channel("News", tvg_id="n.1", group_title="World")
    answer, body = get(provider.list_url)
    expected = f'#EXTM3U\n#EXTINF:-1 tvg-id="n.1" group-title="World",News\n{stream.url}\n'
    assert (answer.status, body.decode()) == (200, expected)


def test_a_list_that_did_not_change_is_304(provider: Provider) -> None:
    first, _ = get(provider.list_url)
    for name in ("If-None-Match", "If-Modified-Since"):
        value = first.headers[{"If-None-Match": "ETag"}.get(name, "Last-Modified")]
        again, body = get(provider.list_url, **{name: value})
        assert (again.status, body) == (304, b"")
    provider.list.set("#EXTM3U\n# changed\n")
    changed, _ = get(provider.list_url, **{"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200


@pytest.mark.parametrize(("how", "told"), [("header", "gzip"), ("body", None)])
def test_a_list_can_be_gzip_and_tell_or_not(provider: Provider, how: str, told: str | None) -> None:
    provider.list.gzip = how
    answer, body = get(provider.list_url)
    assert answer.headers["Content-Encoding"] == told
    assert gzip.decompress(body) == b"#EXTM3U\n"


def test_a_list_can_be_slow(provider: Provider) -> None:
    provider.list.set(b"#" * 1000)
    provider.list.seconds = 0.3
    begun = time.monotonic()
    _, body = get(provider.list_url)
    assert len(body) == 1000
    assert time.monotonic() - begun > 0.2


def test_a_list_can_be_cut(provider: Provider) -> None:
    provider.list.fail_with(Bad.SHORT_BODY)
    with pytest.raises(http.client.IncompleteRead):
        get(provider.list_url)


def test_keep_alive_serves_several_lists_on_one_connection(provider: Provider) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=10)
    for _ in range(3):
        connection.request("GET", provider.list.path)
        assert connection.getresponse().read() == b"#EXTM3U\n"
    connection.close()
    assert len(provider.requests) == 3


# --- streams ---


def test_a_stream_is_paced_marked_and_whole(provider: Provider) -> None:
    stream = provider.add_channel("News")
    begun = time.monotonic()
    with playing(provider, stream) as client:
        data = b"\x47" + b"".join([client.read(PACKET * 500)])[: PACKET * 499]
    elapsed = time.monotonic() - begun
    data = data[1:]
    check_ts(data)
    (run,) = runs(marks(data))
    assert (run.provider, run.channel, run.lost, run.disordered) == ("one", "News", 0, 0)
    assert elapsed == pytest.approx(500 * PACKET * 8 / stream.bitrate, rel=0.3)
    assert all(begun - 1 < mark.sent < begun + 5 for mark in marks(data))


def test_providers_send_different_pids() -> None:
    with Provider("a") as a, Provider("b") as b:
        assert a.add_channel("x").pid != b.add_channel("x").pid


def test_a_stream_can_be_chunked_and_compressed(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.chunked = True
    stream.content_encoding = "gzip"
    stream.compressed = True
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=10)
    connection.request("GET", stream.path)
    answer = connection.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    media = zlib.decompressobj(wbits=31).decompress(answer.read(2000))
    answer.close()
    connection.close()
    assert marks(media[: len(media) // PACKET * PACKET])[0].number == 0


def test_junk_comes_before_the_first_packet(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.junk = b"junk" * 100
    with Client(provider, stream.path) as client:
        client.read_head()
        assert client.read(401) == b"junk" * 100 + b"\x47"


# --- bad endings ---

COMPLETE: list[tuple[Bad | int | Reply, int, bytes]] = [
    (404, 404, b"<!DOCTYPE"),
    (500, 500, b"<!DOCTYPE"),
    (Bad.HTML, 200, b"<!DOCTYPE"),
    (Bad.EMPTY, 200, b""),
    (Bad.END, 200, b""),
    (Reply(200, {"Content-Type": "application/x-mpegurl"}, b"#EXTM3U"), 200, b"#EXTM3U"),
]


@pytest.mark.parametrize(("how", "status", "begins"), COMPLETE)
def test_a_first_answer_can_be_complete_and_bad(
    provider: Provider, how: Bad | int | Reply, status: int, begins: bytes
) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(how)
    answer, body = get(stream.url)
    assert (answer.status, body[:9]) == (status, begins)
    assert provider.connections == 0


def test_a_failure_can_last_for_a_number_of_requests(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(503, times=2, retry_after=7)
    assert [get(stream.url)[0].headers["Retry-After"] for _ in range(2)] == ["7", "7"]
    playing(provider, stream).socket.close()


def test_recover_ends_a_failure(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(404)
    stream.recover()
    playing(provider, stream).socket.close()


def test_a_first_answer_can_be_a_reset(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(Bad.RESET)
    with Client(provider, stream.path) as client, pytest.raises(ConnectionResetError):
        client.read(1)


def test_a_first_answer_can_be_none(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(Bad.NO_ANSWER)
    with Client(provider, stream.path) as client:
        assert client.read(1) == b""


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Bad.HANG, b""),
        (Bad.DRIP_HEADERS, b"HTT"),
        (Bad.HANG_AFTER_HEADERS, b"HTTP/1.1 200 OK"),
        (Bad.SILENCE, b"HTTP/1.1 200 OK"),
    ],
)
def test_a_first_answer_can_keep_the_client_waiting(
    provider: Provider, how: Bad, expected: bytes
) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(how)
    with Client(provider, stream.path) as client:
        assert client.read(len(expected)) == expected
        if how not in (Bad.HANG, Bad.DRIP_HEADERS):
            client.read_head()
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.read(1 << 20)
        assert provider.connections == 1
    provider.wait(lambda: provider.connections == 0)


def test_garbage_holds_no_sync_byte_and_flows_on(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(Bad.GARBAGE)
    with Client(provider, stream.path) as client:
        client.read_head()
        assert b"\x47" not in client.read(100_000)


def test_a_port_can_refuse(provider: Provider) -> None:
    with pytest.raises(ConnectionRefusedError):
        get(provider.refused_url("/x.ts"))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_can_be_short(provider: Provider, chunked: bool) -> None:
    stream = provider.add_channel("News")
    stream.chunked = chunked
    stream.fail_with(Bad.SHORT_BODY, after_packets=50)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(stream.url)
    assert chunked or len(marks(caught.value.partial)) == 50


def test_a_stream_can_end_after_some_packets(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(Bad.END, after_packets=50)
    _, body = get(stream.url)
    assert len(marks(body)) == 50


@pytest.mark.parametrize("chunked", [False, True])
def test_a_running_stream_can_end_cleanly(provider: Provider, chunked: bool) -> None:
    stream = provider.add_channel("News")
    stream.chunked = chunked

    def end_when_running() -> None:
        provider.wait(lambda: stream.bytes_sent > 0)
        stream.break_now(Bad.END)

    ender = threading.Thread(target=end_when_running)
    ender.start()
    answer, body = get(stream.url)
    ender.join()
    check_ts(body)
    assert answer.status == 200
    assert provider.connections == 0


def test_a_running_stream_can_be_reset(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream) as client:
        assert stream.break_now(Bad.RESET) == 1
        assert provider.connections == 0
        with pytest.raises(ConnectionResetError):
            client.read_to_end()


def test_a_running_stream_can_fall_silent(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream) as client:
        stream.break_now(Bad.SILENCE)
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.read_to_end()
        assert provider.connections == 1


@pytest.mark.parametrize(("how", "found"), [(Bad.HTML, b"</html>"), (Bad.SHORT_BODY, b"")])
def test_a_running_stream_can_end_badly(provider: Provider, how: Bad, found: bytes) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream) as client:
        stream.break_now(how)
        assert client.read_to_end().endswith(found)


def test_a_running_stream_can_turn_to_garbage(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream) as client:
        stream.break_now(Bad.GARBAGE)
        assert b"\x47" not in client.read(100_000)[-50_000:]
        stream.break_now(Bad.END)
        client.read_to_end()


def test_only_the_stream_named_breaks(provider: Provider) -> None:
    streams = [provider.add_channel(name) for name in ("News", "Sport")]
    clients = [playing(provider, stream) for stream in streams]
    assert provider.break_stream(streams[0].path, Bad.RESET) == 1
    assert len(clients[1].read(20_000)) == 20_000
    for client in clients:
        client.socket.close()


# --- redirects ---


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/x", "/there.ts", "there.ts"])
def test_a_redirect_goes_where_told_and_counts_no_connection(
    provider: Provider, location: str
) -> None:
    stream = provider.add_channel("News")
    stream.redirect_to(location)
    answer, _ = get(stream.url)
    assert (answer.status, answer.headers["Location"]) == (302, location)
    assert provider.connections == 0


def test_a_redirect_can_loop(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.fail_with(Bad.REDIRECT_LOOP)
    assert get(stream.url)[0].headers["Location"] == stream.path


def test_a_token_works_once(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.redirect_to_token()
    first, second = (get(stream.url)[0].headers["Location"] for _ in range(2))
    assert first != second
    with Client(provider, first) as client:
        assert b"200 OK" in client.read_head()
        assert stream.connections == 1
    assert get(provider.url(first))[0].status == 404


# --- files, media, life ---


def test_a_file_is_served_with_range(provider: Provider) -> None:
    film = provider.add_file("/movie/user-one/sesame-one/7.mp4", bytes(range(256)))
    whole, body = get(film.url)
    assert (whole.status, len(body), whole.headers["Content-Type"]) == (200, 256, "video/mp4")
    part, body = get(film.url, Range="bytes=10-19")
    assert (part.status, body) == (206, bytes(range(10, 20)))
    assert part.headers["Content-Range"] == "bytes 10-19/256"
    assert get(film.url, Range="bytes=250-")[1] == bytes(range(250, 256))
    assert get(film.url, Range="bytes=-2")[1] == bytes((254, 255))
    assert get(film.url, Range="bytes=256-")[0].status == 416
    assert provider.connections == 0


def test_head_opens_no_stream(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with Client(provider, stream.path, method="HEAD") as client:
        assert b"video/mp2t" in client.read_to_end()
    assert provider.max_connections_seen == 0


def test_a_stream_can_be_real_media(provider: Provider) -> None:
    from pathlib import Path

    import kptv.demo

    stream = provider.add_channel("News")
    stream.burst = 1.0
    stream.play_clip(Path(kptv.demo.__file__).parent / "data" / "one-card.ts")
    with Client(provider, stream.path) as client:
        client.read_head()
        check_ts(client.read(PACKET * 50))


def test_a_killed_provider_resets_and_refuses_until_it_is_back(provider: Provider) -> None:
    stream = provider.add_channel("News")
    with playing(provider, stream) as client:
        provider.kill()
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    with pytest.raises(ConnectionRefusedError):
        get(stream.url)
    provider.wait(lambda: provider.sockets == 0)
    assert provider.connections == 0
    provider.revive()
    playing(provider, stream).socket.close()


def test_stop_leaves_no_thread_and_may_come_twice() -> None:
    provider = Provider().start()
    stream = provider.add_channel("News")
    client = playing(provider, stream)
    provider.stop()
    provider.stop()
    assert not provider._thread.is_alive()
    client.socket.close()
