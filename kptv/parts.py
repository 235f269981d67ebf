"""Builds the parts behind the routes, and joins them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.current import CurrentCatalog
from kptv.channels.local_health import LocalHealth
from kptv.channels.resting import Rests
from kptv.channels.rhythm import Rhythms
from kptv.channels.rules.model import Rules
from kptv.channels.secrets import secrets_of_valkey
from kptv.channels.terms import CurrentTerms, secrets_of
from kptv.channels.users.streams import LocalStreamCounts
from kptv.config import Config
from kptv.config.rules_file import RulesFile
from kptv.config.settings import environment
from kptv.guide.current import CurrentGuide
from kptv.guide_round import GuideParts, GuideRound
from kptv.kept.device import DeviceIds
from kptv.kept.shared import Kept
from kptv.logs import Log
from kptv.logs.redaction import Redactor
from kptv.metrics.counters import Metrics
from kptv.reload import Reload
from kptv.restream.buffer import Budget
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Journal
from kptv.restream.shared import Shared, policy_of
from kptv.restream.slots import LocalSlots, Slots
from kptv.restream.window import Common
from kptv.restream.windows import Windows
from kptv.start import LoginTeller
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.importer import Importer, Sharing
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
from kptv.web.clients import Clients
from kptv.web.page.admin import Admin
from kptv.web.page.public import Ids, ids_of_instance
from kptv.web.page.sessions import Sessions, keys_of
from kptv.web.page.status import asset_paths
from kptv.web.players.devices import Devices
from kptv.web.players.lists import ServedLists
from kptv.web.players.numbers import ChannelNumbers
from kptv.web.players.open_streams import Access, OpenStreams
from kptv.web.players.segment_keys import SegmentKeys
from kptv.web.players.xtream_lists import XtreamLists
from kptv.web.sockets import public_address
from kptv.web.state import StateReader
from kptv.web.tries import Tries

if TYPE_CHECKING:
    from kptv.shared_slots import Instances

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
    windows: Windows
    access: Access
    streams: OpenStreams
    catalog: CurrentCatalog
    served: Served
    logos: Logos
    guide_round: GuideRound
    importer: Importer
    listings: Callable[[], Sequence[Listing]]
    reload: Reload
    clients: Clients
    users: CurrentUsers
    state: StateReader
    entrance: Entrance
    instances: Instances | None  # None: there is only this one
    tag_key: Callable[[], bytes] | None  # of all that share DATA_DIR; None: nobody does


@dataclass(frozen=True, slots=True)
class Restreaming:
    """What opens streams of the providers, and shares them."""

    instances: Instances | None
    terms: CurrentTerms
    shared: Shared
    roads: Roads
    client: HttpClient
    opener: Opener
    hubs: Hubs


@dataclass(frozen=True, slots=True)
class Served:
    """What is served of the current catalog, in all the forms that applications read."""

    guide: CurrentGuide
    lists: ServedLists
    numbers: ChannelNumbers
    xtream: XtreamLists
    device_ids: DeviceIds
    devices: Devices

    def replace(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from now on."""
        self.lists.replace(catalog)  # what follows is made of these
        self.numbers.replace(catalog)
        self.devices.replace(catalog)
        self.xtream.replace(catalog)

    def give(self, catalog: Catalog) -> None:
        """Give numbers and ids now, not when somebody asks for them first; waits."""
        self.device_ids.of()
        self.numbers.of(catalog)
        self.numbers.settle()
        self.lists.profiles.settle()
        self.xtream.give_ids()


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who is let in."""

    admin: Admin
    ids: Ids
    gate: Gate
    tell_login: Callable[[], None]


def build_parts(config: Config, log_of_process: Log) -> AppParts:
    """The parts behind the routes; all but the importer run."""
    metrics = Metrics()
    users = CurrentUsers(config.data_dir, config.require_login)
    users.start()  # before anything asks whether a login is needed
    clients = _build_clients(config, users)
    vitals = Vitals(metrics, to_stderr(config.log_format))
    restreaming = _build_restreaming(config, metrics, log_of_process.redactor)
    client, shared, hubs = restreaming.client, restreaming.shared, restreaming.hubs
    kept = Kept(config.data_dir, is_shared=bool(config.leases_url))
    served = _build_served(config, kept)
    guide_round = GuideRound(
        GuideParts(
            config=config,
            client=client,
            current=served.guide,
            profile=served.lists.profiles.get,
            keep_secret=log_of_process.redactor.keep,
            figures=metrics.guide,
            rights=lambda: users.table.rights_in_use(),
            allowed=served.lists.allowed,
            leads=kept.leads,
        )
    )
    catalog = CurrentCatalog(
        lambda catalog: log_of_process.redactor.learn(catalog.secrets),
        served.replace,
        lambda _: restreaming.opener.forget(),
        lambda _: hubs.films.forget(),
        guide_round.replace,
    )
    merger = _build_merger(config, client, catalog, kept)

    def published(current: Catalog) -> None:
        hubs.imported(current.find, merger.take_imported())
        if kept.is_shared and kept.leads():
            kept.publish(partial(served.give, current), merger.digests)

    importer = _build_importer(config, merger, kept, catalog, published)
    reload = _build_reload(config, log_of_process, restreaming.terms, merger, importer)
    users.watch(guide_round.users_changed)
    entrance = _build_entrance(config, users, clients, log_of_process.redactor, metrics)
    access = Access(served.lists.may_have, entrance.gate.still, lambda: users.table)
    streams = _build_streams(hubs, access, metrics, restreaming.instances)
    users.watch(streams.changed)
    return AppParts(
        config=config,
        log=log_of_process,
        metrics=metrics,
        vitals=vitals,
        teller=Repeating(log_of_process.tell_repeats, TELL_REPEATS_EVERY),
        shared=shared,
        hubs=hubs,
        windows=Windows(
            Common(
                target=config.hls_segment,
                budget=shared.budget,
                start=hubs.start,
                key_of=SegmentKeys(lambda: users.is_on).of,
                figures=metrics.hls,
                is_elsewhere=bool(config.leases_url),
            )
        ),
        access=access,
        streams=streams,
        catalog=catalog,
        served=served,
        logos=_build_logos(config, client, metrics),
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
            stale_names=lambda number: restreaming.roads.names.stale[number],
            rules=reload.file,
            guide=served.guide,
            needs_login=lambda: users.is_on,
            leases=restreaming.instances.state if restreaming.instances else lambda: None,
        ),
        entrance=entrance,
        instances=restreaming.instances,
        tag_key=partial(kept.seed.key_for, "tags", config.admin_token) if kept.is_shared else None,
    )


def _build_instances(config: Config, redactor: Redactor) -> Instances | None:
    if not config.leases_url:
        return None
    from kptv.shared_slots import Instances  # only for those who have several

    redactor.keep(secrets_of_valkey(config.leases_url))
    return Instances(config)


def _build_restreaming(config: Config, metrics: Metrics, redactor: Redactor) -> Restreaming:
    terms = CurrentTerms(config.sources, config.rules)
    instances = _build_instances(config, redactor)
    slots = instances.slots if instances is not None else LocalSlots(config.sources)
    rests = instances.rests if instances is not None else Rests()
    shared = _build_shared(config, metrics, terms, slots, rests)
    roads = Roads(config.allow_private_upstreams, config.port)
    client = HttpClient(config, roads, terms.of)
    opener = Opener(config, client, shared.rhythms)
    hubs = Hubs(shared, opener.open_stream, opener.open_film)
    return Restreaming(instances, terms, shared, roads, client, opener, hubs)


def _build_streams(
    hubs: Hubs, access: Access, metrics: Metrics, instances: Instances | None
) -> OpenStreams:
    counts = instances.counts if instances is not None else LocalStreamCounts()
    streams = OpenStreams(hubs.let_go, access, metrics.users, counts)
    if instances is not None:
        instances.counts.watch(streams.give_way)
    return streams


def _build_served(config: Config, kept: Kept) -> Served:
    guide = CurrentGuide(lambda _: lists.renew(), lambda _: xtream.renew())
    lists = ServedLists(config, kept.numbers, guide)
    of_channels, device_ids = ChannelNumbers(kept.numbers), DeviceIds(kept.seed.get)
    xtream = XtreamLists(config, lists, guide, kept.odd_ids, of_channels)
    devices = Devices(config, device_ids, lists, of_channels)
    return Served(guide, lists, of_channels, xtream, device_ids, devices)


def _build_shared(
    config: Config, metrics: Metrics, terms: CurrentTerms, slots: Slots, rests: Rests
) -> Shared:
    """What hubs share; all but ``slots`` and ``rests`` is known to this process alone."""
    policy = policy_of(config, terms.timeout_of)
    return Shared(
        config=config,
        policy=policy,
        metrics=metrics,
        slots=slots,
        health=LocalHealth(policy, rests),
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
    config: Config, client: HttpClient, catalog: CurrentCatalog, kept: Kept
) -> Merger:
    store = Store(config.data_dir, kept.leads if kept.is_shared else None)
    if store.may_write:
        store.sweep()
    lists = [LastGood(channel_list(source), client, store) for source in config.sources]
    return Merger(
        lists,
        catalog.replace,
        rules=config.rules,
        numbers=kept.numbers,
        sort_field=config.sort_field,
        descending=config.sort_descending,
    )


def _build_importer(
    config: Config,
    merger: Merger,
    kept: Kept,
    catalog: CurrentCatalog,
    published: Callable[[Catalog], object],
) -> Importer:
    def publish() -> None:
        merger.merge()
        if current := catalog.get():
            published(current)

    def look() -> bool:
        if is_new := kept.look():
            merger.renumber()
        return is_new

    return Importer(
        merger.lists,
        publish,
        config.import_refresh_interval,
        config.worker_threads,
        Sharing(kept.leads, look, kept.published.has) if kept.is_shared else None,
    )


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
    lists = [source.url for source in config.sources]
    keys = keys_of(config.admin_token, lists, are_shared=bool(config.leases_url))
    admin = Admin(
        config.admin_token,
        clients,
        metrics_token=config.metrics_token,
        sessions=Sessions(keys.sessions),
    )
    ids = ids_of_instance(keys.ids) if config.leases_url else Ids(keys.ids)
    own_files = asset_paths() if config.status_page else frozenset()
    gate = Gate(
        Parties(users, Tries(users, checker), admin, clients, metrics.users.turned_away),
        Openings(ALWAYS_OPEN | own_files, config.auth_free_networks),
        urlsplit(config.base_url).path,
        redactor.learn_of_user,
    )
    return Entrance(admin, ids, gate, tell_login)
