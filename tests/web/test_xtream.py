"""The protocol of Xtream panels over HTTP: account, lists, shows, and which streams there are."""

from __future__ import annotations

import gzip
import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import gevent
import pytest
from flask import Flask, Response
from gevent.event import Event
from werkzeug.test import EnvironBuilder, TestResponse

from kptv.channels import ids
from kptv.channels.catalog import Catalog
from kptv.channels.given import Given, Numbered
from kptv.channels.model import Channel, Source
from kptv.channels.users.model import User
from kptv.channels.xtream.ids import Odd
from kptv.channels.xtream.live import live_streams
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.guide.reading import Generation
from kptv.restream.hubs import Hubs
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.players import xtream_lists
from kptv.web.players.lists import ServedLists
from kptv.web.players.numbers import ChannelNumbers
from kptv.web.players.open_streams import Access
from kptv.web.players.player import Player, unknown
from kptv.web.players.xtream import xtream_blueprint
from kptv.web.players.xtream_lists import XtreamLists
from kptv.web.players.xtream_parts import XtreamParts
from tests.channels.xtream.field_types import (
    ACCOUNT,
    CATEGORY,
    LISTING,
    LISTING_OF_TABLE,
    SERVER,
    STREAM,
    USER,
    check,
)
from tests.shared import player_of, shared
from tests.web.guides import Shown, generation_of, hours
from tests.web.test_playlist import catalog_of, no_film

LIST = """#EXTM3U
#EXTINF:-1 tvg-id="news.uk" tvg-chno="5" group-title="UK | News",BBC News
http://a/1
#EXTINF:-1 group-title="Sport;UK",ESPN
http://a/2
#EXTINF:-1,中央一台
http://a/3
"""
SECRET = "abcdefghjkmnpqrstuvw"
ANNA = User(id=1, name="anna", created=5, groups=("Sport",), max_streams=2)
ODDITIES = ["", "x", "-1", "0x10", "1e3", "٣", "9" * 11, "9" * 5000, "1;DROP", "\x00", "[]"]


class Kept:
    """Keeps odd ids in memory."""

    def __init__(self) -> None:
        self.odd = Odd()

    def given(self) -> Odd:
        return self.odd

    def keep(self, new: Odd) -> None:
        self.odd = Odd({**self.odd.channels, **new.channels}, {**self.odd.groups, **new.groups})


def user_caller(user: User) -> Caller:
    return Caller(CallerKind.USER, user, 1, f"/u/{SECRET}", (user.name, SECRET))


@dataclass
class Rig:
    """The routes, and what they answer from."""

    app: Flask
    lists: ServedLists
    xtream: XtreamLists
    guide: CurrentGuide
    hubs: Hubs
    playing: list[Channel]
    numbers: ChannelNumbers

    def replace(self, catalog: Catalog) -> None:
        self.lists.replace(catalog)
        self.numbers.replace(catalog)
        self.xtream.replace(catalog)

    def ask(
        self, path: str, caller: Caller = ANYONE, method: str = "GET", **more: Any
    ) -> TestResponse:
        """``more``: as of EnvironBuilder."""
        base = {"base_url": "http://192.168.1.10:8080"}
        asked = EnvironBuilder(
            path, method=method, environ_overrides={CALLER: caller}, **{**base, **more}
        )
        with gevent.Timeout(30):
            return self.app.test_client().open(asked)

    def told(self, query: str, caller: Caller = ANYONE) -> Any:
        answer = self.ask(f"/player_api.php?{query}", caller)
        assert answer.status_code == 200
        assert answer.content_type == "application/json"
        return json.loads(answer.data)

    def id_of(self, name: str) -> int:
        [stream_id] = [
            each["stream_id"]
            for each in self.told("action=get_live_streams")
            if each["name"] == name
        ]
        return int(stream_id)


class Numbers:
    """Keeps nothing."""

    def given(self, name: str) -> Given:
        return Given()

    def keep(self, numbered: Numbered, name: str) -> None: ...


