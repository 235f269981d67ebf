"""Answers for those who run it: health and readiness."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from kptv.channels.catalog import Catalog
from kptv.web.text import line


def ops_blueprint(current_catalog: Callable[[], Catalog | None], base_url: str) -> Blueprint:
    """`/healthz`: the process answers. `/readyz`: a catalog is loaded. `/`: where to go."""
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return line(200, f"KPTV Proxy. The list for your player: {base_url}/playlist.m3u8")

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return line(200, "ok")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        catalog = current_catalog()
        if catalog is None:
            return line(503, "No channel list has been imported yet.", 2)
        return line(200, f"ok, {len(catalog)} channels")

    return blueprint
