"""The guide as players get it, and the list that names it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient

from kptv.channels.guide.ids import guide_ids
from kptv.channels.secrets import Finder
from kptv.channels.served import served_as
from kptv.formats.m3u_attributes import unquoted
from kptv.guide.current import CurrentGuide
from kptv.web.players.guide import guide_blueprint
from kptv.web.players.lists import playlist_blueprint
from tests.web.guides import MADE, Shown, generation_of, hours, in_force, xml_of
from tests.web.test_playlist import catalog_of, make_lists

LIST = """#EXTM3U
#EXTINF:-1 tvg-id="News.uk" tvg-shift="2" group-title="News",News
http://a/1
#EXTINF:-1 tvg-id="one" group-title="Films",Film One
http://a/2
#EXTINF:-1 tvg-id="ONE" group-title="Films",Film Two
http://a/3
#EXTINF:-1 tvg-id="17",Seventeen
http://a/4
#EXTINF:-1,24
http://a/5
#EXTINF:-1 group-title="Films",No Id "4"
http://a/6
"""
RULES = '[profile.kids]\ngroup = "Films"\n'
JELLYFIN = re.compile(  # what its reader takes for a time
    r"^(?P<dateDigits>[0-9]{4,14})(\s(?P<dateOffset>[+-]*[0-9]{1,4}))?$"
)


def ids_of(text: str) -> dict[str, str]:
    """The ids that our guide has for the channels of a list."""
    catalog = catalog_of(text)
    finder = Finder(catalog.secrets)
    served = [(slug, unquoted(served_as(row, finder)[1])) for slug, row in catalog.rows()]
    return guide_ids(
        (slug, told.get("tvg-id", ""), told.get("tvg-chno", "")) for slug, told in served
    )


def shown(text: str = LIST) -> list[Shown]:
    return [Shown(slug, i, hours(MADE, "One", "Two")) for slug, i in ids_of(text).items()]


class Served:
    """Lists and a guide, and a client of both."""

    def __init__(self, guide: CurrentGuide, rules: str | None = None) -> None:
        self.guide = guide
        self.lists = make_lists(guide=guide)
        self.lists.replace(catalog_of(LIST, rules))
        app = Flask("test")
        app.register_blueprint(guide_blueprint(guide, self.lists))
        app.register_blueprint(playlist_blueprint(self.lists))
        self.client: FlaskClient = app.test_client()

    def list(self, path: str = "/playlist.m3u8") -> str:
        return self.client.get(path).text


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with gevent.Timeout(30):
        yield


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(in_force(generation_of(tmp_path, shown())))


def test_the_packed_guide_is_a_file_without_content_encoding(served: Served) -> None:
    answer = served.client.get("/epg.xml.gz", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.content_type == "application/gzip"
    assert "Content-Encoding" not in answer.headers
    assert answer.content_length == len(answer.data)
    assert gzip.decompress(answer.data) == xml_of(shown())


@pytest.mark.parametrize("path", ["/epg.xml", "/guide.xml", "/xmltv.php?username=a&password=b"])
def test_the_plain_guide_has_the_same_bytes_however_it_travels(served: Served, path: str) -> None:
    packed = served.client.get(path, headers={"Accept-Encoding": "gzip, deflate"})
    plain = served.client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.data == served.client.get("/epg.xml.gz").data
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data == xml_of(shown())
    for answer in (packed, plain):
        assert answer.content_type == "application/xml; charset=utf-8"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_a_login_may_come_as_a_form(served: Served) -> None:
    answer = served.client.post("/xmltv.php", data={"username": "a", "password": "b"})
    assert (answer.status_code, answer.data) == (200, xml_of(shown()))


def test_what_is_inflated_comes_in_small_pieces(tmp_path: Path) -> None:
    generation = generation_of(tmp_path, shown())
    whole = b"<tv>" + b" " * 3_000_000 + b"</tv>"  # 1000 to 1
    generation.file().write_bytes(gzip.compress(whole))
    answer = Served(in_force(generation)).client.get("/epg.xml", buffered=False)
    pieces = list(answer.iter_encoded())
    assert b"".join(pieces) == whole
    assert max(map(len, pieces)) <= 64 * 1024


@pytest.mark.parametrize("path", ["/epg.xml.gz", "/epg.xml"])
def test_a_client_that_has_it_is_told_so(served: Served, path: str) -> None:
    first = served.client.get(path)
    again = {"If-None-Match": first.headers["ETag"]}
    assert served.client.get(path, headers=again).status_code == 304
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert served.client.get(path, headers=since).status_code == 304
    both = {**since, "If-None-Match": '"another"'}
    assert served.client.get(path, headers=both).status_code == 200


def test_another_generation_has_another_tag(served: Served, tmp_path: Path) -> None:
    before = served.client.get("/epg.xml.gz").headers["ETag"]
    served.guide.replace(generation_of(tmp_path, shown()[:1]))
    after = served.client.get("/epg.xml.gz", headers={"If-None-Match": before})
    assert after.status_code == 200
    assert gzip.decompress(after.data) == xml_of(shown()[:1])


def test_head_tells_the_length_and_sends_nothing(served: Served) -> None:
    size = len(served.client.get("/epg.xml.gz").data)
    with served.client.head("/epg.xml.gz") as answer:
        assert (answer.status_code, answer.content_length, answer.data) == (200, size, b"")


def test_a_generation_that_is_removed_meanwhile_is_sent_to_its_end(served: Served) -> None:
    generation = served.guide.get()
    assert generation is not None
    answer = served.client.get("/epg.xml.gz", buffered=False)
    generation.file().unlink()
    assert gzip.decompress(answer.data) == xml_of(shown())


def test_without_any_guide_the_channels_are_told_and_the_list_is_as_before() -> None:
    served = Served(CurrentGuide())
    answer = served.client.get("/epg.xml")
    assert answer.status_code == 200
    assert answer.text.count("<channel ") == 6
    assert "<programme" not in answer.text
    assert answer.text.endswith("</tv>\n")
    packed = served.client.get("/epg.xml.gz")
    assert "Content-Encoding" not in packed.headers
    assert packed.content_type == "application/gzip"
    assert gzip.decompress(packed.data) == answer.data
    assert packed.content_length == len(packed.data)
    bare = make_lists()
    bare.replace(catalog_of(LIST))
    rendered = bare.get()
    assert rendered is not None
    assert served.list().encode() == b"".join(rendered.plain())
    assert served.list().startswith("#EXTM3U\n")
    assert 'tvg-id="News.uk"' in served.list()
    assert 'tvg-shift="2"' in served.list()


def test_a_guide_that_is_expected_is_awaited() -> None:
    guide = CurrentGuide()
    guide.expect(True)
    served = Served(guide)
    answer = served.client.get("/epg.xml.gz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert answer.text == "The guide is not ready yet; try again soon.\n"
    assert served.list().startswith('#EXTM3U x-tvg-url="http://tv.example/iptv/epg.xml.gz"')
    assert 'tvg-id="17"' in served.list(), "its own, until there is a guide"


def test_the_list_names_the_guide_twice(served: Served) -> None:
    url = "http://tv.example/iptv/epg.xml.gz"
    for path in ("/playlist.m3u8", "/films/playlist.m3u8"):
        head = served.list(path).splitlines()[0]
        assert head == f'#EXTM3U x-tvg-url="{url}" url-tvg="{url}"'


def test_list_and_guide_have_the_same_ids_each_once(served: Served) -> None:
    in_list = re.findall(r'tvg-id="([^"]*)"', served.list())
    xml = gzip.decompress(served.client.get("/epg.xml.gz").data).decode()
    in_guide = re.findall(r'<channel id="([^"]*)"', xml)
    of_shows = set(re.findall(r'<programme [^>]*channel="([^"]*)"', xml))
    assert in_list == in_guide
    assert {"24.id", "film-one", "film-two", "News.uk", "seventeen"} < set(in_list)
    assert of_shows == set(in_list)
    assert (
        len({one.casefold() for one in in_list}) == len(in_list) == served.list().count("#EXTINF")
    )
    assert not any(one.isdecimal() for one in in_list)


def test_every_time_is_one_that_jellyfin_takes(served: Served) -> None:
    xml = served.client.get("/epg.xml", headers={"Accept-Encoding": "identity"}).text
    times = re.findall(r'(?:start|stop)="([^"]*)"', xml)
    assert len(times) == 2 * xml.count("<programme") == 24
    assert all(JELLYFIN.match(time) and time.endswith(" +0000") for time in times)


def test_a_shift_that_the_guide_has_already_is_not_served(served: Served) -> None:
    assert "tvg-shift" not in served.list()


def test_a_channel_that_the_guide_does_not_know_has_no_id_of_another(tmp_path: Path) -> None:
    known = [one for one in shown() if one.slug != "film-two"]
    known[1] = Shown("film-one", "one", known[1].shows)
    text = Served(in_force(generation_of(tmp_path, known))).list()
    assert re.findall(r'tvg-id="([^"]*)".*,(.*)', text)[1:3] == [
        ("one", "Film One"),
        ("film-two", "Film Two"),
    ]


def test_a_new_guide_makes_new_lists(served: Served, tmp_path: Path) -> None:
    assert 'tvg-id="film-one"' in served.list()
    changed = [Shown("film-one", "else", ())]
    served.guide.replace(generation_of(tmp_path, changed))
    assert 'tvg-id="else"' in served.list()
    served.guide.replace(None)
    assert served.list().startswith("#EXTM3U\n")
    assert 'tvg-id="one"' in served.list()


def test_a_profile_has_its_own_guide(tmp_path: Path) -> None:
    films = shown()[1:3]
    served = Served(in_force(generation_of(tmp_path, shown(), {"kids": films})), RULES)
    url = "http://tv.example/iptv/profile/kids/epg.xml.gz"
    for path in ("/profile/kids/playlist.m3u8", "/profile/kids/films/playlist.m3u8"):
        assert served.list(path).startswith(f'#EXTM3U x-tvg-url="{url}" url-tvg="{url}"\n')
    answer = served.client.get("/profile/kids/epg.xml.gz")
    assert gzip.decompress(answer.data) == xml_of(films)
    assert served.client.get("/profile/KIDS/epg.xml").status_code in (200, 404)
    assert served.client.get("/profile/else/epg.xml").status_code == 404


def test_a_profile_that_is_younger_than_the_guide_is_awaited(tmp_path: Path) -> None:
    served = Served(in_force(generation_of(tmp_path, shown())), RULES)
    answer = served.client.get("/profile/kids/epg.xml.gz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_without_a_list_there_is_no_empty_guide() -> None:
    lists = make_lists()
    app = Flask("test")
    app.register_blueprint(guide_blueprint(CurrentGuide(), lists))
    assert app.test_client().get("/epg.xml").status_code == 503
