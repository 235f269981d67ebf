"""Profiles over HTTP: further lists, with groups of their own."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Iterator
from urllib.parse import quote

import gevent
import pytest
from flask.testing import FlaskClient
from gevent.event import Event

from kptv.channels import profiles as pure
from kptv.channels.given import Given, Numbered, learned
from kptv.channels.users.model import Rights
from kptv.pace import drive
from kptv.web.players import profiles
from kptv.web.players.profiles import Profiles
from tests.web.test_playlist import catalog_of, client_of, make_lists

LIST = """#EXTM3U
#EXTINF:-1 group-title="Kids",Cartoons
http://a/1
#EXTINF:-1 group-title="Kids;UK | Junior",Ten
http://a/2
#EXTINF:-1 group-title="News",News
http://a/3
#EXTINF:-1 group-title="profile",Profiled
http://a/4
#EXTINF:-1 group-title="Profile/All",Odd
http://a/5
"""
RULES = """
[profile.kids]
group = "Kids"
sort = "tvg-name"
direction = "desc"

[profile.none]
group = "Kidz"
"""


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    lists = make_lists()
    lists.replace(catalog_of(LIST, RULES))
    with gevent.Timeout(30):
        yield client_of(lists)


def names(text: str) -> list[str]:
    return [line.rpartition(",")[2] for line in text.splitlines() if line.startswith("#EXTINF")]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/profile/kids/playlist.m3u8", ["Ten", "Cartoons"]),
        ("/PROFILE//Kids//playlist.m3u8", ["Ten", "Cartoons"]),
        ("/profile/%256bids%3Fx=1/playlist.m3u8", ["Ten", "Cartoons"]),
        ("/profile/kids/KIDS/playlist.m3u8", ["Ten", "Cartoons"]),
        ("/profile/kids/uk%20%7C%20junior/playlist.m3u8", ["Ten"]),
        ("/profile/kids/UK+%7C+Junior/playlist.m3u8", ["Ten"]),
        ("/profile/kids/UK%2520%257C%2520Junior/playlist.m3u8", ["Ten"]),
        ("/profile/none/playlist.m3u8", []),
        ("/profile/playlist.m3u8", ["Profiled"]),  # the group that is called so
        ("/profile//playlist.m3u8", ["Profiled"]),
        ("/profile/all/playlist.m3u8", ["Odd"]),  # likewise, as there is no such profile
        ("/kids/playlist.m3u8", ["Cartoons", "Ten"]),
    ],
)
def test_a_profile_and_its_groups_have_lists(
    client: FlaskClient, path: str, shown: list[str]
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert names(answer.text) == shown


def test_the_links_are_those_of_the_main_list(client: FlaskClient) -> None:
    lines = client.get("/profile/kids/playlist.m3u8").text.splitlines()
    assert lines == [
        "#EXTM3U",
        '#EXTINF:-1 tvg-chno="5" group-title="Kids;UK | Junior",Ten',
        "http://tv.example/iptv/stream/ten",
        '#EXTINF:-1 tvg-chno="1" group-title="Kids",Cartoons',
        "http://tv.example/iptv/stream/cartoons",
    ]


@pytest.mark.parametrize(
    "path", ["/profile/kids/playlist.m3u8", "/profile/kids/kids/playlist.m3u8"]
)
def test_it_is_answered_like_the_other_lists(client: FlaskClient, path: str) -> None:
    get = client.get(path)
    head = client.head(path)
    assert get.content_type == "audio/x-mpegurl; charset=utf-8"
    assert (head.data, dict(head.headers)) == (b"", dict(get.headers))
    again = client.get(path, headers={"If-None-Match": get.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == get.data


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/profile/kid/playlist.m3u8", "No such profile; [profile.NAME] in rules.toml makes one."),
        ("/profile/stream/playlist.m3u8", "No such profile;"),
        ("/profile/kids/news/playlist.m3u8", "/profile/kids/playlist.m3u8 lists all of it."),
        ("/profile/none/kids/playlist.m3u8", "No such group in this profile;"),
        (f"/profile/kids/{quote('x' * 8000)}/playlist.m3u8", "No such group in this profile;"),
        (f"/profile/{quote('%' * 8000)}/playlist.m3u8", "No such profile;"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(client: FlaskClient, path: str, told: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert told in answer.text
    assert answer.text.count("\n") == 1


def test_before_the_first_import_it_is_unavailable() -> None:
    answer = client_of(make_lists()).get("/profile/kids/playlist.m3u8")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_other_rules_make_and_take_away_profiles_at_once() -> None:
    lists = make_lists()
    client = client_of(lists)
    with gevent.Timeout(30):
        lists.replace(catalog_of(LIST, RULES))
        assert client.get("/profile/kids/playlist.m3u8").status_code == 200
        lists.replace(catalog_of(LIST, "[profile.news]\ngroup = 'News'"))
        assert client.get("/profile/kids/playlist.m3u8").status_code == 404
        assert names(client.get("/profile/news/playlist.m3u8").text) == ["News"]
        lists.replace(catalog_of(LIST, "[profile.news]\ngroup = 'Kids'"))
        assert names(client.get("/profile/news/playlist.m3u8").text) == ["Cartoons", "Ten"]
        lists.replace(catalog_of(LIST))
        assert client.get("/profile/news/playlist.m3u8").status_code == 404


def test_who_waits_while_it_is_made_gets_that_of_the_newest_catalog() -> None:
    many = "".join(f'#EXTINF:-1 group-title="Kids",CH {n}\nhttp://a/{n}\n' for n in range(3000))
    older, newer = catalog_of(many, RULES), catalog_of(many.replace("CH", "TV"), RULES)
    lists = make_lists()
    with gevent.Timeout(30):
        lists.replace(older)
        waiting = [gevent.spawn(lists.get, None, Rights(None, "kids")) for _ in range(3)]
        gevent.sleep(0)
        assert not any(greenlet.ready() for greenlet in waiting)
        lists.replace(newer)
        gevent.joinall(waiting)
    first = waiting[0].value
    assert first is not None
    assert all(greenlet.value is first for greenlet in waiting)
    text = b"".join(first.plain())
    assert text.index(b"TV 2999") < text.index(b"TV 2998")
    assert lists.alive


def test_what_is_not_ready_in_time_or_cannot_be_made_is_503(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    never = Event()

    def hang(*_: object) -> Iterator[None]:
        never.wait()
        yield

    def break_down(*_: object) -> Iterator[None]:
        raise ValueError("broken")

    monkeypatch.setattr(profiles, "DEADLINE", 0.05)
    for making in hang, break_down:
        monkeypatch.setattr(profiles, "make_profile", making)
        lists = make_lists()
        lists.replace(catalog_of(LIST, RULES))
        client = client_of(lists)
        for path in "/profile/kids/playlist.m3u8", "/profile/kids/kids/playlist.m3u8":
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.text.count("\n") == 1
        assert client.get("/playlist.m3u8").status_code == 200
        lists.replace(catalog_of(LIST))
    assert "ValueError: broken" in capfd.readouterr().err


def test_a_profile_without_channels_is_logged_once_and_again_when_it_was_filled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Profiles()
    empty, full = catalog_of(LIST, RULES), catalog_of(LIST.replace("Kids", "Kidz"), RULES)
    for each, told in (empty, 1), (empty, 1), (full, 2), (empty, 3):
        made.replace(each)
        with gevent.Timeout(30), caplog.at_level(logging.WARNING):
            assert made.get("none") is not None
            made.get("kids")
            gevent.sleep(0)
        assert len(caplog.messages) == told, caplog.messages
    assert caplog.messages[0] == "rules.toml:7: profile.none: has no channels"
    assert caplog.messages[1] == "rules.toml:2: profile.kids: has no channels"


def test_a_profile_that_hangs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Profiles()
    made.replace(catalog_of(LIST, RULES))
    assert made.alive
    monkeypatch.setattr(profiles, "monotonic", lambda: 1e9)
    assert not made.alive
    made.replace(catalog_of(LIST))
    assert made.alive
    assert list(pure.profiles_of(catalog_of(LIST))) == []


# --- numbers of their own ---


class KeptInMemory:
    """Who asks for numbers while they are being kept would get half of them."""

    def __init__(self) -> None:
        self.lists: dict[str, Given] = {}
        self.is_keeping = False

    def given(self, name: str) -> Given:
        assert not self.is_keeping
        return self.lists.setdefault(name, Given())

    def keep(self, numbered: Numbered, name: str) -> None:
        self.is_keeping = True
        gevent.sleep(0.02)
        self.lists[name] = drive(learned(self.lists[name], numbered))
        self.is_keeping = False


def numbers(text: str) -> dict[str, int]:
    return {name: int(n) for n, name in re.findall(r'tvg-chno="(\d+)".*,(.*)', text)}


def test_numbers_of_its_own_are_in_its_lists_and_are_kept_over_catalogs_that_come_fast() -> None:
    kept = KeptInMemory()
    lists = make_lists(kept)
    client, path = client_of(lists), "/profile/kids/playlist.m3u8"
    rules = '[profile.kids]\ngroup = "Kids"\nnumbers = { Kids = 20 }\n[numbers]\nKids = 100\n'
    more = LIST + '#EXTINF:-1 group-title="Kids",Ant\nhttp://a/6\n'
    first, second, third = catalog_of(LIST, rules), catalog_of(more, rules), catalog_of(more, rules)
    with gevent.Timeout(30):
        lists.replace(first)
        assert numbers(client.get(path).text) == {"Cartoons": 20, "Ten": 21}
        assert kept.is_keeping
        lists.replace(second)
        gevent.sleep(0)
        lists.replace(third)
        for each in path, "/profile/kids/kids/playlist.m3u8":
            assert numbers(client.get(each).text) == {"Ant": 22, "Cartoons": 20, "Ten": 21}
        assert numbers(client.get("/kids/playlist.m3u8").text)["Cartoons"] == 101
    assert set(kept.lists) == {"kids"}
