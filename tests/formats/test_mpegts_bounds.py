"""Transport streams that are made to cost: tables that change, PIDs without end."""

from __future__ import annotations

import time

import pytest

from kptv.formats.mpegts.programs import ProgramFinder
from kptv.formats.mpegts.psi import ElementaryStream, Pat, Pmt, packets_of
from tests.formats.ts_hub import AlignedSplicer

COUNT = 256 * 1024 // 188  # packets: what is read at once
PROGRAMS = tuple((number + 1, 32 + number) for number in range(250))
STREAMS = tuple(ElementaryStream(0x200 + n, 0x1B if n == 0 else 0x0F) for n in range(150))
PES = b"\0\0\1\xe0\0\0\x80\xc0\x0a\x31\0\1\0\1\x11\0\1\0\1" + b"\0\0\1\x65\x88" * 30


def packet(pid: int, counter: int, payload: bytes) -> bytes:
    head = bytes((0x47, 0x40 | pid >> 8, pid & 255, 0x10 | counter & 15))
    return (head + payload + b"\xff" * 188)[:188]


def pmt(number: int, version: int = 0) -> bytes:
    streams = tuple(ElementaryStream(s.pid + version * 7 % 5000, s.stream_type) for s in STREAMS)
    return packets_of(Pmt(number, version % 32, 0x100, streams).section, 31 + number, 0)


PAT = packets_of(Pat(1, 0, PROGRAMS).section, 0, 0)
STREAMS_MADE = {
    "each PID": b"".join(packet(n % 8191, n // 8191, PES) for n in range(COUNT)),
    "units of many PIDs": b"".join(packet(0x200 + n % 150, n // 150, PES) for n in range(COUNT)),
    "slices": b"".join(packet(0x200, n, PES) for n in range(COUNT)),
    "splices": b"".join(packet(0x201, n, b"\0\xfc\x30\x11" + b"\xff" * 170) for n in range(COUNT)),
    "PMT that changes": b"".join(pmt(1, version) for version in range(COUNT // 5)),
    "PMTs": b"".join(pmt(number) for number in range(1, 251)),
}


@pytest.mark.parametrize("name", STREAMS_MADE)
def test_a_read_of_any_packets_is_spliced_in_bounded_time(name: str) -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    splicer.feed(PAT + b"".join(pmt(number) for number, _ in PROGRAMS), 0.0)
    begun = time.thread_time()
    splicer.feed(STREAMS_MADE[name], 0.1)
    assert time.thread_time() - begun < 1.5  # 0.2 at most; the hub cuts what takes long


def test_so_many_programmes_of_one_pid_are_kept() -> None:
    finder = ProgramFinder()
    feed(finder, packets_of(Pat(1, 0, ((1, 32),)).section, 0, 0), 0)
    for number in range(1, 3000):
        feed(finder, packets_of(Pmt(number, 0, 0x100, STREAMS[:2]).section, 32, 0), 32)
    assert sum(map(len, finder._pmts.values())) <= 256


def feed(finder: ProgramFinder, packets: bytes, pid: int) -> None:
    for at in range(0, len(packets), 188):
        finder.feed(pid, packets[at + 4 : at + 188], unit_start=at == 0)
