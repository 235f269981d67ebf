"""What is remembered of providers ends with what it belongs to: cookies, addresses, kinds, keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import gevent
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import IsLive, UpstreamError
from kptv.formats.hls.parse import parse
from kptv.formats.hls.playlist import MediaPlaylist
from kptv.formats.hls.tracker import LiveTracker
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.documents import Edition, open_document
from kptv.upstream.hls.fetcher import Fetcher, Position
from kptv.upstream.hls.pipe import Pipe
from kptv.upstream.open import Opener
from tests.numbered_ts import NumberedStream, marks
from tests.shared import opener_of
from tests.upstreams import data_of

LIMIT = 20.0  # seconds that any wait may take
SOURCE = Source(1, "http://127.0.0.1/unused", 1)
MEDIA = NumberedStream("origin", "live", 1, bitrate=8_000_000).packets(600, 0.0)
FILM = b"\0\0\0\x18ftypmp42" + bytes(5000)

Answer = tuple[int, dict[str, str], bytes]


class Origin:
    """Answers what ``answer`` says of path and cookie; remembers the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[str, str], Answer] = lambda path, cookie: (404, {}, b"")
        self.open = self.most_open = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.open += 1
                outer.most_open = max(outer.most_open, outer.open)

            def do_GET(self) -> None:
                cookie = self.headers.get("Cookie", "")
                outer.asked.append((self.path, cookie))
                status, headers, body = outer.answer(self.path, cookie)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                if self.headers.get("Connection") == "close":
                    outer.open -= 1  # the client is told by what follows
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.other_url = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self) -> list[tuple[str, str]]:
        """The requests since this was asked last."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.server.shutdown()
    origin.server.server_close()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(Config(sources=(SOURCE,)))
    yield client
    client.close()


def get(client: HttpClient, url: str, **headers: str) -> int:
    """The status that comes of a request."""
    try:
        response = client.get(SOURCE, url, headers=headers, timeout=(5, 5))
    except UpstreamError as error:
        return error.status or 0
    with closing(response):
        return response.status_code if response.content == b"" else 0


def log_in(client: HttpClient, origin: Origin, url: str = "", cookie: str = "sid=old") -> None:
    origin.answer = lambda path, sent: (200, {"Set-Cookie": f"{cookie}; Path=/"}, b"")
    assert get(client, (url or origin.url) + "/login") == 200
    origin.take()


# --- Cookies ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 410, 431])
def test_a_cookie_of_a_session_that_is_over_is_left_out_at_once_and_for_good(
    client: HttpClient, origin: Origin, status: int
) -> None:
    log_in(client, origin)
    origin.answer = lambda path, cookie: (status if cookie else 200, {}, b"")
    assert get(client, f"{origin.url}/live") == 200
    assert origin.take() == [("/live", "sid=old"), ("/live", "")]
    assert get(client, f"{origin.url}/live") == 200
    assert origin.take() == [("/live", "")]
    assert origin.most_open == 1


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_cookie_that_was_not_to_blame_is_kept(
    client: HttpClient, origin: Origin, status: int
) -> None:
    log_in(client, origin)
    origin.answer = lambda path, cookie: (status, {}, b"")
    assert get(client, f"{origin.url}/live") == status
    assert len(origin.take()) == (2 if status == 403 else 1)
    origin.answer = lambda path, cookie: (200, {}, b"")
    get(client, f"{origin.url}/live")
    assert origin.take() == [("/live", "sid=old")]


def test_a_refusal_without_cookies_and_one_of_a_cookie_from_the_list_are_not_asked_again(
    client: HttpClient, origin: Origin
) -> None:
    origin.answer = lambda path, cookie: (403, {}, b"")
    assert get(client, f"{origin.url}/live") == 403
    assert get(client, f"{origin.url}/live", Cookie="from=list") == 403
    assert origin.take() == [("/live", ""), ("/live", "from=list")]


@pytest.mark.parametrize("status", [401, 403, 410])
def test_segments_that_go_on_to_be_refused_behind_a_fresh_start_come_without_the_cookie(
    opener: Opener, origin: Origin, status: int
) -> None:
    half = len(MEDIA) // 376 * 188
    ended = []  # the session, behind the first segment

    def answer(path: str, cookie: str) -> Answer:
        if path.endswith(".ts"):
            if ended and cookie:
                return status, {}, b"over"
            ended.append(path)
            return 200, {}, MEDIA[half:] if path.endswith("1.ts") else MEDIA[:half]
        return 200, {"Set-Cookie": "sid=old; Path=/"}, playlist("0.ts", "1.ts")

    origin.answer = answer
    assert len(marks(read(opener, f"{origin.url}/link"))) == 600


def test_what_one_host_refused_is_still_sent_to_another(client: HttpClient, origin: Origin) -> None:
    log_in(client, origin, cookie="sid=one")
    log_in(client, origin, origin.other_url, cookie="sid=two")
    origin.answer = lambda path, cookie: (403 if cookie == "sid=one" else 200, {}, b"")
    assert get(client, f"{origin.url}/live") == 200
    assert get(client, f"{origin.other_url}/live") == 200
    assert [cookie for _, cookie in origin.take()] == ["sid=one", "", "sid=two"]


def test_behind_a_redirect_it_is_asked_from_the_links_own_address_with_what_that_sets(
    client: HttpClient, origin: Origin
) -> None:
    log_in(client, origin)
    tokens = iter("abcd")

    def answer(path: str, cookie: str) -> Answer:
        if path == "/link":
            token = next(tokens)
            return 302, {"Location": f"/edge/{token}", "Set-Cookie": f"edge={token}; Path=/"}, b""
        return 403 if "old" in cookie else 200, {}, b""

    origin.answer = answer
    assert get(client, f"{origin.url}/link") == 200
    paths = [path for path, _ in origin.take()]
    assert paths == ["/link", "/edge/a", "/link", "/edge/b"]
    assert client.cookies(SOURCE, f"{origin.url}/x") == ("edge=b",)


def test_a_cookie_that_a_stream_found_to_be_over_is_over_for_those_after_it(
    client: HttpClient, origin: Origin
) -> None:
    log_in(client, origin)
    origin.answer = lambda path, cookie: (403 if cookie else 200, {}, b"")
    alone = client.alone(SOURCE)
    assert get(alone, f"{origin.url}/live.m3u8") == 200
    alone.close()
    assert client.alone(SOURCE).cookies(SOURCE, origin.url) == ()


# --- Kinds and addresses of streams -------------------------------------------------------


def playlist(*names: str, tags: str = "", end: str = "#EXT-X-ENDLIST\n") -> bytes:
    segments = "".join(f"{tags}#EXTINF:1,\n{name}\n" for name in names)
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    return f"{head}{segments}{end}".encode()


def read(opener: Opener, url: str, pieces: int = 1_000_000) -> bytes:
    with (
        gevent.Timeout(LIMIT),
        closing(opener.open_stream(Stream(SOURCE, url, "Channel"))) as chunks,
    ):
        return data_of(islice(chunks, pieces))


@pytest.fixture
def opener(client: HttpClient) -> Opener:
    return opener_of(Config(sources=(SOURCE,), stall_timeout=3.0), client)


class Channel:
    """A link that redirects to a media playlist with a token; what it is may change."""

    def __init__(self, origin: Origin) -> None:
        self.link: Answer | None = None  # in place of the redirect
        self.tokens = 0
        self.valid = ""
        origin.answer = self.answer

    def answer(self, path: str, cookie: str) -> Answer:
        if path.startswith("/link"):
            if self.link:
                return self.link
            self.tokens += 1
            self.valid = f"/{self.tokens}/"
            return 302, {"Location": f"{self.valid}media.m3u8"}, b""
        if not path.startswith(self.valid):
            return 403, {}, b""
        return 200, {}, MEDIA if path.endswith(".ts") else playlist("1.ts")


def test_an_address_remembered_is_asked_first_and_the_link_where_it_is_over(
    opener: Opener, origin: Origin
) -> None:
    channel = Channel(origin)
    for wanted in (
        ["/link", "/1/media.m3u8", "/1/1.ts"],
        ["/1/media.m3u8", "/1/1.ts"],
    ):
        assert len(marks(read(opener, f"{origin.url}/link"))) == 600
        assert [path for path, _ in origin.take()] == wanted
    channel.valid = "nothing"
    assert len(marks(read(opener, f"{origin.url}/link"))) == 600
    assert [path for path, _ in origin.take()] == [
        "/1/media.m3u8",
        "/link",
        "/2/media.m3u8",
        "/2/1.ts",
    ]


def test_what_was_hls_and_is_a_transport_stream_by_now_plays_at_once(
    opener: Opener, origin: Origin
) -> None:
    channel = Channel(origin)
    read(opener, f"{origin.url}/link")
    channel.valid, channel.link = "nothing", (200, {}, MEDIA)
    origin.take()
    assert read(opener, f"{origin.url}/link", 1)[0] == 0x47
    assert [path for path, _ in origin.take()] == ["/1/media.m3u8", "/link"]


def test_a_playlist_remembered_that_has_become_another_or_has_ended_is_not_gone_by(
    opener: Opener, origin: Origin
) -> None:
    channel = Channel(origin)
    read(opener, f"{origin.url}/link")
    ended = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:70\n#EXTINF:1,\n1.ts\n"
    origin.take()
    for body in (
        ended + b"#EXT-X-ENDLIST\n",
        b"<html>",
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n",
    ):
        old = channel.valid

        def answer(path: str, cookie: str, old: str = old, body: bytes = body) -> Answer:
            return (200, {}, body) if path.startswith(old) else channel.answer(path, cookie)

        origin.answer = answer
        assert len(marks(read(opener, f"{origin.url}/link"))) == 600
        assert [path for path, _ in origin.take()][:2] == [f"{old}media.m3u8", "/link"]


def test_what_is_remembered_of_streams_ends_when_it_is_told_to(
    opener: Opener, origin: Origin
) -> None:
    Channel(origin)
    read(opener, f"{origin.url}/link")
    opener.forget()
    origin.take()
    read(opener, f"{origin.url}/link")
    assert origin.take()[0] == ("/link", "")


def encrypted(data: bytes, key: bytes, iv: int) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def test_a_key_that_has_become_another_at_the_same_address_is_fetched_again(
    opener: Opener, origin: Origin
) -> None:
    keys = [b"k" * 16, b"K" * 16]
    half = len(MEDIA) // 2
    parts = [encrypted(MEDIA[:half], keys[0], 0), encrypted(MEDIA[half:], keys[1], 1)]
    now = iter(keys)

    def answer(path: str, cookie: str) -> Answer:
        if path == "/key":
            return 200, {}, next(now)
        if path.endswith(".ts"):
            return 200, {}, parts[int(path[1])]
        return 200, {}, playlist("0.ts", "1.ts", tags='#EXT-X-KEY:METHOD=AES-128,URI="/key"\n')

    origin.answer = answer
    assert len(marks(read(opener, f"{origin.url}/link"))) == 600


# --- Places -------------------------------------------------------------------------------


def live(first: int) -> MediaPlaylist:
    segments = "".join(f"#EXTINF:10,\nsegment.ts?n={n}\n" for n in range(first, first + 3))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}"
    parsed = parse(text.encode(), "http://origin.example/live.m3u8")
    assert isinstance(parsed, MediaPlaylist)
    return parsed


def reader_at(position: Position) -> Fetcher:
    http: object = None
    return Fetcher(http, Config(sources=(SOURCE,)), Stream(SOURCE, "http://x/"), Pipe(), position)  # type: ignore[arg-type]


def test_a_position_is_kept_over_openings_that_fail_but_not_where_all_that_comes_is_older() -> None:
    tracker = LiveTracker(5.0)
    tracker.update(live(100), 0.0, 0.0)
    while tracker.next_due():
        pass
    tracker.pause()
    position = Position(tracker, None)
    refused = reader_at(position)
    assert refused.position() is not None, "nothing came that could tell"
    stale = reader_at(position)
    stale._update(live(98), 1.0)
    assert stale.position() is None, (
        "or what an encoder makes that began anew would never be played"
    )


# --- Films and lists ----------------------------------------------------------------------


@pytest.mark.parametrize("body", [MEDIA, playlist("1.ts"), b'<?xml version="1.0"?><MPD type="x">'])
def test_what_was_a_film_and_is_live_by_now_is_told_from_what_is_broken(
    opener: Opener, origin: Origin, body: bytes
) -> None:
    stream = Stream(SOURCE, f"{origin.url}/film")
    origin.answer = lambda path, cookie: (200, {}, body)
    with pytest.raises(IsLive):
        opener.open_film(stream, "bytes=0-")
    origin.answer = lambda path, cookie: (200, {}, b"<html>no")
    with pytest.raises(UpstreamError):
        opener.open_film(stream, None)


def test_a_list_that_has_not_changed_but_is_behind_another_redirect_is_fetched_anew(
    client: HttpClient, origin: Origin
) -> None:
    folders = ["one", "two", "two"]

    def answer(path: str, cookie: str) -> Answer:
        if path == "/list":
            return 302, {"Location": f"/{folders.pop(0)}/list.m3u"}, b""
        unchanged = answers.pop(0) == 304
        return (304, {}, b"") if unchanged else (200, {"ETag": '"1"'}, b"#EXTM3U\n")

    origin.answer = answer
    source = Source(1, f"{origin.url}/list", 1)
    answers = [200]
    with open_document(client, channel_list(source), Edition()) as opened:
        assert opened is not None
        edition = opened[0]
    answers = [304, 200]
    with open_document(client, channel_list(source), edition) as opened:
        assert opened is not None
        edition = opened[0]
        assert edition.base == f"{origin.url}/two/list.m3u"
    folders, answers = ["two"], [304]
    with open_document(client, channel_list(source), edition) as opened:
        assert opened is None
