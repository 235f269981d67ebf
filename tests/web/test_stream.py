"""Answers of `/stream/…` that cannot be given: nothing of them may stay open."""

from __future__ import annotations

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient

from kptv.channels.model import Channel
from kptv.config import LOOPBACK
from kptv.ports import FilmBody
from kptv.web.clients import Clients
from kptv.web.players.ts import stream_blueprint
from tests.restream.test_hub import NEWS, SOURCES, FakeFilm, Rig, until


class OneChannel:
    """A catalog that has NEWS."""

    def find(self, identifier: str) -> Channel | None:
        return NEWS if identifier == NEWS.slug else None


class Unsendable(FakeFilm):
    headers = {"Content-Type": "video/mp4", "ETag": "a\r\nb"}  # noqa: RUF012


def client_of(rig: Rig, max_clients: int = 5000) -> FlaskClient:
    """Who asks for NEWS, over HTTP."""
    app = Flask(__name__)
    app.testing = True
    catalog = OneChannel()
    blueprint = stream_blueprint(lambda: catalog, rig.hubs, Clients(LOOPBACK), max_clients)  # type: ignore[arg-type, return-value]
    app.register_blueprint(blueprint)
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
