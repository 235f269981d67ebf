"""An IDR picture made of an intra picture that is none."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.mpegts.nal import escape, unescape, units
from kptv.splice.idr import Idr, idr_of
from tests.formats.ts_clips import clip, needs_ffmpeg
from tests.formats.ts_maker import AUD, I_SLICE, PPS, SPS

ENCODERS = {
    "CAVLC": "ultrafast -x264-params keyint=7:bframes=2",
    "CABAC": "fast -x264-params keyint=7",
    "slices": "fast -x264-params keyint=7:slices=3",
    "CAVLC slices": "ultrafast -x264-params keyint=7:bframes=2:slices=3",
    "MBAFF": "fast -x264-params keyint=7:interlaced=1",
    "High 10": "fast -pix_fmt yuv420p10le -x264-params keyint=7",
    "4:4:4": "fast -pix_fmt yuv444p -x264-params keyint=7",
}


def open_starts(encoder: str) -> list[bytes]:
    """The access units of a clip that start open groups of pictures."""
    options = f"-c:v libx264 -threads 1 -preset {encoder}:open-gop=1:scenecut=0"
    stream = clip(options, "", seconds=6)
    found: list[bytes] = []
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        if (packet[1] & 0x1F) << 8 | packet[2] == 0x100:
            payload = packet[5 + packet[4] if packet[3] & 0x20 else 4 :]
            if packet[1] & 0x40:
                found.append(b"")
                payload = payload[9 + payload[8] :]
            found[-1] += payload
    return [unit for unit in found[1:] if 7 in kinds(unit)]


def kinds(unit: bytes) -> list[int]:
    return [unit[at] & 0x1F for at, _ in units(unit)]


def picture(unit: bytes) -> str:
    """The digest of what a decoder makes of one access unit."""
    command = "ffmpeg -v error -nostdin -f h264 -i pipe:0 -f framemd5 pipe:1"
    done = subprocess.run(command.split(), input=unit, capture_output=True, timeout=100, check=True)
    lines = [line for line in done.stdout.decode().splitlines() if line[:1] != "#"]
    assert len(lines) == 1
    return lines[0].rsplit(",", 1)[1]


@needs_ffmpeg
@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_it_shows_what_the_picture_shows(encoder: str) -> None:
    found = open_starts(encoder)
    assert len(found) > 10
    made = [idr_of(unit) for unit in found]
    for unit, idr in zip(found[:4], made[:4], strict=True):
        assert idr is not None
        assert 5 not in kinds(unit)
        assert set(kinds(idr.unit)) == {5, 7, 8, 9}
        assert picture(idr.unit) == picture(unit)
    assert None not in made


@needs_ffmpeg
def test_it_takes_the_place_of_a_picture_that_has_an_idrs_number() -> None:
    """frame_num 0: two pictures of that number cannot follow each other."""
    made = [idr_of(unit) for unit in open_starts(ENCODERS["CABAC"])]
    instead = {idr.instead for idr in made if idr}
    assert instead == {False, True}


@needs_ffmpeg
def test_what_cannot_be_read_is_left_alone() -> None:
    unit = open_starts(ENCODERS["CABAC"])[0]
    places = [unit[at:end] for at, end in units(unit)]
    without_tables = [nal for nal in places if nal[0] & 0x1F not in (7, 8)]
    assert idr_of(b"".join(b"\x00\x00\x01" + nal for nal in without_tables)) is None
    assert idr_of(AUD + SPS + PPS + I_SLICE) is None  # cut short


def test_emulation_prevention_comes_and_goes() -> None:
    assert escape(bytes(5) + b"\x01") == b"\x00\x00\x03\x00\x00\x03\x00\x01"
    assert unescape(b"\x00\x00\x03\x00\x00\x03\x00\x01") == bytes(5) + b"\x01"


@given(st.binary(max_size=300))
def test_escaped_bytes_hold_no_start_code_and_are_the_same_again(data: bytes) -> None:
    escaped = escape(data)
    assert unescape(escaped) == data
    assert not any(a == b"\x00\x00" and b < b"\x03" for a, b in _pairs(escaped))


def _pairs(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(data[at : at + 2], data[at + 2 : at + 3]) for at in range(len(data) - 2)]


@given(st.lists(st.binary(max_size=60), max_size=6), st.binary(max_size=40))
def test_any_bytes_give_a_picture_or_none(nals: list[bytes], tail: bytes) -> None:
    unit = b"".join(b"\x00\x00\x01" + nal for nal in nals)
    for head in (b"", SPS + PPS):
        made = idr_of(head + unit + I_SLICE + tail)
        assert made is None or isinstance(made, Idr)
