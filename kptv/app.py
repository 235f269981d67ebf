"""Builds every part and joins them; the only place that knows all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask

from kptv.channels.catalog import Listing
from kptv.channels.current import CurrentCatalog
from kptv.channels.local_health import LocalHealth
from kptv.channels.rhythm import Rhythms
from kptv.channels.rules.model import Rules
from kptv.channels.terms import CurrentTerms, secrets_of
from kptv.channels.tuners import tuner_count
from kptv.config import Config
from kptv.config.rules_file import RulesFile
from kptv.config.settings import environment
from kptv.guide.current import CurrentGuide
from kptv.guide_round import GuideParts, GuideRound
from kptv.kept.device import DeviceIds, kept_device_ids
from kptv.kept.numbers import KeptNumbers
from kptv.kept.odd_ids import KeptOddIds
from kptv.logs import Log, set_up_logging
from kptv.logs.redaction import Redactor
from kptv.metrics.counters import Metrics
from kptv.metrics.exposition import Exposition
from kptv.reload import Reload
from kptv.restream.buffer import Budget
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Journal
from kptv.restream.shared import Shared, policy_of
from kptv.restream.slots import LocalSlots
from kptv.start import LoginTeller, greet
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.importer import Importer
from kptv.upstream.last_good import LastGood
from kptv.upstream.logos import Logos
from kptv.upstream.merger import Merger
from kptv.upstream.open import Opener
from kptv.upstream.picture_files import PictureFiles
from kptv.upstream.pictures import download_picture
from kptv.upstream.road import Roads
from kptv.upstream.store import Store
from kptv.users.checking import Checker
from kptv.users.current import CurrentUsers
from kptv.vitals.process import Vitals
from kptv.vitals.repeating import Repeating
from kptv.vitals.watchdog import to_stderr
from kptv.web.access import ALWAYS_OPEN, Gate, Openings, Parties
from kptv.web.application import new_application
from kptv.web.clients import Clients
from kptv.web.ops import Watched, index_blueprint, ops_blueprint
from kptv.web.page.actions import actions_blueprint, session_blueprint
from kptv.web.page.admin import Admin
from kptv.web.page.api import api_blueprint
from kptv.web.page.directory import Directory
from kptv.web.page.events import EventStream
from kptv.web.page.guide import guide_blueprint as guide_api_blueprint
from kptv.web.page.public import Public
from kptv.web.page.reports import Reports
from kptv.web.page.rules import rules_blueprint
from kptv.web.page.status import asset_paths, status_blueprint
from kptv.web.page.users import users_blueprint
from kptv.web.page.view import View
from kptv.web.players.addresses import own_address
from kptv.web.players.devices import Devices
from kptv.web.players.guide import guide_blueprint
from kptv.web.players.hdhomerun import hdhomerun_blueprint
from kptv.web.players.lists import ServedLists, playlist_blueprint
from kptv.web.players.logos import HiddenLogos, logo_blueprint
from kptv.web.players.numbers import ChannelNumbers
from kptv.web.players.open_streams import Access, OpenStreams
from kptv.web.players.player import Player
from kptv.web.players.ts import stream_blueprint
from kptv.web.players.xtream import XtreamParts, xtream_blueprint
from kptv.web.players.xtream_lists import XtreamLists
from kptv.web.sockets import public_address
from kptv.web.state import StateReader
from kptv.web.tries import Tries

if TYPE_CHECKING:
    from kptv.web.discovery import Discovery

log = logging.getLogger(__name__)

TELL_REPEATS_EVERY = 5.0  # seconds between two looks for repeated trouble to tell of


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """The parts behind the routes."""

    config: Config
    log: Log
    metrics: Metrics
    vitals: Vitals
    teller: Repeating
    shared: Shared
    hubs: Hubs
    access: Access
    streams: OpenStreams
    catalog: CurrentCatalog
    lists: ServedLists
    xtream: XtreamLists
    logos: Logos
    device_ids: DeviceIds
    devices: Devices
    guide: CurrentGuide
    guide_round: GuideRound
    importer: Importer
    listings: Callable[[], Sequence[Listing]]
    reload: Reload
    clients: Clients
    users: CurrentUsers
    state: StateReader
    entrance: Entrance


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who is let in."""

    admin: Admin
    gate: Gate
    tell_login: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Page:
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
    app = build_web(parts)
    parts.reload.now()  # a worker that is replaced has the rules of the start
    parts.guide_round.open_last()
    parts.importer.start()
    return app