def playlist_of(player: Player) -> Callable[[Channel | None, str], Response]:
    """Answers with one segment."""

    def answer(channel: Channel | None, way: str) -> Response:
        if channel is None or not player.may_have(channel):
            return unknown()
        path = f"{way}hls/{channel.slug}/7.ts"
        return Response(path, content_type="application/vnd.apple.mpegurl")

    return answer


def make_rig(kept: Kept | None = None, **settings: object) -> Rig:
    options: dict[str, Any] = {"data_dir": Path("none"), "base_url_is_set": False, **settings}
    config = Config(sources=(Source(1, "http://provider.example/list", 1),), **options)
    guide = CurrentGuide(lambda _: lists.renew(), lambda _: xtream.renew())
    lists = ServedLists(config, None, guide)
    numbers = ChannelNumbers(Numbers())
    xtream = XtreamLists(config, lists, guide, kept or Kept(), numbers)
    hubs = Hubs(shared(config), lambda _: iter(()), no_film)
    player = player_of(hubs, Access(lists.may_have))
    playing: list[Channel] = []
    app = Flask("test", static_folder=None)
    app.register_blueprint(
        xtream_blueprint(
            XtreamParts(
                config, xtream, guide, player, lambda: playing, lambda _: 3, playlist_of(player)
            ),
            "/iptv",
        )
    )
    return Rig(app, lists, xtream, guide, hubs, playing, numbers)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = make_rig()
    made.replace(catalog_of(LIST))
    yield made
    made.hubs.close()


# --- the account ---


