"""Several instances of which one is asked, and the one that it concerns does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

import gevent
import pytest
from flask.testing import FlaskClient

from kptv.web.page.admin import CSRF_HEADER
from kptv.web.page.everywhere import AWAY, ELSEWHERE
from kptv.web.page.instances import MOST_PLAYING, STALE, own_text
from kptv.web.page.notes import LONGEST, MOST, REMEMBERED, Notes
from kptv.web.page.sessions import SESSION_SECONDS
from tests.web.status_rig import MARK, TOKEN, StatusRig

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Shown:
    place: str
    at: float
    text: str


@dataclass
class Wall:
    """Where instances show themselves; ``age``: seconds since they did."""

    shown: dict[str, Callable[[], str]] = field(default_factory=dict)
    age: dict[str, float] = field(default_factory=dict)


@dataclass
class Place:
    """An instance's own, at the wall."""

    name: str
    wall: Wall

    @property
    def place(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        return f"{self.name}:8081"

    def seen(self) -> Sequence[Shown]:
        now = monotonic()
        return [
            Shown(place, now - self.wall.age.get(place, 0.0), text())
            for place, text in self.wall.shown.items()
        ]

    def stir(self) -> None:
        """Nothing: all is seen at once."""


class House:
    """Two instances, which look at each other when told to."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.rigs = {name: self._rig(name) for name in ("one", "two")}
        self.one, self.two = self.rigs.values()

    def _rig(self, name: str) -> StatusRig:
        place = Place(name, self.wall)
        rig = StatusRig(others=place)
        self.wall.shown[name] = lambda: own_text(
            rig.view, place, not rig.follows, rig.everywhere.shown()
        )
        return rig

    def look(self) -> None:
        for rig in self.rigs.values():
            rig.everywhere.hear()
        gevent.idle()

    def close(self) -> None:
        for rig in self.rigs.values():
            rig.close()


@pytest.fixture
def house() -> Iterator[House]:
    with gevent.Timeout(30):
        house = House()
        yield house
        house.close()


def post(rig: StatusRig, path: str, **body: object) -> tuple[int, str]:
    answer = rig.client().post(path, headers=BEARER, json=body)
    return answer.status_code, next(iter(answer.get_json().values()))


def channels_of(rig: StatusRig) -> list[str]:
    return [hub.channel.slug for hub in rig.hubs.all()]


# --- sessions ---


def logged_in(rig: StatusRig) -> tuple[FlaskClient, str, str]:
    """A browser, its cookie, and its second secret."""
    client = rig.client()
    answer = client.post("/api/login", json={"token": TOKEN})
    return client, answer.headers["Set-Cookie"].partition(";")[0], answer.get_json()["csrf"]


def may_act(rig: StatusRig, cookie: str, csrf: str) -> bool:
    headers = {"Cookie": cookie, CSRF_HEADER: csrf}
    return bare(rig).post("/api/import", headers=headers).status_code == 202


def bare(rig: StatusRig) -> FlaskClient:
    """One that sends no cookies of its own."""
    return rig.app.test_client(use_cookies=False)


def test_a_session_of_one_instance_acts_at_the_other_with_its_csrf_token_alone(
    house: House,
) -> None:
    _, cookie, csrf = logged_in(house.one)
    assert may_act(house.two, cookie, csrf)
    assert not may_act(house.two, cookie, csrf[:-1])
    assert not may_act(house.two, cookie, "")
    told = bare(house.two).get("/api/session", headers={"Cookie": cookie}).get_json()
    assert told == {"actions": True, "csrf": csrf}


def test_a_log_out_ends_the_session_at_all_instances_and_at_those_that_come_later(
    house: House,
) -> None:
    client, cookie, csrf = logged_in(house.one)
    _, other_cookie, other_csrf = logged_in(house.one)
    client.post("/api/logout")
    assert not may_act(house.one, cookie, csrf)
    house.look()
    assert not may_act(house.two, cookie, csrf)
    assert may_act(house.two, other_cookie, other_csrf)
    del house.wall.shown["one"]  # it has gone, and never meets who comes now
    three = house.rigs["three"] = house._rig("three")
    house.look()
    assert not may_act(three, cookie, csrf)
    assert may_act(three, other_cookie, other_csrf)


def test_nothing_that_opens_anything_is_shown_to_the_others(house: House) -> None:
    client, cookie, csrf = logged_in(house.one)
    client.post("/api/logout")
    shown = house.wall.shown["one"]()
    (note,) = json.loads(shown.partition("\n")[2])
    assert note["what"] == "log_out"
    assert note["left"] > SESSION_SECONDS - 60
    assert cookie.partition("=")[2] not in shown
    assert cookie.rpartition(".")[2] not in shown
    assert csrf not in shown


# --- actions ---


def test_a_channel_is_stopped_and_switched_where_it_plays(house: House) -> None:
    house.one.play("News")()
    house.look()
    assert post(house.two, "/api/channels/news/switch", source=2) == (202, ELSEWHERE)
    (hub,) = house.one.hubs.all()
    house.one.give(house.one.stream("News", 2), MARK)
    house.look()
    with gevent.Timeout(5):
        while hub.source_number != 2:
            gevent.sleep(0.01)
    assert post(house.two, "/api/channels/news/stop") == (202, ELSEWHERE)
    house.look()
    assert channels_of(house.one) == []


def test_a_channel_that_plays_at_both_is_stopped_at_both(house: House) -> None:
    house.one.play("News")()
    house.two.play("News")()
    assert post(house.two, "/api/channels/news/stop") == (202, "The channel is stopped.")
    house.look()
    assert channels_of(house.one) == channels_of(house.two) == []


def test_a_channel_that_plays_nowhere_is_said_not_to_play(house: House) -> None:
    assert post(house.two, "/api/channels/news/stop") == (404, "No such channel plays.")
    state, playing = json.loads(house.wall.shown["one"]()), [{"id": "x"}] * MOST_PLAYING
    house.wall.shown["one"] = lambda: json.dumps({**state, "playing": playing})
    assert post(house.two, "/api/channels/news/stop")[0] == 202, "it may be one more than is shown"


def test_a_viewer_is_ended_by_whom_it_watches_and_no_other_has_its_number(house: House) -> None:
    ids = []
    for rig in house.rigs.values():
        rig.play("News")()
        (hub,) = rig.client().get("/api/status").get_json()["hubs"]
        ids.append(hub["watching"][0]["viewer"])
    one, two = ids
    ended: list[tuple[str, int]] = []
    for name, rig in house.rigs.items():
        rig.streams.end = lambda number, name=name: bool(  # type: ignore[method-assign]
            0 < number < 2**32 and not ended.append((name, number))
        )
    assert abs(one - two) >= 2**32
    assert max(ids) < 2**53, "JavaScript's numbers"
    assert post(house.one, f"/api/viewers/{two}/end") == (202, ELSEWHERE)
    house.look()
    assert [name for name, _ in ended] == ["two"]


def test_a_stream_is_unblocked_by_the_same_id_wherever_it_is_held(house: House) -> None:
    stream = house.one.stream("News", 1)
    health = house.one.hubs.health
    while not health.fail(stream, monotonic()):
        pass
    (blocked,) = house.one.client().get("/api/status").get_json()["blocked"]
    assert post(house.two, f"/api/streams/{blocked['id']}/unblock") == (202, ELSEWHERE)
    house.look()
    assert house.one.client().get("/api/status").get_json()["blocked"] == []


def test_an_import_is_made_by_the_instance_that_leads(house: House) -> None:
    house.two.follows = True
    status, done = post(house.two, "/api/import")
    assert (status, done.startswith("one fetches")) == (202, True)
    house.look()
    assert (house.one.imports, house.two.imports) == (1, 0)
    house.one.everywhere.tell("import", {})
    house.look()
    assert (house.one.imports, house.two.imports) == (1, 0)
    house.wall.age["one"] = STALE + 1
    status, why = post(house.two, "/api/import")
    assert (status, "No instance leads" in why) == (503, True)
    assert post(house.one, "/api/import")[0] == 202
    assert (house.one.imports, house.two.imports) == (2, 0)


def test_what_cannot_be_told_is_refused_and_done_here_all_the_same(house: House) -> None:
    house.one.play("News")()
    house.two.play("News from São Paulo")()
    house.wall.age = {"one": STALE + 1, "two": STALE + 1}  # nothing is put up any more
    assert post(house.two, "/api/channels/news/stop") == (503, AWAY)
    (slug,) = channels_of(house.two)
    assert post(house.two, f"/api/channels/{slug}/stop") == (202, "The channel is stopped.")
    assert channels_of(house.two) == []


def test_what_is_done_here_is_not_done_again_by_hearing_of_it(house: House) -> None:
    done: list[str] = []
    for name, rig in house.rigs.items():
        rig.everywhere.on("x", lambda _, name=name: done.append(name) or "")  # type: ignore[func-returns-value]
    house.one.everywhere.act("x", {})
    for _ in range(3):
        house.look()
    assert done == ["one", "two"]


def test_what_fails_or_is_not_known_stops_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.one.everywhere.tell("from-a-later-version", {})
    house.one.everywhere.tell("stop", {"odd": 1})
    house.one.everywhere.tell("import", {})
    house.look()
    assert house.two.imports == 1
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "what another instance told cannot be done: stop"
    ]


# --- notes ---


def test_a_note_is_heard_once_and_holds_as_long_as_it_says_on_whatever_clock() -> None:
    one, two = Notes(), Notes()
    one.write("stop", {"channel": "news"}, 10.0, now=100.0)
    (heard,) = two.read(one.text(103.0), at=5003.0, now=5004.0)
    assert (heard.what, heard.given, heard.until) == ("stop", {"channel": "news"}, 5010.0)
    assert two.read(one.text(104.0), at=5004.0, now=5005.0) == []
    assert one.read(two.text(5005.0), at=105.0, now=105.0) == []
    assert (one.text(110.0), two.text(5010.0)) == ("", "")


def test_a_note_that_ended_is_not_heard_by_those_who_hear_late_nor_once_more() -> None:
    one, two, late = Notes(), Notes(), Notes()
    one.write("stop", {}, 10.0, now=0.0)
    text = one.text(9.0)
    assert late.read(text, at=9.0, now=10.5) == []
    assert len(two.read(text, at=9.5, now=9.5)) == 1  # it holds a little longer there
    one.write("stop", {}, 10.0, now=10.1)  # which makes it forget what it can
    assert one.read(two.text(10.2), at=10.2, now=10.2) == []
    assert one.read(two.text(10.2), at=10.2, now=10.2 + REMEMBERED / 2) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "x",
        "[1]",
        "7",
        '[{"id": 1}]',
        "[" * 100_000,
        '[{"id":1,"left":"x","what":1,"given":1}]',
    ],
    ids=range(7),
)
def test_notes_that_are_not_understood_are_none(text: str) -> None:
    assert Notes().read(text, at=0.0, now=0.0) == []


def test_what_is_passed_on_is_bounded_and_log_outs_go_on_longest() -> None:
    notes = Notes()
    notes.write("log_out", {}, SESSION_SECONDS, now=0.0)
    for _ in range(MOST * 15):
        notes.write("stop", {}, 10.0, now=0.0)
    told = json.loads(notes.text(1.0))
    assert len(told) == MOST
    assert told[-1]["what"] == "log_out"
    longest = json.dumps([{"id": "x", "left": 1e9, "what": "x", "given": {}}])
    assert Notes().read(longest, at=0.0, now=0.0)[0].until == LONGEST
