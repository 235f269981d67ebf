"""What a failover costs with a warm standby: ten deaths in a row, by end, by reset, by silence.

Two providers play the demo's clips in real time; the one that plays dies as soon as the other
stands by. The first two figures are read from what a viewer gets: how much later than usual a
picture came, and how much of the programme has none. Real players tell how long they stood still.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import struct
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

from benchmarks.figures import Figure, at_most
from benchmarks.outages import PICTURE, SECONDS
from benchmarks.players import PLAYERS, Watched
from benchmarks.rig import percentile
from kptv.demo.playout import Playout
from kptv.demo.providers import ACCOUNTS, TICK, DemoAccount, clip
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.inspection import MarkKind
from kptv.formats.mpegts.inspector import Inspector
from tests.functional.harness import Proxy, eventually

DEATHS = 10
BEFORE = 5.0  # seconds that the channel plays before players join: they get JOIN_BUFFER
APART = 2.0  # seconds at least from one to the next
MISSING = 0.1  # seconds of the programme without a picture; the target
SILENT = 1.5  # seconds without a picture behind a silence, which must first be noticed
FILE, CHANNEL, PATH = "card", "Demo Test Card", "/stream/demo-test-card"
STILL = 0.5  # seconds that a player may stand still at once
How = Literal["end", "reset", "stall"]
WAYS: tuple[How, ...] = ("end", "reset", "stall")


class Broadcaster:
    """One of the demo's accounts, whose viewers can be let down."""

    def __init__(self, account: DemoAccount) -> None:
        self.account = account
        self.how: How = "end"
        self.deaths = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.broadcaster = self

    @property
    def source(self) -> str:
        """Its entry in SOURCES."""
        return f"{self.url}/list.m3u|1"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Broadcaster:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die("reset")
        self._server.shutdown()
        self._server.server_close()

    def die(self, how: How) -> None:
        """Let down those who are connected, and nobody who comes later."""
        self.how = how
        self.deaths += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    broadcaster: Broadcaster


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        owner = cast(_Server, self.server).broadcaster
        is_list = self.path.endswith("list.m3u")
        self.send_response(200)
        self.send_header("Content-Type", "audio/x-mpegurl" if is_list else "video/mp2t")
        self.end_headers()
        if is_list:
            text = f"#EXTM3U\n#EXTINF:-1,{CHANNEL}\n{owner.url}/live.ts\n"
            self.wfile.write(text.encode())
            return
        with contextlib.suppress(OSError):
            self._play(owner)

    def _play(self, owner: Broadcaster) -> None:
        playout = Playout(clip(f"{owner.account.name}-{FILE}"), owner.account.clock_base)
        playout.start(time.monotonic())
        deaths = owner.deaths
        while owner.deaths == deaths:
            self.wfile.write(playout.due(time.monotonic()))
            time.sleep(TICK)
        if owner.how == "stall":
            self.connection.recv(1)  # until we are left
        elif owner.how == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a viewer has got behind each death, in seconds."""

    silences: Sequence[float]  # the longest time without a picture, beyond what is usual
    missing: Sequence[float]  # the most of the programme's time without a picture


class Watching:
    """A viewer who notes each picture: when it came, and its time in the programme."""

    def __init__(self, proxy: Proxy) -> None:
        self.pictures: list[tuple[float, float]] = []
        self._answer = urllib.request.urlopen(proxy.url(PATH))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        sock = self._answer.fp.raw._sock
        sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._answer.close()

    def _run(self) -> None:
        inspector, rest = Inspector(), b""
        while data := self._answer.read1(65536):
            now, data = time.monotonic(), rest + data
            whole = len(data) // 188 * 188
            rest = data[whole:]
            for mark in inspector.scan(data[:whole]).marks:
                lead = inspector.program.lead_pid if inspector.program else None
                if mark.kind is MarkKind.UNIT and mark.pid == lead and mark.unit:
                    self.pictures.append((now, (mark.unit.dts or 0) / TICKS))

    def seen(self, deaths: Sequence[float]) -> Seen:
        """What came from each death to the next."""
        silences, missing = [], []
        usual = percentile([b[0] - a[0] for a, b in pairwise(self.pictures) if b[0] > a[0]], 0.5)
        for begin, end in pairwise([*deaths, time.monotonic()]):
            of_it = [p for p in self.pictures if begin - 2 * PICTURE <= p[0] < end]
            silences.append(max(b[0] - a[0] for a, b in pairwise(of_it)) - usual)
            missing.append(max(b[1] - a[1] for a, b in pairwise(of_it)) - PICTURE)
        return Seen(silences, missing)


def run(quick: bool = False) -> list[Figure]:
    """Deaths of each kind: one viewer sees ten, and each real player as many as it watches."""
    figures: list[Figure] = []
    for how in WAYS:
        with _stage() as (proxy, providers):
            deaths, seen, players = _watched(proxy, providers, how, quick=quick)
        figures += _told(how, deaths, seen, players)
    return figures


def _watched(
    proxy: Proxy, providers: Sequence[Broadcaster], how: How, *, quick: bool
) -> tuple[int, Seen, dict[str, Watched]]:
    """How many deaths there were, and what came of them."""
    names = [] if quick else [name for name in ("vlc", "mpv") if shutil.which(name)]
    viewer = Watching(proxy)
    with contextlib.closing(viewer), ThreadPoolExecutor(len(names) or 1) as pool:
        time.sleep(BEFORE)
        watching = {name: pool.submit(PLAYERS[name], proxy.url(PATH)) for name in names}
        deaths: list[float] = []
        while len(deaths) < (3 if quick else DEATHS) or not all(
            player.done() for player in watching.values()
        ):
            deaths.append(_death(proxy, providers, how))
        time.sleep(APART)
        seen = viewer.seen(deaths)
        return len(deaths), seen, {name: player.result() for name, player in watching.items()}


@contextlib.contextmanager
def _stage() -> Iterator[tuple[Proxy, list[Broadcaster]]]:
    with contextlib.ExitStack() as stack:
        providers = [stack.enter_context(Broadcaster(account)) for account in ACCOUNTS]
        sources = ",".join(provider.source for provider in providers)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        proxy = Proxy(Path(folder), sources, STANDBY="on", MAX_FAILURES_BEFORE_BLOCK="1000")
        stack.callback(proxy.close)
        proxy.start()
        yield proxy, providers


def _death(proxy: Proxy, providers: Sequence[Broadcaster], how: How) -> float:
    """When the source that plays has died; the other one plays by now."""
    time.sleep(APART)
    eventually(lambda: _standing(proxy)[1] is not None)
    playing, standby = _standing(proxy)
    assert playing is not None
    died_at = time.monotonic()
    providers[playing - 1].die(how)
    eventually(lambda: _standing(proxy)[0] == standby)
    return died_at


def _standing(proxy: Proxy) -> tuple[int | None, int | None]:
    """The numbers of the sources that play, and that are ready to."""
    hub = json.loads(proxy.get("/api/status").text)["hubs"][0]
    standby = hub["standby"]
    return hub["source"], standby["source"] if standby and standby["ready"] else None


def _told(how: How, deaths: int, seen: Seen, players: dict[str, Watched]) -> Iterator[Figure]:
    name = f"a standby, {deaths} deaths by {how}"
    silence = SILENT if how == "stall" else MISSING
    yield _worst(f"{name}: a picture comes later than usual by", seen.silences, silence)
    yield _worst(f"{name}: missing in the programme", seen.missing, MISSING)
    for player, watched in players.items():
        note = f"all {watched.frozen:.1f}; {watched.pictures} pictures in {SECONDS:g} s"
        what = f"{name}: {player} stands still at once for"
        yield Figure(what, watched.longest, "s", at_most(STILL), note)


def _worst(what: str, values: Sequence[float], target: float) -> Figure:
    note = "worst of " + ", ".join(f"{value * 1e3:.0f}" for value in values)
    return Figure(what, max(values) * 1e3, "ms", at_most(target * 1e3), note)
