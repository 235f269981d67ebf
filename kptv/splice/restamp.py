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
from kptv.splice.joining import Media

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


class Restamped:
    """The packets that are made of an inspected block, from the packet at index ``start`` on.

    Headers are mapped in runs, each by the map as it is then: call ``advance`` with a packet's
    index before a change of the map that counts from there on. Without ``rewrite`` packets are
    dropped and replaced, but those that stay are not touched, so that it is enough to ask of the
    plain ones in a row whether the first is dropped.
    """

    def __init__(self, scan: Inspection, start: int, headers: HeaderMap, *, rewrite: bool) -> None:
        self.made = 0  # packets so far
        self._scan = scan
        self._start = self._at = start
        self._headers = headers
        self._gone: list[int] = []  # indices of packets that are dropped or replaced
        self._instead: dict[int, bytes] = {}
        self._changes: dict[int, tuple[int, Callable[[bytes], bytes]]] = {}
        self._looked = 0  # so many of ``scan.looked`` are passed
        # If packets may be touched: they, the headers that came, and those that go out.
        self._bytes: bytearray | None = None
        self._words: tuple[int, ...] = ()
        self._mapped: list[int] = []
        if rewrite:
            self.rewrite()

    def advance(self, index: int) -> int:
        """Map the packets before ``index``; the number of packets made so far."""
        if index > self._at:
            before, came = len(self._gone), index - self._at
            if self._bytes is None:
                self._pass(index)
            else:
                self._map(index)
            self.made += came - (len(self._gone) - before)
            self._at = index
        return self.made

    def _pass(self, index: int) -> None:
        """Note which packets before ``index`` are dropped."""
        headers, looked, at = self._headers, self._scan.looked, self._at
        while at < index:
            following, word = looked[self._looked] if self._looked < len(looked) else (index, 0)
            if following < at:  # it is before this draft, or was replaced
                self._looked += 1
            elif following == at:
                self._looked += 1
                if headers[word] == DROP:
                    self._gone.append(at)
                at += 1
            else:
                end = min(following, index)
                if headers[self._scan.word(at)] == DROP:
                    self._gone += range(at, end)
                at = end

    def _map(self, index: int) -> None:
        words = list(map(self._headers.__getitem__, self._words[self._at : index]))
        self._mapped += words
        if DROP in words:
            self._gone += [at for at, word in enumerate(words, self._at) if word == DROP]

    @property
    def rewrites(self) -> bool:
        """Whether packets may be touched."""
        return self._bytes is not None

    def rewrite(self) -> None:
        """From here on packets may be touched."""
        if self._bytes is None:
            self._bytes = bytearray(self._scan.block[self._start * PACKET_SIZE :])
            self._words = self._scan.words
            self._mapped = list(self._words[self._start : self._at])

    def replace(self, index: int, packets: bytes) -> None:
        """Put whole packets, or none, in the place of one."""
        self.advance(index)
        self._instead[index] = packets
        self._take_out(index, len(packets) // PACKET_SIZE)

    def expand(self, index: int, change: Callable[[bytes], bytes]) -> int:
        """Put the packets that ``change`` makes of one in its place, once its header is mapped.

        Returns how many these are, which must not depend on the header.
        """
        self.advance(index)
        packet = self._scan.block[index * PACKET_SIZE : (index + 1) * PACKET_SIZE]
        count = len(change(packet)) // PACKET_SIZE
        self._changes[index] = self._headers[self._scan.word(index)], change
        self._take_out(index, count)
        return count

    def _take_out(self, index: int, made: int) -> None:
        """So many packets come in the place of one, to which all came."""
        self._gone.append(index)
        if self._bytes is not None:
            self._mapped.append(DROP)
        self.made += made
        self._at = index + 1

    def packet(self, index: int) -> tuple[bytearray, int] | None:
        """A buffer and an offset where the packet may be changed; None: it goes out as it is."""
        if self._bytes is None:
            return None
        return self._bytes, (index - self._start) * PACKET_SIZE

    def finish(self, stop: int) -> list[Media]:
        """All packets made of those before ``stop``, in parts; nothing may be changed any more."""
        self.advance(stop)
        if self._bytes is None:
            data = memoryview(self._scan.block)[self._start * PACKET_SIZE : stop * PACKET_SIZE]
        else:
            data = self._written(self._bytes)
        return self._parts(data) if self._gone else [data]

    def _written(self, data: bytearray) -> memoryview:
        """The block with the mapped headers in it."""
        end = len(self._mapped) * PACKET_SIZE
        heads = _packer(len(self._mapped)).pack(*self._mapped)
        for n in range(4):
            data[n:end:PACKET_SIZE] = heads[n::4]
        return memoryview(data)[:end]

    def _parts(self, data: memoryview) -> list[Media]:
        """All packets, without those that are dropped, with those that replace them."""
        parts: list[Media] = []
        run = 0
        for gone in self._gone:
            index = gone - self._start
            if index > run:
                parts.append(data[run * PACKET_SIZE : index * PACKET_SIZE])
            run = index + 1
            packets = self._instead.get(gone)
            if changed := self._changes.get(gone):
                header, change = changed
                rest = data[index * PACKET_SIZE + 4 : (index + 1) * PACKET_SIZE]
                packets = change(header.to_bytes(4, "big") + rest)
            if packets:
                parts.append(packets)
        parts.append(data[run * PACKET_SIZE :])
        return parts


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
