"""Builds every part and joins them; the only place that knows all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from kptv.channels.catalog import Catalog
from kptv.config import Config
from kptv.logs import set_up_logging
from kptv.metrics import Metrics
from kptv.restream.hubs import Hubs
from kptv.upstream.client import Client
from kptv.upstream.importer import Importer
from kptv.upstream.open import Opener
from kptv.web.ops import ops_blueprint
from kptv.web.playlist import ServedLists, playlist_blueprint
from kptv.web.stream import stream_blueprint
from kptv.web.text import line

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs in the background of the application (``app.extensions["kptv"]``)."""

    hubs: Hubs
    importer: Importer
    client: Client

    def stop_when(self, stopping: Callable[[], bool]) -> None:
        """End all streams as soon as ``stopping`` says so."""
        self.hubs.stop_when(stopping)

    def close(self) -> None:
        """End all streams and imports; may come twice."""
        self.hubs.close()
        self.importer.close()
        self.client.close()


def create_app(config: Config) -> Flask:
    """The WSGI application, with its greenlets running."""
    set_up_logging(config)
    for warning in config.warnings:
        log.warning("%s", warning)
    metrics = Metrics()
    client = Client(config)
    opener = Opener(config, client)
    hubs = Hubs(config, metrics, opener.open_stream, opener.open_file)
    lists = ServedLists(config)

    def current_catalog() -> Catalog | None:
        return lists.catalog

    def imported() -> None:
        if catalog := lists.catalog:
            hubs.imported(catalog.find)

    importer = Importer(config, client, on_catalog=lists.replace, on_import=imported)
    app = Flask("kptv", static_folder=None)
    app.extensions["kptv"] = Parts(hubs, importer, client)
    app.register_blueprint(stream_blueprint(current_catalog, hubs))
    app.register_blueprint(playlist_blueprint(lists))
    app.register_blueprint(ops_blueprint(current_catalog, config.base_url))
    app.register_error_handler(HTTPException, _one_line)
    _export_metrics(app, metrics)
    importer.start()
    return app


def _export_metrics(app: Flask, metrics: Metrics) -> None:
    """`/metrics`: ours, and those of the HTTP requests; a stream is no request with a duration."""
    registry = CollectorRegistry()
    registry.register(metrics)
    PrometheusMetrics(
        app, registry=registry, group_by="url_rule", excluded_paths=["^/stream/", "^/metrics$"]
    )


def _one_line(error: HTTPException) -> Response:
    """Errors are one line of plain text, with the headers that belong to them (Allow, …)."""
    answer = line(error.code or 500, error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer
