"""Answers for operators: health and readiness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from flask import Blueprint, Response

from kptv.channels.catalog import Catalog
from kptv.vitals.process import Vitals
from kptv.web.lines import line, where_the_list_is

WORST_LAG = 5.0  # seconds; a process whose timers come later does not serve


class Watched(Protocol):
    """A part that must never stop."""

    @property
    def alive(self) -> bool:
        """Whether it runs, if it should, and is not stuck."""
        ...


def ops_blueprint(
    current_catalog: Callable[[], Catalog | None],
    vitals: Vitals,
    watched: Mapping[str, Watched],
    trouble: Callable[[], str] = lambda: "",
    away: Callable[[], str] = lambda: "",
    follows: Callable[[], bool] = lambda: False,
) -> Blueprint:
    """`/healthz`: the process works, with all ``watched`` parts. `/readyz`: clients are served.

    So a catalog is loaded, no ``trouble`` is why no user is let in, and nobody who counts the
    sources' connections is ``away``. One that ``follows`` gets its catalog from another instance.
    """
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        dead = [name for name, part in watched.items() if not part.alive]
        lag = vitals.lag
        if dead:
            return line(503, f"dead: {', '.join(dead)}")
        if lag > WORST_LAG:
            return line(503, f"event loop {lag:.1f} s late")
        return line(200, f"ok, event loop {lag * 1000:.0f} ms late at most")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        catalog = current_catalog()
        if catalog is None:
            why = " Another instance that shares DATA_DIR is to import it." if follows() else ""
            return line(503, f"No channel list has been imported yet.{why}", 2)
        if why := trouble():
            return line(503, f"No user is let in. {why}", 10)
        if why := away():
            return line(503, f"No limited source is asked for streams: {why}", 2)
        return line(200, f"ok, {len(catalog)} channels")

    return blueprint


def index_blueprint(base_url: str) -> Blueprint:
    """`/` if there is no status page: the address of the list."""
    blueprint = Blueprint("index", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return where_the_list_is(base_url)

    return blueprint
