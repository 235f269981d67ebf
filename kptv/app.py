"""Builds the application: the parts, and the routes before them. The only place that knows all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask

from kptv.channels.tuners import tuner_count
from kptv.config import Config
from kptv.kept.device import DeviceIds
from kptv.logs import set_up_logging
from kptv.metrics.exposition import Exposition
from kptv.parts import AppParts, build_parts
from kptv.start import greet
from kptv.web.application import new_application
from kptv.web.ops import Watched, index_blueprint, ops_blueprint
from kptv.web.page.actions import actions_blueprint, session_blueprint
from kptv.web.page.api import api_blueprint
from kptv.web.page.directory import Directory
from kptv.web.page.events import EventStream
from kptv.web.page.everywhere import Everywhere
from kptv.web.page.guide import guide_blueprint as guide_api_blueprint
from kptv.web.page.instances import alone, listed, own_text
from kptv.web.page.public import Public
from kptv.web.page.reports import Reports
from kptv.web.page.rules import rules_blueprint
from kptv.web.page.status import status_blueprint
from kptv.web.page.unlike import Unlike
from kptv.web.page.users import users_blueprint
from kptv.web.page.view import View
from kptv.web.players.addresses import own_address
from kptv.web.players.directions import NOBODY_IS_DIRECTED, Directions
from kptv.web.players.guide import guide_blueprint
from kptv.web.players.hdhomerun import hdhomerun_blueprint
from kptv.web.players.hls import Hls, hls_blueprint
from kptv.web.players.lists import playlist_blueprint
from kptv.web.players.logos import HiddenLogos, logo_blueprint
from kptv.web.players.player import Player
from kptv.web.players.ts import stream_blueprint
from kptv.web.players.xtream import xtream_blueprint
from kptv.web.players.xtream_parts import XtreamParts
from kptv.web.rendered import TAG_KEY

if TYPE_CHECKING:
    from kptv.web.discovery import Discovery


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The status page: its routes, and what makes it live."""

    blueprints: tuple[Blueprint, ...]
    events: EventStream
    directory: Directory
    reports: Reports


def create_app(config: Config) -> Flask:
    """The WSGI application, with its greenlets running.

    ``app.extensions["when_stopping"]`` ends what has no end by itself: streams and events.
    """
    log_of_process = set_up_logging(config)
    greet(config, log_of_process)
    parts = build_parts(config, log_of_process)
    parts.entrance.tell_login()
    app = build_web(parts, directs=parts.instances is not None)
    parts.reload.now()  # a worker that is replaced has the rules of the start
    parts.guide_round.open_last()
    parts.importer.start()
    return app


def build_web(parts: AppParts, directs: bool = False) -> Flask:
    """The routes, and what they answer from; ``directs``: there are several instances."""
    config, catalog, hubs = parts.config, parts.catalog, parts.hubs
    app = new_application(Exposition(parts.metrics, parts.state.read), parts.entrance.gate)
    app.extensions["when_stopping"] = [
        parts.windows.close,
        hubs.close,
        parts.streams.close,
        parts.users.close,
        parts.logos.close,
        parts.guide_round.close,
    ]
    if parts.tag_key is not None:
        app.extensions[TAG_KEY] = parts.tag_key
    windows = parts.windows
    player = Player(
        hubs,
        parts.clients,
        config.max_clients,
        parts.access,
        parts.streams,
        windows,
        Directions(partial(own_address, config)) if directs else NOBODY_IS_DIRECTED,
    )
    hls = Hls(windows, player, parts.metrics.hls, lambda: parts.users.is_on)
    app.register_blueprint(stream_blueprint(catalog.get, player, hls.playlist_of))
    app.register_blueprint(hls_blueprint(catalog.get, player, hls))
    app.register_blueprint(playlist_blueprint(parts.served.lists))
    app.register_blueprint(guide_blueprint(parts.served.guide, parts.served.lists))
    hidden = HiddenLogos(catalog.get)
    app.register_blueprint(logo_blueprint(hidden, parts.logos.get, player.may_have))
    app.register_blueprint(_build_xtream(parts, player, hls))
    watched = _watched(parts)
    if config.hdhomerun != "off":
        app.register_blueprint(hdhomerun_blueprint(parts.served.devices, player))
        watched["lineups"] = parts.served.devices
    if config.hdhomerun == "on":
        discovery = _build_discovery(config, parts.served.device_ids)
        app.extensions["when_stopping"].append(discovery.close)
        watched["discovery"] = discovery
    if config.status_page:
        page = _build_page(parts)
        for blueprint in page.blueprints:
            app.register_blueprint(blueprint)
        app.extensions["when_stopping"].append(page.events.close)
        watched |= {"events": page.events, "search": page.directory, "reports": page.reports}
    else:
        app.register_blueprint(index_blueprint(config.base_url))
    if parts.instances is not None:
        watched["instances"] = parts.instances
        app.extensions["when_stopping"].append(parts.instances.close)  # when all is hung up
    ops = ops_blueprint(
        catalog.get,
        parts.vitals,
        watched,
        lambda: parts.users.trouble,
        lambda: parts.instances.away if parts.instances else "",
        lambda: parts.importer.follows,
    )
    app.register_blueprint(ops)
    return app


