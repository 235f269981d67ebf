"""An answer without frames is asked for by its view, and only a server that offers it gives it."""

from __future__ import annotations

from flask import Flask, Response, request

from kptv.web.endless import unframed
from kptv.web.framing import UNFRAME


def protocol_of_answer(**environ: object) -> str:
    app = Flask("test")

    @app.get("/stream")
    @unframed
    def stream() -> Response:
        return Response(request.environ["SERVER_PROTOCOL"])

    return app.test_client().get("/stream", environ_overrides=environ).text


def test_a_server_that_offers_it_is_asked() -> None:
    asked = []
    assert protocol_of_answer(**{UNFRAME: lambda: asked.append(True)}) == "HTTP/1.0"
    assert asked == [True]


def test_from_another_server_the_answer_comes_as_the_client_asked() -> None:
    assert protocol_of_answer() == "HTTP/1.1"
