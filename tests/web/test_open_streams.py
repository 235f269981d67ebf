"""Streams of users: they begin as the limit allows, and end with the right to them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from time import monotonic, process_time
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent import Greenlet
from gevent.event import Event
from werkzeug.test import EnvironBuilder

from kptv.channels.model import Channel, Source, Stream
from kptv.channels.users.model import Rights, Standing, User
from kptv.channels.users.streams import Claim, LocalStreamCounts, StreamCounts, Verdict
from kptv.channels.users.table import UserTable
from kptv.config import LOOPBACK
from kptv.metrics.user_figures import UserFigures
from kptv.ports import FilmBody
from kptv.restream.lease import Client, Lease
from kptv.restream.slots import LocalSlots
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.clients import Clients
from kptv.web.players import open_streams
from kptv.web.players.open_streams import Access, OpenStream, OpenStreams
from kptv.web.players.player import Player, Refusal
from tests.restream.test_hub import FakeFilm, Rig, until

LIMIT = 10.0  # seconds
ANNA = User(id=1, name="anna", max_streams=1)
SOURCE = Source(1, "http://one/", 0)
NEWS, SPORT, KIDS = (
    Channel(name.lower(), name, (Stream(SOURCE, f"http://one/{name}.ts"),))
    for name in ("News", "Sport", "Kids")
)


class House:
    """A player over fake upstreams, users, and who watches."""

    def __init__(self, *users: User, counts: StreamCounts | None = None) -> None:
        self.rig = Rig(LocalSlots((SOURCE,)), stream_linger=0.0)
        self.users = {user.id: user for user in users}
        self.login_is_needed = bool(users)
        self.figures = UserFigures()
        access = Access(self.may_have, self.still, lambda: UserTable(self.users.values()))
        self.streams = OpenStreams(self.rig.hubs.let_go, access, self.figures, counts)
        self.player = Player(self.rig.hubs, Clients(LOOPBACK), 100, access, self.streams)
        self.app = Flask(__name__)
        self.app.testing = True
        self.viewers: list[Viewer] = []

    def may_have(self, rights: Rights, channel: Channel) -> bool:
        return rights.groups is not None and channel.slug in rights.groups

    def still(self, caller: Caller) -> bool:
        if caller.user is None:
            return not self.login_is_needed
        user = self.users.get(caller.user_id)
        return user is not None and user.standing(0.0) is Standing.ACTIVE

    def change(self, name: str, **changes: object) -> None:
        for user in self.users.values():
            if user.name == name:
                self.users[user.id] = replace(user, **changes)  # type: ignore[arg-type]
        self.streams.changed()

    def watch(
        self,
        channel: Channel,
        user: User | None = None,
        address: str = "192.0.2.1",
        duration: float | None = None,
    ) -> Viewer:
        caller = Caller(CallerKind.USER, user) if user else ANYONE
        viewer = Viewer(self, channel, caller, address, duration)
        self.viewers.append(viewer)
        gevent.idle()
        return viewer

    def play(self, channel: Channel, user: User | None = None, **how: object) -> Viewer:
        """As ``watch``, and it has media."""
        self.rig.upstreams.feed(channel.streams[0], b"on")
        viewer = self.watch(channel, user, **how)  # type: ignore[arg-type]
        until(lambda: viewer.received > 0)
        return viewer

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.leave()
        self.streams.close()
        self.rig.hubs.close()


class Viewer:
    """Asks for a channel and reads what comes."""

    def __init__(
        self,
        house: House,
        channel: Channel,
        caller: Caller,
        address: str,
        duration: float | None,
    ) -> None:
        self.status = 0
        self.text = ""
        self.refusal: Refusal | None = None
        self.retry_after: str | None = None
        self.received = 0
        environ = EnvironBuilder(
            environ_base={"REMOTE_ADDR": address}, environ_overrides={CALLER: caller}
        ).get_environ()
        self._greenlet: Greenlet = gevent.spawn(self._run, house, channel, environ, duration)

    def _run(self, house: House, channel: Channel, environ: object, duration: object) -> None:
        with house.app.request_context(environ):  # type: ignore[arg-type]
            response, self.refusal = house.player.answer(channel, duration)  # type: ignore[arg-type]
        self.status, self.retry_after = response.status_code, response.headers.get("Retry-After")
        try:
            if self.refusal:
                self.text = response.get_data(as_text=True)
                return
            for data in response.iter_encoded():
                self.received += len(data)
        finally:
            response.close()

    @property
    def over(self) -> bool:
        """The answer has ended."""
        return bool(self._greenlet.ready())

    def leave(self) -> None:
        self._greenlet.kill()


class SilentFilm(FakeFilm):
    """Begins, and says no more."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"film"
        gevent.sleep(LIMIT * 2)