def _watched(parts: AppParts) -> dict[str, Watched]:
    """What must never stop, as `/healthz` names it; without what settings leave out."""
    return {
        "import": parts.importer,
        "housekeeping": parts.hubs,
        "vitals": parts.vitals,
        "log": parts.teller,
        "lists": parts.served.lists,
        "xtream": parts.served.xtream,
        "guide": parts.guide_round,
        "rules": parts.reload,
        "users": parts.users,
        "streams": parts.streams,
        "windows": parts.windows,
    }


def _build_xtream(parts: AppParts, player: Player, hls: Hls) -> Blueprint:
    hubs = parts.hubs
    return xtream_blueprint(
        XtreamParts(
            config=parts.config,
            lists=parts.served.xtream,
            guide=parts.served.guide,
            player=player,
            playing=lambda: [hub.channel for hub in hubs.all()],
            open_streams=parts.streams.of_user,
            playlist=hls.playlist,
        ),
        urlsplit(parts.config.base_url).path,
    )


def _build_discovery(config: Config, ids: DeviceIds) -> Discovery:
    from kptv.web.discovery import Announced, Discovery  # only for those who want it

    return Discovery(
        Announced(
            device_id=ids.of,
            tuners=tuner_count(config.sources, config.hdhomerun_tuners),
            base_url=config.base_url if config.base_url_is_set else "",
            host=config.host,
            port=config.port,
        )
    )


def _build_page(parts: AppParts) -> StatusPage:
    config, shared, clients = parts.config, parts.shared, parts.clients
    hidden = HiddenLogos(parts.catalog.get)
    public = Public(
        parts.log.redactor,
        lambda channel: hidden.logo_of(channel) is not None,
        parts.entrance.ids,
    )
    view = View(config, parts.hubs, parts.state, parts.log.recent, clients, public)
    several = parts.instances
    everywhere = Everywhere(several)
    if several is not None:
        unlike = Unlike(partial(listed, several))

        def look() -> None:
            everywhere.hear()
            unlike.look()

        several.show(partial(_own_text, parts, view, everywhere), look)
    instances = partial(listed, several) if several is not None else None
    events = EventStream(view, shared.journal, instances)
    directory = Directory(parts.catalog.get)
    admin = parts.entrance.admin
    end_events = partial(events.end_unless, parts.entrance.gate.still)
    parts.users.watch(end_events)
    reports = Reports(parts.catalog.get, parts.listings)
    blueprints = (
        status_blueprint(config.base_url),
        api_blueprint(view, events, directory, clients, instances or alone),
        guide_api_blueprint(view.shows, directory),
        session_blueprint(admin, end_events, everywhere),
        actions_blueprint(admin, parts.hubs, shared.health, parts.importer, public, everywhere),
        rules_blueprint(admin, parts.reload.file, parts.reload.now, reports, public, everywhere),
        users_blueprint(
            admin, parts.users, parts.streams, public, partial(own_address, config), everywhere
        ),
    )
    return StatusPage(blueprints, events, directory, reports)


def _own_text(parts: AppParts, view: View, everywhere: Everywhere) -> str:
    """What the other instances see of this one."""
    assert parts.instances is not None
    leads, digest = not parts.importer.follows, parts.served.lists.digest
    return own_text(view, parts.instances, leads, everywhere.shown(), digest)
