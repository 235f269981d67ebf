"""What a viewer gets while a channel fails over again and again, and when; worked out, not awaited.

The programme is made by the proxy's own code, told the time. So each way of going on behind a gap
meets the same outages, to the millisecond, and real players are given the very same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, pairwise

from kptv.channels.model import Source, Stream
from kptv.demo.playout import Clip, Playout
from kptv.demo.providers import CLIPS
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.inspection import MarkKind
from kptv.formats.mpegts.inspector import Inspector
from kptv.metrics.counters import ChannelCounters
from kptv.ports import Piece
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.cursor import Cursor
from kptv.restream.lease import Lease
from kptv.restream.output import Output

OUTAGES = (0.6, 1.4, 0.3, 2.2, 1.0, 1.8)  # seconds without an upstream
SECONDS = 30.0  # in which these are, from the viewer's joining on
AFTER = 5.0  # seconds that media goes on beyond these: players begin late
STEP = 0.02  # seconds between two reads of an upstream
TICK = 25  # steps between two looks of the housekeeping
PICTURE = 0.04  # seconds
_CLIP_SECONDS = 8.0
_ROOM = 1 << 26  # bytes: nothing falls out of the buffer


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens to a channel and its viewer."""

    skip_beyond: float | None  # the way of going on behind a gap: see Reserve
    burst: float = 0.0  # seconds of media that each upstream sends at once
    before: float = 6.0  # seconds that the channel plays before the viewer joins
    join_buffer: float = 2.0
    outages: tuple[float, ...] = OUTAGES
    clip: bytes = b""  # the slate

    def is_out(self, now: float) -> bool:
        """Whether no upstream is there."""
        played = (SECONDS - sum(self.outages)) / (len(self.outages) + 1)
        ends = accumulate(played + outage for outage in self.outages)
        at = now - self.before
        return any(end - outage <= at < end for end, outage in zip(ends, self.outages, strict=True))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes that a viewer gets; seconds since he joined."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that has arrived: when, and its time in the programme, in seconds."""

    at: float
    dts: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What a player has shown."""

    frozen: float  # seconds without a new picture
    longest: float  # of these, at once
    underruns: int  # how often it had nothing left to play


def arrivals(scene: Scene) -> list[Arrival]:
    """All that the viewer gets."""
    buffer = ChunkBuffer(_ROOM, Budget(_ROOM))
    output = Output(buffer, scene.clip, 0.0, lambda: None, skip_beyond=scene.skip_beyond)
    channel = _Channel(output, scene)
    viewer = Cursor(buffer, Lease(), ChannelCounters("news"), scene.join_buffer)
    out: list[Arrival] = []
    for number in range(round((scene.before + SECONDS + AFTER) / STEP)):
        now = number * STEP
        channel.step(now)
        if number % TICK == 0:
            output.tick(now)
        if now >= scene.before and (data := b"".join(iter(viewer.take, b""))):
            out.append(Arrival(now - scene.before, data))
    return out


class _Channel:
    """Two providers by turns."""

    def __init__(self, output: Output, scene: Scene) -> None:
        self._output = output
        self._scene = scene
        self._upstreams = cycle(_Upstream(n, scene.burst) for n in (1, 2))
        self._upstream: _Upstream | None = None

    def step(self, now: float) -> None:
        if self._scene.is_out(now):
            if self._upstream is not None:
                self._output.close(now)
                self._upstream = None
            return
        if self._upstream is None:
            self._upstream = next(self._upstreams)
            self._upstream.connect(now)
            self._output.open(self._upstream.stream, now)
        self._output.feed(Piece(self._upstream.read(now)), now)


class _Upstream:
    """A provider that starts each connection at a keyframe, which comes at once."""

    def __init__(self, number: int, burst: float) -> None:
        source = Source(number, f"http://{number}.example/", 0)
        name = {1: "one", 2: "two"}[number]
        self.stream = Stream(source, f"http://{number}.example/news")
        self._clip = Clip.parse((CLIPS / f"{name}-card.ts").read_bytes(), _CLIP_SECONDS)
        self._clock_base = number * 1000 * TICKS
        self._burst = burst
        self._playout = Playout(self._clip)
        self._lag = 0.0  # of its programme's time behind ours

    def connect(self, now: float) -> None:
        begins = round(now)  # at whole seconds it has keyframes
        self._lag = now - begins - self._burst
        self._playout = Playout(self._clip, self._clock_base)
        self._playout.start(begins)

    def read(self, now: float) -> bytes:
        return self._playout.due(now - self._lag)


def pictures(arrived: Iterable[Arrival]) -> Iterator[Picture]:
    """The pictures in what arrived, in the order in which they come."""
    inspector = Inspector()
    for arrival in arrived:
        scan = inspector.scan(arrival.data)
        program = inspector.program
        for mark in scan.marks:
            unit = mark.unit
            if mark.kind is MarkKind.UNIT and unit and program and unit.pid == program.lead_pid:
                yield Picture(arrival.at, (unit.dts or 0) / TICKS)


def shown(came: Sequence[Picture], *, clock_stops: bool) -> Shown:
    """What an ideal player shows that begins with the first picture, in SECONDS from there on.

    A jump in the programme's times is a freeze: they say so. If the player has nothing left to
    play, its clock runs on, so that a jump behind that may be over already; or it stops
    (``clock_stops``), and the jump comes on top.
    """
    at, end = came[0].at, came[0].at + SECONDS
    freezes: list[float] = []
    underruns = 0
    for before, picture in pairwise(came):
        step = picture.dts - before.dts
        due = at + step
        if clock_stops and picture.at > at + PICTURE:
            due = picture.at + step - PICTURE
        due = max(due, picture.at)
        underruns += picture.at > at + 2 * PICTURE
        if due - at > 2 * PICTURE:
            freezes.append(min(due, end) - at - PICTURE)
        at = due
        if at >= end:
            break
    return Shown(sum(freezes), max(freezes, default=0.0), underruns)