@pytest.fixture
def house() -> Iterator[House]:
    house = House(ANNA)
    yield house
    house.close()
    assert not list(house.streams), "a stream is left"
    assert not any(house.figures.streams.values())
    until(lambda: not house.rig.hubs.slots.held(SOURCE))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptv.channels.users.streams.GRACE", 0.2)
    monkeypatch.setattr(open_streams, "GRACE", 0.2)
    monkeypatch.setattr(open_streams, "LOOK_EVERY", 0.05)


def test_one_over_the_limit_plays_and_the_oldest_ends(house: House) -> None:
    first = house.play(NEWS, ANNA)
    second = house.play(SPORT, ANNA, address="192.0.2.2")
    assert not first.over
    until(lambda: first.over)
    assert not second.over
    assert house.figures.ended == {("anna", "limit"): 1}


def test_whoever_takes_over_too_soon_is_refused_and_no_provider_is_asked(house: House) -> None:
    house.play(NEWS, ANNA)
    house.play(SPORT, ANNA, address="192.0.2.2")
    refused = house.watch(KIDS, ANNA, address="192.0.2.3")
    until(lambda: refused.over)
    assert (refused.status, refused.refusal, refused.retry_after) == (429, Refusal.LIMIT, "5")
    assert house.rig.upstreams.opened == [NEWS.streams[0].url, SPORT.streams[0].url]
    assert house.figures.refused == {"anna": 1}
    assert house.figures.streams == {"anna": 2}


def test_zapping_ends_what_it_leaves_at_once(house: House) -> None:
    for channel in (NEWS, SPORT, KIDS, NEWS, SPORT, KIDS):
        assert house.play(channel, ANNA).status == 200
        assert len(house.rig.hubs) <= 2
    until(lambda: len(house.rig.hubs) == 1)


def test_twenty_at_once_ask_providers_for_no_more_than_one_over_the_limit(house: House) -> None:
    """What is ended is closed before what takes its place is opened."""
    names = [f"channel-{number}" for number in range(20)]
    channels = [Channel(n, n, (Stream(SOURCE, f"http://one/{n}.ts"),)) for n in names]
    caller = Caller(CallerKind.USER, ANNA)
    for channel in channels:  # before any of them has a turn
        house.viewers.append(Viewer(house, channel, caller, "192.0.2.1", None))
    until(lambda: sum(not viewer.over for viewer in house.viewers) == 2)
    assert house.rig.upstreams.most_open <= 2
    assert {viewer.status for viewer in house.viewers if viewer.over} == {429}
    until(lambda: sum(not viewer.over for viewer in house.viewers) == 1)
    assert house.figures.streams == {"anna": 1}


def test_one_that_gives_way_before_it_begins_is_answered_and_not_hung_up(house: House) -> None:
    hung_up: list[Channel] = []
    caller, client = Caller(CallerKind.USER, ANNA), Client("192.0.2.1", "TV")
    first, second, third = (
        OpenStream(caller, each, Lease(client=client, on_drop=partial(hung_up.append, each)))
        for each in (NEWS, SPORT, KIDS)
    )
    assert house.streams.enter(first) == house.streams.enter(second) == 0.0
    waits = gevent.spawn(house.streams.enter, third)  # the second one is slow to close
    until(lambda: third in list(house.streams))
    house.streams.end(third.lease.number)
    assert waits.get(timeout=LIMIT) > 0
    assert hung_up == [SPORT]
    for stream in (first, second):
        stream.lease.end()


def test_nothing_begins_while_one_that_was_ended_for_the_limit_is_not_closed(
    house: House,
) -> None:
    caller, client = Caller(CallerKind.USER, ANNA), Client("192.0.2.1", "TV")
    first, second, third = (
        OpenStream(caller, each, Lease(client=client)) for each in (NEWS, SPORT, KIDS)
    )
    assert house.streams.enter(first) == house.streams.enter(second) == 0.0
    until(lambda: first.ending is not None)  # the time is over in which both may be open
    waits = gevent.spawn(house.streams.enter, third)
    until(lambda: third in list(house.streams))
    assert not waits.ready(), "three would be open"
    first.lease.end()
    assert waits.get(timeout=LIMIT) == 0.0
    assert second.ending is None
    for stream in (second, third):
        stream.lease.end()


