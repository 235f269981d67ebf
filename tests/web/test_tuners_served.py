"""The HDHomeRun that applications see over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gevent
import pytest
from flask import Response, request
from flask.testing import FlaskClient
from gevent.event import Event

from kptv.app import build_web
from kptv.channels.users.model import User
from kptv.config import Config
from kptv.formats.hdhomerun import is_valid_device_id
from kptv.pace import drive
from kptv.web.caller import CALLER, Caller, CallerKind
from kptv.web.players import numbers
from kptv.web.players.player import Answer, Player, Refusal
from tests.parts import CONFIG, built
from tests.web.test_playlist import catalog_of

LIST = """#EXTM3U
#EXTINF:-1 tvg-chno="5" group-title="Kids",Ten
http://a/1
#EXTINF:-1 tvg-chno="5" group-title="News",News & "Weather"
http://a/2
#EXTINF:-1 tvg-chno="7.1" group-title="News",Antenna
http://a/3
#EXTINF:-1 tvg-chno="9" group-title="Kids",Nine
http://a/4
"""
RULES = """
[profile.kids]
group = "Kids"
[profile.news]
group = "News"
numbers = {News = 100}
"""
ANNA = User(id=3, name="anna", groups=("Kids",), max_streams=2)
MINE = Caller(CallerKind.USER, ANNA, prefix="/u/s3cret")
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """A client of a proxy with a list, rules, settings; ``caller``: who asks."""
    opened = []

    def make(
        rules: str | None = None, config: Config = CONFIG, caller: Caller | None = None
    ) -> FlaskClient:
        context = built(config, tmp_path)
        parts = context.__enter__()
        opened.append(context)
        parts.catalog.replace(catalog_of(LIST, rules))
        app = build_web(parts)
        if caller is not None:
            app.before_request(lambda: request.environ.update({CALLER: caller}))
        return app.test_client()

    yield make
    for context in opened:
        context.__exit__(None, None, None)


def lineup(client: FlaskClient, start: str = "") -> dict[str, Any]:
    """Of each name, the number and the address."""
    told = client.get(f"{start}/lineup.json").get_json()
    return {each["GuideName"]: (each["GuideNumber"], each["URL"]) for each in told}


def test_the_device_says_what_clients_need_in_the_types_that_they_want(
    make_client: MakeClient,
) -> None:
    answer = make_client().get("/discover.json")
    assert answer.content_type == "application/json"
    told = answer.get_json()
    assert told.pop("FirmwareName")
    assert told.pop("FirmwareVersion").isdigit()
    device = told.pop("DeviceID")
    assert re.fullmatch("1[0-9A-F]{7}", device)
    assert is_valid_device_id(device)
    assert told == {
        "FriendlyName": "KPTV Proxy",
        "ModelNumber": "HDHR5-4US",
        "DeviceAuth": "",
        "BaseURL": "http://tv.example",
        "LineupURL": "http://tv.example/lineup.json",
        "TunerCount": 2,
    }


def test_without_base_url_it_is_where_the_client_found_it(make_client: MakeClient) -> None:
    client = make_client(config=replace(CONFIG, base_url_is_set=False))
    for host in ("192.168.1.9:8080", "tv.lan", "[fe80::1]:8080"):
        told = client.get("/discover.json", headers={"Host": host}).get_json()
        assert told["BaseURL"] == f"http://{host}"
        assert lineup_at(client, host)["Nine"][1] == f"http://{host}/auto/v9"
    odd = client.get("/discover.json", headers={"Host": "a b/c"}).get_json()
    assert odd["BaseURL"] == "http://tv.example"


def lineup_at(client: FlaskClient, host: str) -> dict[str, Any]:
    told = client.get("/lineup.json", headers={"Host": host}).get_json()
    return {each["GuideName"]: (each["GuideNumber"], each["URL"]) for each in told}


def test_each_channel_has_a_whole_number_that_no_other_has(make_client: MakeClient) -> None:
    told = {name: number for name, (number, _) in lineup(make_client()).items()}
    assert told["Nine"] == "9"
    assert len({*told.values()}) == len(told) == 4
    assert all(re.fullmatch("[1-9][0-9]*", number) for number in told.values())


def test_numbers_and_the_id_are_the_same_in_the_next_process(make_client: MakeClient) -> None:
    first = make_client()
    before = lineup(first), first.get("/discover.json").get_json()
    again = make_client()
    assert (lineup(again), again.get("/discover.json").get_json()) == before


def test_who_waits_for_numbers_has_the_lineup_of_the_newest_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, numbered = Event(), numbers.numbered

    def never_ends(*_: object) -> Iterator[None]:
        monkeypatch.setattr(numbers, "numbered", numbered)  # the next ones end
        begun.set()
        Event().wait()
        yield

    monkeypatch.setattr(numbers, "numbered", never_ends)
    with built(CONFIG, tmp_path) as parts, gevent.Timeout(30):
        parts.catalog.replace(older := catalog_of(LIST.replace("Nine", "Eight")))
        client = build_web(parts).test_client()
        waiting = gevent.spawn(lineup, client)
        begun.wait()
        parts.catalog.replace(catalog_of(LIST))
        drive(older.take_apart())
        assert {*waiting.get()} == {"Ten", 'News & "Weather"', "Antenna", "Nine"}
        assert client.head("/auto/v9").status_code == 200


def test_a_profile_is_a_device_of_its_own(make_client: MakeClient) -> None:
    client = make_client(RULES)
    told = client.get("/profile/news/discover.json").get_json()
    assert told["DeviceID"] != client.get("/discover.json").get_json()["DeviceID"]
    assert told["BaseURL"] == "http://tv.example/profile/news"
    found = lineup(client, "/profile/news")
    assert {number for number, _ in found.values()} == {"100", "101"}
    assert all(
        url.startswith("http://tv.example/profile/news/auto/v10") for _, url in found.values()
    )
    assert client.get("/profile/none/discover.json").status_code == 404


def test_a_user_has_a_device_with_the_users_channels_and_streams(make_client: MakeClient) -> None:
    client = make_client(caller=MINE)
    told = client.get("/discover.json").get_json()
    assert told["BaseURL"] == "http://tv.example/u/s3cret"
    assert told["TunerCount"] == 2
    assert {*lineup(client)} == {"Ten", "Nine"}
    assert lineup(client)["Nine"][1] == "http://tv.example/u/s3cret/auto/v9"
    assert "no-store" in client.get("/lineup.json").headers["Cache-Control"]


def test_a_channel_that_a_user_may_not_have_is_answered_as_one_that_is_not_there(
    make_client: MakeClient,
) -> None:
    everyone = lineup(make_client())
    client = make_client(caller=MINE)
    number = everyone['News & "Weather"'][0]
    forbidden, missing = client.get(f"/auto/v{number}"), client.get("/auto/v4321")
    assert (forbidden.status_code, forbidden.data) == (missing.status_code, missing.data)
    assert forbidden.headers["X-HDHomeRun-Error"] == missing.headers["X-HDHomeRun-Error"]
    assert missing.status_code == 404
    assert missing.headers["X-HDHomeRun-Error"].startswith("801")


def test_head_of_a_channel_opens_nothing(make_client: MakeClient) -> None:
    for path in ("/auto/v9", "/tuner1/v9"):
        answer = make_client().head(path)
        assert answer.status_code == 200
        assert answer.content_type == "video/mp2t"


def test_a_search_for_channels_may_begin_and_has_ended(make_client: MakeClient) -> None:
    client = make_client()
    for how in ("scan=start&source=Cable", "scan=abort", "favorite=+5", "x"):
        assert client.post(f"/lineup.post?{how}").status_code == 200
    assert client.get("/lineup_status.json").get_json() == {
        "ScanInProgress": 0,
        "ScanPossible": 1,
        "Source": "Cable",
        "SourceList": ["Cable"],
    }


def test_the_lineup_has_three_forms_and_no_favourites(make_client: MakeClient) -> None:
    client = make_client()
    assert len(ElementTree.fromstring(client.get("/lineup.xml").data)) == 4
    assert client.get("/lineup.m3u").text.count("#EXTINF") == 4
    assert client.get("/lineup.json?show=favorites").get_json() == []
    assert len(client.get("/lineup.json?show=found&tuning").get_json()) == 4
    assert json.loads(client.get("/lineup.json", headers={"Accept-Encoding": "identity"}).data)


def test_the_description_for_old_clients_is_xml(make_client: MakeClient) -> None:
    told = make_client(caller=MINE).get("/device.xml")
    root = ElementTree.fromstring(told.data)
    space = {"u": "urn:schemas-upnp-org:device-1-0"}
    assert root.findtext("u:device/u:friendlyName", namespaces=space) == "KPTV Proxy anna"
    assert root.findtext("u:URLBase", namespaces=space) == "http://tv.example/u/s3cret"


def test_tuners_are_as_many_as_is_said(make_client: MakeClient) -> None:
    client = make_client(config=replace(CONFIG, hdhomerun_tuners=9), caller=MINE)
    assert client.get("/discover.json").get_json()["TunerCount"] == 9


def test_off_there_is_no_device(make_client: MakeClient) -> None:
    client = make_client(config=replace(CONFIG, hdhomerun="off"))
    assert client.get("/discover.json").status_code == 404


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refusal.UNKNOWN, "801 Unknown Channel"),
        (Refusal.CROWDED, "805 All Tuners In Use"),
        (Refusal.LIMIT, "805 All Tuners In Use"),
        (Refusal.IN_USE, "805 All Tuners In Use"),
        (Refusal.BROKEN, "807 No Video Data"),
        (None, None),
    ],
)
def test_the_reason_is_told_in_the_words_of_the_devices(
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal | None,
    told: str | None,
) -> None:
    status = 200 if refusal is None else 503
    answer = Answer(Response("x", status=status), refusal)
    monkeypatch.setattr(Player, "answer", lambda *_: answer)
    found = make_client().get("/auto/v9")
    assert found.status_code == status
    assert found.headers.get("X-HDHomeRun-Error") == told


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("1800", 1800.0), ("", None), ("0", None), ("-5", None), ("1e9", None), ("9" * 400, None)],
    ids=["half an hour", "none", "nothing", "negative", "no digits", "too many"],
)
def test_a_recording_ends_after_the_time_that_it_asked_for(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, asked: str, seconds: float | None
) -> None:
    given: list[object] = []

    def answer(player: Player, channel: object, duration: float | None = None) -> Answer:
        given.append(duration)
        return Answer(Response("x"))

    monkeypatch.setattr(Player, "answer", answer)
    make_client().get(f"/auto/v9?duration={asked}")
    assert given == [seconds]
