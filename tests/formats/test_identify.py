"""What bytes begin, told by their start, their middle, or however few there are."""

from __future__ import annotations

import random
import struct
from time import process_time

import pytest

from kptv.formats.hls.container import Container, segment_start
from kptv.formats.icy import metadata_interval, without_metadata
from kptv.formats.identify import ENOUGH, FILE_TYPES, Identity, What, identify
from tests.numbered_ts import NumberedStream

NOISE = random.Random(3).randbytes(20_000).replace(b"G", b"g").replace(b"\xff", b"\xfe")


def frames(header: bytes, size: int, count: int = 12) -> bytes:
    return (header + NOISE[: size - len(header)]) * count


def mpeg_audio(second: int, third: int, size: int) -> bytes:
    return frames(bytes((0xFF, second, third, 0)), size)


def adts(size: int) -> bytes:
    head = bytes((0xFF, 0xF1, 0x50, 0x80 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC))
    return frames(head, size)


FRAMES = {
    "layer 3, 128 kbit/s": (mpeg_audio(0xFB, 0x90, 417), What.MPEG_AUDIO),
    "layer 3, 320 kbit/s": (mpeg_audio(0xFB, 0xE0, 1044), What.MPEG_AUDIO),
    "layer 3, 24 kHz": (mpeg_audio(0xF3, 0x84, 192), What.MPEG_AUDIO),
    "layer 3, 8 kHz": (mpeg_audio(0xE3, 0x48, 288), What.MPEG_AUDIO),
    "layer 2": (mpeg_audio(0xFD, 0xA4, 576), What.MPEG_AUDIO),
    "layer 1": (mpeg_audio(0xFF, 0xC4, 384), What.MPEG_AUDIO),
    "ADTS": (adts(371), What.ADTS),
    "long ADTS": (adts(2500), What.ADTS),
    "LOAS": (frames(b"\x56\xe1\x2d", 0x12D + 3), What.LOAS),
    "AC-3": (frames(b"\x0b\x77\0\0\x1c\x40\x43", 1536 // 2), What.AC3),
    "AC-3, 44.1 kHz": (frames(b"\x0b\x77\0\0\x55\x40\x43", 418 * 2), What.AC3),
    "E-AC-3": (frames(b"\x0b\x77\x01\x7f\x3f\x86", 768), What.EAC3),
}
EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88"
ENDLESS, SIZED = (
    b"\x18\x53\x80\x67\x01" + b"\xff" * 7,
    b"\x18\x53\x80\x67\x01" + bytes(5) + b"\x40\0",
)
SIGNED = {
    "FLV": (b"FLV\1\5\0\0\0\x09", Identity(What.FLV)),
    "program stream": (b"\0\0\1\xba\x44\0\4\0\4", Identity(What.MPEG_PS)),
    "Opus": (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead", Identity(What.OGG)),
    "Vorbis": (
        b"OggS\0\2" + bytes(20) + b"\1\x1e\x01vorbis",
        Identity(What.OGG, foreign_sound=True),
    ),
    "Theora": (
        b"OggS\0\2" + bytes(20) + b"\1\x2a\x80theora",
        Identity(What.OGG, foreign_picture=True),
    ),
    "FLAC": (b"fLaC\0\0\0\x22", Identity(What.FLAC, foreign_sound=True)),
    "WAV": (b"RIFF\xff\xff\xff\xffWAVEfmt ", Identity(What.WAV, foreign_sound=True)),
    "AVI": (b"RIFF\0\0\1\0AVI LIST", Identity(What.AVI)),
    "MP4": (b"\0\0\0\x18ftypmp42", Identity(What.MP4)),
    "live MP4": (b"\0\0\0\x18ftypmp42\0\0\2\0moov mvex avc1", Identity(What.MP4, endless=True)),
    "Matroska": (EBML + b"matroska" + SIZED, Identity(What.MATROSKA)),
    "live Matroska": (EBML + b"matroska" + ENDLESS, Identity(What.MATROSKA, endless=True)),
    "live WebM": (
        EBML + b"webm" + ENDLESS + b"V_VP9A_VORBIS",
        Identity(What.WEBM, endless=True, foreign_picture=True, foreign_sound=True),
    ),
    "H.264": (b"\0\0\0\1\x09\xf0\0\0\0\1\x67\x42", Identity(What.H264)),
    "H.265": (b"\0\0\0\1\x46\1\x50\0\0\0\1\x40\1\x0c", Identity(What.H265)),
    "MPEG-2 video": (b"\0\0\1\xb3\x0a\0\x5a", Identity(What.MPEG_VIDEO)),
    "MPEG-4 video": (b"\0\0\1\xb0\1\0\0\1\xb5", Identity(What.MPEG4_VIDEO)),
    "tag without frames in sight": (b"ID3\4\0\0\0\x7f\x7f\x7f", Identity(What.MPEG_AUDIO)),
    "HLS": (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n", Identity(What.HLS)),
    "variants": (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n", Identity(What.HLS)),
    "channel list": (b"#EXTM3U\n#EXTINF:-1,x\nudp://x\n", Identity(What.CHANNEL_LIST)),
    "DASH": (b'<?xml version="1.0"?><MPD type="dynamic">', Identity(What.DASH, endless=True)),
    "DASH film": (b'<?xml version="1.0"?><MPD type="static">', Identity(What.DASH)),
    "HTML": (b"\r\n<!DOCTYPE html>", Identity(What.HTML)),
    "JSON": (b'{"error": 1}', Identity(What.JSON)),
    "nothing": (b"", Identity(What.UNKNOWN)),
    "too short": (b"\xff\xfb\x90", Identity(What.UNKNOWN)),
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_container_is_told_by_its_first_bytes(name: str) -> None:
    data, found = SIGNED[name]
    assert identify(data, final=True) == found
    assert identify(data + NOISE[:4000]) == (found if found.what is not What.UNKNOWN else None)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("missed", [0, 1, 150])
def test_frames_are_told_from_wherever_one_begins_to_listen(name: str, missed: int) -> None:
    data, what = FRAMES[name]
    data = (data * 4)[missed:]
    assert identify(data[:ENOUGH]) == Identity(what)
    title = b"ID3\4\0\0\0\0\2\0" + bytes(256)
    assert identify((title + data)[:ENOUGH]) == Identity(what)


def test_a_program_stream_is_told_from_its_middle_too() -> None:
    pack = b"\0\0\1\xba\x44\0\4\0\4\1" + NOISE[:2038]
    assert identify((pack * 8)[700:]) == Identity(What.MPEG_PS)


def test_a_transport_stream_is_told_whatever_is_before_it_and_however_it_is_cut() -> None:
    packets = NumberedStream("one", "x", 1).packets(30, 0.0)
    for junk in (b"", b"\x89PNG" + NOISE[:500], b"\xff\xfb\x90\0" * 100, b"<html>"):
        assert identify(junk + packets) == Identity(What.TRANSPORT_STREAM)
    assert identify(packets[:200]) is None
    assert identify(packets[:376], final=True) == Identity(What.TRANSPORT_STREAM)


def test_a_playlist_in_which_four_gs_stand_at_equal_steps_is_one() -> None:
    line = "#EXTINF:6,".ljust(186, "x") + "\nG"
    assert identify(("#EXTM3U\n#EXT-X-TARGETDURATION:6\n" + line * 20).encode()) == Identity(
        What.HLS
    )


def test_noise_is_nothing_once_there_is_enough_of_it() -> None:
    assert identify(NOISE[: ENOUGH - 1]) is None
    assert identify(NOISE[:ENOUGH]) == Identity(What.UNKNOWN)
    for seed in range(50):
        noise = random.Random(seed).randbytes(ENOUGH)
        found = identify(noise)
        assert found is not None
        assert found.what in (What.UNKNOWN, What.JSON)  # a brace, by chance


def test_what_is_a_film_has_a_type() -> None:
    assert set(FILE_TYPES.values()) >= {"video/mp4", "video/x-matroska", "video/webm"}


@pytest.mark.parametrize(
    "piece",
    [
        *(b"\xff", b"\xff\xfb\x90\0", b"\x56\xe0\1", b"\x0b\x77\0\0\0\0", b"\0", b"\0\0\1"),
        *(b"G", b"\xff\xf1\x50\x80\1\0\0", b"#EXTM3U\n", b"\n#", b"V_", b"<!--"),
    ],
)
def test_a_body_made_to_be_slow_is_told_at_once(piece: bytes) -> None:
    body = piece * (256 * 1024 // len(piece))
    begun = process_time()
    identify(body)
    identify(body[:ENOUGH], final=True)
    assert process_time() - begun < 1.0


@pytest.mark.parametrize("cut", [1, 7, 300, 5000])
def test_titles_between_the_bytes_of_a_station_are_left_out(cut: int) -> None:
    sound = NOISE[:3000]
    title = b"StreamTitle='x';"
    sent = b"".join(
        sound[at : at + 300] + (struct.pack("B", len(title) // 16) + title if at % 900 else b"\0")
        for at in range(0, len(sound), 300)
    )
    pieces = [sent[at : at + cut] for at in range(0, len(sent), cut)]
    assert b"".join(without_metadata(pieces, 300)) == sound


@pytest.mark.parametrize(
    ("told", "interval"),
    [("8192", 8192), (" 16000 ", 16000), ("1", 0), ("-5", 0), ("x", 0), ("", 0), (None, 0)],
)
def test_an_interval_of_titles_is_a_number_that_a_station_may_have(
    told: str | None, interval: int
) -> None:
    assert metadata_interval(told) == interval


def test_of_a_whole_playlist_a_tag_far_behind_tells_hls_from_a_channel_list() -> None:
    body = b"#EXTM3U\n" + b"#EXTINF:6,\nx.ts\n" * 2000 + b"#EXT-X-ENDLIST\n"
    assert identify(body[:ENOUGH]) == Identity(What.CHANNEL_LIST)
    assert identify(body, final=True) == Identity(What.HLS)


PACKETS = NumberedStream("one", "x", 1).packets(30, 0.0)


@pytest.mark.parametrize(
    ("segment", "start"),
    [
        (PACKETS, 0),
        (b"\x89PNG" + NOISE[:500] + PACKETS, 0),  # the aligner drops so little
        (NOISE[:9000] + PACKETS, 9000),
        (b"\0\0\0\x18styp" + bytes(9000), Container.FMP4),
        (b"ID3\4\0\0\0\0\2\0" + bytes(9000), Container.PACKED_AUDIO),
        (b"<html>" * 2000, None),
    ],
)
def test_a_segment_is_a_transport_stream_from_somewhere_on_or_of_another_container(
    segment: bytes, start: int | Container | None
) -> None:
    assert segment_start(segment, final=True) == start


def test_what_is_behind_a_tag_is_waited_for() -> None:
    tag = b"ID3\4\0\0\0\0\x7f\x7f" + bytes(16_383)
    assert segment_start(tag, final=False) is None
    assert segment_start(tag + bytes(1000), final=False) is Container.PACKED_AUDIO
    assert segment_start(tag + PACKETS, final=False) == len(tag)
