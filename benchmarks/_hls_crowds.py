"""HLS behind nginx's cache, beside the same viewers' transport streams through nginx; and without.

The worker and nginx have one core, players and provider the other. Each round has its turns one
after the other, so that what else the machine does meets all alike.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Cores, Crowd, cpu_seconds, pin, running_proxy, span
from benchmarks.transport_stream import channel
from tests.functional.harness import Proxy
from tests.functional.nginx import Nginx, keeping
from tests.provider import Provider

FEW, MANY, DIRECT = 20, 200, 50  # viewers
CLIP = 8.0  # seconds; keyframes are 2 s apart
HLS, TS = "/hls/news.m3u8", "/stream/news"
_DEADLINE = 60.0  # seconds for all to play
_MEMORY = Path("/dev/shm")  # where the shipped site keeps segments


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the proxy, and what the cached road should cost."""

    bitrate: int
    viewers: int
    most: float  # of the cost of as many transport streams through nginx


LOADS = (Load(8_000_000, MANY, 0.7), Load(1_400_000, 800, 0.35))


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    settle: float  # seconds until all have what came before
    window: float  # seconds measured


WHOLE, QUICK = Extent(2, 4.0, 7.0), Extent(1, 3.0, 4.0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What players have seen since the report before; see hls_players.py."""

    playing: int
    failed: int
    lists: int
    segments: int
    bytes: int
    least: int
    most: int
    list: float
    segment: float
    longest: float
    late: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What a crowd cost, in parts of a core."""

    worker: float
    nginx: float
    heard: Heard | None = None  # None: the viewers were of transport streams
    lag: float = 0.0  # seconds: the worst of the worker's event loop

    @property
    def whole(self) -> float:
        """Both."""
        return self.worker + self.nginx


class HlsPlayers:
    """Players of HLS, in a process of their own; used as rig's Crowd."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self.count = count
        command = (sys.executable, "-m", "benchmarks.hls_players", f"{port}", path, f"{count}")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> HlsPlayers:
        """Waits until all have a segment."""
        deadline = time.monotonic() + _DEADLINE
        while (heard := self.report()).playing < self.count:
            if heard.failed or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError(f"of {self.count} players: {heard}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=_DEADLINE)

    def report(self) -> Heard:
        """What they have seen since the last report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        words = self._process.stdout.readline().split()
        assert len(words) == 11, "the players are gone"
        return Heard(*(int(word) for word in words[:7]), *(float(word) for word in words[7:]))


@dataclass(frozen=True, slots=True)
class Round:
    """The turns of one load."""

    few: Turn | None
    hls: Turn
    direct: Turn | None
    ts: Turn
    memory: float  # bytes that the window keeps and the buffer does not


@dataclass(frozen=True, slots=True)
class Stage:
    """A proxy with a channel, and nginx before it."""

    proxy: Proxy
    nginx: Nginx
    program: Path  # viewers of transport streams
    extent: Extent

    def round(self, load: Load) -> Round:
        """All turns; ``few`` and ``direct`` only of the load that these are told of."""
        told = load is LOADS[0]
        few = self._hls(self.nginx.port, FEW) if told else None
        hls = self._hls(self.nginx.port, load.viewers)
        direct = self._hls(self.proxy.port, DIRECT) if told else None
        memory = self.proxy.metrics().value("iptv_proxy_hls_window_bytes")
        with Crowd(self.program, self.nginx.port, TS, load.viewers) as crowd:
            ts = self._turn(lambda: crowd.report() and None)
        return Round(few, hls, direct, ts, memory)

    def _hls(self, port: int, count: int) -> Turn:
        with HlsPlayers(port, HLS, count) as players:
            return self._turn(players.report)

    def _turn(self, report: Callable[[], Heard | None]) -> Turn:
        pids = self.proxy.worker_pid, self.nginx.pid
        time.sleep(self.extent.settle)
        report()
        begun, before = time.monotonic(), [cpu_seconds(pid) for pid in pids]
        time.sleep(self.extent.window)
        heard, after = report(), [cpu_seconds(pid) for pid in pids]
        seconds = time.monotonic() - begun
        worker, nginx = ((now - then) / seconds for now, then in zip(after, before, strict=True))
        lag = self.proxy.metrics().value("iptv_proxy_event_loop_lag_recent_seconds")
        return Turn(worker, nginx, heard, lag)


def run(cores: Cores, program: Path, *, quick: bool) -> list[Figure]:
    """Figures of each load; ``quick``: of the first one alone, and less exact."""
    extent = QUICK if quick else WHOLE
    figures: list[Figure] = []
    for load in LOADS[:1] if quick else LOADS:
        with _stage(load, cores, program, extent) as stage:
            rounds = [stage.round(load) for _ in range(extent.rounds)]
        figures += _figures(load, rounds)
    return figures


@contextlib.contextmanager
def _stage(load: Load, cores: Cores, program: Path, extent: Extent) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY)))
        provider = stack.enter_context(Provider("one", bitrate=load.bitrate))
        news, clip = provider.add_channel("News"), folder / "clip.ts"
        clip.write_bytes(channel(900_000, 0x100, int(CLIP), load.bitrate // 8))
        news.play_clip(clip, CLIP)
        proxy = stack.enter_context(running_proxy(provider, core=cores.server))
        nginx = Nginx(folder)
        stack.callback(nginx.stop)
        nginx.start(proxy.port, uncommented=keeping(lists=True))
        pin(nginx.pid, cores.server)
        yield Stage(proxy, nginx, program, extent)


def _figures(load: Load, rounds: list[Round]) -> list[Figure]:
    of = f"{load.viewers} HLS viewers of {load.bitrate / 1e6:g} Mbit/s behind nginx's cache"
    ratios = [one.hls.whole / one.ts.whole for one in rounds]
    hls, ts = ([one.hls for one in rounds], [one.ts for one in rounds])
    figures = [
        Figure(
            f"{of}: CPU of worker and nginx, of that for transport streams through nginx",
            median(ratios),
            "",
            at_most(load.most),
            f"{span(ratios, 2)}{_parts(hls)} and {_parts(ts)} of a core",
        ),
        Figure(f"{of}: the worker", _worker(hls), "cores", at_most(0.08)),
        *_kept_up(of, [turn.heard for turn in hls if turn.heard]),
    ]
    if few := [one.few for one in rounds if one.few]:
        figures.append(_beside_few(of, hls, few))
    if direct := [one.direct for one in rounds if one.direct]:
        figures += _direct(load, direct)
        memory = max(one.memory for one in rounds) / 1024**2
        figures.append(Figure("memory of such a window beyond the channel's buffer", memory, "MB"))
    return figures


def _beside_few(of: str, hls: list[Turn], few: list[Turn]) -> Figure:
    """How far the worker's CPU is from that for a few viewers, in either direction."""
    ratio = _worker(hls) / _worker(few)
    what = f"{of}: how much the worker's CPU differs from that with {FEW}"
    note = f"{_worker(hls):.3f} and {_worker(few):.3f} of a core"
    return Figure(what, abs(ratio - 1) * 100, "%", at_most(20), note)


def _direct(load: Load, turns: list[Turn]) -> list[Figure]:
    of = f"{DIRECT} HLS viewers of {load.bitrate / 1e6:g} Mbit/s without nginx"
    lags = [turn.lag * 1e3 for turn in turns]
    note = span(lags).removesuffix("; ")
    return [
        Figure(f"{of}: the worker", _worker(turns), "cores", at_most(0.25)),
        Figure(f"{of}: worst lag of the event loop", median(lags), "ms", at_most(50), note),
        *_kept_up(of, [turn.heard for turn in turns if turn.heard]),
    ]


def _kept_up(of: str, heard: list[Heard]) -> list[Figure]:
    """Whether all players got what there was, and how soon."""
    apart = max(one.most - one.least for one in heard)
    times = max(one.list for one in heard) * 1e3, max(one.segment for one in heard) * 1e3
    note = (
        f"99% of lists within {times[0]:.0f} ms, of segments {times[1]:.0f}, all"
        f" {max(one.longest for one in heard) * 1e3:.0f}; players looked every"
        f" {max(one.late for one in heard) * 1e3:.0f} ms at least"
    )
    return [
        Figure(f"{of}: players that failed", sum(one.failed for one in heard), "", at_most(0)),
        Figure(f"{of}: segments that one got less than another", apart, "", at_most(2), note),
    ]


def _worker(turns: list[Turn]) -> float:
    return median(turn.worker for turn in turns)


def _parts(turns: list[Turn]) -> str:
    return f"{_worker(turns):.3f} + {median(turn.nginx for turn in turns):.3f}"