def test_a_user_whose_streams_do_not_give_way_waits_for_room() -> None:
    house = House(replace(ANNA, refuses=True))
    anna = house.users[1]
    first = house.play(NEWS, anna)
    second = house.watch(SPORT, anna)
    gevent.sleep(0.05)
    assert not second.over
    house.rig.upstreams.feed(SPORT.streams[0], b"on")
    first.leave()
    until(lambda: second.received > 0)
    house.close()


def test_and_is_refused_if_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=monotonic())  # which stands still: nobody has waited long enough
    monkeypatch.setattr(open_streams, "monotonic", lambda: clock.now)
    house = House(replace(ANNA, refuses=True))
    anna = house.users[1]
    first = house.play(NEWS, anna)
    refused = [house.watch(SPORT, anna) for _ in range(20)]
    assert sum(not viewer.over for viewer in refused) == 8  # no crowd waits
    clock.now += open_streams.GRACE
    until(lambda: all(viewer.over for viewer in refused))
    assert {viewer.status for viewer in refused} == {429}
    assert house.rig.upstreams.opened == [NEWS.streams[0].url]
    assert not first.over
    assert house.play(NEWS, anna).status == 200  # no stream more
    house.close()


def test_a_user_who_is_disabled_while_waiting_for_room_is_not_let_in() -> None:
    house = House(replace(ANNA, refuses=True))
    anna = house.users[1]
    first = house.play(NEWS, anna)
    second = house.watch(SPORT, anna)
    house.change("anna", enabled=False)
    first.leave()
    until(lambda: second.over)
    assert second.status == 429
    assert house.rig.upstreams.opened == [NEWS.streams[0].url]
    house.close()


