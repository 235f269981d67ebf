"""What is inside the packets of one upstream."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.mpegts.elementary import (
    ElementaryKind,
    RandomAccess,
    judge,
    language_of,
    nature_of,
)
from kptv.formats.mpegts.inspection import Inspection, MarkKind
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.psi import ElementaryStream, Pat, Pmt, packets_of
from tests.formats.ts_clips import AAC, AC3, H264, H265, MP2, MPEG2, SHARED, clip, needs_ffmpeg
from tests.formats.ts_maker import AUD, I_SLICE, IDR, P_SLICE, PPS, SPS, Maker

RECOVERY_POINT = b"\x00\x00\x01\x06\x06\x01\x84\x80"


def look(stream: bytes) -> tuple[Inspector, Inspection]:
    inspector = Inspector()
    return inspector, inspector.scan(stream)


def keys(scan: Inspection) -> list[RandomAccess]:
    return [mark.unit.key for mark in scan.marks if mark.kind is MarkKind.KEY and mark.unit]


def without_random_access(stream: bytes) -> bytes:
    data = bytearray(stream)
    for at in range(0, len(data), 188):
        if data[at + 3] & 0x20 and data[at + 4]:
            data[at + 5] &= 0xBF
    return bytes(data)


def test_programme_streams_and_clock_are_found() -> None:
    inspector, scan = look(Maker(language=b"eng").pictures(50))
    program = inspector.program
    assert program is not None
    assert [(n.kind, n.codec) for n in program.natures.values()] == [
        (ElementaryKind.VIDEO, "h264"),
        (ElementaryKind.AUDIO, "aac"),
    ]
    assert language_of(program.pmt.streams[1]) == "eng"
    assert program.pmt.pcr_pid == program.lead_pid == 0x100
    assert inspector.continuity_errors == 0
    assert len(keys(scan)) == 2
    assert inspector.clock == 900_000 + 49 * 3600 - 9000


def test_keyframes_are_found_without_random_access_indicator() -> None:
    for key, verdict in (
        (AUD + SPS + PPS + IDR, RandomAccess.CLOSED),
        (AUD + SPS + PPS + I_SLICE, RandomAccess.OPEN),
        (AUD + SPS + PPS + RECOVERY_POINT + P_SLICE, RandomAccess.OPEN),
    ):
        _, scan = look(Maker(key=key, random_access=False).pictures(60))
        assert keys(scan) == [verdict] * 3


def test_an_indicator_where_no_decoder_can_start_is_not_believed() -> None:
    _, scan = look(Maker(key=AUD + P_SLICE).pictures(60))
    assert keys(scan) == []


def test_a_key_picture_without_parameter_sets_counts_if_the_indicator_vouches_for_it() -> None:
    assert judge("h264", AUD + IDR, random_access=False).key is RandomAccess.NONE  # type: ignore[union-attr]
    assert judge("h264", AUD + IDR, random_access=True).key is RandomAccess.CLOSED  # type: ignore[union-attr]


def test_a_slice_behind_long_headers_is_found_in_a_later_packet() -> None:
    sei = b"\x00\x00\x01\x06\x05\xff\xff\x10" + b"\x55" * 700 + b"\x80"
    maker = Maker(key=AUD + SPS + PPS + sei + IDR, random_access=False, size=2000)
    _, scan = look(maker.pictures(30))
    assert keys(scan) == [RandomAccess.CLOSED] * 2


def test_of_several_programmes_the_first_with_video_is_taken() -> None:
    radio = Maker(video=None, audio=0x300, pmt=0x301, program=1)
    television = Maker(video=0x400, audio=0x401, pmt=0x402, program=2)
    pat = packets_of(Pat(1, 0, ((1, 0x301), (2, 0x402))).section, 0, 0)
    both = radio.pictures(1)[188:] + television.pictures(25)[188:]
    inspector, _ = look(pat + both)
    assert inspector.program is not None
    assert inspector.program.pmt.program_number == 2
    assert not inspector.program.alone


def test_a_programme_whose_table_never_comes_is_not_waited_for() -> None:
    maker = Maker(program=9)
    pat = packets_of(Pat(1, 0, ((3, 0x700), (9, maker.pmt))).section, 0, 0)
    media = maker.pictures(3)[188:]
    inspector, _ = look(pat + media + pat * 3)
    assert inspector.program is not None
    assert inspector.program.pmt.program_number == 9


def test_nulls_and_lost_packets_are_counted() -> None:
    maker = Maker()
    stream = maker.pictures(10) + maker.nulls(7)
    inspector, scan = look(stream)
    tables = 2
    assert (inspector.packets, inspector.continuity_errors) == (scan.count, 0)
    assert inspector.packets - inspector.media == 7 + tables
    inspector, _ = look(stream[: 188 * 5] + stream[188 * 6 :])
    assert inspector.continuity_errors == 1


def test_a_duplicate_packet_is_legal_once() -> None:
    stream = Maker(audio=None).pictures(3)
    third = stream[188 * 3 : 188 * 4]
    once = stream[: 188 * 4] + third + stream[188 * 4 :]
    twice = stream[: 188 * 4] + third * 2 + stream[188 * 4 :]
    assert look(once)[0].continuity_errors == 0
    assert look(twice)[0].continuity_errors == 1


def test_scrambled_packets_are_counted_and_not_read() -> None:
    maker = Maker(scrambled=True)
    inspector, scan = look(maker.pictures(5))
    assert inspector.scrambled > 10
    assert inspector.media == inspector.lead_units == 0
    assert not [mark for mark in scan.marks if mark.unit]


def test_a_changed_programme_is_noticed_where_it_changes() -> None:
    maker = Maker()
    first = maker.pictures(5)
    maker.audio_type, maker.gop, maker.count = 0x04, 5, 5
    inspector, scan = look(first + maker.pictures(5))
    changes = [mark for mark in scan.marks if mark.program]
    assert [mark.packet * 188 >= len(first) for mark in changes] == [False, True]
    assert inspector.program is changes[1].program


@pytest.mark.parametrize(
    ("stream", "kind", "codec"),
    [
        (ElementaryStream(1, 0x24), ElementaryKind.VIDEO, "hevc"),
        (ElementaryStream(1, 0x81), ElementaryKind.AUDIO, "ac3"),
        (ElementaryStream(1, 0x06, b"\x6a\x01\x00"), ElementaryKind.AUDIO, "ac3"),
        (ElementaryStream(1, 0x06, b"\x05\x04Opus"), ElementaryKind.AUDIO, "opus"),
        (ElementaryStream(1, 0x06, b"\x05\x04HEVC"), ElementaryKind.VIDEO, "hevc"),
        (ElementaryStream(1, 0x06, b"\x56\x00"), ElementaryKind.OTHER, "teletext"),
        (ElementaryStream(1, 0x06), ElementaryKind.OTHER, "0x06"),
        (ElementaryStream(1, 0x86), ElementaryKind.OTHER, "scte35"),
    ],
)
def test_a_stream_is_what_its_type_and_descriptors_say(
    stream: ElementaryStream, kind: ElementaryKind, codec: str
) -> None:
    assert (nature_of(stream).kind, nature_of(stream).codec) == (kind, codec)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("video", "audio", "verdict"),
    [
        (H264 + " -x264-params open-gop=0:keyint=25:scenecut=0", AAC, RandomAccess.CLOSED),
        (H264 + " -x264-params open-gop=1:keyint=25:scenecut=0:b-adapt=0", AAC, RandomAccess.OPEN),
        (H265 + "keyint=25:scenecut=0:open-gop=0", AC3, RandomAccess.CLOSED),
        (H265 + "keyint=25:scenecut=0:open-gop=1", AC3, RandomAccess.OPEN),
        (MPEG2 + " -g 25 -sc_threshold 1000000000 -flags +cgop", MP2, RandomAccess.CLOSED),
        (MPEG2 + " -g 25 -sc_threshold 1000000000", MP2, RandomAccess.OPEN),
    ],
    ids=["h264", "h264 open", "h265", "h265 open", "mpeg2", "mpeg2 open"],
)
def test_keyframes_of_real_encoders_are_found_by_their_nal_units(
    video: str, audio: str, verdict: RandomAccess
) -> None:
    stream = clip(video, audio, size="176x144")
    inspector, scan = look(without_random_access(stream))
    # An encoder's first picture is an IDR or a closed group in any case.
    assert len(keys(scan)) >= 4
    assert set(keys(scan)[1:]) == {verdict}
    assert inspector.size == (176, 144)
    assert inspector.continuity_errors == 0
    assert keys(look(stream)[1]) == keys(scan)


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared streams")
@pytest.mark.parametrize(
    ("name", "codecs", "size", "count"),
    [
        ("test-025.ts", ["mpeg2video", "mp2"], (720, 576), 5),
        ("sample_h262_mpeg_audio.ts", ["mpeg2video", "mp2"], (640, 426), 1),
        ("sample_h264_no_access_unit_delimiters.ts", ["h264"], (640, 426), 1),
        ("sample_scte35.ts", ["mpeg2video", "mp2", "scte35"], (640, 426), 1),
    ],
)
def test_streams_of_the_field_are_understood(
    name: str, codecs: list[str], size: tuple[int, int], count: int
) -> None:
    inspector, scan = look((SHARED / name).read_bytes())
    assert inspector.program is not None
    assert [n.codec for n in inspector.program.natures.values()] == codecs
    assert inspector.size == size
    assert len(keys(scan)) == count
    assert inspector.continuity_errors == 0


@given(st.data())
def test_damaged_packets_are_survived(data: st.DataObject) -> None:
    stream = bytearray(Maker(more=(ElementaryStream(0x102, 0x86),)).pictures(12))
    for _ in range(data.draw(st.integers(1, 30))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] = data.draw(st.integers(0, 255))
    inspector = Inspector()
    cut = data.draw(st.integers(0, len(stream) // 188)) * 188
    for part in (bytes(stream[:cut]), bytes(stream[cut:])):
        scan = inspector.scan(part)
        assert len(scan.words) == len(part) // 188
        assert all(0 <= mark.packet < len(scan.words) for mark in scan.marks)


@given(st.binary(max_size=80), st.booleans())
@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2video", "vc1"])
def test_any_access_unit_is_survived(codec: str, head: bytes, random_access: bool) -> None:
    for prefix in (b"", AUD + SPS, b"\x00\x00\x01\x42\x01", b"\x00\x00\x01\xb3"):
        judge(codec, prefix + head, random_access=random_access)


def test_a_pmt_that_lists_a_table_pid_is_survived() -> None:
    maker = Maker()
    bad = Pmt(
        1,
        1,
        0x100,
        (ElementaryStream(0, 27), ElementaryStream(0x1000, 15), ElementaryStream(0x100, 27)),
    )
    stream = maker.pictures(2) + packets_of(bad.section, 0x1000, 1) + maker.pictures(5)
    inspector, _ = look(stream)
    assert replace(inspector.program.pmt, version=1) == bad  # type: ignore[union-attr]
