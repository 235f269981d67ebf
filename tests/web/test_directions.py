"""Several instances have media asked for at its own link, and direct all else there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import request
from flask.testing import FlaskClient

from kptv.app import build_web
from kptv.channels.users.model import User
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from tests.parts import CONFIG, built
from tests.web.test_playlist import catalog_of

LIST = """#EXTM3U
#EXTINF:-1 tvg-chno="5" group-title="UK News",Sky News/24 + 1
http://a/1
#EXTINF:-1 tvg-chno="7" group-title="Kids",Ten
http://a/2
#EXTINF:-1 tvg-chno="8" group-title="Kids",Playlist
http://a/3
"""
ROUTER = "http://tv.example:8080"
SKY = "sky-news-24-1~"
ANNA = Caller(
    CallerKind.USER, User(id=3, name="anna"), prefix="/u/s3cret", login=("anna", "s3cret")
)
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """A client of one of several instances; ``caller``: who asks."""
    with ExitStack() as stack:

        def make(caller: Caller = ANYONE, directs: bool = True, at: str = ROUTER) -> FlaskClient:
            config = replace(CONFIG, base_url=at, base_url_is_set=bool(at))
            parts = stack.enter_context(built(config, tmp_path))
            parts.catalog.replace(catalog_of(LIST))
            app = build_web(parts, directs)
            app.before_request(lambda: request.environ.update({CALLER: caller}))
            return app.test_client()

        yield make


def slug_of_sky(client: FlaskClient) -> str:
    (link,) = [line for line in client.get("/playlist.m3u8").text.splitlines() if SKY in line]
    return link.rpartition("/")[2]


def stream_id(client: FlaskClient, name: str) -> int:
    """The id that Xtream's applications know the channel by whose name begins so."""
    listed = json.loads(client.get("/player_api.php?action=get_live_streams").text)
    (found,) = [int(each["stream_id"]) for each in listed if each["name"].startswith(name)]
    return found


def test_names_ids_and_numbers_lead_to_the_link_that_the_list_has(make_client: MakeClient) -> None:
    client = make_client()
    slug = slug_of_sky(client)
    number = stream_id(client, "Sky")
    for path in (
        "/stream/Sky News%2F24 + 1",
        "/stream/Sky%20News%252F24%20%252B%201.ts",
        f"/stream/{slug}.ts",
        f"/STREAM/{slug.upper()}/",
        f"/live/any/thing/{number}.ts",
        f"/any/thing/{number}",
        "/auto/v5",
        "/tuner1/v5",
    ):
        for method in ("GET", "HEAD"):
            answer = client.open(path, method=method)
            assert (answer.status_code, path) == (307, path)
            assert answer.headers["Location"] == f"{ROUTER}/stream/{slug}"
    for path in (
        "/hls/Sky News%2F24 + 1.m3u8",
        f"/hls/{slug}",
        f"/stream/{slug}.m3u8",
        f"/live/any/thing/{number}.m3u8",
        f"/any/thing/{number}.m3u8",
    ):
        answer = client.get(f"{path}?_HLS_msn=7&x=%2F")
        assert (answer.status_code, path) == (307, path)
        assert answer.headers["Location"] == f"{ROUTER}/hls/{slug}.m3u8?_HLS_msn=7&x=%2F"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "no-store"


def test_no_link_directs_a_second_time_however_it_is_written(make_client: MakeClient) -> None:
    client = make_client()
    slug = slug_of_sky(client)
    for path in (f"/stream/{slug}", f"/stream/{slug.replace('~', '%7E')}?x=1", f"/hls/{slug}.m3u8"):
        assert client.head(path).status_code == 200
    for asked in (
        "/stream/Sky News%2F24 + 1",
        "/hls/Sky News%2F24 + 1.m3u8",
        "/auto/v5?duration=9",
    ):
        link = urlsplit(client.get(asked).headers["Location"])
        assert client.head(f"{link.path}?{link.query}").status_code == 200


def test_users_are_directed_to_links_of_their_own(make_client: MakeClient) -> None:
    client = make_client(ANNA)
    for path in ("/stream/TEN", "/auto/v7"):
        answer = client.get(path)
        assert (answer.status_code, path) == (307, path)
        assert answer.headers["Location"] == f"{ROUTER}/u/s3cret/stream/ten"


def test_whoever_may_not_have_a_channel_learns_nothing_of_it(make_client: MakeClient) -> None:
    guest = Caller(CallerKind.USER, User(id=4, name="guest", groups=("Kids",)))
    client = make_client(guest)
    for path in ("/stream/Sky News%2F24 + 1", "/auto/v5", "/stream/nothing", "/hls/NOTHING.m3u8"):
        assert client.get(path).status_code == 404
    assert client.get("/auto/v5").headers["X-HDHomeRun-Error"] == "801 Unknown Channel"


def test_a_channel_whose_playlist_has_no_link_of_its_own_is_not_directed(
    make_client: MakeClient,
) -> None:
    client = make_client()
    path = f"/live/any/thing/{stream_id(client, 'Playlist')}"
    assert client.head(f"{path}.m3u8").status_code == 200
    assert client.head(f"{path}.ts").headers["Location"] == f"{ROUTER}/stream/playlist"


def test_without_base_url_the_link_is_at_the_address_that_was_asked(
    make_client: MakeClient,
) -> None:
    client = make_client(at="")
    answer = client.get("/auto/v7", headers={"Host": "box:8081"})
    assert answer.headers["Location"] == "http://box:8081/stream/ten"


def test_one_instance_alone_directs_nobody(make_client: MakeClient) -> None:
    client = make_client(directs=False)
    for path in ("/stream/TEN.ts", "/auto/v7", "/hls/TEN.m3u8", "/stream/ten.m3u8"):
        assert client.head(path).status_code == 200
