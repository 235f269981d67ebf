"""The API over hubs whose upstreams a test feeds, and a catalog of a test's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gevent
from flask import Flask
from flask.testing import FlaskClient
from gevent.queue import Queue

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source, Stream
from kptv.channels.packing import pack
from kptv.channels.rules.model import Rules
from kptv.config import Config
from kptv.config.rules_file import Look, RulesFile
from kptv.errors import UpstreamError
from kptv.formats.m3u import ListParser
from kptv.guide.current import CurrentGuide
from kptv.logs import Log
from kptv.logs.filters import RecentLines, RepeatFilter
from kptv.logs.redaction import Redactor
from kptv.metrics.counters import Metrics
from kptv.metrics.source_figures import ImportState
from kptv.pace import drive
from kptv.ports import FilmBody, Piece
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Client, Lease
from kptv.restream.playing import Playing
from kptv.upstream.opened import OpenedUpstream, Pieces
from kptv.users.current import CurrentUsers
from kptv.vitals.process import Vitals
from kptv.web.clients import Clients
from kptv.web.page.actions import actions_blueprint, session_blueprint
from kptv.web.page.admin import Admin
from kptv.web.page.api import api_blueprint
from kptv.web.page.directory import Directory
from kptv.web.page.events import EventStream
from kptv.web.page.everywhere import Everywhere
from kptv.web.page.guide import guide_blueprint
from kptv.web.page.instances import Others
from kptv.web.page.public import Ids, Public, ids_of_instance
from kptv.web.page.reports import Reports
from kptv.web.page.rules import rules_blueprint
from kptv.web.page.sessions import Sessions, keys_of
from kptv.web.page.status import status_blueprint
from kptv.web.page.users import users_blueprint
from kptv.web.page.view import View
from kptv.web.players.logos import HiddenLogos
from kptv.web.players.open_streams import Access, OpenStreams
from kptv.web.state import StateReader
from tests.restream.radio import Radio, marks
from tests.shared import shared

LIMIT = 10.0  # seconds; what hangs, fails
TOKEN = "open-sesame"
SOURCES = (
    Source(1, "http://canary-user:canary-pass@one.example/list.m3u", 1),
    Source(2, "http://two.example/get.php?username=canary-user&password=canary-pass", 2),
)
LISTS = (
    """#EXTM3U
#EXTINF:-1 group-title="News" tvg-logo="http://logos.example/news.png",News
http://one.example/live/canary-user/canary-pass/1.ts
#EXTINF:-1 group-title="Films" tvg-logo="http://one.example/logo.png",Old Film
http://one.example/live/canary-user/canary-pass/2.ts
""",
    """#EXTM3U
