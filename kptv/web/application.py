"""The Flask application around all routes: paths, errors, and figures of the requests."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from kptv.web.access import NO_REFERRER, Gate
from kptv.web.caller import CallerKind, caller
from kptv.web.clients import bound_sends
from kptv.web.lines import line
from kptv.web.page.json_answers import json_error
from kptv.web.players.links import meant_path

LONGEST_BODY = 64 * 1024  # bytes of a request's; a route may allow less
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))


def new_application(metrics: Collector, gate: Gate | None = None) -> Flask:
    """An application with the route `/metrics`, which tells ``metrics``, and no other yet.

    ``gate`` decides who is let in; without one, everybody is.
    """
    app = Flask("kptv", static_folder=None)
    app.url_map.merge_slashes = False  # by a redirect, which would lead out of BASE_URL's path
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    _stand_before(app, gate)
    app.before_request(bound_sends)
    app.register_error_handler(HTTPException, _error)
    _export(app, metrics)
    return app


def _stand_before(app: Flask, gate: Gate | None) -> None:
    """Read paths as they are meant, and let in or refuse, before a route is looked for."""
    inner = app.wsgi_app

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        shown = gate.read(environ) if gate is not None else None
        environ["PATH_INFO"] = meant_path(environ["PATH_INFO"])
        refusal = gate.refusal(environ, shown) if gate is not None else None
        return (refusal or inner)(environ, start_response)

    def keep_private(response: Response) -> Response:
        """What callers see goes no further: neither from a cache, nor with a link's address."""
        if gate is not None and gate.is_closed:
            response.headers["Referrer-Policy"] = NO_REFERRER
            kept = response.headers.get("Cache-Control", "")
            if caller().kind is not CallerKind.ANYONE and kept.startswith("public"):
                response.headers["Cache-Control"] = kept.replace("public", "private", 1)
        return response

    app.after_request(keep_private)
    app.wsgi_app = outer  # type: ignore[method-assign]


def _export(app: Flask, metrics: Collector) -> None:
    """`/metrics`: ours, the process's, and those of the HTTP requests."""
    app.before_request(_name_odd_method)
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    PrometheusMetrics(app, registry=registry, group_by="url_rule")


def _name_odd_method() -> None:
    """A method is a label: clients that make some up must not make series."""
    if request.method not in _METHODS:
        request.method = "OTHER"


def _error(error: HTTPException) -> Response:
    """JSON below `/api/`, a line elsewhere; by the path, as there may be no route."""
    return json_error(error) if request.path.startswith("/api/") else _one_line(error)


def _one_line(error: HTTPException) -> Response:
    """One line of plain text, with the headers that belong to the error (Allow, …)."""
    answer = line(error.code or 500, error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer
