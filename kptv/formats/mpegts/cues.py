"""Cue messages (ANSI/SCTE 35): their sections, and how their time is shifted.

A section may be longer than a packet, and its CRC is at its end, so it is rewritten only when all
of it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.clock import WRAP
from kptv.formats.mpegts.psi import CUE_TABLE, crc32

_ADJUSTMENT = slice(4, 9)  # pts_adjustment: 33 bits, behind 7 of other things (9.6)
_SHORTEST = 3 + 17  # a section with the least of commands


@dataclass(frozen=True, slots=True)
class Cue:
    """A section, and where its bytes are: (place of the packet, offset in it, count).

    A place counts the packets that were made before.
    """

    section: bytes
    pieces: tuple[tuple[int, int, int], ...]

    @property
    def place(self) -> int:
        """The place of the packet in which it starts."""
        return self.pieces[0][0]

    @property
    def packets(self) -> int:
        """How many packets there are from its first to its last, with all between them."""
        return self.pieces[-1][0] - self.place + 1

    def shifted(self, packets: bytes, shift: int) -> bytes:
        """``packets``, which start with the section's first, with its ``pts_adjustment`` shifted.

        If it is damaged, or no cue message, the packets stay as they are.
        """
        old = self.section
        if old[0] != CUE_TABLE or len(old) < _SHORTEST or crc32(old):
            return packets
        high = int.from_bytes(old[_ADJUSTMENT], "big")
        adjusted = high & ~(WRAP - 1) | (high + shift) % WRAP
        new = old[:4] + adjusted.to_bytes(5, "big") + old[9:-4]
        new += crc32(new).to_bytes(4, "big")
        data, at = bytearray(packets), 0
        for place, offset, count in self.pieces:
            start = (place - self.place) * PACKET_SIZE + offset
            data[start : start + count] = new[at : at + count]
            at += count
        return bytes(data)


class CueReader:
    """Packets of one PID in, whole sections out (2.4.4)."""

    __slots__ = ("_data", "_pieces", "counter")

    def __init__(self) -> None:
        self._data = b""
        self._pieces: list[tuple[int, int, int]] = []
        self.counter = 0  # of the packet in which the section starts that is not whole

    @property
    def place(self) -> int | None:
        """The place of that packet; None: no section is awaited."""
        return self._pieces[0][0] if self._pieces else None

    def move(self, moved: Callable[[int], int]) -> None:
        """The packets of the section that is awaited have got other places."""
        self._pieces = [(moved(place), offset, count) for place, offset, count in self._pieces]

    def feed(self, place: int, payload: bytes, counter: int, *, unit_start: bool) -> list[Cue]:
        """The sections that end in this packet; ``payload`` is the end of it."""
        found: list[Cue] = []
        at = PACKET_SIZE - len(payload)
        if not unit_start:
            self._cut(found, place, at, payload)
            return found
        pointer = 1 + payload[0]
        self._cut(found, place, at + 1, payload[1:pointer])
        self._drop()
        data, at = payload[pointer:], at + pointer
        while data and data[0] != 0xFF:  # else stuffing to the end of the packet
            self.counter = counter
            self._pieces.append((place, at, 0))
            used = self._cut(found, place, at, data)
            data, at = data[used:], at + used
        return found

    def _cut(self, found: list[Cue], place: int, at: int, data: bytes) -> int:
        """Add to the section that is awaited, if there is one; how many bytes it took."""
        used = 0
        while self._pieces and used < len(data):
            part = data[used : used + self._missing]
            self._data += part
            self._pieces.append((place, at + used, len(part)))
            used += len(part)
            if not self._missing:
                found.append(Cue(self._data, tuple(self._pieces)))
                self._drop()
        return used

    @property
    def _missing(self) -> int:
        """Bytes to the end of the section; of its first three, to the end of those."""
        if len(self._data) < 3:
            return 3 - len(self._data)
        return 3 + ((self._data[1] & 0x0F) << 8 | self._data[2]) - len(self._data)

    def _drop(self) -> None:
        self._data = b""
        self._pieces.clear()
