"""Packets rewritten: their PIDs, counters and clocks; some are dropped or replaced."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.clock import read_pcr, write_pcr, write_timestamp
from kptv.formats.mpegts.inspection import Inspection, Unit
from kptv.formats.mpegts.packets import HAS_OPCR, HAS_PCR, payload_of, pid_of, with_payload
from kptv.formats.mpegts.parameters import with_sets

_CRA, _BLA_N_LP = 21, 18  # nal_unit_type of H.265
DROP = 0  # in place of a header: no packet's header is 0


class HeaderMap(dict[int, int]):
    """The header that goes out for each that comes in, remembered until the lanes change."""

    __slots__ = ("_route",)

    def __init__(self, route: Callable[[int], int]) -> None:
        super().__init__()
        self._route = route

    def __missing__(self, word: int) -> int:
        self[word] = mapped = self._route(word)
        return mapped


class Draft:
    """The packets that are made of an inspected block, from the packet at index ``start`` on.

    Headers are mapped in runs, each by the map as it is then: call ``advance`` with a packet's
    index before a change of the map that counts from there on. Without ``rewrite`` packets are
    dropped and replaced, but those that stay are not touched.
    """

    def __init__(self, scan: Inspection, start: int, headers: HeaderMap, *, rewrite: bool) -> None:
        self.made = 0  # packets so far
        self._scan = scan
        self._start = self._at = start
        self._headers = headers
        self._words: list[int] = []
        self._instead: dict[int, bytes] = {}
        self._changes: dict[int, tuple[int, Callable[[bytes], bytes]]] = {}
        self._bytes = bytearray(scan.block[start * PACKET_SIZE :]) if rewrite else None

    def advance(self, index: int) -> int:
        """Map the packets before ``index``; the number of packets made so far."""
        if index > self._at:
            words = list(map(self._headers.__getitem__, self._scan.words[self._at : index]))
            self.made += len(words) - words.count(DROP)
            self._words += words
            self._at = index
        return self.made

    @property
    def rewrites(self) -> bool:
        """Whether packets may be touched."""
        return self._bytes is not None

    def rewrite(self) -> None:
        """From here on packets may be touched."""
        if self._bytes is None:
            self._bytes = bytearray(self._scan.block[self._start * PACKET_SIZE :])

    def replace(self, index: int, packets: bytes) -> None:
        """Put whole packets, or none, in the place of one."""
        self.advance(index)
        self._words.append(DROP)
        self._instead[index] = packets
        self.made += len(packets) // PACKET_SIZE
        self._at = index + 1

    def expand(self, index: int, change: Callable[[bytes], bytes]) -> int:
        """Put the packets that ``change`` makes of one in its place, once its header is mapped.

        Returns how many these are, which must not depend on the header.
        """
        self.advance(index)
        packet = self._scan.block[index * PACKET_SIZE : (index + 1) * PACKET_SIZE]
        count = len(change(packet)) // PACKET_SIZE
        self._changes[index] = self._headers[self._scan.words[index]], change
        self._words.append(DROP)
        self.made += count
        self._at = index + 1
        return count

    def packet(self, index: int) -> tuple[bytearray, int] | None:
        """A buffer and an offset where the packet may be changed; None: it goes out as it is."""
        if self._bytes is None:
            return None
        return self._bytes, (index - self._start) * PACKET_SIZE

    def finish(self, stop: int) -> bytes:
        """All packets made of those before ``stop``."""
        self.advance(stop)
        if self._bytes is None:
            data = self._scan.block[self._start * PACKET_SIZE : stop * PACKET_SIZE]
        else:
            data = self._written(self._bytes)
        return data if DROP not in self._words else self._joined(data)

    def _written(self, data: bytearray) -> bytes:
        """The block with the mapped headers in it."""
        end = len(self._words) * PACKET_SIZE
        heads = _packer(len(self._words)).pack(*self._words)
        for n in range(4):
            data[n:end:PACKET_SIZE] = heads[n::4]
        return bytes(memoryview(data)[:end])

    def _joined(self, data: bytes) -> bytes:
        """All packets, without those that are dropped, with those that replace them."""
        pieces: list[bytes] = []
        run = 0
        for index in [index for index, word in enumerate(self._words) if word == DROP]:
            if index > run:
                pieces.append(data[run * PACKET_SIZE : index * PACKET_SIZE])
            run = index + 1
            packets = self._instead.get(self._start + index)
            if changed := self._changes.get(self._start + index):
                header, change = changed
                rest = data[index * PACKET_SIZE + 4 : (index + 1) * PACKET_SIZE]
                packets = change(header.to_bytes(4, "big") + rest)
            if packets:
                pieces.append(packets)
        pieces.append(data[run * PACKET_SIZE :])
        return b"".join(pieces)


@lru_cache(maxsize=512)
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f">{count}I")


def shift_unit(data: bytearray, at: int, unit: Unit, shift: int) -> None:
    """Shift PTS and DTS of the PES packet whose first packet is at ``at``."""
    if unit.pts_at and unit.pts is not None and unit.dts is not None:
        write_timestamp(data, at + unit.pts_at, unit.pts + shift)
        if unit.has_dts:
            write_timestamp(data, at + unit.pts_at + 5, unit.dts + shift)


def shift_opcr(data: bytearray, at: int, shift: int) -> None:
    """Shift the original clock reference, if there is one."""
    flags = data[at + 5]
    start = at + (12 if flags & HAS_PCR else 6)
    if flags & HAS_OPCR and start + 6 <= at + 5 + data[at + 4]:
        write_pcr(data, start, read_pcr(data, start) + shift)


def complete_unit(packet: bytes, codec: str, sets: bytes) -> bytes:
    """The first packet of an access unit, with parameter sets in it; mostly that is several."""
    payload = payload_of(packet)
    header = 9 + payload[8]
    length = int.from_bytes(payload[4:6], "big")
    if length:  # 0: not told, which is allowed for pictures only (2.4.3.7)
        length = length + len(sets) if length + len(sets) <= 0xFFFF else 0
    head = payload[:4] + length.to_bytes(2, "big") + payload[6:header]
    return with_payload(packet, head + with_sets(codec, payload[header:], sets))


def break_link(packets: bytes, pid: int) -> bytes:
    """The packets with the PID's first access unit (H.265) changed from CRA to BLA (7.4.2.2).

    A decoder takes a BLA picture for the start of a new sequence, and forgets the numbers of the
    pictures that it had before. Both kinds have the same slice header.
    """
    data = bytearray(packets)
    spans = _payloads(data, pid)
    unit = b"".join([bytes(data[start:end]) for start, end in spans])
    ends = list(accumulate(end - start for start, end in spans))
    at = unit.find(b"\x00\x00\x01")
    while 0 <= at < len(unit) - 3:
        if unit[at + 3] >> 1 & 0x3F == _CRA:
            span = bisect_right(ends, at + 3)
            header = spans[span][1] - (ends[span] - (at + 3))
            data[header] = data[header] & 0x81 | _BLA_N_LP << 1
        at = unit.find(b"\x00\x00\x01", at + 3)
    return bytes(data)


def _payloads(data: bytearray, pid: int) -> list[tuple[int, int]]:
    """Where the payloads of the PID's first PES packet are."""
    spans: list[tuple[int, int]] = []
    for at in range(0, len(data), PACKET_SIZE):
        if pid_of(data, at) != pid or not data[at + 3] & 0x10:
            continue
        if data[at + 1] & 0x40 and spans:
            break
        start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        if start < at + PACKET_SIZE:
            spans.append((start, at + PACKET_SIZE))
    return spans
