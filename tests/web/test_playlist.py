"""The served lists over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient
from gevent.event import Event

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source, Stream
from kptv.channels.packing import pack
from kptv.channels.rules.reading import read_rules
from kptv.channels.served import render
from kptv.config import Config
from kptv.formats.m3u import ListParser
from kptv.guide.current import CurrentGuide
from kptv.pace import drive
from kptv.ports import FilmBody
from kptv.restream.hubs import Hubs
from kptv.web.page.status import status_blueprint
from kptv.web.players import lists as served_lists
from kptv.web.players.lists import ServedLists, playlist_blueprint
from kptv.web.players.profiles import Numbers
from kptv.web.players.ts import stream_blueprint
from tests.shared import hls_of, player_of, shared

LIST = """#EXTM3U
#EXTINF:-1 group-title="UK | News",BBC News
http://a/1
#EXTINF:-1 group-title="Sport;UK",ESPN
http://a/2
#EXTINF:-1,中央一台
http://a/3
"""


def catalog_of(text: str, rules: str | None = None) -> Catalog:
    source = Source(1, "http://provider.example/list", 1)
    records = [pack(1, entry) for entry in ListParser().feed(text.split("\n"))]
    read = None if rules is None else read_rules(rules.encode())
    return drive(build_catalog([Listing(source, [records])], rules=read))


def make_lists(
    numbers: Numbers | None = None, guide: CurrentGuide | None = None, **settings: object
) -> ServedLists:
    source = Source(1, "http://provider.example/list", 1)
    settings = {"base_url": "http://tv.example/iptv", "data_dir": Path("none"), **settings}
    config = Config(sources=(source,), **settings)  # type: ignore[arg-type]
    return ServedLists(config, numbers, guide)


def client_of(lists: ServedLists) -> FlaskClient:
    app = Flask("test")
    app.register_blueprint(playlist_blueprint(lists))
    return app.test_client()


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    lists = make_lists()
    lists.replace(catalog_of(LIST))
    with gevent.Timeout(30):
        yield client_of(lists)


@pytest.mark.parametrize("path", ["/playlist.m3u8", "/playlist", "/playlist.m3u"])
def test_the_list_holds_every_channel_with_a_link_to_this_proxy(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "audio/x-mpegurl; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[:3] == [
        "#EXTM3U",
        '#EXTINF:-1 group-title="UK | News",BBC News',
        "http://tv.example/iptv/stream/bbc-news",
    ]
    assert len(lines) == 7
    assert answer.content_length == len(answer.data)


def test_it_comes_gzipped_to_whoever_takes_that(client: FlaskClient) -> None:
    plain = client.get("/playlist.m3u8", headers={"Accept-Encoding": "gzip;q=0"})
    packed = client.get("/playlist.m3u8", headers={"Accept-Encoding": "gzip, deflate"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content_length == len(packed.data)
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]


HLS = ["output=hls", "output=m3u8", "output=HLS", "output=%20hls&x=1", "x=1&output=hls&output=ts"]
TS = [
    "",
    "output=",
    "output=ts",
    "output=mpegts",
    "output=rtmp",
    "output=hls.",
    "Output=hls",
    "hls",
]


@pytest.mark.parametrize("query", HLS)
def test_its_links_lead_to_hls_for_whoever_asks_for_that(client: FlaskClient, query: str) -> None:
    usual = client.get("/playlist.m3u8").text
    answer = client.get(f"/playlist.m3u8?{query}")
    assert answer.content_type == "audio/x-mpegurl; charset=utf-8"
    assert answer.text.splitlines()[2] == "http://tv.example/iptv/hls/bbc-news.m3u8"
    assert answer.text.count("/iptv/hls/") == 3
    lines = usual.splitlines()
    lines[2::2] = [f"{line.replace('/stream/', '/hls/')}.m3u8" for line in lines[2::2]]
    assert answer.text.splitlines() == lines, "all else is the same"


@pytest.mark.parametrize("query", TS)
def test_whatever_else_a_query_says_the_list_is_as_it_always_was(
    client: FlaskClient, query: str
) -> None:
    usual, answer = client.get("/playlist.m3u8"), client.get(f"/playlist.m3u8?{query}")
    assert (answer.data, dict(answer.headers)) == (usual.data, dict(usual.headers))
    assert usual.text.splitlines()[2] == "http://tv.example/iptv/stream/bbc-news"


def test_a_list_for_hls_is_another_one_for_caches(client: FlaskClient) -> None:
    for encoding in "identity", "gzip":
        headers = {"Accept-Encoding": encoding}
        usual = client.get("/playlist.m3u8", headers=headers)
        answer = client.get("/playlist.m3u8?output=hls", headers=headers)
        etag = answer.headers["ETag"]
        assert etag != usual.headers["ETag"]
        again = {**headers, "If-None-Match": etag}
        assert client.get("/playlist.m3u8?output=hls", headers=again).status_code == 304
        assert client.get("/playlist.m3u8", headers=again).status_code == 200
        assert client.head("/playlist.m3u8?output=hls", headers=headers).headers["ETag"] == etag
    assert gzip.decompress(answer.data).count(b"/hls/") == 3


def test_a_group_and_a_profile_have_lists_for_hls_and_films_stay_files() -> None:
    film = '#EXTINF:-1 group-title="Sport",Film\nhttp://a/4.mp4\n'
    lists = make_lists()
    lists.replace(catalog_of(LIST + film, '[profile.all]\nname = "*"\nsort = "none"'))
    client = client_of(lists)
    for path in "/sport", "/profile/all/sport":
        text = client.get(f"{path}/playlist.m3u8?output=hls").text
        links = [line for line in text.splitlines() if not line.startswith("#")]
        assert sorted(links) == [
            "http://tv.example/iptv/hls/espn.m3u8",
            "http://tv.example/iptv/stream/film",
        ]


def test_lists_for_hls_are_rendered_only_if_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = make_lists()
    rendered: list[object] = []
    begin = lists._renderings.start
    monkeypatch.setattr(
        lists._renderings, "start", lambda wanted: (rendered.append(wanted), begin(wanted))[1]
    )
    lists.replace(catalog_of(LIST))
    client = client_of(lists)
    for path, count in {"": 1, "?output=ts": 1, "?output=hls": 2, "?output=m3u8": 2}.items():
        assert client.get(f"/playlist.m3u8{path}").status_code == 200
        assert len(rendered) == count


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("weak", ["", "W/"])
def test_it_is_not_sent_again_to_whoever_has_it(
    client: FlaskClient, encoding: str, weak: str
) -> None:
    headers = {"Accept-Encoding": encoding}
    etag = client.get("/playlist.m3u8", headers=headers).headers["ETag"]
    again = client.get("/playlist.m3u8", headers={**headers, "If-None-Match": f"{weak}{etag}"})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    other = client.get("/playlist.m3u8", headers={**headers, "If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/playlist.m3u8", "/sport/playlist.m3u8", "/none/playlist.m3u8"])
def test_head_says_what_get_says(client: FlaskClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.data == b""
    assert (head.status_code, dict(head.headers)) == (get.status_code, dict(get.headers))


@pytest.mark.parametrize(
    ("group", "channel"),
    [
        ("UK%20%7C%20News", "BBC News"),
        ("uk | news", "BBC News"),
        ("sport", "ESPN"),
        ("SPORT", "ESPN"),
        ("uk", "ESPN"),
    ],
)
def test_a_group_has_a_list_of_its_own(client: FlaskClient, group: str, channel: str) -> None:
    lines = client.get(f"/{group}/playlist.m3u8").text.splitlines()
    assert len(lines) == 3
    assert lines[1].endswith(f",{channel}")


@pytest.mark.parametrize("group", ["stream", "assets", "api", "healthz", "metrics", "playlist"])
def test_a_group_may_be_called_like_another_path(group: str) -> None:
    config = Config(sources=(Source(1, "http://provider.example/list", 1),))
    lists = make_lists()
    lists.replace(catalog_of(f'#EXTM3U\n#EXTINF:-1 group-title="{group}",News\nhttp://a/1'))
    app = Flask("test", static_folder=None)
    hubs = Hubs(shared(config), lambda _: iter(()), no_film)
    player = player_of(hubs)
    hls = hls_of(hubs, player)
    app.register_blueprint(stream_blueprint(lambda: lists.catalog, player, hls.playlist_of))
    app.register_blueprint(playlist_blueprint(lists))
    app.register_blueprint(status_blueprint(config.base_url))
    with gevent.Timeout(30):
        answer = app.test_client().get(f"/{group}/playlist.m3u8")
    hubs.close()
    assert answer.status_code == 200
    assert answer.text.splitlines()[1].endswith(",News")


def no_film(stream: Stream, byte_range: str | None) -> FilmBody:
    raise AssertionError("no files here")


@pytest.mark.parametrize("group", ["none", "%", "..%2f..", "%00", "%ff", "x" * 8000, "a/b"])
def test_an_unknown_group_is_told_in_one_line(client: FlaskClient, group: str) -> None:
    answer = client.get(f"/{group}/playlist.m3u8")
    assert answer.status_code == 404
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("path", ["/playlist.m3u8", "/sport/playlist.m3u8"])
def test_before_the_first_import_it_is_unavailable(path: str) -> None:
    answer = client_of(make_lists()).get(path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize(
    "settings", [{}, {"cache_enabled": False}, {"cache_duration": 0.0}], ids=str
)
def test_a_new_catalog_is_served_at_once(settings: dict[str, object]) -> None:
    lists = make_lists(**settings)
    client = client_of(lists)
    lists.replace(catalog_of(LIST))
    assert "ESPN" in client.get("/playlist.m3u8").text
    assert "ESPN" in client.get("/sport/playlist.m3u8").text
    lists.replace(catalog_of(LIST.replace("ESPN", "Eurosport")))
    assert "Eurosport" in client.get("/playlist.m3u8").text
    assert "Eurosport" in client.get("/sport/playlist.m3u8").text
    lists.replace(catalog_of("#EXTM3U"))
    assert client.get("/playlist.m3u8").text == "#EXTM3U\n"
    assert client.get("/sport/playlist.m3u8").status_code == 404


def test_all_who_ask_while_it_is_rendered_get_the_newest_of_one_rendering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Event()

    def held(catalog: Catalog, *args: Any) -> Iterator[bytes]:
        if catalog is older:
            begun.set()
            gevent.sleep(30)  # until the new catalog ends it
        yield from render(catalog, *args)

    monkeypatch.setattr(served_lists, "render", held)
    older, newer = catalog_of(LIST), catalog_of(LIST.replace("ESPN", "Eurosport"))
    lists = make_lists()
    lists.replace(older)
    waiting = [gevent.spawn(lists.get) for _ in range(5)]
    assert begun.wait(30)
    gevent.idle()  # all of them wait
    lists.replace(newer)
    gevent.joinall(waiting, timeout=30)
    first = waiting[0].value
    assert first is not None
    assert all(greenlet.value is first for greenlet in waiting)
    assert b"Eurosport" in b"".join(first.plain())


def test_cached_lists_are_rendered_once_and_others_each_time() -> None:
    for settings, same in ({}, True), ({"cache_enabled": False}, False):
        lists = make_lists(**settings)  # type: ignore[arg-type]
        lists.replace(catalog_of(LIST))
        assert (lists.get() is lists.get()) is same
        assert (lists.get("sport") is lists.get("SPORT")) is same
