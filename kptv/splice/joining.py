"""What viewers get: chunks, the points in them where a viewer may start, and the way in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.packets import bare_packet, pid_of

Media = bytes | memoryview  # whole packets; a view refers to a chunk's data

_PATIENCE = 4 * 1024 * 1024  # bytes in which the first sound must come; then all is handed on
_LONG = 16 * 1024  # bytes; shorter runs are joined, as a reader sends each piece by itself


@dataclass(frozen=True, slots=True)
class StartPoint:
    """A keyframe in a chunk, and what a viewer needs to start there.

    ``clock`` is the media time there, in seconds since the hub's first start point.
    """

    offset: int  # where its first packet is in the chunk's data
    clock: float
    tables: bytes = field(repr=False)  # PAT and PMT in force, as packets
    essential: frozenset[int] = field(repr=False)  # PIDs of picture and sound
    others: frozenset[int] = field(repr=False)  # PIDs that may be silent for long
    pcr_pid: int
    pcr: int | None  # the last one before this point, in ticks
    tables_version: int = 0  # of these tables, as in Chunk

    def at(self, offset: int) -> StartPoint:
        return replace(self, offset=offset)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole packets for viewers, and the points in them where a viewer may start."""

    data: bytes = field(repr=False)
    starts: tuple[StartPoint, ...] = ()
    clock: float = 0.0  # media time at its end, as in StartPoint
    tables_version: int = 0  # of the tables in force at its end: one more with each change

    def __bool__(self) -> bool:
        return bool(self.data)


def choose_start(
    starts: Iterable[StartPoint], clock: float, join_buffer: float
) -> StartPoint | None:
    """The newest start that is ``join_buffer`` seconds older than ``clock``, else the oldest.

    ``starts`` are the buffer's, oldest first; ``clock`` is its newest chunk's. A player fills its
    own buffer at once with the media behind that point. None: there is no start.
    """
    choice: StartPoint | None = None
    for start in starts:
        if choice is None or start.clock <= clock - join_buffer:
            choice = start
    return choice


class ViewerPatch:
    """One viewer's way into the stream at a start point: ``start()``, then ``feed`` until ``done``.

    PAT and PMT come first; PES packets that began before the start point are left out. If the
    viewer has already seen another part of this stream (``resumed``), the break is marked: each
    PID's counter and the clock may jump where discontinuity_indicator is set (2.4.3.5).
    """

    __slots__ = ("_awaited", "_gated", "_left", "_resumed", "_start")

    def __init__(self, start: StartPoint, *, resumed: bool = False) -> None:
        self._start = start
        self._resumed = resumed
        self._gated = set(start.essential | start.others)
        self._awaited = set(self._gated) if resumed else set(start.essential)
        self._left = _PATIENCE

    @property
    def done(self) -> bool:
        """Whether the viewer gets from here on what all viewers get."""
        return not self._awaited

    def start(self) -> bytes:
        """The bytes that go before those of the start point."""
        tables = self._start.tables
        if not self._resumed:
            return tables
        out: list[bytes] = []
        seen: set[int] = set()
        for at in range(0, len(tables), PACKET_SIZE):
            pid = pid_of(tables, at)
            if pid not in seen:
                seen.add(pid)
                out.append(bare_packet(pid, tables[at + 3] - 1, discontinuity=True))
            out.append(tables[at : at + PACKET_SIZE])
        return b"".join(out)

    def feed(self, data: bytes, offset: int = 0) -> list[Media]:
        """The stream from ``offset`` on, without packets that this viewer cannot decode.

        Nothing of ``data`` is copied: runs of its packets are views.
        """
        runs: list[Media] = []
        at = begun = offset  # begun: where a run of packets that the viewer gets begins
        while self._awaited and at < len(data):
            pid = pid_of(data, at)
            if pid in self._gated:
                opens = self._opens(pid, data[at + 1], data[at + 3])
                if not opens or self._resumed:
                    runs.append(_run(data, begun, at))
                    begun = at if opens else at + PACKET_SIZE
                if opens and self._resumed:
                    runs.append(self._mark(pid, data[at + 3]))
            at += PACKET_SIZE
        self._left -= at - offset
        if self._left <= 0:
            self._awaited.clear()
        runs.append(_run(data, begun, len(data)))
        return [run for run in runs if run]

    def _opens(self, pid: int, start: int, control: int) -> bool:
        """Whether the viewer gets this PID from this packet on."""
        clock_only = not control & 0x10 and pid not in self._start.essential
        if not start & 0x40 and not clock_only:
            return False
        self._gated.discard(pid)
        self._awaited.discard(pid)
        return True

    def _mark(self, pid: int, control: int) -> bytes:
        """A packet that marks the break before the first one of a PID."""
        pcr = self._start.pcr if pid == self._start.pcr_pid else None
        counter = control - 1 if control & 0x10 else control
        return bare_packet(pid, counter, discontinuity=True, pcr=pcr)


class WayIn:
    """What whoever joins at a start point gets for the chunks from there on, until it is ``over``.

    It is made once, however many join there: media by reference, and the few packets that differ.
    A viewer who has seen another part of the stream (``resumed``) needs one of its own.
    """

    __slots__ = ("_patch", "_steps", "number", "start")

    def __init__(self, number: int, start: StartPoint, *, resumed: bool = False) -> None:
        """``start`` is in the chunk of this sequence number."""
        self.number = number
        self.start = start
        self._patch = ViewerPatch(start, resumed=resumed)
        self._steps: list[tuple[Media, ...]] = []

    def __repr__(self) -> str:
        return f"<WayIn at {self.start!r} in chunk {self.number} steps={len(self._steps)}>"

    def over(self, number: int) -> bool:
        """Whether whoever has got the chunks before this one gets this one as all viewers do."""
        return self._patch.done and number >= self.number + len(self._steps)

    def through(self, number: int, data: bytes) -> tuple[Media, ...]:
        """The pieces that stand for a chunk, whose data is ``data``; none may be left out."""
        step = number - self.number
        if step == len(self._steps):
            self._steps.append(_packed(self._made(step, data)))
        return self._steps[step]

    def _made(self, step: int, data: bytes) -> list[Media]:
        if step:
            return self._patch.feed(data)
        return [self._patch.start(), *self._patch.feed(data, self.start.offset)]


def _run(data: bytes, start: int, end: int) -> Media:
    return data if end - start == len(data) else memoryview(data)[start:end]


def _packed(runs: Iterable[Media]) -> tuple[Media, ...]:
    """The same bytes, with short runs beside each other in one piece."""
    pieces: list[Media] = []
    short: list[Media] = []
    for run in runs:
        if len(run) < _LONG:
            short.append(run)
            continue
        if short:
            pieces.append(b"".join(short))
            short = []
        pieces.append(run)
    if short:
        pieces.append(b"".join(short))
    return tuple(pieces)