def build_parts(config: Config, log_of_process: Log) -> AppParts:
    """The parts behind the routes; all but the importer run."""
    metrics = Metrics()
    users = CurrentUsers(config.data_dir, config.require_login)
    users.start()  # before anything asks whether a login is needed
    clients = _build_clients(config, users)
    vitals = Vitals(metrics, to_stderr(config.log_format))
    terms = CurrentTerms(config.sources, config.rules)
    shared = _build_shared(config, metrics, terms)
    roads = Roads(config.allow_private_upstreams, config.port)
    client = HttpClient(config, roads, terms.of)
    opener = Opener(config, client, shared.rhythms)
    hubs = Hubs(shared, opener.open_stream, opener.open_film)
    numbers = KeptNumbers(config.data_dir)
    guide = CurrentGuide(lambda _: lists.renew(), lambda _: xtream.renew())
    lists = ServedLists(config, numbers, guide)
    device_ids = kept_device_ids(config.data_dir)
    channel_numbers = ChannelNumbers(numbers)
    devices = Devices(config, device_ids, lists, channel_numbers)
    xtream = XtreamLists(config, lists, guide, KeptOddIds(config.data_dir), channel_numbers)
    guide_round = GuideRound(
        GuideParts(
            config=config,
            client=client,
            current=guide,
            profile=lists.profiles.get,
            keep_secret=log_of_process.redactor.keep,
            figures=metrics.guide,
            rights=lambda: users.table.rights_in_use(),
            allowed=lists.allowed,
        )
    )
    catalog = CurrentCatalog(
        lambda catalog: log_of_process.redactor.learn(catalog.secrets),
        lists.replace,
        channel_numbers.replace,
        devices.replace,
        xtream.replace,
        lambda _: opener.forget(),
        lambda _: hubs.films.forget(),
        guide_round.replace,
    )
    merger = _build_merger(config, client, catalog, numbers)
    importer = _build_importer(config, merger, catalog, hubs)
    reload = _build_reload(config, log_of_process, terms, merger, importer)
    users.watch(guide_round.users_changed)
    entrance = _build_entrance(config, users, clients, log_of_process.redactor, metrics)
    access = Access(lists.may_have, entrance.gate.still, lambda: users.table)
    streams = OpenStreams(hubs.let_go, access, metrics.users)
    users.watch(streams.changed)
    return AppParts(
        config=config,
        log=log_of_process,
        metrics=metrics,
        vitals=vitals,
        teller=Repeating(log_of_process.tell_repeats, TELL_REPEATS_EVERY),
        shared=shared,
        hubs=hubs,
        access=access,
        streams=streams,
        catalog=catalog,
        lists=lists,
        xtream=xtream,
        logos=_build_logos(config, client, metrics),
        device_ids=device_ids,
        devices=devices,
        guide=guide,
        guide_round=guide_round,
        importer=importer,
        listings=merger.listings,
        reload=reload,
        clients=clients,
        users=users,
        state=StateReader(
            slots=shared.slots,
            health=shared.health,
            vitals=vitals,
            current_catalog=catalog.get,
            imports=lambda: merger.states,
            stale_names=lambda number: roads.names.stale[number],
            rules=reload.file,
            guide=guide,
            needs_login=lambda: users.is_on,
        ),
        entrance=entrance,
    )


def build_web(parts: AppParts) -> Flask:
    """The routes, and what they answer from."""
    config, catalog, hubs = parts.config, parts.catalog, parts.hubs
    app = new_application(Exposition(parts.metrics, parts.state.read), parts.entrance.gate)
    app.extensions["when_stopping"] = [
        hubs.close,
        parts.streams.close,
        parts.users.close,
        parts.logos.close,
        parts.guide_round.close,
    ]
    player = Player(hubs, parts.clients, config.max_clients, parts.access, parts.streams)
    app.register_blueprint(stream_blueprint(catalog.get, player))
    app.register_blueprint(playlist_blueprint(parts.lists))
    app.register_blueprint(guide_blueprint(parts.guide, parts.lists))
    hidden = HiddenLogos(catalog.get)
    app.register_blueprint(logo_blueprint(hidden, parts.logos.get, player.may_have))
    app.register_blueprint(_build_xtream(parts, player))
    watched: dict[str, Watched] = {
        "import": parts.importer,
        "housekeeping": hubs,
        "vitals": parts.vitals,
        "log": parts.teller,
        "lists": parts.lists,
        "xtream": parts.xtream,
        "guide": parts.guide_round,
        "rules": parts.reload,
        "users": parts.users,
        "streams": parts.streams,
    }
    if config.hdhomerun != "off":
        app.register_blueprint(hdhomerun_blueprint(parts.devices, player))
        watched["lineups"] = parts.devices
    if config.hdhomerun == "on":
        discovery = _build_discovery(config, parts.device_ids)
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
    ops = ops_blueprint(catalog.get, parts.vitals, watched, lambda: parts.users.trouble)
    app.register_blueprint(ops)
    return app


