"""Answers of `/stream/…` that cannot be given: nothing of them may stay open."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from kptv.channels.model import Channel
from kptv.channels.users.model import User
from kptv.ports import FilmBody
from kptv.web.caller import CALLER, Caller, CallerKind
from kptv.web.players.open_streams import Access
from kptv.web.players.ts import stream_blueprint
from tests.restream.test_hub import NEWS, ONE, SOURCES, FakeFilm, Rig, until
from tests.shared import hls_of, player_of


class OneChannel:
    """A catalog that has NEWS."""

    def find(self, identifier: str) -> Channel | None:
        return NEWS if identifier == NEWS.slug else None


class Unsendable(FakeFilm):
    headers = {"Content-Type": "video/mp4", "ETag": "a\r\nb"}  # noqa: RUF012


def client_of(
    rig: Rig, max_clients: int = 5000, may_have: Callable[..., bool] = lambda *_: True
) -> FlaskClient:
    """Who asks for NEWS, over HTTP."""
    app = Flask(__name__)
    app.testing = True
    catalog = OneChannel()
    player = player_of(rig.hubs, Access(may_have), max_clients)
    hls = hls_of(rig.hubs, player)
    app.register_blueprint(stream_blueprint(lambda: catalog, player, hls.playlist_of))  # type: ignore[arg-type, return-value]
    return app.test_client()


def test_viewers_of_films_count_for_the_number_of_viewers_that_are_let_in() -> None:
    def is_film(stream: object) -> FilmBody:
        return FakeFilm()

    rig = Rig()
    rig.upstreams.opening = is_film
    film = rig.play(NEWS)
    with gevent.Timeout(10):
        refused = client_of(rig, 1).get("/stream/news")
        assert (refused.status_code, refused.text) == (503, "Too many viewers; try again later.\n")
        film.close()
        assert client_of(rig, 1).get("/stream/news").data == b"film"
    rig.hubs.close()


def test_a_header_that_cannot_be_sent_leaves_no_slot_taken() -> None:
    rig, file = Rig(), Unsendable()

    def is_film(stream: object) -> FilmBody:
        return file

    rig.upstreams.opening = is_film
    with pytest.raises(ValueError, match="newline"), gevent.Timeout(10):
        client_of(rig).get("/stream/news")
    assert file.closed == 1
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    rig.hubs.close()


GUEST = User(id=7, name="guest", groups=("Sport",))


def as_guest(path: str, method: str = "GET") -> EnvironBuilder:
    guest = Caller(CallerKind.USER, GUEST)
    return EnvironBuilder(path, method=method, environ_overrides={CALLER: guest})


@pytest.mark.parametrize("name", ["news", "News", "NEWS.ts", "news.m3u8"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_channel_outside_a_users_rights_is_as_one_that_does_not_exist(
    name: str, method: str
) -> None:
    rig = Rig()
    client = client_of(rig, may_have=lambda rights, channel: channel.slug == "sport")
    with gevent.Timeout(10):
        forbidden = client.open(as_guest(f"/stream/{name}", method))
        missing = client.open(as_guest("/stream/nothing", method))
    assert forbidden.status_code == 404
    assert (forbidden.status, forbidden.headers, forbidden.data) == (
        missing.status,
        missing.headers,
        missing.data,
    )
    assert not rig.upstreams.opened
    rig.hubs.close()


def test_a_running_channel_outside_a_users_rights_is_not_there_either() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"on")
    playing = rig.play(NEWS)
    client = client_of(rig, may_have=lambda *_: False)
    with gevent.Timeout(10):
        assert client.open(as_guest("/stream/news")).status_code == 404
    playing.close()
    rig.hubs.close()


def test_without_a_login_nobody_is_asked_for_rights() -> None:
    rig = Rig()
    client = client_of(rig, may_have=lambda *_: False)
    assert client.head("/stream/news").status_code == 200
    rig.hubs.close()