@pytest.mark.parametrize("path", ["/player_api.php", "/panel_api.php", "/iptv/player_api.php"])
@pytest.mark.parametrize("query", ["", "?action=get_profile", "?action=get_server_info&x=1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_login_and_every_unknown_action_answer_the_account(
    rig: Rig, path: str, query: str, method: str
) -> None:
    answer = rig.ask(path + query, method=method)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(answer.data)
    check(told, ACCOUNT)
    check(told["user_info"], USER)
    check(told["server_info"], SERVER)
    assert told["user_info"]["username"] == "user"
    assert told["user_info"]["active_cons"] == "3"
    assert (told["server_info"]["url"], told["server_info"]["port"]) == ("192.168.1.10", "8080")


def test_what_was_typed_comes_back_where_there_is_no_login(rig: Rig) -> None:
    told = rig.told("username=me%23&password=a%26b")["user_info"]
    assert (told["username"], told["password"]) == ("me#", "a&b")
    form = {"username": "me", "password": "own"}
    answer = rig.ask("/player_api.php", method="POST", data=form)
    assert json.loads(answer.data)["user_info"]["password"] == "own"


def test_a_user_is_told_the_own_login_whatever_else_is_in_the_query(rig: Rig) -> None:
    told = rig.told("username=eve&password=other", user_caller(ANNA))["user_info"]
    assert (told["username"], told["password"]) == ("anna", SECRET)
    assert (told["status"], told["max_connections"]) == ("Active", "2")


def test_a_form_says_what_is_asked_for_as_a_query_does(rig: Rig) -> None:
    answer = rig.ask("/player_api.php", method="POST", data={"action": "get_live_categories"})
    assert len(json.loads(answer.data)) == 4


@pytest.mark.parametrize(
    "user",
    [User(id=1, name="a", enabled=False), User(id=1, name="a", expires=9)],
    ids=["disabled", "expired"],
)
def test_who_has_expired_is_told_so_and_sees_nothing(rig: Rig, user: User) -> None:
    caller = user_caller(user)
    told = rig.told("", caller)["user_info"]
    assert (told["status"], told["auth"]) in (("Disabled", 1), ("Expired", 1))
    for action in ("get_live_categories", "get_live_streams", "get_live_streams&category_id=1"):
        assert rig.told(f"action={action}", caller) == []
    news = rig.id_of("BBC News")
    for action in ("get_short_epg", "get_simple_data_table"):
        assert rig.told(f"action={action}&stream_id={news}", caller) == {"epg_listings": []}


# --- lists ---


def test_every_field_of_a_list_has_its_type(rig: Rig) -> None:
    groups = rig.told("action=get_live_categories")
    for each in groups:
        check(each, CATEGORY)
    assert {each["category_name"] for each in groups} == {"UK | News", "Sport", "UK", "Other"}
    streams = rig.told("action=get_live_streams")
    for each in streams:
        check(each, STREAM)
        assert each["category_id"] in {group["category_id"] for group in groups}
    assert [each["name"] for each in streams] == ["BBC News", "ESPN", "中央一台"]
    assert [each["num"] for each in streams] == [5, 1, 2]  # the list's own, and free ones


def test_a_group_has_its_channels_and_nothing_or_zero_means_all(rig: Rig) -> None:
    names = {
        group["category_name"]: [
            each["name"]
            for each in rig.told(f"action=get_live_streams&category_id={group['category_id']}")
        ]
        for group in rig.told("action=get_live_categories")
    }
    assert names == {
        "UK | News": ["BBC News"],
        "Sport": ["ESPN"],
        "UK": ["ESPN"],
        "Other": ["中央一台"],
    }
    for every in ("", "0", "00", "%20"):
        assert len(rig.told(f"action=get_live_streams&category_id={every}")) == 3


@pytest.mark.parametrize("text", [*ODDITIES[1:], "2147483648", "17"], ids=range(len(ODDITIES) + 1))
def test_an_odd_or_unknown_group_has_no_channels(rig: Rig, text: str) -> None:
    asked = {"query_string": {"action": "get_live_streams", "category_id": text}}
    assert json.loads(rig.ask("/player_api.php", **asked).data) == []


@pytest.mark.parametrize(
    "action", ["get_vod_categories", "get_vod_streams", "get_series_categories", "get_series"]
)
def test_there_are_no_films_and_no_series(rig: Rig, action: str) -> None:
    assert rig.told(f"action={action}&category_id=5") == []


def test_a_user_sees_the_own_groups_alone_and_each_channel_without_its_others(rig: Rig) -> None:
    anna = user_caller(ANNA)
    [group] = rig.told("action=get_live_categories", anna)
    [channel] = rig.told("action=get_live_streams", anna)
    assert (group["category_name"], channel["name"]) == ("Sport", "ESPN")
    assert channel["category_ids"] == [int(group["category_id"])]
    [uk] = [e for e in rig.told("action=get_live_categories") if e["category_name"] == "UK"]
    assert rig.told(f"action=get_live_streams&category_id={uk['category_id']}", anna) == []
    assert rig.told("action=get_live_streams&category_id=1", anna) == []


def test_lists_come_gzipped_are_kept_and_not_sent_again(rig: Rig) -> None:
    path = "/player_api.php?action=get_live_streams"
    packed = rig.ask(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == rig.ask(path).data
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert rig.ask(path, headers=again).status_code == 304
    assert rig.ask(path, user_caller(ANNA)).headers["Cache-Control"] == "private, no-store"
    one = rig.xtream.streams(ANNA.rights)
    other = rig.xtream.streams(User(id=2, name="b", groups=("SPORT",)).rights)
    assert one is other, "users with the same rights share one"


def test_a_hidden_logo_is_asked_for_with_the_callers_secret() -> None:
    rig = make_rig()
    link = "http://panel.example/live/alice/s3cret/1.ts"
    logo = "http://panel.example/logo?username=alice&password=s3cret"
    rig.replace(catalog_of(f'#EXTINF:-1 tvg-logo="{logo}" group-title="Sport",A\n{link}'))
    base = "http://192.168.1.10:8080"
    [anyone] = rig.told("action=get_live_streams")
    [anna] = rig.told("action=get_live_streams", user_caller(ANNA))
    assert anyone["stream_icon"] == f"{base}/logo/a"
    assert anna["stream_icon"] == f"{base}/u/{SECRET}/logo/a"
    rig.hubs.close()


def test_ids_stay_when_the_next_import_has_other_channels(rig: Rig) -> None:
    before = {each["name"]: each for each in rig.told("action=get_live_streams")}
    rig.replace(catalog_of("#EXTINF:-1,A\nhttp://a/0\n" + LIST.replace("ESPN", "Eurosport")))
    after = {each["name"]: each for each in rig.told("action=get_live_streams")}
    assert set(after) == {"A", "BBC News", "Eurosport", "中央一台"}
    for name in ("BBC News", "中央一台"):
        assert after[name]["stream_id"] == before[name]["stream_id"]
        assert after[name]["category_ids"] == before[name]["category_ids"]


def test_a_group_that_goes_while_its_list_is_made_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Event()

    def held(*args: Any) -> Iterator[bytes]:
        if not begun.is_set():
            begun.set()
            gevent.sleep(30)  # until the new catalog ends it
        yield from live_streams(*args)

    monkeypatch.setattr(xtream_lists, "live_streams", held)
    rig = make_rig()
    rig.replace(catalog_of(LIST))
    [sport] = [
        each["category_id"]
        for each in rig.told("action=get_live_categories")
        if each["category_name"] == "Sport"
    ]
    asked = gevent.spawn(rig.told, f"action=get_live_streams&category_id={sport}")
    assert begun.wait(30)
    rig.replace(catalog_of("#EXTINF:-1,A\nhttp://a/0\n"))
    with gevent.Timeout(30):
        assert asked.get() == []
    rig.hubs.close()


def test_ids_that_are_no_digests_are_kept_over_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ids.digest_of
    equal = ("bbc-news", "espn", "sport", "uk")
    monkeypatch.setattr(ids, "digest_of", lambda text: 7 if text in equal else real(text))
    kept = Kept()
    told = []
    for text in (LIST, LIST.replace("BBC News", "A first one")):
        rig = make_rig(kept=kept)
        rig.replace(catalog_of(text))
        told.append({each["name"]: each for each in rig.told("action=get_live_streams")})
        rig.hubs.close()
    assert len({each["stream_id"] for each in told[0].values()}) == 3
    assert set(kept.odd.channels) == {"espn"}
    assert len(kept.odd.groups) == 1
    for field in ("stream_id", "category_ids"):
        assert told[0]["ESPN"][field] == told[1]["ESPN"][field]


@pytest.mark.parametrize("action", ["get_live_categories", "get_live_streams", "get_short_epg"])
def test_before_the_first_import_lists_are_unavailable_and_the_account_is_not(action: str) -> None:
    rig = make_rig()
    answer = rig.ask(f"/player_api.php?action={action}&stream_id=5")
    assert (answer.status_code, answer.text.count("\n")) == (503, 1)
    assert int(answer.headers["Retry-After"]) > 0
    assert rig.ask("/live/a/b/5.ts").status_code == 503
    assert rig.ask("/live/a/b/5.m3u8").status_code == 503
    assert rig.ask("/get.php").status_code == 503
    check(rig.told(""), ACCOUNT)
    rig.hubs.close()


# --- get.php ---


def links_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("output", "form"),
    [*((each, "ts") for each in ("", "ts", "mpegts", "rtmp")), ("m3u8", "m3u8"), ("HLS", "m3u8")],
)
def test_the_list_of_a_user_leads_to_streams_guide_and_logos_of_that_user(
    rig: Rig, output: str, form: str
) -> None:
    login = f"username=anna&password={SECRET}"
    answer = rig.ask(f"/get.php?{login}&type=m3u_plus&output={output}", user_caller(ANNA))
    assert (answer.status_code, answer.content_type) == (200, "audio/x-mpegurl; charset=utf-8")
    assert answer.headers["Cache-Control"] == "private, no-store"
    base, guide = "http://192.168.1.10:8080", f"xmltv.php?{login}"
    head, info, link = answer.text.splitlines()
    assert head == f'#EXTM3U x-tvg-url="{base}/{guide}" url-tvg="{base}/{guide}"'
    assert info == '#EXTINF:-1 group-title="Sport",ESPN'
    assert link == f"{base}/live/anna/{SECRET}/{rig.id_of('ESPN')}.{form}"


def test_a_bare_list_has_names_alone(rig: Rig) -> None:
    lines = rig.ask("/get.php?type=m3u", user_caller(ANNA)).text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#EXTINF:-1,ESPN"]
    assert "/live/anna/" in lines[2]


@pytest.mark.parametrize(
    ("login", "start"),
    [
        (("", ""), "stream/"),
        (("me", "own"), "live/me/own/"),
        (("a b#", "c&+:%"), "live/a%20b%23/c%26%2B%3A%25/"),
        (("a/b", "c"), "stream/"),
        (("..", "c"), "stream/"),
    ],
    ids=["none", "usual", "odd", "slash", "dots"],
)
def test_without_a_login_links_are_of_what_came(
    rig: Rig, login: tuple[str, str], start: str
) -> None:
    for kind in ("m3u_plus", "m3u"):
        query = {"type": kind, "username": login[0], "password": login[1]}
        text = rig.ask("/get.php", query_string=query).text
        assert text.startswith("#EXTM3U\n"), "no guide is known"
        links = links_of(text)
        assert len(links) == 3
        assert all(link.startswith(f"http://192.168.1.10:8080/{start}") for link in links)


@pytest.mark.parametrize("kind", ["m3u_plus", "m3u"])
@pytest.mark.parametrize("login", ["", "&username=me&password=own"], ids=["none", "typed"])
def test_a_list_for_hls_has_playlists_of_channels_and_films_as_they_are(
    rig: Rig, kind: str, login: str
) -> None:
    rig.replace(catalog_of(f"{LIST}#EXTINF:-1,Film\nhttp://a/4.mkv\n"))
    path = f"/get.php?type={kind}{login}"
    usual, hls = rig.ask(path).text, rig.ask(f"{path}&output=m3u8").text
    assert usual == rig.ask(f"{path}&output=ts").text
    base = "http://192.168.1.10:8080"
    if login:
        expected = [f"{base}/live/me/own/{rig.id_of(name)}" for name in ("BBC News", "ESPN")]
        film = f"{base}/live/me/own/{rig.id_of('Film')}.ts"
    else:
        expected, film = [f"{base}/hls/bbc-news", f"{base}/hls/espn"], f"{base}/stream/film"
    assert links_of(hls)[:3] == [*(f"{start}.m3u8" for start in expected), film]
    assert hls.splitlines()[1::2] == usual.splitlines()[1::2]


def test_base_url_is_the_address_if_it_is_set() -> None:
    rig = make_rig(base_url="https://tv.example/iptv", base_url_is_set=True)
    rig.replace(catalog_of(LIST))
    server = rig.told("")["server_info"]
    assert [server[k] for k in ("url", "port", "server_protocol")] == ["tv.example", "443", "https"]
    for link in links_of(rig.ask("/get.php?username=a&password=b").text):
        assert link.startswith("https://tv.example/iptv/live/a/b/")
    rig.hubs.close()


def test_without_a_login_the_list_names_the_guide_that_there_is(rig: Rig, tmp_path: Path) -> None:
    assert rig.ask("/get.php").text.startswith("#EXTM3U\n")
    rig.guide.expect(True)
    assert "epg.xml.gz" in rig.ask("/get.php").text
    rig.guide.replace(in_generation(tmp_path, ()))
    guide = "http://192.168.1.10:8080/epg.xml.gz"
    for query in ("", "?username=a&password=b"):
        head, info, *_ = rig.ask(f"/get.php{query}").text.splitlines()
        assert head == f'#EXTM3U x-tvg-url="{guide}" url-tvg="{guide}"'
        assert info.startswith('#EXTINF:-1 tvg-id="news.uk" tvg-chno="5" ')


# --- what is on ---


def with_guide(folder: Path, shows: Sequence[tuple[int, int, str, bytes]]) -> Rig:
    rig = make_rig()
    rig.replace(catalog_of(LIST))
    rig.guide.replace(in_generation(folder, shows))
    return rig


def in_generation(folder: Path, shows: Sequence[tuple[int, int, str, bytes]]) -> Generation:
    return generation_of(folder, [Shown("bbc-news", "news.uk", shows), Shown("espn", "espn.other")])


def test_shows_are_told_with_every_field_of_its_type(tmp_path: Path) -> None:
    hour = int(time.time()) // 3600 * 3600
    titles = [f"Größe {number}" for number in range(8)]
    rig = with_guide(tmp_path, hours(hour - 7200, *titles, xml=b"<desc>A &amp; b</desc>"))
    news = rig.id_of("BBC News")
    soon = rig.told(f"action=get_short_epg&stream_id={news}")["epg_listings"]
    for each in soon:
        check(each, LISTING)
    assert [b64decode(each["title"]).decode() for each in soon] == titles[2:6]
    assert b64decode(soon[0]["description"]) == b"A & b"
    assert soon[0]["channel_id"] == "news.uk"
    every = rig.told(f"action=get_simple_data_table&stream_id={news}")["epg_listings"]
    for each in every:
        check(each, LISTING_OF_TABLE)
    assert [b64decode(each["title"]).decode() for each in every] == titles
    assert [each["now_playing"] for each in every] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert len({each["id"] for each in every}) == 8
    streams = rig.told("action=get_live_streams")
    guide_ids = {each["name"]: each["epg_channel_id"] for each in streams}
    assert guide_ids["BBC News"] == "news.uk"
    assert guide_ids["ESPN"] == "espn.other"
    rig.hubs.close()


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("6", 6), ("99", 6), ("x", 4), ("", 4)])
def test_a_limit_comes_as_text(tmp_path: Path, limit: str, count: int) -> None:
    hour = int(time.time()) // 3600 * 3600
    rig = with_guide(tmp_path, hours(hour - 7200, *map(str, range(8))))
    query = f"action=get_short_epg&stream_id={rig.id_of('BBC News')}&limit={limit}"
    assert len(rig.told(query)["epg_listings"]) == count
    rig.hubs.close()


