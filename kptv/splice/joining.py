"""What viewers get: chunks, the places in them where one may start, and the way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.packets import bare_packet, pid_of

# A viewer waits for its first sound no longer than this; then whatever comes is handed on.
_PATIENCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StartPoint:
    """A place in a chunk where a viewer may start.

    ``clock`` is the media time there, in seconds since the first entry of the hub.
    """

    offset: int  # of the first packet in the chunk's data
    clock: float
    tables: bytes = field(repr=False)  # PAT and PMT in force, as packets
    essential: frozenset[int] = field(repr=False)  # PIDs of picture and sound
    others: frozenset[int] = field(repr=False)  # PIDs that may be silent for long
    pcr_pid: int
    pcr: int | None  # the last one before the entry, in ticks
    tables_version: int = 0  # of these tables, as in Chunk

    def at(self, offset: int) -> StartPoint:
        return replace(self, offset=offset)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole packets for viewers, and where in them one may start."""

    data: bytes = field(repr=False)
    entries: tuple[StartPoint, ...] = ()
    clock: float = 0.0  # media time at its end, as in StartPoint
    tables_version: int = 0  # of the tables in force at its end: one more with each change

    @property
    def keyframes(self) -> tuple[int, ...]:
        """Byte offsets of the entries."""
        return tuple(entry.offset for entry in self.entries)

    def __bool__(self) -> bool:
        return bool(self.data)


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk of several that follow each other."""
    entries: list[StartPoint] = []
    size = 0
    for chunk in chunks:
        entries += [entry.at(entry.offset + size) for entry in chunk.entries]
        size += len(chunk.data)
    clock = max((chunk.clock for chunk in chunks), default=0.0)
    version = max((chunk.tables_version for chunk in chunks), default=0)
    return Chunk(b"".join([chunk.data for chunk in chunks]), tuple(entries), clock, version)


def choose_entry(
    entries: Iterable[StartPoint], clock: float, join_buffer: float
) -> StartPoint | None:
    """The newest entry that is ``join_buffer`` seconds older than ``clock``, else the oldest.

    ``entries`` are the buffer's, oldest first; ``clock`` is its newest chunk's. The media from
    there on is what a player fills its own buffer with at once. None: there is no entry.
    """
    choice: StartPoint | None = None
    for entry in entries:
        if choice is None or entry.clock <= clock - join_buffer:
            choice = entry
    return choice


class ViewerPatch:
    """One viewer's way into the stream at an entry: ``start()``, then ``feed`` until ``done``.

    PAT and PMT come first, and nothing of a PES packet that began before the entry. With
    ``resumed`` the viewer has already seen another part of this stream, and the break is marked:
    each PID's counter and the clock may jump where discontinuity_indicator is set (2.4.3.5).
    """

    __slots__ = ("_awaited", "_entry", "_gated", "_left", "_resumed")

    def __init__(self, entry: StartPoint, *, resumed: bool = False) -> None:
        self._entry = entry
        self._resumed = resumed
        self._gated = set(entry.essential | entry.others)
        self._awaited = set(self._gated) if resumed else set(entry.essential)
        self._left = _PATIENCE

    @property
    def done(self) -> bool:
        """From here on the viewer gets what all get."""
        return not self._awaited

    def start(self) -> bytes:
        """The bytes before the entry's own."""
        tables = self._entry.tables
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

    def feed(self, data: bytes) -> bytes:
        """The stream from the entry on, without what this viewer could not decode."""
        out: list[bytes] = []
        at = 0
        while self._awaited and at < len(data):
            pid = pid_of(data, at)
            if pid not in self._gated or self._opens(out, pid, data[at + 1], data[at + 3]):
                out.append(data[at : at + PACKET_SIZE])
            at += PACKET_SIZE
        self._left -= at
        if self._left <= 0:
            self._awaited.clear()
        return b"".join([*out, data[at:]]) if at else data

    def _opens(self, out: list[bytes], pid: int, start: int, control: int) -> bool:
        """Whether the viewer gets this PID from this packet on; marks the break before it."""
        clock_only = not control & 0x10 and pid not in self._entry.essential
        if not start & 0x40 and not clock_only:
            return False
        if self._resumed:
            pcr = self._entry.pcr if pid == self._entry.pcr_pid else None
            counter = control - 1 if control & 0x10 else control
            out.append(bare_packet(pid, counter, discontinuity=True, pcr=pcr))
        self._gated.discard(pid)
        self._awaited.discard(pid)
        return True
