"""What viewers get: chunks, the points in them where a viewer may start, and the way in."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.packets import bare_packet, pid_of

Media = bytes | memoryview  # whole packets; a view refers to a chunk's data
Part = bytes | slice  # packets of a viewer's own, or a run of a chunk's

_PATIENCE = 4 * 1024 * 1024  # bytes in which the first sound must come; then all is handed on
_LONG = 16 * 1024  # bytes; shorter runs are joined, as a reader sends each piece by itself
_KEPT = 128 * 1024  # bytes of joined runs that a way in keeps; more are joined for each reader


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
    gap: float = 0.0  # seconds without media before this point

    def at(self, offset: int) -> StartPoint:
        return replace(self, offset=offset)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole packets for viewers, and the points in them where a viewer may start."""

    data: bytes = field(repr=False)
    starts: tuple[StartPoint, ...] = ()
    clock: float = 0.0  # media time at its end, as in StartPoint
    tables_version: int = 0  # of the tables in force at its end: one more with each change
    over: float = 0.0  # media time at which its last picture is over, or its last sound on radio
    is_filler: bool = False  # no media: tables, and null packets behind them

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
        parts = self.cut(data, offset)
        return [part if isinstance(part, bytes) else _run(data, part) for part in parts]

    def cut(self, data: bytes, offset: int = 0) -> list[Part]:
        """As ``feed``, but runs of packets are told by where they are in ``data``."""
        parts: list[Part] = []
        at = begun = offset  # begun: where a run of packets that the viewer gets begins
        while self._awaited and at < len(data):
            pid = pid_of(data, at)
            if pid in self._gated:
                opens = self._opens(pid, data[at + 1], data[at + 3])
                if not opens or self._resumed:
                    if begun < at:
                        parts.append(slice(begun, at))
                    begun = at if opens else at + PACKET_SIZE
                if opens and self._resumed:
                    parts.append(self._mark(pid, data[at + 3]))
            at += PACKET_SIZE
        self._left -= at - offset
        if self._left <= 0:
            self._awaited.clear()
        if begun < len(data):
            parts.append(slice(begun, len(data)))
        return parts

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

    It keeps no chunk: a viewer who takes nothing holds it for long after the buffer has let go.
    """

    __slots__ = ("_patch", "_room", "_steps", "number", "start")

    def __init__(self, number: int, start: StartPoint, *, resumed: bool = False) -> None:
        """``start`` is in the chunk of this sequence number."""
        self.number = number
        self.start = start
        self._patch = ViewerPatch(start, resumed=resumed)
        self._steps: list[_Step] = []
        self._room = _KEPT  # bytes that may still be kept

    def __repr__(self) -> str:
        return f"<WayIn at {self.start!r} in chunk {self.number} steps={len(self._steps)}>"

    def over(self, number: int) -> bool:
        """Whether whoever has got the chunks before this one gets this one as all viewers do."""
        return self._patch.done and number >= self.number + len(self._steps)

    def through(self, number: int, data: bytes) -> tuple[Media, ...]:
        """The pieces that stand for a chunk, whose data is ``data``; none may be left out."""
        step = number - self.number
        if step == len(self._steps):
            self._steps.append(self._packed(self._made(step, data), data))
        pieces = self._steps[step]
        if pieces is _WHOLE:
            return (data,)
        return tuple([p if isinstance(p, bytes) else _piece(data, p) for p in pieces])

    def _made(self, step: int, data: bytes) -> list[Part]:
        if step:
            return self._patch.cut(data)
        return [self._patch.start(), *self._patch.cut(data, self.start.offset)]

    def _packed(self, parts: list[Part], data: bytes) -> _Step:
        """The same bytes, with short runs beside each other in one piece."""
        if parts == [slice(0, len(data))]:
            return _WHOLE
        pieces: list[Part | _Joined] = []
        short: list[Part] = []
        for part in parts:
            if _size(part) < _LONG:
                short.append(part)
                continue
            if short:
                pieces.append(self._joined(short, data))
                short = []
            pieces.append(part)
        if short:
            pieces.append(self._joined(short, data))
        return tuple(pieces)

    def _joined(self, parts: list[Part], data: bytes) -> Part | _Joined:
        if len(parts) == 1:
            return parts[0]
        size = sum(map(_size, parts))
        if size > self._room:
            return _Joined(parts)
        self._room -= size
        return b"".join([_piece(data, part) for part in parts])


class _Joined:
    """Many short runs of one chunk, and packets between them, as small as can be."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts: list[bytes | array[int]] = []  # the places of runs: from, to, from, to
        for part in parts:
            if isinstance(part, bytes):
                self._parts.append(part)
                continue
            last = self._parts[-1] if self._parts else b""
            if isinstance(last, bytes):
                self._parts.append(last := array("I"))
            last.extend((part.start, part.stop))

    def of(self, data: bytes) -> bytes:
        """Them, joined, if ``data`` is that chunk's."""
        view = memoryview(data)
        runs: list[Media] = []
        for part in self._parts:
            if isinstance(part, bytes):
                runs.append(part)
            else:
                runs += [view[at:end] for at, end in zip(part[::2], part[1::2], strict=True)]
        return b"".join(runs)


_Step = tuple[Part | _Joined, ...]  # what stands for a chunk
_WHOLE: _Step = (slice(None),)  # the chunk as it is


def _size(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part.stop - part.start


def _run(data: bytes, run: slice) -> Media:
    return data if _size(run) == len(data) else memoryview(data)[run]


def _piece(data: bytes, piece: Part | _Joined) -> Media:
    if isinstance(piece, slice):
        return _run(data, piece)
    return piece if isinstance(piece, bytes) else piece.of(data)