@pytest.mark.parametrize("action", ["get_short_epg", "get_simple_data_table"])
def test_where_there_are_no_shows_there_is_an_empty_array_in_the_object(
    rig: Rig, action: str, tmp_path: Path
) -> None:
    news, espn = rig.id_of("BBC News"), rig.id_of("ESPN")
    nothing = b'{"epg_listings":[]}'
    assert rig.ask(f"/player_api.php?action={action}&stream_id={news}").data == nothing
    rig.guide.replace(in_generation(tmp_path, hours(int(time.time()) - 60, "On")))
    assert rig.ask(f"/player_api.php?action={action}&stream_id={espn}").data == nothing
    path = f"/player_api.php?action={action}&stream_id={news}"
    assert rig.ask(path).data != nothing
    assert rig.ask(path, user_caller(ANNA)).data == nothing, "it is not hers"
    for odd in ODDITIES:
        query = {"action": action, "stream_id": odd}
        assert rig.ask("/player_api.php", query_string=query).data == nothing


# --- streams ---

FORMS = ["/live/a/b/{}.ts", "/live/a/b/{}", "/a/b/{}", "/a/b/{}.ts", "/a/b/{}.TS"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["", "/iptv"])
def test_all_forms_of_a_streams_address_are_known_and_a_head_opens_nothing(
    rig: Rig, form: str, place: str
) -> None:
    path = place + form.format(rig.id_of("ESPN"))
    head = rig.ask(path, method="HEAD")
    assert (head.status_code, head.content_type) == (200, "video/mp2t")
    assert head.headers["Access-Control-Allow-Origin"] == "*"
    assert len(rig.hubs) == 0
    assert rig.ask(path, user_caller(ANNA), "HEAD").status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_channel_and_one_that_is_not_allowed_are_the_same(rig: Rig, form: str) -> None:
    anna = user_caller(ANNA)
    hidden = rig.ask(form.format(rig.id_of("BBC News")), anna)
    unknown = rig.ask(form.format(4711), anna)
    assert (hidden.status_code, hidden.data) == (unknown.status_code, unknown.data)
    assert unknown.status_code == 404
    assert unknown.text.count("\n") == 1


