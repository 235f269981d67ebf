"""What is ended at each turn, by name. To be run in a process of its own, which gevent patches."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic

import gevent
from gevent import socket
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.formats.mpegts import PACKET_SIZE
from kptv.logs import set_up_logging
from kptv.metrics.counters import Metrics
from kptv.restream import front_row
from kptv.restream.followers import MayNotFollow, Viewer
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Client, Lease
from kptv.restream.playing import Playing
from kptv.restream.slots import LocalSlots
from kptv.restream.window import Common
from kptv.restream.windows import IsOver, Windows
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.ffmpeg import Input
from kptv.upstream.importer import Importer
from kptv.upstream.last_good import LastGood
from kptv.upstream.merger import Merger
from kptv.upstream.open import Opener
from kptv.upstream.remux import remux
from kptv.upstream.store import Store
from kptv.web.players.delivery import wire_of
from tests.cancellation import courier
from tests.cancellation.origin import Origin
from tests.cancellation.turns import LIMIT, at_each_turn
from tests.restream.far_slots import FarSlots
from tests.shared import opener_of, shared

FOLDER = Path(tempfile.mkdtemp())


def kill(victim: Greenlet) -> None:
    victim.kill(block=False)


def kill_twice(victim: Greenlet) -> None:
    """The second time in the turn after, while it deals with the first."""
    kill(victim)
    get_hub().loop.run_callback(kill, victim)


def time_out(victim: Greenlet) -> None:
    victim.throw(UpstreamError("timeout"))  # type: ignore[arg-type]


def spawned(act: Callable[[], object]) -> Callable[[], Greenlet]:
    """Begins ``act`` in a greenlet; that it ends with an error of its field is no news."""

    def run() -> None:
        with suppress(UpstreamError, Unavailable):
            act()

    return lambda: gevent.spawn(run)


# --- An upstream by itself ------------------------------------------------------------------


def child(script: str, end: Callable[[Greenlet], None], pieces: int = 0) -> int:
    """Reads what a child writes that stands in for ffmpeg, to its end; it is fed with pieces."""
    program = FOLDER / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)

    def read() -> None:
        source = Input(demuxer="mp3") if pieces else Input("udp://h:1")
        body = fed(pieces) if pieces else None
        for _ in remux(str(program), source, "a stream", 5.0, body=body):
            pass

    return at_each_turn(spawned(read), end)


def fed(pieces: int) -> Iterator[bytes]:
    """More than a pipe holds, then a failure."""
    for _ in range(pieces):
        gevent.sleep(0)
        yield bytes(50_000)
    raise UpstreamError(Reason.RESET)


def upstream(path: str, end: Callable[[Greenlet], None], pieces: int = 2) -> int:
    """Reads some pieces of a stream, then leaves."""
    origin = Origin()
    source = Source(1, origin.url, 1)

    def read() -> None:
        config = Config(sources=(source,), min_data_size=188, cache_enabled=False)
        with closing(opener_of(config, HttpClient(config)).open_stream(stream)) as body:
            for _ in range(pieces):
                next(body)

    stream = Stream(source, origin.url + path)
    turns = at_each_turn(spawned(read), end, check=origin.clear)
    assert origin.most_open == 1, origin.most_open
    return turns


def import_of_a_list(path: str, end: Callable[[Greenlet], None]) -> int:
    """Imports all lists, and stops when that is done, or when it is killed."""
    origin = Origin()
    folder = FOLDER / "imports"
    folder.mkdir()
    source = Source(1, origin.url + path, 1)
    config = Config(sources=(source,))

    def run() -> None:
        last_good = LastGood(channel_list(source), HttpClient(config), Store(folder))
        merger = Merger([last_good], on_catalog=lambda catalog: None)
        importer = Importer(merger.lists, merger.merge, 3600.0, workers=1)
        importer.start()
        try:
            importer.import_now().wait(LIMIT)
        finally:
            importer.close()

    def check() -> None:
        origin.clear()
        assert not list(folder.glob(".import-*"))

    return at_each_turn(spawned(run), end, check)


# --- Hubs ------------------------------------------------------------------------------------


class House:
    """Hubs of two sources, made anew for each turn."""

    def __init__(
        self,
        first: str,
        second: str,
        byte_range: str | None = None,
        limit: int = 0,
        slots: type[LocalSlots] | type[FarSlots] = LocalSlots,
        standby: bool = False,
        wired: bool = False,
    ) -> None:
        """``limit`` of each source; with none there is no wait until a slot is given back.

        With ``standby`` viewers stay until the second stream stands by, once more if it is taken.
        ``wired``: viewers have sockets, and stand in the front row.
        """
        self.slots = slots
        self.origins = (Origin(), Origin())
        sources = tuple(Source(n, o.url, limit) for n, o in enumerate(self.origins, 1))
        streams = tuple(
            Stream(s, s.url + path) for s, path in zip(sources, (first, second), strict=True)
        )
        self.channel = Channel("news", "News", streams)
        self.config = Config(
            sources=sources,
            min_data_size=188,
            stream_linger=0.0,
            retry_delay=0.01,
            slate=None,
            standby=standby,
        )
        self.byte_range = byte_range
        self.wired = wired
        self.hubs: Hubs | None = None
        self.departed = False
        self.open: set[Lease] = set()  # of viewers

    def run(self) -> None:
        """Two viewers of the channel; the first leaves before the second."""
        self.departed = False
        self.metrics = Metrics()
        slots = self.slots(self.config.sources)
        parts = shared(self.config, metrics=self.metrics, slots=slots)
        opener = Opener(self.config, HttpClient(self.config), parts.rhythms)
        hubs = self.hubs = Hubs(parts, opener.open_stream, opener.open_film)
        other = gevent.spawn(self.watch, hubs, 2)
        try:
            self.watch(hubs, 1)
            other.join()
        finally:
            kill(other)
            hubs.close()

    def watch(self, hubs: Hubs, pieces: int) -> None:
        with suppress(Unavailable):
            lease = Lease(departed=lambda: self.departed)
            self.open.add(lease)
            lease.on_end = self.open.remove  # which fails if it comes twice
            try:
                body = hubs.start(self.channel, lease, self.byte_range)
            except BaseException:
                lease.end()
                raise
            with closing(body):
                if self.wired:
                    assert isinstance(body, Playing)
                    send(body, pieces)
                    return
                for number, _ in enumerate(body, 1):
                    if self.config.standby and isinstance(body, Playing):
                        if self.stands_by(body):
                            return
                    elif number == pieces and isinstance(body, Playing):
                        return

    def stands_by(self, body: Playing) -> bool:
        """Whether the second stream does; it is opened if not."""
        standby = body.hub.standby
        if standby is None:
            body.hub._lookout.look()
        return standby is not None and standby.ready

    def check(self) -> None:
        """All is given back, and no source had more than it allows."""
        assert self.hubs is not None
        deadline = monotonic() + LIMIT
        while any(self.figures().values()):
            assert monotonic() < deadline, self.figures()
            gevent.sleep(0.002)
        for origin in self.origins:
            assert origin.most_open <= 1, origin.most_open
            origin.clear()

    def figures(self) -> dict[str, int]:
        """What is zero when all is given back."""
        assert self.hubs is not None
        hubs, counters = self.hubs, self.metrics.open("News")
        return {
            "hubs": len(hubs),
            "slots": sum(hubs.slots.held(s) for s in self.config.sources),
            "full": len(hubs.slots.full()),
            "waiting": sum(hubs.slots.waiting(s.number) for s in self.config.sources),
            "upstreams": counters.upstreams,
            "viewers": counters.viewers + hubs.viewers,
            "bytes": hubs.budget.used,
            "leases": len(self.open),
        }


class Arcade(House):
    """A house whose two viewers follow the channel by HLS until it has a segment."""

    windows: Windows | None = None

    def run(self) -> None:
        self.metrics = Metrics()
        parts = shared(self.config, metrics=self.metrics, slots=self.slots(self.config.sources))
        opener = Opener(self.config, HttpClient(self.config), parts.rhythms)
        hubs = self.hubs = Hubs(parts, opener.open_stream, opener.open_film)
        common = Common(2.0, parts.budget, hubs.start, figures=self.metrics.hls)
        windows = self.windows = Windows(common)
        other = gevent.spawn(self.follow, windows, "phone")
        try:
            self.follow(windows, "laptop")
            other.join()
        finally:
            kill(other)
            windows.close()
            hubs.close()

    def follow(self, windows: Windows, agent: str) -> None:
        with suppress(Unavailable, MayNotFollow, IsOver):
            windows.follow(self.channel, viewer_of(agent), self.enter)

    def enter(self, lease: Lease) -> float:
        self.open.add(lease)
        lease.on_end = self.open.remove  # which fails if it comes twice
        gevent.sleep(0)
        return 0.0

    def check(self) -> None:
        assert self.windows is not None
        for follower in self.windows._followers:  # a second or ten later
            follower.quiet_after = -1.0
        self.windows.look()
        super().check()

    def figures(self) -> dict[str, int]:
        hls = self.metrics.hls
        return {**super().figures(), "windows": hls.windows, "window bytes": hls.window_bytes}


def viewer_of(agent: str) -> Viewer:
    return Viewer(Client("192.0.2.1", agent))


def send(playing: Playing, pieces: int) -> None:
    """Send to a viewer who takes ten times so many frames and hangs up."""
    ours, theirs = socket.socketpair()

    def take() -> None:
        left = pieces * 10 * 3 * PACKET_SIZE
        while left > 0 and (data := theirs.recv(left)):
            left -= len(data)
        theirs.close()

    viewer = gevent.spawn(take)
    try:
        with suppress(OSError):
            for data in playing.read(wire_of(ours)):
                ours.sendall(data)
    finally:
        ours.close()
        viewer.join()


def hub(house: House, end: Callable[[House, Greenlet], object]) -> int:
    return at_each_turn(spawned(house.run), lambda victim: end(house, victim), house.check)


def stop(house: House, victim: Greenlet) -> None:
    if house.hubs is not None:
        house.hubs.stop("news")


def switch(house: House, victim: Greenlet) -> None:
    if house.hubs is not None:
        house.hubs.switch("news", None)


def lose(house: House, victim: Greenlet) -> None:
    """Another process takes the slots that are held, and gives them back at once."""
    assert house.hubs is not None
    slots = house.hubs.slots
    assert isinstance(slots, FarSlots)
    for source in house.config.sources:
        while slots.held(source) and slots.lose(source):
            slots.free(source)


def lose_beside(house: House, victim: Greenlet) -> None:
    look_ahead(house, victim)
    get_hub().loop.run_callback(lose, house, victim)


def depart(house: House, victim: Greenlet) -> None:
    house.departed = True
    if house.hubs is not None:
        house.hubs.films.look_after()


def let_go(house: House, victim: Greenlet) -> None:
    """Nobody may watch any more, as when a user is disabled."""
    for lease in list(house.open):
        assert house.hubs is not None
        house.hubs.let_go(lease)


def zap(house: House, victim: Greenlet) -> None:
    """The viewers ask for another channel."""
    assert isinstance(house, Arcade)
    if house.windows is not None:
        for agent in "phone", "laptop":
            house.windows.left_for(Channel("sport", "Sport", ()), viewer_of(agent))


def end_windows(house: House, victim: Greenlet) -> None:
    assert isinstance(house, Arcade)
    if house.windows is not None:
        house.windows.close()


def look_ahead(house: House, victim: Greenlet) -> None:
    """A scout goes out, as if the stream were silent."""
    for playing in house.hubs.all() if house.hubs is not None else ():
        playing._lookout.look()


def viewers_leave(house: House, victim: Greenlet) -> None:
    kill(victim)


def stop_scouting(house: House, victim: Greenlet) -> None:
    look_ahead(house, victim)
    get_hub().loop.run_callback(stop, house, victim)


SCENES: dict[str, Callable[[], int]] = {
    "a child that ends": lambda: child("echo media; echo no >&2", kill),
    "a child, killed twice": lambda: child("echo media", kill_twice),
    "a child, timed out": lambda: child("echo media", time_out),
    "a child that is fed": lambda: child("cat", kill, 3),
    "a child that is fed, killed twice": lambda: child("cat", kill_twice, 3),
    "a child that is fed, timed out": lambda: child("cat", time_out, 3),
    "a child that is fed and ends before": lambda: child("echo media", kill, 9),
    "a live stream": lambda: upstream("live", kill, 4),
    "a live stream behind redirects, timed out": lambda: upstream("moved/live", time_out, 4),
    "HLS": lambda: upstream("moved/master", kill, 1),
    "HLS, killed twice": lambda: upstream("moved/master", kill_twice, 1),
    "HLS, timed out": lambda: upstream("master", time_out, 1),
    "an import": lambda: import_of_a_list("moved/list", kill),
    "an import, killed twice": lambda: import_of_a_list("list", kill_twice),
    "a hub that is left": lambda: hub(House("live", "live"), viewers_leave),
    "a front row that is left": lambda: hub(House("live", "live", wired=True), viewers_leave),
    "a front row, killed twice": lambda: hub(
        House("live", "live", wired=True), lambda house, victim: kill_twice(victim)
    ),
    "a front row that is stopped": lambda: hub(House("live", "live", wired=True), stop),
    "a front row that fails over, stopped": lambda: hub(
        House("short", "live", limit=1, wired=True), stop
    ),
    "a hub that is stopped": lambda: hub(House("live", "live"), stop),
    "a hub whose viewers are let go": lambda: hub(House("live", "live"), let_go),
    "a front row that is let go": lambda: hub(House("live", "live", wired=True), let_go),
    "a hub that fails over, let go": lambda: hub(House("short", "live", limit=1), let_go),
    "a film that is let go": lambda: hub(House("film", "film", limit=1), let_go),
    "parts of a film that are let go": lambda: hub(
        House("film", "film", "bytes=9-", limit=1), let_go
    ),
    "a hub that is switched": lambda: hub(House("live", "live"), switch),
    "a hub that fails over, stopped": lambda: hub(House("short", "live", limit=1), stop),
    "a hub that fails over, switched": lambda: hub(House("short", "live", limit=1), switch),
    "a hub that scouts": lambda: hub(House("live", "live", limit=1), look_ahead),
    "a hub that scouts, stopped": lambda: hub(House("live", "live", limit=1), stop_scouting),
    "a hub that loses its slot": lambda: hub(House("live", "live", limit=1, slots=FarSlots), lose),
    "a hub that fails over, its slots lost": lambda: hub(
        House("short", "live", limit=1, slots=FarSlots), lose
    ),
    "a hub that scouts, its slots lost": lambda: hub(
        House("live", "live", limit=1, slots=FarSlots), lose_beside
    ),
    "a hub of far slots, stopped": lambda: hub(
        House("live", "live", limit=1, slots=FarSlots), stop_scouting
    ),
    "a hub with a standby": lambda: hub(
        House("live", "live", limit=1, standby=True), viewers_leave
    ),
    "a hub with a standby, stopped": lambda: hub(
        House("live", "live", limit=1, standby=True), stop
    ),
    "a hub with a standby, switched": lambda: hub(
        House("live", "live", limit=1, standby=True), switch
    ),
    "a hub with a standby, its slots lost": lambda: hub(
        House("live", "live", limit=1, slots=FarSlots, standby=True), lose
    ),
    "a hub that fails over to a standby, stopped": lambda: hub(
        House("short", "live", limit=1, standby=True), stop
    ),
    "a hub that fails over to a standby of HLS": lambda: hub(
        House("short", "moved/master", standby=True), viewers_leave
    ),
    "a hub of HLS, stopped": lambda: hub(House("moved/master", "live"), stop),
    "a window that is left": lambda: hub(Arcade("live", "live"), viewers_leave),
    "a window that is stopped": lambda: hub(Arcade("live", "live"), stop),
    "a window whose followers are let go": lambda: hub(Arcade("live", "live"), let_go),
    "a window that is left for another": lambda: hub(Arcade("live", "live"), zap),
    "a window that ends with the process": lambda: hub(Arcade("live", "live"), end_windows),
    "a window that loses its slot": lambda: hub(
        Arcade("live", "live", limit=1, slots=FarSlots), lose
    ),
    "a film that is left": lambda: hub(House("film", "film", limit=1), viewers_leave),
    "a film whose slot is lost": lambda: hub(House("film", "film", limit=1, slots=FarSlots), lose),
    "parts of a film, their slots lost": lambda: hub(
        House("film", "film", "bytes=9-", limit=1, slots=FarSlots), lose
    ),
    "parts of a film that are left": lambda: hub(
        House("film", "film", "bytes=9-", limit=1), viewers_leave
    ),
    "parts of a film, their viewers gone": lambda: hub(
        House("film", "film", "bytes=9-", limit=1), depart
    ),
    **courier.SCENES,
}


def main(name: str) -> None:
    """Play the scene; says how many turns it had."""
    gc.disable()
    gc.freeze()  # each look at what is held goes through all other objects
    front_row.FILE_FROM = 1
    set_up_logging(Config(sources=(), log_format="text"))
    sys.stdout.write(f"{SCENES[name]()}\n")
