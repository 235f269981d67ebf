"""The loop of a clip: clocks and counters go on over the seam (ISO 13818-1)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from kptv.demo.playout import CLOCK, PACKET, Clip, Playout
from tests.numbered_ts import NumberedStream

# A clip of 2 s as simple as can be: of the tests' own maker, whose packets are 10 ms apart.
PACKETS = 200
BITRATE = PACKET * 8 * 100


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip.parse(made(clock_base=12_345), seconds=2.0)


def made(clock_base: int) -> bytes:
    options = {"clock_base": clock_base, "frame_seconds": 0.5}  # each picture a keyframe
    maker = NumberedStream("demo", "x", 1, bitrate=BITRATE, **options)
    return maker.packets(PACKETS, now=0.0)


def packets_of(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


def pcrs(data: bytes) -> list[int]:
    keys = [packet for packet in packets_of(data) if packet[3] & 0x20]
    return [int.from_bytes(packet[6:11], "big") >> 7 for packet in keys]


def pts_bits(data: bytes) -> list[bytes]:
    return [packet[12 + 9 : 12 + 14] for packet in packets_of(data) if packet[3] & 0x20]


def test_the_first_lap_starts_at_the_clock_base_and_is_else_the_clip(clip: Clip) -> None:
    assert clip.packets(0, len(clip.due), lap=0, clock_base=12_345) == clip.data


def test_clocks_go_on_by_the_duration_at_each_lap(clip: Clip) -> None:
    first = pcrs(clip.packets(0, len(clip.due), 0))
    assert first == [0, CLOCK // 2, CLOCK, CLOCK * 3 // 2]
    later = pcrs(clip.packets(0, len(clip.due), 7))
    assert later == [ticks + 7 * 2 * CLOCK for ticks in first]


def test_clocks_wrap_at_33_bits(clip: Clip) -> None:
    base = 2**33 - CLOCK
    data = clip.packets(0, len(clip.due), 0, base)
    assert pcrs(data) == [base, base + CLOCK // 2, 0, CLOCK // 2]


@pytest.mark.parametrize("base", [0, 77, 2**30 - 1, 2**32, 2**33 - 100_000])
def test_a_moved_clip_is_the_clip_made_at_that_time(clip: Clip, base: int) -> None:
    """Byte for byte: PCR, PTS, their markers, reserved bits and all that is no clock."""
    assert clip.packets(0, len(clip.due), 0, base) == made(base)


def test_continuity_counters_go_on_over_the_seam(clip: Clip) -> None:
    playout = Playout(clip)
    playout.start(0)
    counters: dict[int, int] = {}
    for packet in packets_of(playout.due(9.99)):
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        counter = packet[3] & 0x0F
        assert counter == (counters.get(pid, counter - 1) + 1) % 16
        counters[pid] = counter
    assert len(counters) == 3


def test_what_is_due_comes_once_and_in_time(clip: Clip) -> None:
    playout = Playout(clip)
    playout.start(0)
    pieces = [playout.due(tenth / 10) for tenth in range(61)]
    at_once = Playout(clip)
    at_once.start(0)
    assert b"".join(pieces) == at_once.due(6.0)
    arrivals = defaultdict(list)
    for tenth, piece in enumerate(pieces):
        for ticks in pcrs(piece):
            arrivals[ticks / CLOCK].append(tenth / 10)
    assert arrivals == {half / 2: [half / 2] for half in range(13)}


def test_a_viewer_that_joins_later_begins_at_the_newest_random_access_point(clip: Clip) -> None:
    playout = Playout(clip)
    playout.start(5.3)
    data = playout.due(5.3)
    assert packets_of(data)[0][1:3] == b"\x40\x00"  # a PAT
    assert pcrs(data) == [5 * CLOCK]


@pytest.mark.parametrize("data", [b"", b"\x47" * 100, b"\0" * PACKET, b"\x47".ljust(PACKET, b"\0")])
def test_what_is_no_clip_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"PCR|packets"):
        Clip.parse(data, 1.0)


def test_the_shipped_clips_are_small() -> None:
    import kptv.demo

    clips = list((Path(kptv.demo.__file__).parent / "data").glob("*.ts"))
    assert len(clips) == 8
    assert sum(clip.stat().st_size for clip in clips) < 1_500_000