def _build_xtream(parts: AppParts, player: Player) -> Blueprint:
    hubs = parts.hubs
    return xtream_blueprint(
        XtreamParts(
            config=parts.config,
            lists=parts.xtream,
            guide=parts.guide,
            player=player,
            playing=lambda: [hub.channel for hub in hubs.all()],
            open_streams=parts.streams.of_user,
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


def _build_page(parts: AppParts) -> Page:
    config, shared, clients = parts.config, parts.shared, parts.clients
    redactor = parts.log.redactor
    hidden = HiddenLogos(parts.catalog.get)
    public = Public(redactor, lambda channel: hidden.logo_of(channel) is not None)
    view = View(config, parts.hubs, parts.state, parts.log.recent, clients, public)
    events = EventStream(view, shared.journal)
    directory = Directory(parts.catalog.get)
    admin = parts.entrance.admin
    parts.users.watch(lambda: events.end_unless(parts.entrance.gate.still))
    reports = Reports(parts.catalog.get, parts.listings)
    blueprints = (
        status_blueprint(config.base_url),
        api_blueprint(view, events, directory, clients),
        guide_api_blueprint(view.shows, directory),
        session_blueprint(admin),
        actions_blueprint(
            admin,
            parts.hubs,
            shared.health,
            parts.importer.import_now,
            redactor.redact,
        ),
        rules_blueprint(admin, parts.reload.file, parts.reload.now, reports, public),
        users_blueprint(admin, parts.users, parts.streams, public, partial(own_address, config)),
    )
    return Page(blueprints, events, directory, reports)


def _build_shared(config: Config, metrics: Metrics, terms: CurrentTerms) -> Shared:
    """What hubs share, all in the memory of this process."""
    policy = policy_of(config, terms.timeout_of)
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


def _build_logos(config: Config, client: HttpClient, metrics: Metrics) -> Logos:
    return Logos(
        partial(download_picture, client),
        PictureFiles(config.data_dir / "logos"),
        metrics.totals.logo_fetched,
    )


def _build_merger(
    config: Config, client: HttpClient, catalog: CurrentCatalog, numbers: KeptNumbers
) -> Merger:
    store = Store(config.data_dir)
    store.sweep()
    lists = [LastGood(channel_list(source), client, store) for source in config.sources]
    return Merger(
        lists,
        catalog.replace,
        rules=config.rules,
        numbers=numbers,
        sort_field=config.sort_field,
        descending=config.sort_descending,
    )


def _build_importer(
    config: Config, merger: Merger, catalog: CurrentCatalog, hubs: Hubs
) -> Importer:
    def publish() -> None:
        merger.merge()
        if current := catalog.get():
            hubs.imported(current.find, merger.take_imported())

    return Importer(merger.lists, publish, config.import_refresh_interval, config.worker_threads)


def _build_reload(
    config: Config, log_of_process: Log, terms: CurrentTerms, merger: Merger, importer: Importer
) -> Reload:
    def use(rules: Rules | None) -> None:
        log_of_process.redactor.keep(secrets_of(rules))  # before anything uses them
        for warning in terms.replace(rules):
            log.warning("%s", warning)
        merger.rules = rules
        importer.publish()

    return Reload(RulesFile(config.rules_path, config.rules, environment), use)


def _build_clients(config: Config, users: CurrentUsers) -> Clients:
    clients = Clients(config.trusted_proxies, lambda: users.is_on)
    if address := public_address(config.host):
        clients.tell_exposed(address, f"This machine has a public address, {address}")
    return clients


def _build_entrance(
    config: Config, users: CurrentUsers, clients: Clients, redactor: Redactor, metrics: Metrics
) -> Entrance:
    checker = Checker(users)
    redactor.know_users(lambda word: checker.made(word) is not None)
    users.watch(redactor.forget_texts)
    tell_login = LoginTeller(config, users).tell
    users.watch(tell_login)
    admin = Admin(config.admin_token, clients, metrics_token=config.metrics_token)
    own_files = asset_paths() if config.status_page else frozenset()
    gate = Gate(
        Parties(users, Tries(users, checker), admin, clients, metrics.users.turned_away),
        Openings(ALWAYS_OPEN | own_files, config.auth_free_networks),
        urlsplit(config.base_url).path,
        redactor.learn_of_user,
    )
    return Entrance(admin, gate, tell_login)
