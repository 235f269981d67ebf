"""An independent look at a transport stream, written from ISO/IEC 13818-1 and nothing of kptv."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

WRAP = 1 << 33


@dataclass
class Report:
    """What is wrong with a stream, and what is in it."""

    errors: list[str] = field(default_factory=list)
    pids: Counter[int] = field(default_factory=Counter)
    dts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    pts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    pcrs: list[int] = field(default_factory=list)
    pmts: list[tuple[int, int, dict[int, int]]] = field(default_factory=list)
    marked: Counter[int] = field(default_factory=Counter)  # discontinuity_indicator

    def complain(self, number: int, text: str) -> None:
        self.errors.append(f"packet {number}: {text}")


def back(new: int, old: int) -> bool:
    return (new - old) % WRAP > WRAP // 2


def stamp(data: bytes) -> int:
    return (
        (data[0] >> 1 & 7) << 30
        | (data[1] << 7 | data[2] >> 1) << 15
        | (data[3] << 7 | data[4] >> 1)
    )


def check(stream: bytes, *, clock_steps_ok: bool = False) -> Report:
    """Sync, counters, order of DTS and PCR, PES packets begun and whole, tables before media."""
    report = Report()
    counters: dict[int, tuple[int, bytes, bool]] = {}
    pes_left: dict[int, int] = {}
    pmt_pid = pcr_pid = -1
    if len(stream) % 188:
        report.errors.append(f"{len(stream)} bytes are not whole packets")
    for number in range(len(stream) // 188):
        packet = stream[number * 188 : number * 188 + 188]
        if packet[0] != 0x47:
            report.complain(number, "no sync byte")
            continue
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        report.pids[pid] += 1
        if pid == 0x1FFF:
            continue
        has_field, has_payload = packet[3] & 0x20, packet[3] & 0x10
        at, flags = 4, 0
        if has_field:
            flags = packet[5] if packet[4] else 0
            at = 5 + packet[4]
        if flags & 0x80:
            report.marked[pid] += 1
        counter = packet[3] & 15
        if pid in counters and not flags & 0x80:
            last, body, repeated = counters[pid]
            same = counter == last and has_payload and packet[4:] == body and not repeated
            if counter != (last + (1 if has_payload else 0)) % 16 and not same:
                report.complain(number, f"counter of PID {pid:#x} is {counter} after {last}")
            counters[pid] = counter, packet[4:], same
        else:
            counters[pid] = counter, packet[4:], False
        if flags & 0x10 and pid == pcr_pid:
            pcr = int.from_bytes(packet[6:11], "big") >> 7
            if report.pcrs and back(pcr, report.pcrs[-1]) and not clock_steps_ok:
                report.complain(number, f"PCR back by {(report.pcrs[-1] - pcr) % WRAP}")
            report.pcrs.append(pcr)
        if not has_payload or at >= 188:
            continue
        payload, start = packet[at:], packet[1] & 0x40
        if pid == 0 and start:
            section = payload[1 + payload[0] :]
            pmt_pid = (section[10] & 0x1F) << 8 | section[11]
        elif pid == pmt_pid and start:
            section = payload[1 + payload[0] :]
            end = min(3 + ((section[1] & 15) << 8 | section[2]) - 4, len(section))
            pcr_pid = (section[8] & 0x1F) << 8 | section[9]
            place = 12 + ((section[10] & 15) << 8 | section[11])
            listed = {}
            while place + 5 <= end:
                listed[(section[place + 1] & 0x1F) << 8 | section[place + 2]] = section[place]
                place += 5 + ((section[place + 3] & 15) << 8 | section[place + 4])
            entry = (section[3] << 8 | section[4], section[5] >> 1 & 31, listed)
            if not report.pmts or report.pmts[-1] != entry:
                report.pmts.append(entry)
        elif report.pmts and pid in report.pmts[-1][2]:
            _check_pes(report, number, pid, payload, bool(start), pes_left)
        elif not report.pmts:
            report.complain(number, f"PID {pid:#x} before the tables")
    for pid, left in pes_left.items():
        if left > 0:
            report.complain(number, f"PID {pid:#x} ends inside a PES packet")
    return report


def _check_pes(
    report: Report, number: int, pid: int, payload: bytes, start: bool, left: dict[int, int]
) -> None:
    if not start:
        if pid not in left and payload[:3]:
            report.complain(number, f"PID {pid:#x} begins inside a PES packet")
        left[pid] = left.get(pid, 0) - len(payload)
        return
    if payload[:3] != b"\x00\x00\x01":
        return
    if left.get(pid, 0) > 0:
        report.complain(number, f"a PES packet of PID {pid:#x} lacks {left[pid]} bytes")
    length = int.from_bytes(payload[4:6], "big")
    left[pid] = length + 6 - len(payload) if length else -(10**12)
    if not payload[7] & 0x80:
        return
    pts = stamp(payload[9:14])
    dts = stamp(payload[14:19]) if payload[7] & 0x40 else pts
    for name, new, old in (("DTS", dts, report.dts[pid]), ("PTS below DTS", pts, [dts])):
        if old and back(new, old[-1]):
            report.complain(number, f"{name} of PID {pid:#x} back by {(old[-1] - new) % WRAP}")
    if report.dts[pid] and dts == report.dts[pid][-1]:
        report.complain(number, f"DTS of PID {pid:#x} stands")
    report.dts[pid].append(dts)
    report.pts[pid].append(pts)