class FarCounts(LocalStreamCounts):
    """Their answers take until ``answer`` is set, on their way back."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Event()

    def ask(self, user: int, claim: Claim, *how: Any) -> Verdict:
        verdict = super().ask(user, claim, *how)
        try:
            self.answer.wait(LIMIT)
        except BaseException:
            self.leave(user, claim.number)
            raise
        return verdict


@pytest.mark.parametrize("changes", [{"enabled": False}, {"groups": ("Sport",)}], ids=str)
def test_what_is_not_allowed_any_more_once_the_answer_comes_is_not_opened(
    changes: dict[str, object],
) -> None:
    counts = FarCounts()
    house = House(ANNA, counts=counts)
    viewer = house.watch(NEWS, ANNA)
    house.change("anna", **changes)
    counts.answer.set()
    until(lambda: viewer.over)
    assert (viewer.status, viewer.refusal) == (429, Refusal.LIMIT)
    assert not house.rig.upstreams.opened
    assert repr(counts) == "<LocalStreamCounts users=0>"
    assert not any(house.figures.streams.values())
    house.close()


def test_whoever_leaves_before_the_answer_comes_has_no_claim() -> None:
    counts = FarCounts()
    house = House(ANNA, counts=counts)
    viewer = house.watch(NEWS, ANNA)
    viewer.leave()
    assert not house.rig.upstreams.opened
    assert repr(counts) == "<LocalStreamCounts users=0>"
    assert not any(house.figures.streams.values())
    house.close()


@pytest.mark.parametrize("changes", [{"enabled": False}, {"expires": -1}], ids=str)
def test_streams_of_a_user_who_is_let_in_no_more_end(
    house: House, changes: dict[str, object]
) -> None:
    watching = house.play(NEWS, ANNA)
    starting = house.watch(NEWS, ANNA)
    house.change("anna", **changes)
    until(lambda: watching.over and starting.over)
    assert house.figures.ended == {("anna", "login"): 2}


def test_a_stream_that_begins_and_ends_so_says_why(house: House) -> None:
    viewer = house.watch(NEWS, ANNA)
    house.change("anna", enabled=False)
    until(lambda: viewer.over)
    assert (viewer.status, viewer.refusal) == (429, Refusal.LIMIT)
    assert viewer.text == "News: whoever watches is not let in any more.\n"


def test_the_time_over_which_a_user_may_watch_is_noticed_by_itself(house: House) -> None:
    viewer = house.play(NEWS, ANNA)
    house.users[1] = replace(ANNA, expires=-1)  # nothing tells of a change
    until(lambda: viewer.over)


def test_a_deleted_users_streams_and_figures_go(house: House) -> None:
    viewer = house.play(NEWS, ANNA)
    del house.users[1]
    house.streams.changed()
    until(lambda: viewer.over)
    house.streams.changed()
    assert not house.figures.streams
    assert not house.figures.ended


def test_only_channels_that_are_not_allowed_any_more_end(house: House) -> None:
    house.change("anna", max_streams=0)
    news, sport = house.play(NEWS, ANNA), house.play(SPORT, ANNA)
    house.change("anna", groups=("Sport", "Kids"))
    until(lambda: news.over)
    gevent.sleep(0.1)
    assert not sport.over
    assert house.figures.ended == {("anna", "rights"): 1}


def test_a_limit_that_is_lowered_ends_the_oldest(house: House) -> None:
    anna = replace(ANNA, max_streams=0)
    house.change("anna", max_streams=0)
    first, second, third = (house.play(channel, anna) for channel in (NEWS, SPORT, KIDS))
    house.change("anna", max_streams=1)
    until(lambda: first.over and second.over)
    assert not third.over


def test_the_first_user_ends_the_streams_of_everybody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    viewers = [house.play(channel) for channel in (NEWS, SPORT)]
    house.users[1], house.login_is_needed = ANNA, True
    with caplog.at_level(logging.INFO, open_streams.log.name):
        house.streams.changed()
        until(lambda: all(viewer.over for viewer in viewers))
    told = [record.message for record in caplog.records if record.name == open_streams.log.name]
    assert told == ["2 streams of nobody in particular are ended: a login is needed"]
    house.close()


def test_without_users_nothing_is_looked_at() -> None:
    house = House()
    house.streams.changed()
    house.play(NEWS)
    assert house.streams._looks is None
    assert house.streams.alive
    house.close()


def test_the_operator_ends_one(house: House, caplog: pytest.LogCaptureFixture) -> None:
    viewer = house.play(NEWS, ANNA)
    (stream,) = house.streams
    with caplog.at_level(logging.INFO):
        assert house.streams.end(stream.lease.number)
        assert house.streams.end(stream.lease.number)
    assert house.figures.ended == {("anna", "operator"): 1}
    until(lambda: viewer.over)
    assert "news: user anna's stream is ended: the operator ended it" in caplog.messages
    assert not house.streams.end(stream.lease.number)


def test_a_duration_that_was_asked_for_ends_it() -> None:
    house = House()
    viewer = house.play(NEWS, duration=0.2)
    assert not viewer.over
    until(lambda: viewer.over)
    house.close()


def test_a_film_ends_too_though_its_provider_is_silent(house: House) -> None:
    silent = SilentFilm()

    def is_film(stream: object) -> FilmBody:
        return silent

    house.rig.upstreams.opening = is_film
    viewer = house.watch(NEWS, ANNA)
    until(lambda: viewer.received > 0)
    house.change("anna", enabled=False)
    until(lambda: viewer.over)
    assert silent.closed == 1


def test_what_fails_to_start_is_not_open(house: House) -> None:
    house.rig.hubs.close()
    viewer = house.watch(NEWS, ANNA)
    until(lambda: viewer.over)
    assert (viewer.status, viewer.refusal) == (503, Refusal.BROKEN)
    assert not list(house.streams)


def test_a_viewer_who_leaves_before_there_is_media_is_not_open(house: House) -> None:
    viewer = house.watch(NEWS, ANNA)
    assert house.figures.streams == {"anna": 1}
    viewer.leave()
    assert not list(house.streams)


def test_one_who_has_departed_does_not_count_and_is_let_go(house: House) -> None:
    let_go: list[Lease] = []
    streams = OpenStreams(let_go.append, Access(), house.figures)
    caller = Caller(CallerKind.USER, replace(ANNA, refuses=True))
    departed = Lease(client=Client("192.0.2.1", "TV"), departed=lambda: True)
    other = Lease(client=Client("192.0.2.2", "TV"))
    assert not streams.enter(OpenStream(caller, NEWS, departed))
    assert not streams.enter(OpenStream(caller, SPORT, other))
    assert let_go == [departed]
    assert not house.figures.ended  # it had left
    departed.end()
    departed.end()
    other.end()
    assert not list(streams)
    streams.close()


def test_a_thousand_users_are_looked_at_in_little_time(house: House) -> None:
    users = [User(id=n, name=f"user{n}", groups=("News",)) for n in range(1000)]
    table = UserTable(users)
    streams = OpenStreams(
        lambda lease: None, Access(lambda *_: True, users=lambda: table), house.figures
    )
    leases = [Lease(client=Client("192.0.2.1", "TV")) for _ in users]
    for user, lease in zip(users, leases, strict=True):
        streams.enter(OpenStream(Caller(CallerKind.USER, user), NEWS, lease))
    streams.look()  # the rights of each are made once
    before = process_time()
    streams.look()
    assert process_time() - before < 0.1  # 6 ms
    for lease in leases:
        lease.end()
    streams.close()
