"""An endless broadcast made of a short clip: its clocks go on from lap to lap. Pure.

A clip is a transport stream (ISO 13818-1) that lasts a whole number of its pictures and of its
audio frames and begins where a decoder can start. Each lap plays its packets again: PCR, PTS and
DTS go on by its duration, and continuity counters (2.4.3.3) by their advance in a lap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

PACKET = 188
CLOCK = 90_000  # ticks of PTS, DTS and PCR base per second
_WRAP = 2**33  # 2.4.2.2, 2.4.3.7: all three are counted modulo this
_PAT = 0


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A clock in a packet: at which byte of the clip it is, and its value."""

    offset: int
    is_pcr: bool
    ticks: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A parsed clip. Indexes are of packets, times in ticks from its start."""

    data: bytes
    duration: int
    due: tuple[int, ...]  # when each packet is due; rising
    starts: tuple[tuple[int, int], ...]  # time and packet of each place where a viewer may start
    origin: int  # the clock at the start
    stamps: tuple[tuple[_Stamp, ...], ...]  # the clocks in each packet
    advances: dict[int, int]  # PID -> packets with payload in one lap

    @classmethod
    def parse(cls, data: bytes, seconds: float) -> Clip:
        """A clip that lasts so long. ValueError if it is not whole packets or has no clock."""
        if not data or len(data) % PACKET or set(data[::PACKET]) != {0x47}:
            raise ValueError("not whole transport stream packets")
        heads = [_Head(data, start) for start in range(0, len(data), PACKET)]
        stamps = tuple(tuple(head.stamps()) for head in heads)
        pcrs = [s.ticks if (s := _pcr_among(packet)) else None for packet in stamps]
        origin = next((ticks for ticks in pcrs if ticks is not None), None)
        if origin is None:
            raise ValueError("no PCR")
        reference = heads[[ticks is not None for ticks in pcrs].index(True)].pid
        due = tuple(_due(pcrs, origin))
        return cls(
            data=data,
            duration=round(seconds * CLOCK),
            due=due,
            starts=tuple(_starts(heads, reference, due)),
            origin=origin,
            stamps=stamps,
            advances=dict(Counter(head.pid for head in heads if head.has_payload)),
        )

    def packets(self, first: int, stop: int, lap: int, clock_base: int = 0) -> bytes:
        """Packets ``first`` to before ``stop`` of lap ``lap`` (from 0).

        The clock is ``clock_base`` at the start of lap 0.
        """
        moved = bytearray(self.data[first * PACKET : stop * PACKET])
        shift = clock_base - self.origin + lap * self.duration
        for index in range(first, stop):
            at = (index - first) * PACKET
            advance = lap * self.advances.get(_pid(moved, at), 0)
            moved[at + 3] = moved[at + 3] & 0xF0 | (moved[at + 3] + advance) & 0x0F
            for stamp in self.stamps[index]:
                write = _write_pcr if stamp.is_pcr else _write_stamp
                write(moved, stamp.offset - first * PACKET, (stamp.ticks + shift) % _WRAP)
        return bytes(moved)


class Playout:
    """One viewer's place in the broadcast of a clip; positions are seconds since its start."""

    def __init__(self, clip: Clip, clock_base: int = 0) -> None:
        self._clip = clip
        self._clock_base = clock_base
        self._lap = 0
        self._next = 0

    def start(self, position: float) -> None:
        """Go to the newest place before ``position`` from which a decoder can begin."""
        self._lap, ticks = divmod(int(max(0.0, position) * CLOCK), self._clip.duration)
        self._next = max((packet for due, packet in self._clip.starts if due <= ticks), default=0)

    def due(self, position: float) -> bytes:
        """The packets from the last place up to ``position``."""
        parts = []
        clip = self._clip
        while True:
            ticks = int(position * CLOCK) - self._lap * clip.duration
            stop = bisect_right(clip.due, ticks, lo=self._next)
            parts.append(clip.packets(self._next, stop, self._lap, self._clock_base))
            self._next = stop
            if stop < len(clip.due):
                return b"".join(parts)
            self._lap, self._next = self._lap + 1, 0


class _Head:
    """The header of a packet (2.4.3.2, 2.4.3.4)."""

    __slots__ = ("_adaptation", "_data", "_start", "_starts_unit", "has_payload", "pid")

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = start
        self.pid = _pid(data, start)
        self._starts_unit = bool(data[start + 1] & 0x40)
        self.has_payload = bool(data[start + 3] & 0x10)
        self._adaptation = data[start + 4] if data[start + 3] & 0x20 else -1  # its length

    @property
    def is_random_access(self) -> bool:
        return self._adaptation > 0 and bool(self._data[self._start + 5] & 0x40)

    @property
    def begins_pes(self) -> bool:
        return self._starts_unit and self._data[self._payload : self._payload + 3] == b"\0\0\1"

    @property
    def _payload(self) -> int:
        return self._start + 5 + self._adaptation

    def stamps(self) -> Iterator[_Stamp]:
        """Its clocks: PCR (2.4.3.5), PTS and DTS (2.4.3.7)."""
        if self._adaptation > 0 and self._data[self._start + 5] & 0x10:
            at = self._start + 6
            yield _Stamp(at, True, int.from_bytes(self._data[at : at + 5], "big") >> 7)
        if self.begins_pes:
            flags = self._data[self._payload + 7] >> 6
            for number in range({0b10: 1, 0b11: 2}.get(flags, 0)):
                at = self._payload + 9 + 5 * number
                yield _Stamp(at, False, _read_stamp(self._data, at))


def _due(pcrs: list[int | None], origin: int) -> Iterator[int]:
    """When each packet is due: with the last PCR before it."""
    now = 0
    for ticks in pcrs:
        if ticks is not None:
            now = (ticks - origin) % _WRAP
        yield now


def _starts(heads: list[_Head], reference: int, due: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """When each random access point is due, and the last PAT before it."""
    tables = None
    for index, head in enumerate(heads):
        if head.pid == _PAT:
            tables = index
        elif head.pid == reference and head.is_random_access and tables is not None:
            yield due[index], tables
            tables = None


def _pcr_among(stamps: tuple[_Stamp, ...]) -> _Stamp | None:
    return next((stamp for stamp in stamps if stamp.is_pcr), None)


def _pid(data: bytes | bytearray, start: int) -> int:
    return (data[start + 1] & 0x1F) << 8 | data[start + 2]


def _read_stamp(data: bytes, at: int) -> int:
    """33 bits in three parts, a marker bit after each (2.4.3.6)."""
    bits = int.from_bytes(data[at : at + 5], "big")
    return (bits >> 33 & 0x7) << 30 | (bits >> 17 & 0x7FFF) << 15 | bits >> 1 & 0x7FFF


def _write_stamp(data: bytearray, at: int, ticks: int) -> None:
    kind = data[at] & 0xF0
    bits = (ticks >> 30) << 33 | (ticks >> 15 & 0x7FFF) << 17 | (ticks & 0x7FFF) << 1
    data[at : at + 5] = (bits | kind << 32 | 0x01_0001_0001).to_bytes(5, "big")


def _write_pcr(data: bytearray, at: int, ticks: int) -> None:
    """33 bits of base; the 6 reserved and 9 extension bits after it stay (2.4.3.5)."""
    rest = int.from_bytes(data[at + 4 : at + 6], "big") & 0x7FFF
    data[at : at + 6] = (ticks << 15 | rest).to_bytes(6, "big")