#EXTINF:-1 group-title="World",NEWS
http://two.example/live/canary-user/canary-pass/7.ts
#EXTINF:-1 group-title="News",News from São Paulo
http://two.example/live/canary-user/canary-pass/8.ts
""",
)
MARK = b"on"  # in what every upstream gives


def listings_of(*lists: str) -> list[Listing]:
    return [
        Listing(source, [[pack(source.number, e) for e in ListParser().feed(text.split("\n"))]])
        for source, text in zip(SOURCES, lists, strict=True)
    ]


def catalog_of(*lists: str, rules: Rules | None = None) -> Catalog:
    return drive(build_catalog(listings_of(*lists), rules=rules))


@dataclass
class Imported:
    """A round of imports that is over at once."""

    found: tuple[str, ...]

    def wait(self, timeout: float) -> bool:
        return bool(self.found)


class StatusRig:
    """Everything behind the API, without a socket."""

    follows = False  # another instance imports

    def __init__(self, token: str = TOKEN, others: Others | None = None) -> None:
        """``others``: instances, with which it shares its key."""
        self.feeds: dict[str, Queue[bytes | UpstreamError]] = {}
        self.imports = 0
        self.found: tuple[str, ...] = ()  # by the next import
        self.catalog: Catalog | None = catalog_of(*LISTS)
        self.listings = listings_of(*LISTS)
        self.guide = CurrentGuide()
        self.rules_file = RulesFile(None, None, dict)
        config = Config(sources=SOURCES, base_url="http://tv.example", admin_token=token)
        self.metrics = Metrics()
        self.hubs = Hubs(shared(config, metrics=self.metrics), self._open, self._open_film)
        redactor = Redactor(SOURCES, config.base_url)
        self.log = Log(redactor, RecentLines(redactor.redact), RepeatFilter())
        self.vitals = Vitals(self.metrics)
        self.clients = Clients(config.trusted_proxies)
        self._folder = TemporaryDirectory()
        self.users = CurrentUsers(Path(self._folder.name), every=60)
        self.users.start()
        self.streams = OpenStreams(self.hubs.let_go, Access(), self.metrics.users)
        state = StateReader(
            slots=self.hubs.slots,
            health=self.hubs.health,
            vitals=self.vitals,
            current_catalog=lambda: self.catalog,
            imports=lambda: [ImportState(source, entries=2) for source in SOURCES],
            stale_names=lambda number: 0,
            rules=self.rules_file,
            guide=self.guide,
        )
        hidden = HiddenLogos(lambda: self.catalog)
        keys = keys_of(token, are_shared=others is not None)
        ids = Ids(keys.ids) if others is None else ids_of_instance(keys.ids)
        public = Public(redactor, lambda channel: hidden.logo_of(channel) is not None, ids)
        self.view = View(config, self.hubs, state, self.log.recent, self.clients, public)
        self.events = EventStream(self.view, self.hubs.journal)
        self.now = 1000.0
        self.held: list[float] = []  # seconds that tries waited
        self.admin = Admin(
            token,
            self.clients,
            lambda: self.now,
            self.held.append,
            sessions=Sessions(keys.sessions, lambda: self.now),
        )
        self.everywhere = Everywhere(others)
        self.app = Flask("test", static_folder=None)
        self.app.register_blueprint(status_blueprint(config.base_url))
        directory = Directory(lambda: self.catalog)
        for blueprint in (
            api_blueprint(self.view, self.events, directory, self.clients),
            guide_blueprint(self.view.shows, directory),
            session_blueprint(self.admin, lambda: None, self.everywhere),
            actions_blueprint(
                self.admin, self.hubs, self.hubs.health, self, public, self.everywhere
            ),
            rules_blueprint(
                self.admin,
                self.rules_file,
                self._reload,
                Reports(lambda: self.catalog, lambda: self.listings),
                public,
                self.everywhere,
            ),
            users_blueprint(
                self.admin,
                self.users,
                self.streams,
                public,
                lambda: config.base_url,
                self.everywhere,
            ),
        ):
            self.app.register_blueprint(blueprint)

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def close(self) -> None:
        self.events.close()
        self.hubs.close()
        self.vitals.close()
        self.users.close()
        self._folder.cleanup()
        with gevent.Timeout(LIMIT):  # a slot is given back a moment after its connection
            while any(map(self.hubs.slots.held, SOURCES)):
                gevent.sleep(0.01)
        gevent.idle()

    def play(self, name: str, address: str = "192.0.2.7") -> Callable[[], bytes | None]:
        """A viewer; gives what reads its next mark."""
        assert self.catalog is not None
        channel = self.catalog.find(name)
        assert channel is not None
        for stream in channel.streams:
            self.give(stream, MARK)
        client = Client(address, "VLC/3.0.18 LibVLC/3.0.18", "anna")
        with gevent.Timeout(LIMIT):
            body = self.hubs.start(channel, Lease(client=client))
        assert isinstance(body, Playing)
        received: Queue[bytes | None] = Queue()

        def read() -> None:
            for chunk in body:
                for mark in marks(chunk):
                    received.put(mark)
            received.put(None)
            body.close()

        gevent.spawn(read)
        return lambda: received.get(timeout=LIMIT)

    def give(self, stream: Stream, item: bytes | UpstreamError) -> None:
        self.feeds.setdefault(stream.url, Queue()).put(item)

    def stream(self, name: str, number: int) -> Stream:
        assert self.catalog is not None
        channel = self.catalog.find(name)
        assert channel is not None
        return next(s for s in channel.streams if s.source.number == number)

    def logged(self, message: str, *args: object) -> None:
        record = logging.LogRecord("kptv.test", logging.WARNING, "", 0, message, args, None)
        self.log.recent.filter(record)

    def follow(self, path: Path) -> None:
        """Rules of a file, for the lists that are there."""
        self.rules_file.path = path
        assert self._reload().complaints == ()

    def _reload(self) -> Look:
        look = self.rules_file.look()
        if look.has_changed:
            self.catalog = catalog_of(*LISTS, rules=look.rules)
        return look

    def import_now(self) -> Imported:
        """A round of imports."""
        self.imports += 1
        return Imported(self.found)

    def _open(self, stream: Stream) -> OpenedUpstream:
        return OpenedUpstream(self._pieces(stream))

    def _pieces(self, stream: Stream) -> Pieces:
        radio = Radio()
        while True:
            item = self.feeds.setdefault(stream.url, Queue()).get()
            if isinstance(item, UpstreamError):
                raise item
            yield Piece(radio.frame(item))

    def _open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        raise AssertionError("no files here")
