"""What an inspector finds in a block of packets; the splicer makes its packets by that."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.elementary import RandomAccess
from kptv.formats.mpegts.packets import payload_of, pid_of
from kptv.formats.mpegts.programs import Program

UNIT_START = 0x400000  # payload_unit_start_indicator in a header
UNBOUNDED = -1


class MarkKind(IntEnum):
    """What is marked. Of several in one packet BREAK comes first, CLOCK last."""

    UNIT = 0  # a PES packet starts
    KEY = 1  # the access unit that is running turned out to be one to start from
    CLOCK = 2  # there is an adaptation field with a PCR or an OPCR
    TABLE = 3  # a packet of the PAT or of the programme's PMT
    PROGRAM = 4  # the programme became known, or changed; with its last table packet
    SECTION = 5  # a section starts on a PID of the programme; cue messages: or goes on
    BREAK = 6  # the PID's counter starts anew


@dataclass(slots=True, eq=False)
class Unit:
    """A PES packet; of video, an access unit. Numbers count the upstream's packets from 0."""

    pid: int
    number: int  # of its first packet
    counter: int  # of its first packet
    pts: int | None  # unwrapped ticks
    dts: int | None  # the PTS if there is no DTS
    pts_at: int  # where in its first packet the PTS is; 0: it has none
    has_dts: bool
    random_access: bool
    fingerprint: int  # CRC-32 of the elementary stream's bytes in the first packet
    key: RandomAccess = RandomAccess.NONE
    sets: bytes = b""  # parameter sets that a decoder needs to start here and that it lacks
    end: int | None = None  # number of the packet behind its last; None: it is not whole yet
    end_counter: int = 0
    left: int = UNBOUNDED  # payload bytes still to come
    head: bytes | None = None  # collected while the verdict on a video unit is open

    @property
    def unbounded(self) -> bool:
        """Whether its length is not told: it lasts until the next one starts."""
        return self.left == UNBOUNDED

    def is_whole(self, number: int) -> bool:
        """Whether all of it is among the packets before this one."""
        return self.end is not None and self.end <= number


class Mark(NamedTuple):
    """A packet that is not just to be passed on, and why."""

    packet: int  # its index in the block
    kind: MarkKind
    pid: int
    unit: Unit | None = None  # UNIT and KEY have it
    program: Program | None = None  # PROGRAM has it
    step: int = 0  # BREAK: what must be added to the PID's counters for them to go on
    whole: bool = True  # BREAK: the PES packet before lacks nothing


@lru_cache(maxsize=512)
def headers_of(count: int) -> struct.Struct:
    """Unpacks the headers of so many packets."""
    return struct.Struct(">" + "I184x" * count)


@dataclass(slots=True, eq=False)
class Inspection:
    """A block of packets, and marks in the order of the packets.

    Headers as numbers take as much memory as a quarter of the media: they are not kept.
    """

    block: bytes
    first: int  # the number of the first packet
    # Index and header of each packet but the plain ones of the lead; what those have in common is
    # true of all between two of these.
    looked: list[tuple[int, int]]
    marks: list[Mark]

    @property
    def count(self) -> int:
        return len(self.block) // PACKET_SIZE

    @property
    def words(self) -> tuple[int, ...]:
        """The packets' headers."""
        words: tuple[int, ...] = headers_of(self.count).unpack(self.block)
        return words

    def word(self, index: int) -> int:
        """The header of one packet."""
        return int.from_bytes(self.block[index * PACKET_SIZE : index * PACKET_SIZE + 4], "big")


def elementary_stream(unit: Unit, scans: Iterable[Inspection]) -> bytes:
    """The bytes behind the header of a whole PES packet, whose packets are all in ``scans``."""
    if unit.end is None:
        return b""
    data = b"".join(
        payload_of(scan.block[index * PACKET_SIZE : (index + 1) * PACKET_SIZE])
        for scan in scans
        for index in range(max(0, unit.number - scan.first), min(scan.count, unit.end - scan.first))
        if pid_of(scan.block, index * PACKET_SIZE) == unit.pid
    )
    return data[9 + data[8] :] if len(data) > 8 else b""
