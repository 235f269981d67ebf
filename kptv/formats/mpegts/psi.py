"""Programme tables: sections, PAT and PMT, read and written (ISO/IEC 13818-1, 2.4.4)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID, SYNC_BYTE

PAT_TABLE = 0x00
PMT_TABLE = 0x02
CUE_TABLE = 0xFC  # SCTE 35
MAX_SECTION = 1024  # 2.4.4.1: a section_length of at most 1021, behind three bytes

_ROOM = PACKET_SIZE - 4  # bytes of a section in a packet
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc32(data: bytes) -> int:
    """The CRC of annex A, which is 0 over a section that has its CRC.

    zlib's has the same polynomial, with every bit mirrored and the result inverted.
    """
    mirrored = zlib.crc32(data.translate(_MIRRORED)) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


@dataclass(frozen=True, slots=True)
class Pat:
    """The programmes there are, and the PID of each one's PMT."""

    transport_stream: int
    version: int
    programs: tuple[tuple[int, int], ...]  # (program_number, PMT PID), without the NIT's

    @property
    def section(self) -> bytes:
        body = b"".join(
            number.to_bytes(2, "big") + (0xE000 | pid).to_bytes(2, "big")
            for number, pid in self.programs
        )
        return _section(PAT_TABLE, self.transport_stream, self.version, body)


@dataclass(frozen=True, slots=True)
class ElementaryStream:
    """One elementary stream of a programme, as its PMT has it."""

    pid: int
    stream_type: int
    descriptors: bytes = b""

    @property
    def encoded(self) -> bytes:
        """Its part of the PMT (2.4.4.8)."""
        return (
            bytes((self.stream_type,))
            + (0xE000 | self.pid).to_bytes(2, "big")
            + (0xF000 | len(self.descriptors)).to_bytes(2, "big")
            + self.descriptors
        )


@dataclass(frozen=True, slots=True)
class Pmt:
    """One programme: its streams and the PID of its clock (0x1FFF: none)."""

    program_number: int
    version: int
    pcr_pid: int
    streams: tuple[ElementaryStream, ...]
    descriptors: bytes = b""

    @property
    def section(self) -> bytes:
        body = (
            (0xE000 | self.pcr_pid).to_bytes(2, "big")
            + (0xF000 | len(self.descriptors)).to_bytes(2, "big")
            + self.descriptors
            + b"".join(stream.encoded for stream in self.streams)
        )
        return _section(PMT_TABLE, self.program_number, self.version, body)


def parse_pat(section: bytes) -> Pat | None:
    """None: not a PAT that applies now, or damaged."""
    if not _applies(section, PAT_TABLE):
        return None
    pairs = [
        (int.from_bytes(section[at : at + 2], "big"), _pid(section, at + 2))
        for at in range(8, len(section) - 7, 4)
    ]
    programs = tuple(pair for pair in pairs if pair[0])  # number 0 is the network PID
    return Pat(int.from_bytes(section[3:5], "big"), section[5] >> 1 & 31, programs)


def parse_pmt(section: bytes) -> Pmt | None:
    """None: not a PMT that applies now, or damaged."""
    if not _applies(section, PMT_TABLE) or len(section) < 16:
        return None
    end = len(section) - 4
    at = 12 + _length(section, 10)
    descriptors = section[12:at]
    streams: list[ElementaryStream] = []
    while at + 5 <= end:
        size = _length(section, at + 3)
        streams.append(
            ElementaryStream(_pid(section, at + 1), section[at], section[at + 5 : at + 5 + size])
        )
        at += 5 + size
    if at != end:
        return None
    number = int.from_bytes(section[3:5], "big")
    return Pmt(number, section[5] >> 1 & 31, _pid(section, 8), tuple(streams), descriptors)


def read_descriptors(data: bytes) -> list[tuple[int, bytes]]:
    """(tag, payload) of each whole descriptor (2.6)."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        found.append((data[at], data[at + 2 : at + 2 + data[at + 1]]))
        at += 2 + data[at + 1]
    return found


def packet_count(section: bytes) -> int:
    """How many packets of its own a section takes."""
    return -(-(1 + len(section)) // _ROOM)


def packets_of(section: bytes, pid: int, last_counter: int) -> bytes:
    """A section in packets of its own; the last one carries ``last_counter`` (2.4.3.3)."""
    count = packet_count(section)
    # pointer_field: the section starts at once
    payload = (b"\x00" + section).ljust(count * _ROOM, b"\xff")
    return b"".join(
        [
            bytes((SYNC_BYTE, pid >> 8 | (0 if n else 0x40), pid & 0xFF, 0x10 | counter & 15))
            + payload[n * _ROOM : (n + 1) * _ROOM]
            for n, counter in enumerate(range(last_counter - count + 1, last_counter + 1))
        ]
    )


@dataclass(frozen=True, slots=True)
class Tables:
    """The PAT and PMT of one programme, as sections."""

    pat: bytes
    pmt: bytes
    pmt_pid: int

    def packets(self, pat_counter: int, pmt_counter: int) -> bytes:
        """Both as packets; each table's last packet carries the counter given."""
        pat = packets_of(self.pat, PAT_PID, pat_counter)
        return pat + packets_of(self.pmt, self.pmt_pid, pmt_counter)


class SectionReader:
    """The sections of one PID, put together from packet payloads (2.4.4)."""

    __slots__ = ("_partial", "_started")

    def __init__(self) -> None:
        self._partial = b""
        self._started = False

    def feed(self, payload: bytes, *, unit_start: bool) -> list[bytes]:
        """The sections that this payload completes, CRC unchecked."""
        if not unit_start:
            self._partial += payload if self._started else b""
            return self._cut()
        pointer = payload[0] + 1 if payload else 1
        before = self._partial + payload[1:pointer] if self._started else b""
        self._partial, self._started = before, True
        sections = self._cut()
        self._partial = payload[pointer:]
        return sections + self._cut()

    def _cut(self) -> list[bytes]:
        sections: list[bytes] = []
        data = self._partial
        while len(data) >= 3 and data[0] != 0xFF:  # 0xFF: stuffing to the end of the packet
            size = 3 + _length(data, 1)
            if len(data) < size:
                break
            sections.append(data[:size])
            data = data[size:]
        self._partial = data if data[:1] != b"\xff" else b""
        if len(self._partial) > MAX_SECTION * 4:  # a private section has 4,096 bytes at most
            self._partial, self._started = b"", False
        return sections


def _section(table: int, extension: int, version: int, body: bytes) -> bytes:
    head = bytes((table,)) + (0xB000 | len(body) + 9).to_bytes(2, "big")
    head += extension.to_bytes(2, "big") + bytes((0xC1 | version << 1, 0, 0))
    return head + body + crc32(head + body).to_bytes(4, "big")


def _applies(section: bytes, table: int) -> bool:
    """Whether it is an undamaged section of this table that applies now, not next."""
    return (
        len(section) >= 12 and section[0] == table and bool(section[5] & 1) and not crc32(section)
    )


def _pid(data: bytes, at: int) -> int:
    return (data[at] << 8 | data[at + 1]) & 0x1FFF


def _length(data: bytes, at: int) -> int:
    return (data[at] << 8 | data[at + 1]) & 0x0FFF
