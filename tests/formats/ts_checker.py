"""An independent look at a transport stream, written from ISO/IEC 13818-1 and nothing of kptv."""

from __future__ import annotations

from collections import Counter, defaultdict

WRAP = 1 << 33
SECTIONS = (0x05, 0x86)  # stream types whose PIDs carry sections and no PES packets
UNSIZED = -(10**12)  # a PES packet whose length is not told: it may end anywhere


class Report:
    """What is wrong with a stream (``errors``), and what is in it."""

    def __init__(self, *, clock_steps_ok: bool) -> None:
        self.errors: list[str] = []
        self.pids: Counter[int] = Counter()
        self.marked: Counter[int] = Counter()  # packets with discontinuity_indicator
        self.dts: dict[int, list[int]] = defaultdict(list)
        self.pts: dict[int, list[int]] = defaultdict(list)
        self.begun: dict[int, list[int]] = defaultdict(list)  # numbers of the packets with those
        self.pcrs: list[int] = []
        self.clocks: list[tuple[int, int]] = []  # (number of the packet, PTS or PCR)
        # (programme number, version, stream type by PID) of each PMT that differs from the last
        self.pmts: list[tuple[int, int, dict[int, int]]] = []
        self._clock_steps_ok = clock_steps_ok
        self._counters: dict[int, tuple[int, bytes, bool]] = {}
        self._left: dict[int, int] = {}
        self._pmt_pid = self._pcr_pid = -1
        self._number = 0

    def complain(self, text: str) -> None:
        self.errors.append(f"packet {self._number}: {text}")

    def read(self, stream: bytes) -> None:
        if len(stream) % 188:
            self.complain(f"{len(stream)} bytes are not whole packets")
        for number in range(len(stream) // 188):
            self._number = number
            packet = stream[number * 188 : number * 188 + 188]
            if packet[0] != 0x47:
                self.complain("no sync byte")
                continue
            pid = (packet[1] & 0x1F) << 8 | packet[2]
            self.pids[pid] += 1
            if pid != 0x1FFF:
                self._packet(pid, packet)
        for pid, left in self._left.items():
            if left > 0:
                self.complain(f"PID {pid:#x} ends inside a PES packet")

    def _packet(self, pid: int, packet: bytes) -> None:
        has_payload = bool(packet[3] & 0x10)
        at, flags = 4, 0
        if packet[3] & 0x20:
            flags = packet[5] if packet[4] else 0
            at = 5 + packet[4]
        self._count(pid, packet, flags, has_payload=has_payload)
        if flags & 0x10 and pid == self._pcr_pid:
            self._clock(int.from_bytes(packet[6:11], "big") >> 7)
        if not has_payload or at >= 188:
            return
        payload, start = packet[at:], bool(packet[1] & 0x40)
        if pid in (0, self._pmt_pid):
            if start:
                self._table(pid, payload[1 + payload[0] :])
        elif not self.pmts:
            self.complain(f"PID {pid:#x} before the tables")
        elif self.pmts[-1][2].get(pid, SECTIONS[0]) not in SECTIONS:
            self._pes(pid, payload, start=start)

    def _count(self, pid: int, packet: bytes, flags: int, *, has_payload: bool) -> None:
        counter, duplicate = packet[3] & 15, False
        if flags & 0x80:
            self.marked[pid] += 1
        elif pid in self._counters:
            last, body, repeated = self._counters[pid]
            duplicate = counter == last and has_payload and packet[4:] == body and not repeated
            if counter != (last + has_payload) % 16 and not duplicate:
                self.complain(f"counter of PID {pid:#x} is {counter} after {last}")
        self._counters[pid] = counter, packet[4:], duplicate

    def _clock(self, pcr: int) -> None:
        if self.pcrs and back(pcr, self.pcrs[-1]) and not self._clock_steps_ok:
            self.complain(f"PCR back by {(self.pcrs[-1] - pcr) % WRAP}")
        self.pcrs.append(pcr)
        self.clocks.append((self._number, pcr))

    def _table(self, pid: int, section: bytes) -> None:
        if pid == 0:
            self._pmt_pid = (section[10] & 0x1F) << 8 | section[11]
            return
        end = min(3 + ((section[1] & 15) << 8 | section[2]) - 4, len(section))
        self._pcr_pid = (section[8] & 0x1F) << 8 | section[9]
        place = 12 + ((section[10] & 15) << 8 | section[11])
        listed: dict[int, int] = {}
        while place + 5 <= end:
            listed[(section[place + 1] & 0x1F) << 8 | section[place + 2]] = section[place]
            place += 5 + ((section[place + 3] & 15) << 8 | section[place + 4])
        entry = (section[3] << 8 | section[4], section[5] >> 1 & 31, listed)
        if not self.pmts or self.pmts[-1] != entry:
            self.pmts.append(entry)

    def _pes(self, pid: int, payload: bytes, *, start: bool) -> None:
        if not start:
            if pid not in self._left:
                self.complain(f"PID {pid:#x} begins inside a PES packet")
            self._left[pid] = self._left.get(pid, UNSIZED) - len(payload)
            return
        if payload[:3] != b"\x00\x00\x01":
            return
        if self._left.get(pid, 0) > 0:
            self.complain(f"a PES packet of PID {pid:#x} lacks {self._left[pid]} bytes")
        length = int.from_bytes(payload[4:6], "big")
        self._left[pid] = length + 6 - len(payload) if length else UNSIZED
        if payload[7] & 0x80:
            self._times(pid, payload)

    def _times(self, pid: int, payload: bytes) -> None:
        pts = stamp(payload[9:14])
        dts = stamp(payload[14:19]) if payload[7] & 0x40 else pts
        before = self.dts[pid]
        if before and (back(dts, before[-1]) or dts == before[-1]):
            self.complain(f"DTS of PID {pid:#x} back by {(before[-1] - dts) % WRAP}")
        if back(pts, dts):
            self.complain(f"PTS of PID {pid:#x} below its DTS")
        before.append(dts)
        self.clocks.append((self._number, pts))
        self.pts[pid].append(pts)
        self.begun[pid].append(self._number)


def check(stream: bytes, *, clock_steps_ok: bool = False) -> Report:
    """Sync, counters, order of DTS and PCR, PES packets begun and whole, tables before media."""
    report = Report(clock_steps_ok=clock_steps_ok)
    report.read(stream)
    return report


def back(new: int, old: int) -> bool:
    return (new - old) % WRAP > WRAP // 2


def stamp(data: bytes) -> int:
    high, middle, low = data[0] >> 1 & 7, data[1] << 7 | data[2] >> 1, data[3] << 7 | data[4] >> 1
    return high << 30 | middle << 15 | low