@pytest.mark.parametrize("form", ["/live/a/b/{}.m3u", "/a/b/{}.m3u8x", "/live/a/b/{}.mp4"])
def test_there_are_no_other_forms(rig: Rig, form: str) -> None:
    answer = rig.ask(form.format(rig.id_of("ESPN")))
    assert answer.status_code == 404


@pytest.mark.parametrize("form", ["/live/a/b/{}.m3u8", "/a/b/{}.m3u8", "/a/b/{}.M3U8"])
@pytest.mark.parametrize("place", ["", "/iptv"])
def test_a_playlist_is_told_the_way_to_the_root_of_our_paths(
    rig: Rig, form: str, place: str
) -> None:
    path = f"{place}{form.format(rig.id_of('ESPN'))}"
    for caller in ANYONE, user_caller(ANNA):
        answer = rig.ask(path, caller)
        assert (answer.status_code, answer.content_type) == (200, "application/vnd.apple.mpegurl")
        assert urljoin(f"http://here{path}", answer.text) == f"http://here{place}/hls/espn/7.ts"


@pytest.mark.parametrize("form", ["/live/a/b/{}.m3u8", "/a/b/{}.m3u8"])
def test_a_playlist_of_an_unknown_channel_is_as_one_that_is_not_allowed(
    rig: Rig, form: str
) -> None:
    anna = user_caller(ANNA)
    hidden, other = (rig.ask(form.format(each), anna) for each in (rig.id_of("BBC News"), 4711))
    assert (hidden.status_code, hidden.data) == (other.status_code, other.data)
    assert other.status_code == 404


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/live/a/b/5.m3u8", {"GET", "HEAD", "OPTIONS"}),
        ("/iptv/a/b/5.m3u8", {"GET", "HEAD", "OPTIONS"}),
        ("/player_api.php", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_a_page_may_send_headers_of_its_own_wherever_it_may_read(
    rig: Rig, path: str, methods: set[str]
) -> None:
    answer = rig.ask(path, method="OPTIONS", headers={"Origin": "http://other"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "*" in answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods


def test_a_playlist_has_no_name_of_our_own_paths(rig: Rig) -> None:
    for name in "api", "Live", "hls":
        assert rig.ask(f"/{name}/b/{rig.id_of('ESPN')}.m3u8").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/live/a/b/x", "/a/b/x", "/a/b/", "/live/a/b/1.2.3", "/a/b/٣", "/a/b/" + "9" * 11],
    ids=range(6),
)
def test_what_is_no_number_is_no_stream(rig: Rig, path: str) -> None:
    assert rig.ask(path).status_code == 404


@pytest.mark.parametrize("name", ["api", "live", "assets", "API"])
def test_our_own_first_parts_of_paths_are_no_names(rig: Rig, name: str) -> None:
    assert rig.ask(f"/{name}/b/{rig.id_of('ESPN')}").status_code == 404


def test_what_is_played_is_found_also_when_an_import_has_lost_it(rig: Rig) -> None:
    espn = rig.id_of("ESPN")
    channel = rig.xtream.channel(espn)
    assert channel is not None
    rig.replace(catalog_of(LIST.replace("ESPN", "Other")))
    assert rig.ask(f"/live/a/b/{espn}.ts", method="HEAD").status_code == 404
    rig.playing.append(channel)
    assert rig.ask(f"/live/a/b/{espn}.ts", method="HEAD").status_code == 200


def test_no_secret_is_in_an_answer_that_refuses(rig: Rig) -> None:
    for path in (f"/live/anna/{SECRET}/5.ts", f"/live/anna/{SECRET}/5.m3u8", f"/anna/{SECRET}/5"):
        answer = rig.ask(path, user_caller(ANNA))
        assert not re.search(SECRET, answer.text + str(answer.headers))
