"""What several instances show of each other: in the API, and to open pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

import gevent
import pytest
from flask import Flask

from kptv.restream.journal import Journal
from kptv.web.page.api import api_blueprint
from kptv.web.page.directory import Directory
from kptv.web.page.events import EventStream
from kptv.web.page.instances import STALE, listed, own_text
from tests.web.status_rig import MARK, StatusRig


@dataclass(frozen=True)
class Shown:
    place: str
    at: float
    text: str


@dataclass
class Others:
    """Instances, of which this one is at ``one``."""

    name: str = "tv1.example:8081"
    address: str = "tv1.example:8081"
    place: str = "one"
    shown: list[Shown] = field(default_factory=list)

    def seen(self) -> Sequence[Shown]:
        return self.shown

    def stir(self) -> None:
        """Nothing: what is shown is set by hand."""


@pytest.fixture
def rig() -> Iterator[StatusRig]:
    rig = StatusRig()
    with gevent.Timeout(30):
        yield rig
    rig.close()


def test_an_instance_shows_what_it_plays_and_neither_viewers_nor_providers(rig: StatusRig) -> None:
    assert rig.play("News")() == MARK
    text = own_text(rig.view, Others(), True)
    (channel,) = json.loads(text)["playing"]
    assert channel == {
        "id": "news",
        "name": "News",
        "state": "playing",
        "source": 1,
        "viewers": 1,
    }
    for secret in ("192.0.2.7", "anna", "VLC", "example/", "canary"):
        assert secret not in text


def test_instances_are_listed_by_name_and_a_silent_one_is_stale(rig: StatusRig) -> None:
    two = Others("two", ":8082", "two")
    now = monotonic()
    shown = [
        Shown("two", now - STALE - 1, own_text(rig.view, two, False)),
        Shown("one", now, own_text(rig.view, Others(), True)),
    ]
    one, other = listed(Others(shown=shown))["instances"]
    assert (one["is_this"], one["stale"], one["address"]) == (True, False, "tv1.example:8081")
    assert (other["is_this"], other["stale"], other["name"]) == (False, True, "two")
    assert other["age"] > STALE


def test_an_instance_that_serves_another_list_is_marked(rig: StatusRig) -> None:
    now = monotonic()
    digests = {"one": "a", "two": "b", "three": "", "four": "a", "five": "c"}
    shown = [
        Shown(
            name,
            now - (STALE + 1) * (name == "five"),
            own_text(rig.view, Others(name), leads=False, digest=digest),
        )
        for name, digest in digests.items()
    ]
    others = Others(shown=shown)
    same = {each["name"]: each["same_list"] for each in listed(others)["instances"]}
    assert same == {"one": True, "two": False, "three": True, "four": True, "five": False}
    ignorant = listed(Others(place="three", shown=shown))["instances"]
    assert all(each["same_list"] for each in ignorant), "it does not know its own"


@pytest.mark.parametrize("text", ["", "[]", '{"name": "new"}', "[" * 100_000], ids=range(4))
def test_what_another_version_shows_is_left_out(text: str) -> None:
    assert listed(Others(shown=[Shown("two", monotonic(), text)])) == {"instances": []}


def test_one_instance_lists_none(rig: StatusRig) -> None:
    assert rig.client().get("/api/instances").get_json() == {"instances": []}


def test_an_open_page_is_told_of_the_instances(rig: StatusRig) -> None:
    others = Others()
    others.shown = [Shown("one", monotonic(), own_text(rig.view, others, True))]
    events = EventStream(rig.view, Journal(), partial(listed, others))
    app = Flask("test")
    directory = Directory(lambda: rig.catalog)
    app.register_blueprint(
        api_blueprint(rig.view, events, directory, rig.clients, partial(listed, others))
    )
    listener = events.listen()
    assert listener is not None
    told = [listener.queue.get(timeout=5) for _ in range(4)]
    events.close()
    kinds = [message.split(b"\n")[0] for message in told if message]
    assert kinds.count(b"event: instances") == 2, kinds
    answer = app.test_client().get("/api/instances").get_json()
    assert [each["name"] for each in answer["instances"]] == ["tv1.example:8081"]
