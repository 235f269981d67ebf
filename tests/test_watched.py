"""`/healthz` names each part whose greenlet has ended or is stuck, and no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient
from gevent.event import Event

from kptv import parts as parts_module
from kptv.app import build_web
from kptv.channels.model import Channel
from kptv.parts import AppParts
from kptv.restream import housekeeping
from kptv.restream.lease import Lease
from kptv.upstream import importer
from kptv.vitals import heartbeat, process, repeating
from kptv.web import rendered
from kptv.web.caller import ANYONE
from kptv.web.page import directory, events
from kptv.web.page.view import View
from kptv.web.players import lists
from kptv.web.players.open_streams import OpenStream
from tests.channels.test_catalog import catalog, listing
from tests.parts import CONFIG, built
from tests.restream.test_hub import until

CLOCKS = (directory, events, heartbeat, housekeeping, importer, process, rendered, repeating)
LIMIT = 20.0  # seconds


class Rig:
    """The whole application without a server, its clocks, and what hangs in it."""

    def __init__(self, parts: AppParts, patch: pytest.MonkeyPatch) -> None:
        self.parts = parts
        self.patch = patch
        self.go_on = Event()
        self._ahead = 0.0
        for module in CLOCKS:
            patch.setattr(module, "monotonic", lambda: time.monotonic() + self._ahead)
        app = build_web(parts)
        self.client: FlaskClient = app.test_client()
        self.events = app.extensions["when_stopping"][-1].__self__
        parts.importer.start()
        until(lambda: parts.state.imports()[0].failures == 1)
        parts.catalog.replace(catalog(listing(",News")))

    def hang(self, owner: object, name: str) -> None:
        """The next to call ``name`` waits, as does each after it."""
        self.patch.setattr(owner, name, lambda *args: self.go_on.wait())

    def let_an_hour_pass(self) -> None:
        self._ahead += 3600.0

    def told(self) -> str:
        self.parts.importer._stir.set()  # it may rest for a minute
        return self.client.get("/healthz").text


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(parts_module, "TELL_REPEATS_EVERY", 0.05)
    with gevent.Timeout(LIMIT), built(CONFIG, tmp_path) as parts:
        rig = Rig(parts, monkeypatch)
        yield rig
        rig.go_on.set()
        rig.events.close()


def hang_import(rig: Rig) -> None:
    rig.hang(rig.parts.importer, "_round")
    rig.parts.importer.import_now()


def hang_housekeeping(rig: Rig) -> None:
    rig.hang(rig.parts.hubs.films, "look_after")


def hang_vitals(rig: Rig) -> None:
    rig.hang(rig.parts.vitals, "_tell_where_it_stood")


def hang_log(rig: Rig) -> None:
    rig.hang(rig.parts.teller, "_what")


def hang_lists(rig: Rig) -> None:
    rig.hang(lists, "render")
    rig.parts.catalog.replace(catalog(listing(",Sport")))


def hang_events(rig: Rig) -> None:
    rig.hang(View, "figures")
    rig.client.get("/api/events")


def hang_search(rig: Rig) -> None:
    rig.hang(directory, "index_of")
    gevent.spawn(rig.client.get, "/api/groups")


def hang_streams(rig: Rig) -> None:
    rig.hang(rig.parts.streams, "look")
    gone = Lease()
    rig.parts.streams.enter(OpenStream(ANYONE, Channel("news", "News", ()), gone, until=0.0))


HANGING: dict[str, Callable[[Rig], None]] = {
    name.removeprefix("hang_"): value
    for name, value in globals().items()
    if name.startswith("hang_")
}


@pytest.mark.parametrize("part", HANGING)
def test_a_part_that_hangs_is_named(rig: Rig, part: str) -> None:
    HANGING[part](rig)
    gevent.sleep(1.2)  # all have come round
    assert not rig.told().startswith("dead")
    rig.let_an_hour_pass()
    until(lambda: rig.told() == f"dead: {part}\n")


def greenlets(rig: Rig) -> dict[str, Any]:
    rig.client.get("/api/events")
    return {
        "import": rig.parts.importer._greenlet,
        "housekeeping": rig.parts.hubs._housekeeping._rounds._greenlet,
        "vitals": rig.parts.vitals._greenlet,
        "log": rig.parts.teller._greenlet,
        "rules": rig.parts.reload._repeating._greenlet,
        "events": rig.events._greenlet,
    }


@pytest.mark.parametrize("part", ["import", "housekeeping", "vitals", "log", "rules", "events"])
def test_a_part_that_has_ended_is_named(rig: Rig, part: str) -> None:
    assert not rig.told().startswith("dead")
    greenlets(rig)[part].kill()
    assert rig.told() == f"dead: {part}\n"


def test_events_that_nobody_listens_to_are_no_trouble(rig: Rig) -> None:
    answer = rig.client.get("/api/events")
    answer.close()
    rig.let_an_hour_pass()
    until(lambda: not rig.told().startswith("dead"))


def test_a_list_whose_rendering_was_ended_is_rendered_anew(rig: Rig) -> None:
    with rig.patch.context() as patch:
        patch.setattr(lists, "render", lambda *args: rig.go_on.wait())
        rig.parts.catalog.replace(catalog(listing(",Sport")))
        gevent.sleep(0.01)
        (running,) = rig.parts.served.lists._renderings._running.values()
        running.greenlet.kill()
    assert b",Sport" in rig.client.get("/playlist.m3u8").data
    rig.let_an_hour_pass()
    until(lambda: not rig.told().startswith("dead"))
