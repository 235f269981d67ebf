"""How long the sound in a PES packet lasts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.sound import sound_duration
from tests.formats.ts_clips import AAC, AC3, MP2, clip, needs_ffmpeg

EAC3 = "-c:a eac3 -b:a 128k"


def units(stream: bytes, pid: int) -> list[tuple[int, bytes]]:
    """PTS and elementary stream of each PES packet."""
    found: list[bytes] = []
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        if (packet[1] & 0x1F) << 8 | packet[2] == pid:
            payload = packet[5 + packet[4] if packet[3] & 0x20 else 4 :]
            if packet[1] & 0x40:
                found.append(b"")
            found[-1] += payload
    stamps = [pes[9] >> 1 & 7 for pes in found]
    lows = [(pes[10] << 7 | pes[11] >> 1) << 15 | pes[12] << 7 | pes[13] >> 1 for pes in found]
    times = [high << 30 | low for high, low in zip(stamps, lows, strict=True)]
    return [(time, pes[9 + pes[8] :]) for time, pes in zip(times, found, strict=True)]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("sound", "codec"),
    [
        (AAC, "aac"),
        (MP2, "mp2"),
        ("-c:a mp2 -b:a 64k -ar 44100", "mp2"),
        ("-c:a mp2 -b:a 64k -ar 24000", "mp2"),
        ("-c:a libmp3lame -b:a 128k -ar 44100", "mp2"),
        (AC3, "ac3"),
        ("-c:a ac3 -b:a 192k -ar 44100", "ac3"),
        (EAC3, "eac3"),
    ],
)
def test_frames_last_until_the_next_packet_starts(sound: str, codec: str) -> None:
    found = units(clip("", sound, seconds=3), 0x100)
    for (time, data), (following, _) in pairwise(found):
        assert sound_duration(data, codec) == pytest.approx(following - time, abs=2)


def test_the_end_of_an_earlier_frame_is_passed_over() -> None:
    frame = bytes((0xFF, 0xF1, 0x4C, 0x40, 0x01, 0x7F, 0xFC)) + bytes(4)  # 11 bytes, 48 kHz
    assert sound_duration(b"\x12\x34" + frame * 8, "aac") == 8 * 1024 * TICKS // 48_000


def test_what_cannot_be_counted_has_no_length() -> None:
    assert sound_duration(bytes(100), "aac") is None
    assert sound_duration(b"\xff" * 100, "mp2") is None
    assert sound_duration(b"\xff\xf1" * 50, "dts") is None
    assert sound_duration(b"", "ac3") is None
