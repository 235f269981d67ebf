"""`/api/guide…`, and now and next beside what plays and what is listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient

from kptv.channels.secrets import Secrets
from kptv.formats.xmltv.details import Details, details_of
from kptv.guide.reading import Generation, GuideBroken
from kptv.web.page import shows
from tests.restream.test_hub import until
from tests.web.guides import MADE, Shown, generation_of, hours
from tests.web.status_rig import MARK, StatusRig, catalog_of

NOW = MADE // 3600 * 3600 + 1800
HOUR = NOW - 1800
XML = (
    b"<sub-title>Part</sub-title><desc>&lt;b&gt;All&lt;/b&gt; of it</desc><category>News</category>"
    b'<icon src="http://pictures.example/1.png"/><episode-num system="xmltv_ns">0.1.</episode-num>'
)
SECRET = b'<icon src="http://one.example/canary-user/canary-pass/1.png"/>'


def shown() -> list[Shown]:
    return [
        Shown("news", "News.uk", hours(HOUR, "Morning", "Noon", "Evening", xml=XML)),
        Shown("old-film", "old-film", hours(HOUR + 3600, "Casablanca"), "name"),
        Shown("news-from-são-paulo", "x", (), None, ((1, "SP.br"),), "only alike by its name"),
        Shown("gone", "gone", (), None, (), "no guide knows its id or its name"),
    ]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StatusRig]:
    monkeypatch.setattr(shows, "time", lambda: float(NOW))
    rig = StatusRig()
    rig.guide.replace(generation_of(tmp_path, shown()))
    with gevent.Timeout(30):
        yield rig
    rig.close()


@pytest.fixture
def client(rig: StatusRig) -> FlaskClient:
    return rig.client()


def got(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def titles(channel: dict[str, Any]) -> list[str]:
    return [show["title"] for show in channel["shows"]]


def test_now_and_next_are_told_with_all_details(client: FlaskClient) -> None:
    told = got(client, "/api/guide/now?channels=news,old-film,unknown")
    assert (told["guide"], told["time"], told["total"]) == ("there", NOW, 3)
    news, film, unknown = told["channels"]
    assert news["now"] == {
        "start": HOUR,
        "stop": HOUR + 3600,
        "title": "Morning",
        "sub_title": "Part",
        "desc": "All of it",
        "categories": ["News"],
        "icon": "http://pictures.example/1.png",
        "episode": "S1 E2",
    }
    assert news["next"]["title"] == "Noon"
    assert (film["now"], film["next"]["title"]) == (None, "Casablanca")
    assert unknown == {"id": "unknown", "now": None, "next": None}


def test_now_comes_by_pages_and_groups(client: FlaskClient) -> None:
    every = got(client, "/api/guide/now")
    assert every["total"] == len(every["channels"]) == 3
    films = got(client, "/api/guide/now?group=films")
    assert [channel["id"] for channel in films["channels"]] == ["old-film"]
    assert got(client, "/api/guide/now?page=1")["channels"] == []
    assert client.get("/api/guide/now?group=none").status_code == 404
    many = ",".join(map(str, range(201)))
    assert client.get(f"/api/guide/now?channels={many}").status_code == 400


def test_within_a_minute_nothing_is_new(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/api/guide/now", "/api/guide/now?channels=news"):
        etag = client.get(path).headers["ETag"]
        assert etag.startswith("W/")
        again = {"If-None-Match": etag}
        assert client.get(path, headers=again).status_code == 304
        with monkeypatch.context() as later:
            later.setattr(shows, "time", lambda: NOW + 60.0)
            assert client.get(path, headers=again).status_code == 200


def test_what_is_kept_ready_ends_with_its_show(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on() -> list[str | None]:
        [news] = got(client, "/api/guide/now?channels=news")["channels"]
        return [news[which] and news[which]["title"] for which in ("now", "next")]

    assert on() == on() == ["Morning", "Noon"]
    for seconds, shown in (
        (1740, ["Morning", "Noon"]),
        (1800, ["Noon", "Evening"]),
        (6000, ["Evening", None]),
        (9000, [None, None]),
        (0, ["Morning", "Noon"]),  # the clock was set back
    ):
        monkeypatch.setattr(shows, "time", lambda seconds=seconds: float(NOW + seconds))
        assert on() == shown


def test_what_is_kept_ready_is_read_once_and_forgotten_with_its_guide(
    rig: StatusRig, client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = rig.guide.get()
    assert generation is not None
    read: list[bytes] = []

    def details(xml: bytes) -> Details:
        read.append(xml)
        return details_of(xml)

    monkeypatch.setattr(shows, "details_of", details)
    for _ in range(3):
        got(client, "/api/guide/now?channels=news")
    assert len(read) == 2  # now and next
    rig.guide.replace(generation_of(tmp_path, [Shown("news", "x", hours(HOUR, "Another"))]))
    [news] = got(client, "/api/guide/now?channels=news")["channels"]
    assert news["now"]["title"] == "Another"


def test_what_is_kept_ready_tells_nothing_that_became_secret(
    rig: StatusRig, client: FlaskClient, tmp_path: Path
) -> None:
    told = hours(HOUR, "Login hunter2hunter2")
    rig.guide.replace(generation_of(tmp_path, [Shown("news", "x", told)]))
    assert "hunter2" in client.get("/api/guide/now?channels=news").text
    rig.log.redactor.keep(Secrets(words=frozenset(["hunter2hunter2"])))
    assert "hunter2" not in client.get("/api/guide/now?channels=news").text


def test_a_guide_that_could_not_be_read_is_asked_again(
    rig: StatusRig, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise GuideBroken("disk I/O error")

    with monkeypatch.context() as now:
        now.setattr(Generation, "now", broken)
        assert got(client, "/api/guide/now?channels=news")["channels"][0]["now"] is None
    assert got(client, "/api/guide/now?channels=news")["channels"][0]["now"] is not None


def test_the_grid_has_the_shows_of_three_hours(client: FlaskClient) -> None:
    grid = got(client, "/api/guide")
    assert (grid["from"], grid["to"], grid["total"], grid["size"]) == (NOW, NOW + 10800, 3, 100)
    news = next(channel for channel in grid["channels"] if channel["id"] == "news")
    assert titles(news) == ["Morning", "Noon", "Evening"]
    assert news["shows"][0] == {"start": HOUR, "stop": HOUR + 3600, "title": "Morning"}
    assert (news["name"], news["logo"]) == ("News", "http://logos.example/news.png")
    short = got(client, f"/api/guide?from={HOUR + 3600}&to={HOUR + 7200}&group=films")
    assert [(channel["id"], titles(channel)) for channel in short["channels"]] == [
        ("old-film", ["Casablanca"])
    ]


def test_a_grid_is_a_day_long_at_most(client: FlaskClient) -> None:
    grid = got(client, f"/api/guide?from={NOW}&to={NOW * 2}")
    assert grid["to"] - grid["from"] == 86400
    assert client.get("/api/guide?from=tomorrow").status_code == 400


def test_titles_are_searched(client: FlaskClient) -> None:
    found = got(client, "/api/guide?q=CASA")
    assert [(one["id"], titles(one)) for one in found["channels"]] == [("old-film", ["Casablanca"])]
    assert (found["total"], found["is_whole"], found["to"] - found["from"]) == (1, True, 86400)
    assert got(client, "/api/guide?q=no%25")["channels"] == []
    assert got(client, "/api/guide?q=casa&group=news")["channels"] == []
    assert client.get("/api/guide?q=casa&group=nowhere").status_code == 404


def test_a_channel_has_its_day(client: FlaskClient) -> None:
    day = got(client, "/api/guide/channels/news")
    assert titles(day) == ["Morning", "Noon", "Evening"]
    assert day["shows"][1]["desc"] == "All of it"
    assert (day["name"], day["join"]["rule"], day["join"]["guide"]) == ("News", "id", "guide-1")
    assert client.get("/api/guide/channels/nobody").status_code == 404


def test_joins_are_explained(client: FlaskClient) -> None:
    joined = got(client, "/api/guide/joins?state=joined")
    assert [(one["id"], one["rule"], one["guide_id"]) for one in joined["channels"]] == [
        ("news", "id", "News.uk"),
        ("old-film", "name", "old-film"),
    ]
    [suggested] = got(client, "/api/guide/joins?state=suggested")["channels"]
    assert suggested["suggestions"] == [{"guide": "guide-1", "guide_id": "SP.br"}]
    assert suggested["why"] == "only alike by its name"
    [none] = got(client, "/api/guide/joins?state=none")["channels"]
    assert (none["state"], none["rule"], none["guide"]) == ("none", None, None)
    assert got(client, "/api/guide/joins")["total"] == 4
    assert client.get("/api/guide/joins?state=lost").status_code == 400


def test_what_plays_and_what_is_listed_tells_now_and_next(
    rig: StatusRig, client: FlaskClient
) -> None:
    assert rig.play("News")() == MARK
    [hub] = got(client, "/api/status")["hubs"]
    assert hub["now"] == {"start": HOUR, "stop": HOUR + 3600, "title": "Morning"}
    assert hub["next"]["title"] == "Noon"
    listed = {one["id"]: one for one in got(client, "/api/channels")["channels"]}
    assert listed["news"]["now"]["title"] == "Morning"
    assert (listed["old-film"]["now"], listed["old-film"]["next"]["title"]) == (None, "Casablanca")


def test_the_page_hears_of_each_minute_while_something_plays(
    rig: StatusRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = rig.view.signature()
    monkeypatch.setattr(shows, "time", lambda: NOW + 60.0)
    assert rig.view.signature() == idle
    assert rig.play("News")() == MARK
    until(lambda: rig.hubs.viewers == 1)
    before = rig.view.signature()
    monkeypatch.setattr(shows, "time", lambda: NOW + 120.0)
    assert rig.view.signature() != before


def test_nothing_that_tells_of_a_provider_is_shown(rig: StatusRig, tmp_path: Path) -> None:
    xml = SECRET + b"<desc>http://one.example/live/canary-user/canary-pass/1.ts</desc>"
    told = [Shown("news", "news", hours(HOUR, "Get canary-pass", "Then", xml=xml))]
    rig.guide.replace(generation_of(tmp_path, told))
    for path in ("now", "channels/news", "joins"):
        text = rig.client().get(f"/api/guide/{path}").text
        assert "canary" not in text
        assert "one.example" not in text
    assert "canary" not in rig.client().get("/api/guide").text
    assert "canary" not in rig.client().get("/api/channels").text


@pytest.mark.parametrize(("is_expected", "standing"), [(False, "none"), (True, "expected")])
def test_without_a_guide_all_is_empty_and_says_so(
    rig: StatusRig, client: FlaskClient, is_expected: bool, standing: str
) -> None:
    rig.guide.replace(None)
    rig.guide.expect(is_expected)
    for path in ("now", "channels/news", "joins"):
        assert got(client, f"/api/guide/{path}")["guide"] == standing
    grid = got(client, "/api/guide")
    assert (grid["guide"], [titles(one) for one in grid["channels"]]) == (standing, [[], [], []])
    assert got(client, "/api/guide?q=casa")["channels"] == []
    assert {one["now"] for one in got(client, "/api/channels")["channels"]} == {None}


def test_a_guide_that_cannot_be_read_is_told(rig: StatusRig, client: FlaskClient) -> None:
    generation = rig.guide.get()
    assert generation is not None
    generation.close()
    assert client.get("/api/guide").status_code == 503
    assert client.get("/api/guide/joins").status_code == 503
    assert client.get("/api/channels").status_code == 200


def test_without_a_list_there_is_none_to_show(rig: StatusRig, client: FlaskClient) -> None:
    rig.catalog = None
    for path in ("", "/now", "/channels/news", "?q=a"):
        assert client.get(f"/api/guide{path}").status_code == 503


def test_a_long_list_is_asked_for_in_small_pieces(rig: StatusRig, client: FlaskClient) -> None:
    entries = "".join([f"#EXTINF:-1,C {n}\nhttp://a/{n}\n" for n in range(120)])
    rig.catalog = catalog_of(f"#EXTM3U\n{entries}", "")
    assert len(got(client, "/api/guide/now")["channels"]) == 120
    grid = got(client, "/api/guide?page=1")
    assert (grid["total"], len(grid["channels"])) == (120, 20)
    assert got(client, "/api/guide?q=x")["is_whole"] is True
