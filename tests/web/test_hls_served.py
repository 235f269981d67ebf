"""Playlists and segments as players of HLS ask for them, over windows of broadcasts of sound."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from socket import IPPROTO_TCP, TCP_NOTSENT_LOWAT, socket
from urllib.parse import urljoin, urlsplit
from weakref import ref

import gevent
import pytest
from flask import Flask
from gevent import Greenlet
from werkzeug.test import EnvironBuilder, TestResponse

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel, Stream
from kptv.channels.users.model import Rights, User
from kptv.channels.users.table import UserTable
from kptv.config import LOOPBACK
from kptv.metrics.hls_figures import AnswerKind
from kptv.metrics.user_figures import UserFigures
from kptv.restream.window import Common
from kptv.restream.windows import Windows
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.clients import Clients
from kptv.web.players import delivery, holds, open_streams
from kptv.web.players.hls import Hls, hls_blueprint
from kptv.web.players.open_streams import Access, OpenStreams
from kptv.web.players.player import Player
from kptv.web.players.segment_body import AT_ONCE, SegmentBody
from kptv.web.players.segment_keys import SegmentKeys
from kptv.web.players.ts import stream_blueprint
from tests.restream.radio import marks
from tests.restream.test_hub import LIMIT, NEWS, ONE, SOURCES, SPORT, until
from tests.restream.test_windows import SECOND, Rig

SECRET = "abcdefghjkmnpqrstuvw"
ANNA = User(id=1, name="anna", max_streams=1)
PATH = r"(?m)^[^#].*$"
TOP = Channel("top-24~0a", "Top/24", (ONE,))
NAMED = Channel("x-m3u8~0b", "x.m3u8", (Stream(SOURCES[1], "http://two/x"),))


class Tv:
    """The routes over a rig, and whoever asks."""

    def __init__(self, **settings: object) -> None:
        self.rig = Rig(stream_linger=0.0)
        self.channels = [NEWS, SPORT, TOP, NAMED]
        self.needs_login = False
        self.allowed: Callable[[Rights, Channel], bool] = lambda rights, channel: True
        self.figures, self.outcomes = UserFigures(), self.rig.metrics.hls
        keys = SegmentKeys(lambda: self.needs_login)
        common = Common(
            2.0,
            self.rig.shared.budget,
            self.rig.hubs.start,
            key_of=keys.of,
            figures=self.rig.metrics.hls,
        )
        self.windows = Windows(common)
        access = Access(
            lambda rights, channel: self.allowed(rights, channel), users=lambda: UserTable([ANNA])
        )
        self.streams = OpenStreams(self.rig.hubs.let_go, access, self.figures)
        self.player = Player(
            self.rig.hubs,
            Clients(LOOPBACK),
            int(str(settings.get("max_clients", 100))),
            access,
            self.streams,
            self.windows,
        )
        self.hls = Hls(self.windows, self.player, self.outcomes, lambda: self.needs_login)
        self.app = Flask(__name__)
        self.app.testing = True
        stream = stream_blueprint(self._catalog, self.player, self.hls.playlist_of)
        self.app.register_blueprint(stream)
        self.app.register_blueprint(hls_blueprint(self._catalog, self.player, self.hls))

    def _catalog(self) -> Catalog:
        return self  # type: ignore[return-value]

    def find(self, text: str) -> Channel | None:
        return next((each for each in self.channels if text in (each.slug, each.name)), None)

    def on_air(self, channel: Channel = NEWS, seconds: int = 8) -> None:
        self.rig.broadcasts.feed(channel.streams[0], *[SECOND] * seconds)

    def playlist(self, **how: str) -> TestResponse:
        """That of NEWS, when all that was on air is in it."""
        self.ask("/hls/news.m3u8", **how)
        until(lambda: gevent.idle() or not self.rig.broadcasts._queue(ONE).qsize())
        gevent.sleep(0.05)
        return self.ask("/hls/news.m3u8", **how)

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        caller: Caller = ANYONE,
        address: str = "192.0.2.1",
        **headers: str,
    ) -> TestResponse:
        """Header names are written with ``_``."""
        builder = EnvironBuilder(
            path,
            base_url="http://tv.example/",
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_base={"REMOTE_ADDR": address},
            environ_overrides={CALLER: caller},
        )
        with gevent.Timeout(LIMIT):
            return self.app.test_client().open(builder)

    def close(self) -> None:
        self.windows.close()
        self.streams.close()
        self.rig.close()


def as_anna(**changes: object) -> Caller:
    user = replace(ANNA, **changes)  # type: ignore[arg-type]
    return Caller(CallerKind.USER, user, 1, f"/u/{SECRET}", ("anna", SECRET))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptv.channels.users.streams.GRACE", 0.2)
    monkeypatch.setattr(open_streams, "GRACE", 0.2)


@pytest.fixture
def tv() -> Iterator[Tv]:
    tv = Tv()
    yield tv
    tv.close()
    until(lambda: not len(tv.windows) and not len(tv.rig.hubs))
    assert tv.rig.hubs.viewers == 0
    assert len(tv.hls._holds) == 0


def paths_of(answer: TestResponse, path: str = "/hls/news.m3u8") -> list[str]:
    """Those of the segments, as a player that asked at ``path`` finds them."""
    assert answer.status_code == 200, answer.text
    at = f"http://tv.example{path}"
    return [urlsplit(urljoin(at, line)).path for line in re.findall(PATH, answer.text)]


def last_of(answer: TestResponse) -> int:
    return int(re.findall(r"(\d+)\.ts", answer.text)[-1])


def test_a_playlist_names_segments_that_can_be_had(tv: Tv) -> None:
    tv.on_air()
    answer = tv.ask("/hls/news.m3u8")
    assert answer.content_type == "application/vnd.apple.mpegurl"
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    paths = paths_of(answer)
    assert all(path.startswith("/hls/news/1") for path in paths)
    for path in paths:
        segment = tv.ask(path)
        assert segment.status_code == 200
        assert segment.headers["Cache-Control"] == "public, max-age=60, immutable"
        assert segment.headers["Content-Type"] == "video/mp2t"
        assert segment.headers["Access-Control-Allow-Origin"] == "*"
        assert int(segment.headers["Content-Length"]) == len(segment.data)
        assert marks(segment.data)
    assert tv.outcomes.lists_asked == {AnswerKind.ANSWERED: 1}
    assert tv.outcomes.segments_asked == {AnswerKind.ANSWERED: len(paths)}


def test_what_is_sent_of_a_channel_is_counted(tv: Tv) -> None:
    tv.on_air()
    (first, *_) = paths_of(tv.ask("/hls/news.m3u8"))
    sent = len(tv.ask(first).data)
    assert tv.rig.metrics.open("News").bytes_sent == sent
    tv.ask(first, "HEAD")
    assert tv.rig.metrics.open("News").bytes_sent == sent


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/hls/news.m3u8", "news"),
        ("/hls/news", "news"),
        ("/hls/news.m3u", "news"),
        ("/hls/NEWS.M3U8", "news"),
        ("/hls/news.m3u8/", "news"),
        ("/hls/news.m3u8%3Ftoken=1", "news"),
        ("/hls//news.m3u8?token=/a/b", "news"),
        ("/hls/Top%2F24.m3u8", "top-24~0a"),
        ("/hls/Top/24.m3u8", "top-24~0a"),
        ("/hls/Top%252F24.m3u8", "top-24~0a"),
        ("/hls/x.m3u8", "x-m3u8~0b"),
        ("/hls/x-m3u8~0b.m3u8", "x-m3u8~0b"),
        ("/stream/news.m3u8", "news"),
        ("/stream/News.m3u8/", "news"),
        ("/stream/Top%2F24.m3u8", "top-24~0a"),
        ("/stream/Top/24.m3u8?a=/", "top-24~0a"),
    ],
)
def test_a_playlist_in_each_form_names_segments_that_can_be_had(
    tv: Tv, path: str, slug: str
) -> None:
    tv.on_air(NAMED if slug.startswith("x") else NEWS)
    (first, *_) = paths_of(tv.ask(path), path)
    assert first.startswith(f"/hls/{slug}/")
    assert tv.ask(first).status_code == 200


def test_a_channel_of_that_very_name_is_a_stream(tv: Tv) -> None:
    tv.on_air(NAMED)
    head = tv.ask("/stream/x.m3u8", "HEAD")
    assert head.content_type == "video/mp2t"


@pytest.mark.parametrize("encoding", ["gzip", "gzip, deflate", "br;q=1, gzip;q=0.5"])
def test_a_playlist_is_gzipped_for_whoever_takes_that(tv: Tv, encoding: str) -> None:
    tv.on_air()
    plain = tv.ask("/hls/news.m3u8", Accept_Encoding="gzip;q=0")
    assert "Content-Encoding" not in plain.headers
    packed = tv.ask("/hls/news.m3u8", Accept_Encoding=encoding)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_a_master_playlist_tells_what_is_in_the_other(tv: Tv) -> None:
    tv.on_air()
    path = "/hls/Top/24.m3u8?master"
    master = tv.ask(path)
    assert master.headers["Cache-Control"] == "public, max-age=1"
    assert re.search(r"(?m)^#EXT-X-STREAM-INF:.*BANDWIDTH=[1-9]\d+,", master.text)
    (playlist,) = paths_of(master, path)
    assert playlist == "/hls/top-24~0a.m3u8"
    assert paths_of(tv.ask(playlist))


def test_head_opens_nothing(tv: Tv) -> None:
    head = tv.ask("/hls/news.m3u8", "HEAD")
    assert (head.status_code, head.content_type) == (200, "application/vnd.apple.mpegurl")
    assert "Content-Length" not in head.headers
    assert not tv.rig.broadcasts.opened
    assert not len(tv.windows)


def test_any_page_may_ask_for_leave(tv: Tv) -> None:
    for path in "/hls/news.m3u8", "/hls/news/1.ts", "/hls/nothing.m3u8":
        answer = tv.ask(
            path, "OPTIONS", Origin="http://other", Access_Control_Request_Headers="Range"
        )
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Range" in answer.headers["Access-Control-Allow-Headers"]
    assert not tv.rig.broadcasts.opened


@pytest.mark.parametrize("path", ["/hls/news.m3u8", "/stream/news.m3u8", "/stream/x/1.ts"])
def test_a_page_may_send_headers_of_its_own_wherever_it_may_read(tv: Tv, path: str) -> None:
    answer = tv.ask(
        path,
        "OPTIONS",
        Origin="http://other",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="x-player,range",
    )
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"*", "range", "x-playback-session-id"} <= set(allowed)
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {
        "GET",
        "HEAD",
        "OPTIONS",
    }
    assert not tv.rig.broadcasts.opened


# --- with a login ---


def test_with_a_login_playlists_and_segments_are_private_and_have_keys(tv: Tv) -> None:
    tv.needs_login = True
    tv.on_air()
    answer = tv.ask("/hls/news.m3u8", caller=as_anna())
    assert answer.headers["Cache-Control"] == "private, no-cache"
    (line, *_) = re.findall(PATH, answer.text)
    assert re.fullmatch(rf"\.\./u/{SECRET}/hls/news/[0-9a-f]{{20}}/\d+\.ts", line)
    path = line.partition(SECRET)[2]
    segment = tv.ask(path, caller=as_anna())
    assert segment.status_code == 200
    assert segment.headers["Cache-Control"] == "private, max-age=60, immutable"
    key = path.split("/")[3]
    for wrong in (path.replace(key, "0" * 20), path.replace(f"{key}/", "")):
        assert tv.ask(wrong, caller=as_anna()).status_code == 404


def test_a_secret_in_the_path_is_not_put_into_links_once_more(tv: Tv) -> None:
    tv.on_air()
    path = f"/u/{SECRET}/hls/news.m3u8"
    caller = as_anna()
    builder = EnvironBuilder("/hls/news.m3u8", environ_overrides={CALLER: caller, "RAW_URI": path})
    with gevent.Timeout(LIMIT):
        answer = tv.app.test_client().open(builder)
    assert all(line.startswith("news/") for line in re.findall(PATH, answer.text))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["news.m3u8", "News.m3u8", "news", "news/1.ts"])
def test_a_channel_outside_a_users_rights_is_as_one_that_does_not_exist(
    tv: Tv, name: str, method: str
) -> None:
    tv.on_air()
    if name.endswith("1.ts"):
        (path, *_) = paths_of(tv.ask("/hls/news.m3u8"))
    else:
        path = f"/hls/{name}"
    tv.allowed = lambda rights, channel: False
    guest = Caller(CallerKind.USER, User(id=7, name="guest", groups=("Sport",)))
    forbidden = tv.ask(path, method, caller=guest)
    missing = tv.ask(path.replace("news", "none").replace("News", "none"), method, caller=guest)
    stream = tv.ask("/stream/none", method, caller=guest)
    assert forbidden.status_code == 404
    assert forbidden.headers["Cache-Control"] == "no-store"
    for other in [missing] if path.endswith(".ts") else [missing, stream]:
        assert (forbidden.headers, forbidden.data) == (other.headers, other.data)
    assert len(tv.rig.broadcasts.opened) <= 1


# --- what cannot be had ---


def test_segments_that_are_gone_or_to_come_are_404_and_nothing_keeps_that(tv: Tv) -> None:
    tv.on_air()
    last = last_of(tv.playlist())
    for number in (0, last - 100, last + 1, last + 100, "-1", "x", "9" * 20, "9" * 200):
        answer = tv.ask(f"/hls/news/{number}.ts")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
    assert tv.ask("/hls/sport/1.ts").status_code == 404
    assert len(tv.windows) == 1


@pytest.mark.parametrize("query", ["_HLS_msn=", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_part=0"])
def test_a_bad_directive_is_400(tv: Tv, query: str) -> None:
    tv.on_air()
    answer = tv.ask(f"/hls/news.m3u8?{query}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (400, "no-store")
    assert answer.text.count("\n") == 1
    assert not tv.rig.broadcasts.opened


def test_a_segment_more_than_two_ahead_is_not_waited_for(tv: Tv) -> None:
    tv.on_air()
    last = last_of(tv.playlist())
    for number in (str(last + 3), "9" * 200):
        assert tv.ask(f"/hls/news.m3u8?_HLS_msn={number}").status_code == 400


def waits(tv: Tv, number: int, **how: str) -> Greenlet:
    return gevent.spawn(tv.ask, f"/hls/news.m3u8?_HLS_msn={number}", **how)


def test_a_playlist_waits_for_a_segment(tv: Tv) -> None:
    tv.on_air()
    last = last_of(tv.playlist())
    assert last_of(tv.ask(f"/hls/news.m3u8?_HLS_msn={last}")) == last
    asked = [waits(tv, last + 1), waits(tv, last + 2)]
    gevent.sleep(0.05)
    assert not any(each.ready() for each in asked)
    tv.on_air(seconds=8)
    for number, each in enumerate(asked, last + 1):
        assert last_of(each.get(timeout=LIMIT)) >= number
    assert tv.outcomes.lists_asked[AnswerKind.WAITED] == 2


CHROMIUMS = {"Range": "bytes=0-", "Accept_Encoding": "identity;q=1, *;q=0"}


def test_chromiums_own_player_never_gets_the_same_playlist_again(tv: Tv) -> None:
    tv.on_air()
    assert tv.ask("/hls/news.m3u8?master", **CHROMIUMS).status_code == 200
    first = tv.playlist(**CHROMIUMS)
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = gevent.spawn(tv.ask, "/hls/news.m3u8", **CHROMIUMS)
    gevent.sleep(0.05)
    assert not again.ready()
    assert last_of(tv.ask("/hls/news.m3u8", Range="bytes=0-")) == last_of(first), "another one"
    tv.on_air(seconds=8)
    assert last_of(again.get(timeout=LIMIT)) > last_of(first)


def test_of_500_that_wait_for_a_segment_few_are_held(tv: Tv) -> None:
    tv.on_air()
    last = last_of(tv.playlist(User_Agent="TV"))
    asked = [waits(tv, last + 1, User_Agent="TV") for _ in range(500)]
    until(lambda: sum(not each.ready() for each in asked) == holds.MOST_OF_VIEWER)
    assert {last_of(each.get(timeout=LIMIT)) for each in asked if each.ready()} == {last}
    tv.on_air(seconds=8)
    gevent.joinall(asked, timeout=LIMIT)
    assert all(each.ready() for each in asked)


def test_waiting_ends(tv: Tv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptv.web.players.hls._LONGEST_WAIT", 0.02)
    tv.on_air()
    last = last_of(tv.playlist())
    assert last_of(tv.ask(f"/hls/news.m3u8?_HLS_msn={last + 1}")) == last


def test_of_500_that_wait_for_a_channel_to_begin_few_are_held(tv: Tv) -> None:
    asked = [gevent.spawn(tv.ask, "/hls/news.m3u8", User_Agent="TV") for _ in range(500)]
    until(lambda: sum(not each.ready() for each in asked) == holds.MOST_OF_VIEWER)
    refused = next(each for each in asked if each.ready()).get()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    tv.on_air()
    gevent.joinall(asked, timeout=LIMIT)
    assert sum(each.value.status_code == 200 for each in asked) == holds.MOST_OF_VIEWER
    assert len(tv.rig.broadcasts.opened) == 1


def test_a_thousand_agents_at_one_address_are_a_bounded_number_of_viewers(tv: Tv) -> None:
    tv.on_air()
    for number in range(1000):
        assert tv.ask("/hls/news.m3u8", User_Agent=f"TV {number}").status_code == 200
    assert tv.rig.hubs.viewers <= 65


def test_players_that_name_their_viewing_are_told_apart(tv: Tv) -> None:
    tv.on_air()
    for session in ("one", "two", "two", "x" * 200, "x" * 300):
        tv.ask("/hls/news.m3u8", User_Agent="AppleCoreMedia", X_Playback_Session_Id=session)
    assert tv.rig.hubs.viewers == 3
    tv.ask("/hls/news.m3u8", User_Agent="AppleCoreMedia")
    assert tv.rig.hubs.viewers == 4


def test_whoever_asks_for_a_stream_follows_no_other_channel(tv: Tv) -> None:
    tv.on_air()
    tv.on_air(NAMED)
    tv.ask("/hls/news.m3u8", User_Agent="TV")
    tv.ask("/stream/news", User_Agent="TV").close()
    assert not any(window.gives_way for window in tv.windows)
    tv.ask("/stream/x", "HEAD", User_Agent="TV").close()
    assert not any(window.gives_way for window in tv.windows)
    tv.ask("/stream/x-m3u8~0b", User_Agent="Other").close()
    assert not any(window.gives_way for window in tv.windows)
    tv.ask("/stream/x-m3u8~0b", User_Agent="TV").close()
    assert all(window.gives_way for window in tv.windows)


# --- refusals ---


def test_those_who_wait_for_a_channel_to_begin_count_as_viewers() -> None:
    tv = Tv(max_clients=3)
    asked = [gevent.spawn(tv.ask, "/hls/news.m3u8", User_Agent=f"TV {n}") for n in range(10)]
    until(lambda: sum(each.ready() for each in asked) == 7)
    tv.on_air()
    gevent.joinall(asked, timeout=LIMIT)
    statuses = [each.value.status_code for each in asked]
    assert (statuses.count(200), statuses.count(503)) == (3, 7)
    assert tv.rig.hubs.viewers == 3
    tv.close()


def test_as_many_channels_are_opened_as_there_may_be_viewers() -> None:
    tv = Tv(max_clients=3)
    streams = [Stream(SOURCES[1], f"http://two/{n}") for n in range(20)]
    tv.channels += [Channel(f"c{n}", f"C{n}", (stream,)) for n, stream in enumerate(streams)]
    asked = [gevent.spawn(tv.ask, f"/hls/c{n}.m3u8", User_Agent=f"TV {n}") for n in range(20)]
    until(lambda: sum(each.ready() for each in asked) == 17)
    assert len(tv.windows) == len(tv.rig.hubs) == 3
    gevent.killall(asked)
    tv.close()


def test_whoever_is_ended_while_a_playlist_is_held_gets_none(tv: Tv) -> None:
    tv.needs_login = True
    tv.on_air()
    tv.playlist(User_Agent="Phone")  # it plays on
    last = last_of(tv.ask("/hls/news.m3u8", caller=as_anna()))
    path = f"/hls/news.m3u8?_HLS_msn={last + 1}"
    held = gevent.spawn(tv.ask, path, caller=as_anna())
    gevent.sleep(0.05)
    assert not held.ready()
    (stream,) = (each for each in tv.streams if each.caller.name)
    assert tv.streams.end(stream.lease.number)
    refused = held.get(timeout=1.0)  # at once, not with the next segment
    assert (refused.status_code, refused.headers["Cache-Control"]) == (429, "no-store")
    assert "#EXT" not in refused.text
    assert tv.figures.ended == {("anna", "operator"): 1}


def renamed(tv: Tv) -> Channel:
    """NEWS, as rules call it from now on."""
    other = replace(NEWS, slug="world", name="World")
    tv.channels[tv.channels.index(NEWS)] = other
    tv.rig.hubs.imported(lambda slug: other if slug == "news" else None)
    return other


def test_a_channel_that_is_watched_plays_on_although_rules_call_it_otherwise(tv: Tv) -> None:
    tv.on_air()
    tv.playlist()
    renamed(tv)
    answer = tv.ask("/hls/news.m3u8")
    assert tv.ask(paths_of(answer)[-1]).status_code == 200
    assert paths_of(tv.ask("/hls/world.m3u8"), "/hls/world.m3u8")[-1].startswith("/hls/world/")
    assert len(tv.rig.broadcasts.opened) == 1
    tv.allowed = lambda rights, channel: channel.slug != "news"
    guest = Caller(CallerKind.USER, User(id=7, name="guest", groups=("Sport",)))
    assert tv.ask("/hls/news.m3u8", caller=guest).status_code == 404


def test_viewers_of_two_names_of_a_channel_are_counted_apart(tv: Tv) -> None:
    tv.on_air()
    tv.ask("/hls/news.m3u8", User_Agent="TV")
    renamed(tv)
    tv.ask("/hls/world.m3u8", User_Agent="Phone")
    assert (len(tv.windows), len(tv.rig.hubs), tv.rig.hubs.viewers) == (2, 1, 2)
    before = tv.windows.find("news")
    assert before is not None
    before.close()
    until(lambda: before.is_over)
    assert tv.rig.hubs.viewers == 1


def test_more_viewers_than_may_be_are_refused() -> None:
    tv = Tv(max_clients=1)
    tv.on_air()
    assert tv.ask("/hls/news.m3u8", User_Agent="TV").status_code == 200
    refused = tv.ask("/hls/news.m3u8", User_Agent="Phone")
    assert (refused.status_code, refused.text) == (503, "Too many viewers; try again later.\n")
    assert refused.headers["Retry-After"] == "10"
    assert tv.ask("/hls/news.m3u8", User_Agent="TV").status_code == 200
    assert tv.outcomes.lists_asked[AnswerKind.REFUSED] == 1
    tv.close()


def test_whoever_is_ended_is_refused_while_it_asks_on(tv: Tv) -> None:
    tv.on_air()
    (first, *_) = paths_of(tv.ask("/hls/news.m3u8", User_Agent="TV"))
    (stream,) = tv.streams
    assert tv.streams.end(stream.lease.number)
    for path in ("/hls/news.m3u8", first, "/hls/news.m3u8"):
        refused = tv.ask(path, User_Agent="TV")
        assert (refused.status_code, refused.headers["Cache-Control"]) == (429, "no-store")
        assert refused.text == "News: it was ended here; stop, and start it again later.\n"
    assert tv.ask("/hls/news.m3u8", User_Agent="Phone").status_code == 200


def test_whoever_is_ended_while_a_request_waits_gets_no_playlist(tv: Tv) -> None:
    tv.on_air()
    waiting = waits(tv, last_of(tv.playlist()) + 1)
    gevent.sleep(0.02)
    (stream,) = tv.streams
    tv.streams.end(stream.lease.number)
    tv.on_air()
    assert waiting.get(timeout=LIMIT).status_code == 429


def test_one_over_the_limit_takes_the_place_of_another(tv: Tv) -> None:
    tv.on_air()
    tv.on_air(SPORT)
    tv.needs_login = True
    assert tv.ask("/hls/news.m3u8", caller=as_anna(), User_Agent="TV").status_code == 200
    assert tv.ask("/hls/sport.m3u8", caller=as_anna(), User_Agent="Phone").status_code == 200
    third = tv.ask("/hls/news.m3u8", caller=as_anna(), User_Agent="PC", address="192.0.2.9")
    assert (third.status_code, third.text) == (429, "Too many streams are open.\n")
    tv.streams.close()


def test_a_channel_that_cannot_be_played_is_503(tv: Tv) -> None:
    nothing = Channel("none", "None", ())
    tv.channels.append(nothing)
    answer = tv.ask("/hls/none.m3u8")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_all_who_wait_for_a_channel_that_ends_before_it_began_are_told_at_once(tv: Tv) -> None:
    asked = [gevent.spawn(tv.ask, "/hls/news.m3u8", User_Agent=f"TV {n}") for n in range(50)]
    until(lambda: tv.windows.waiting == 50 and len(tv.rig.hubs) == 1)
    tv.rig.hubs.stop("news")
    answers = [each.get(timeout=1.0) for each in asked]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert tv.windows.waiting == 0


def test_a_channel_that_ends_is_404_for_who_watched(tv: Tv) -> None:
    tv.on_air()
    (first, *_) = paths_of(tv.ask("/hls/news.m3u8"))
    waiting = waits(tv, last_of(tv.playlist()) + 1)
    gevent.sleep(0.02)
    tv.rig.hubs.stop("news")
    assert waiting.get(timeout=LIMIT).status_code == 404
    for path in ("/hls/news.m3u8", first):
        answer = tv.ask(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert len(tv.rig.broadcasts.opened) == 1


def test_a_film_is_where_streams_are(tv: Tv) -> None:
    tv.rig.broadcasts.films.add(ONE.url)
    for _ in range(2):  # the second time it is known
        for path, location in [
            ("/hls/news.m3u8", "../stream/news"),
            ("/hls/Top/24.m3u8", "../../stream/top-24~0a"),
            ("/stream/news.m3u8", "../stream/news"),
        ]:
            answer = tv.ask(path)
            assert (answer.status_code, answer.headers["Location"]) == (302, location)
    until(lambda: tv.rig.broadcasts.open_now == 0)


# --- bodies ---


def test_parts_of_a_segment_are_joined_to_few() -> None:
    parts = [memoryview(bytes([n % 256]) * 5000) for n in range(200)] + [b"x" * AT_ONCE, b"y"]
    pieces = list(SegmentBody(lambda: parts))
    assert b"".join(pieces) == b"".join(parts)
    assert all(len(piece) <= AT_ONCE for piece in pieces)
    assert len(pieces) <= 6
    assert list(SegmentBody(list)) == []
    assert list(SegmentBody(lambda: [b"x" * 3 * AT_ONCE])) == [b"x" * 3 * AT_ONCE]


def test_others_have_a_turn_between_two_sends() -> None:
    body = iter(SegmentBody(lambda: [b"x" * AT_ONCE] * 3))
    turns: list[int] = []
    other = gevent.spawn(lambda: turns.append(1))
    next(body)
    assert not turns
    next(body)
    assert turns
    other.join()


def test_whoever_takes_a_segment_slowly_keeps_none_of_it_in_memory() -> None:
    parts = [memoryview(b"x" * AT_ONCE) for _ in range(3)]
    refs = [ref(part) for part in parts]
    body = iter(SegmentBody(lambda: parts or None))
    assert len(next(body)) == AT_ONCE
    parts.clear()  # the window lets it go
    assert not any(one() for one in refs)
    with pytest.raises(ConnectionResetError):
        next(body)


def test_the_kernel_keeps_little_for_whoever_takes_a_segment_slowly(tv: Tv) -> None:
    tv.on_air()
    (first, *_) = paths_of(tv.ask("/hls/news.m3u8"))
    with socket() as connection:
        builder = EnvironBuilder(first, environ_overrides={"gunicorn.socket": connection})
        assert tv.app.test_client().open(builder).status_code == 200
        kept = connection.getsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT)
    assert kept == delivery.UNSENT_LIMIT
