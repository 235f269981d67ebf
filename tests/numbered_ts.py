"""Transport streams whose packets say who sent them, and the reading of what reached a viewer.

Every media packet carries a mark: provider, channel, connection, running number and the time it
was sent. So a test can tell which source a viewer saw, in which order, what was lost and how long
it took. The rest is as in real streams, so that nothing of ours is tested on packets that no
provider would send: PAT and PMT before each random access point, PCR, PTS, continuity counters
(ISO 13818-1, sections 2.4.3 and 2.4.4). Written apart from kptv.formats.mpegts on purpose: what
judges must not share the judged one's mistakes.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PACKET = 188
SYNC = 0x47
PMT_PID = 0x1000
_MAGIC = b"KPTV"
_MARK = struct.Struct(">4s16s24sIQd")
_KEY_INTERVAL = 0.5  # seconds between random access points
_FRAME_INTERVAL = 0.04  # seconds between pictures
_KEY_PICTURE, _OTHER_PICTURE = b"\0\0\0\1\x65", b"\0\0\0\1\x41"  # NAL units 5 and 1 of H.264
_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What one media packet says of itself."""

    provider: str
    channel: str
    connection: int  # serial number of the provider's connection
    number: int  # from 0 in each connection
    sent: float  # time.monotonic() of the machine


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive packets of one connection, as a viewer got them."""

    provider: str
    channel: str
    connection: int
    first: int
    last: int
    lost: int  # packets missing between first and last
    disordered: int  # packets that came again or late


class NumberedStream:
    """The packets of one connection, paced: told the time, it returns what is due."""

    def __init__(
        self,
        provider: str,
        channel: str,
        connection: int,
        *,
        pid: int = 0x100,
        bitrate: float = 1_500_000,
        burst: float = 0.0,
        clock_base: int = 0,
        frame_seconds: float = _FRAME_INTERVAL,
    ) -> None:
        self._names = (provider.encode()[:16], channel.encode()[:24], connection)
        self._pid = pid
        self._packet_seconds = PACKET * 8 / bitrate
        self._burst = burst
        self._clock_base = clock_base
        self._frame = max(1, round(frame_seconds / self._packet_seconds))
        self._frames_a_group = max(1, round(_KEY_INTERVAL / self._packet_seconds / self._frame))
        self._counters = {0: 0, PMT_PID: 0, pid: 0}
        self._tables = (_pat(), _pmt(pid))
        self.sent = 0  # media packets so far

    def due(self, elapsed: float, now: float) -> bytes:
        """The packets due ``elapsed`` seconds after the start; ``now`` goes into their marks."""
        count = int((elapsed + self._burst) / self._packet_seconds) + 7 - self.sent
        return self.packets(max(0, count), now)

    def packets(self, count: int, now: float) -> bytes:
        """The next ``count`` media packets, with tables and a keyframe where these are due."""
        return b"".join(self._packet(now) for _ in range(count))

    def _packet(self, now: float) -> bytes:
        number = self.sent
        self.sent += 1
        mark = _MARK.pack(_MAGIC, *self._names, number, now)
        if number % self._frame:
            return self._head(self._pid) + mark.ljust(PACKET - 4, b"\xff")
        clock = (self._clock_base + int(number * self._packet_seconds * _CLOCK)) % 2**33
        if number % (self._frame * self._frames_a_group):
            start = b"\x07\x10" + _pcr(clock) + _pes_header(clock + _CLOCK // 5) + _OTHER_PICTURE
            return self._head(self._pid, True, True) + (start + mark).ljust(184, b"\xff")
        tables = self._head(0, True) + self._tables[0] + self._head(PMT_PID, True) + self._tables[1]
        start = b"\x07\x50" + _pcr(clock) + _pes_header(clock + _CLOCK // 5) + _KEY_PICTURE
        return tables + self._head(self._pid, True, True) + (start + mark).ljust(184, b"\xff")

    def _head(self, pid: int, starts: bool = False, adapted: bool = False) -> bytes:
        counter = self._counters[pid]
        self._counters[pid] = (counter + 1) % 16
        flags = (0x40 if starts else 0) | pid >> 8
        return bytes((SYNC, flags, pid & 0xFF, (0x30 if adapted else 0x10) | counter))


def check_ts(data: bytes) -> None:
    """AssertionError unless ``data`` is whole packets, each with its sync byte."""
    assert len(data) % PACKET == 0, f"{len(data)} bytes are {len(data) % PACKET} too many for TS"
    bad = [at for at in range(0, len(data), PACKET) if data[at] != SYNC]
    assert not bad, f"{len(bad)} packets without sync byte, the first at {bad[0]}"


def marks(data: bytes) -> list[Mark]:
    """The marks in ``data``, whose packets are aligned; packets without one (tables) are passed."""
    found = []
    for start in range(0, len(data) - PACKET + 1, PACKET):
        at = data.find(_MAGIC, start + 4, start + PACKET - _MARK.size + len(_MAGIC))
        if at >= 0:
            _, provider, channel, connection, number, sent = _MARK.unpack_from(data, at)
            names = (provider.rstrip(b"\0").decode(), channel.rstrip(b"\0").decode())
            found.append(Mark(*names, connection, number, sent))
    return found


def runs(found: Iterable[Mark]) -> list[Run]:
    """One Run for each stretch of packets from one connection, in the order of arrival."""
    return [_run(stretch) for stretch in _stretches(found)]


def _stretches(found: Iterable[Mark]) -> Iterator[list[Mark]]:
    stretch: list[Mark] = []
    for mark in found:
        if stretch and _origin(mark) != _origin(stretch[-1]):
            yield stretch
            stretch = []
        stretch.append(mark)
    if stretch:
        yield stretch


def _run(stretch: list[Mark]) -> Run:
    numbers = [mark.number for mark in stretch]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    lost = sum(step - 1 for step in steps if step > 1)
    disordered = sum(step < 1 for step in steps)
    return Run(*_origin(stretch[0]), numbers[0], numbers[-1], lost, disordered)


def restamped(data: bytes, seconds: float, *, pcr: bool = True) -> bytes:
    """The packets of a NumberedStream with other times; ``pcr``: with PCRs still."""
    packets = []
    for at in range(0, len(data), PACKET):
        packet = bytearray(data[at : at + PACKET])
        if packet[3] & 0x20:
            clock = int.from_bytes(packet[6:12], "big") >> 15
            packet[6:12] = _pcr((clock + round(seconds * _CLOCK)) % 2**33)
            packet[12:26] = _pes_header(clock + _CLOCK // 5 + round(seconds * _CLOCK))
            if not pcr:
                packet[5] &= 0xEF
        packets.append(bytes(packet))
    return b"".join(packets)


def _origin(mark: Mark) -> tuple[str, str, int]:
    return mark.provider, mark.channel, mark.connection


def _pat() -> bytes:
    section = struct.pack(">BHHBBBHH", 0, 0xB00D, 1, 0xC1, 0, 0, 1, 0xE000 | PMT_PID)
    return _section(section)


def _pmt(pid: int) -> bytes:
    head = struct.pack(">BHHBBBHH", 2, 0xB012, 1, 0xC1, 0, 0, 0xE000 | pid, 0xF000)
    return _section(head + struct.pack(">BHH", 0x1B, 0xE000 | pid, 0xF000))


def _section(section: bytes) -> bytes:
    """The payload of a packet that holds one table: pointer field, section, CRC, stuffing."""
    return (b"\0" + section + struct.pack(">I", _crc32(section))).ljust(PACKET - 4, b"\xff")


def _crc32(data: bytes) -> int:
    """ISO 13818-1, annex A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def _pcr(clock: int) -> bytes:
    return ((clock << 15) | 0x7E00).to_bytes(6, "big")


def _pes_header(pts: int) -> bytes:
    pts %= 2**33
    stamp = ((pts >> 30) << 33 | ((pts >> 15) & 0x7FFF) << 17 | (pts & 0x7FFF) << 1) | 0x2100010001
    return b"\0\0\1\xe0\0\0\x80\x80\x05" + stamp.to_bytes(5, "big")
