"""Builds every part and joins them; the only place that knows all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from time import time
from wsgiref.types import StartResponse, WSGIEnvironment

import gevent
from flask import Flask, Response, request
from gevent.greenlet import Greenlet
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from kptv.channels.current import CurrentCatalog
from kptv.channels.local_health import LocalHealth
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.logs import Log, set_up_logging
from kptv.metrics.counters import Metrics
from kptv.metrics.exposition import Exposition
from kptv.restream.buffer import Budget
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Journal
from kptv.restream.shared import Shared, policy_of
from kptv.restream.slots import LocalSlots
from kptv.upstream.client import HttpClient
from kptv.upstream.importer import Importer
from kptv.upstream.open import Opener
from kptv.upstream.road import Roads
from kptv.vitals.process import Vitals
from kptv.vitals.watchdog import to_stderr
from kptv.web.clients import Clients, bound_sends
from kptv.web.lines import line
from kptv.web.ops import index_blueprint, ops_blueprint
from kptv.web.page.admin import Admin
from kptv.web.page.api import api_blueprint, json_error
from kptv.web.page.directory import Directory
from kptv.web.page.events import EventStream
from kptv.web.page.status import status_blueprint
from kptv.web.page.view import View
from kptv.web.players.links import meant_path
from kptv.web.players.lists import ServedLists, playlist_blueprint
from kptv.web.players.ts import stream_blueprint
from kptv.web.sockets import public_address
from kptv.web.state import StateReader

log = logging.getLogger(__name__)


LONGEST_BODY = 64 * 1024  # bytes of a request's; a route may allow less
TELL_REPEATS_EVERY = 5.0  # seconds between two looks for repeated trouble to tell of


@dataclass(frozen=True, slots=True)
class Background:
    """What runs in the background of the application (``app.extensions["kptv"]``)."""

    hubs: Hubs
    importer: Importer
    client: HttpClient
    vitals: Vitals
    feed: EventStream
    teller: Greenlet

    def end_streams(self) -> None:
        """End all answers that have no end by themselves; may come twice."""
        self.feed.close()
        self.hubs.close()

    def close(self) -> None:
        """End everything; may come twice."""
        self.end_streams()
        self.importer.close()
        self.client.close()
        self.client.roads.close()
        self.vitals.close()
        self.teller.kill(block=False)


def create_app(config: Config) -> Flask:
    """The WSGI application, with its greenlets running."""
    log_of_process = set_up_logging(config)
    for warning in config.warnings:
        log.warning("%s", warning)
    metrics = Metrics()
    vitals = Vitals(metrics, to_stderr(config.log_format))
    shared = _shared(config, metrics)
    roads = Roads(config.allow_private_upstreams, config.port)
    client = HttpClient(config, roads)
    opener = Opener(config, client, shared.rhythms)
    clients = Clients(config.trusted_proxies)
    if address := public_address():
        clients.tell_exposed(address, f"This machine has a public address, {address}")
    hubs = Hubs(shared, opener.open_stream, opener.open_file)
    lists = ServedLists(config)
    current = CurrentCatalog(
        lambda catalog: log_of_process.redactor.learn(catalog.secrets),
        lists.replace,
        lambda _: opener.forget(),
        lambda _: hubs.files.forget(),
    )

    def imported() -> None:
        if catalog := current.get():
            hubs.imported(catalog.find, importer.take_imported())

    importer = Importer(config, client, on_catalog=current.replace, on_import=imported)
    state = StateReader(
        slots=shared.slots,
        health=shared.health,
        vitals=vitals,
        current_catalog=current.get,
        imports=lambda: importer.states,
        stale_names=lambda number: roads.names.stale[number],
    )
    view = View(config, hubs, state, log_of_process, clients, started=time())
    feed = EventStream(view)
    teller = gevent.spawn(_tell_repeats, log_of_process)
    app = Flask("kptv", static_folder=None)
    app.url_map.merge_slashes = False  # by a redirect, which would lead out of BASE_URL's path
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    app.extensions["kptv"] = Background(hubs, importer, client, vitals, feed, teller)
    app.register_blueprint(stream_blueprint(current.get, hubs, clients, config.max_clients))
    app.register_blueprint(playlist_blueprint(lists))
    alive = {
        "import": lambda: importer.alive,
        "housekeeping": lambda: hubs.alive,
        "vitals": lambda: vitals.alive,
    }
    app.register_blueprint(ops_blueprint(current.get, vitals, alive))
    if config.status_page:
        directory, admin = Directory(current.get), Admin(config.admin_token, clients)
        app.register_blueprint(status_blueprint(config.base_url))
        app.register_blueprint(
            api_blueprint(view, feed, directory, admin, clients, importer.import_now)
        )
    else:
        app.register_blueprint(index_blueprint(config.base_url))
    _read_links_as_meant(app)
    app.before_request(bound_sends)
    app.register_error_handler(HTTPException, _error)
    _export_metrics(app, Exposition(metrics, state.read))
    importer.start()
    return app


def _shared(config: Config, metrics: Metrics) -> Shared:
    """What hubs share, all in the memory of this process."""
    policy = policy_of(config)
    return Shared(
        config=config,
        policy=policy,
        metrics=metrics,
        slots=LocalSlots(config.sources),
        health=LocalHealth(policy),
        rhythms=Rhythms(config.stall_timeout),
        budget=Budget(config.max_buffer_size),
        journal=Journal(),
    )


def _read_links_as_meant(app: Flask) -> None:
    """Before a route is looked for."""
    inner = app.wsgi_app

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = meant_path(environ["PATH_INFO"])
        return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]


def _tell_repeats(log_of_process: Log) -> None:
    while True:
        gevent.sleep(TELL_REPEATS_EVERY)
        log_of_process.tell_repeats()


_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))


def _name_odd_method() -> None:
    """A method is a label: clients that make some up must not make series."""
    if request.method not in _METHODS:
        request.method = "OTHER"


def _export_metrics(app: Flask, metrics: Exposition) -> None:
    """`/metrics`: ours, and those of the HTTP requests; a stream is no request with a duration."""
    app.before_request(_name_odd_method)
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    PrometheusMetrics(app, registry=registry, group_by="url_rule")


def _error(error: HTTPException) -> Response:
    """JSON below `/api/`, a line elsewhere."""
    return json_error(error) if request.path.startswith("/api/") else _one_line(error)


def _one_line(error: HTTPException) -> Response:
    """Errors are one line of plain text, with the headers that belong to them (Allow, …)."""
    answer = line(error.code or 500, error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer
