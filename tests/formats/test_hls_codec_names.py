"""What playlists call codecs: by hand, as ffmpeg calls them, and what is said of some."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.hls.codec_names import codec_names, name_of, remarks_on
from kptv.formats.mpegts.elementary import ElementaryKind, Nature
from kptv.formats.mpegts.media import Medium, frame_rate, medium_of, told_frame_rate
from kptv.splice.stats import Stats
from tests.formats.ts_clips import (
    AAC,
    AC3,
    H264,
    H265,
    MPEG2,
    SHARED,
    clip,
    needs_ffmpeg,
)
from tests.formats.ts_hub import Hub

VIDEO, AUDIO = ElementaryKind.VIDEO, ElementaryKind.AUDIO
H264_AAC = ("avc1.64001f", "mp4a.40.2")
KEYS = " -x264-params open-gop=0:keyint=25:scenecut=0"


def stats_of(stream: bytes) -> Stats:
    return Hub().play(stream).splicer.stats


def medium(codec: str, profile: str = "") -> Medium:
    return Medium(VIDEO if codec in ("h264", "hevc") else AUDIO, codec, bytes.fromhex(profile))


# --- Names, by hand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "profile", "name"),
    [
        ("h264", "64001f", "avc1.64001f"),  # High, 3.1
        ("h264", "42c01e", "avc1.42c01e"),  # Constrained Baseline, 3.0
        ("h264", "", ""),
        # The first two are examples of ISO/IEC 14496-15, E.3, and of Apple's specification.
        ("hevc", "016000000090000000000078", "hvc1.1.6.L120.90"),
        ("hevc", "0220000000b0000000000099", "hvc1.2.4.L153.B0"),
        ("hevc", "22200000009000000000007b", "hvc1.2.4.H123.90"),
        ("hevc", "41600000000000000000005d", "hvc1.A1.6.L93"),
        ("hevc", "04080000009d08000000005d", "hvc1.4.10.L93.9D.8"),
        ("hevc", "", ""),
        ("aac", "02", "mp4a.40.2"),
        ("aac", "05", "mp4a.40.5"),
        ("aac", "", "mp4a.40.2"),
        ("aac_latm", "1d", "mp4a.40.29"),
        ("mp2", "02", "mp4a.40.33"),
        ("mp2", "01", "mp4a.40.32"),
        ("mp2", "", "mp4a.40.33"),
        ("mp3", "03", "mp4a.40.34"),
        ("ac3", "", "ac-3"),
        ("eac3", "", "ec-3"),
        ("mpeg2video", "", ""),
        ("dts", "", ""),
    ],
)
def test_names_of_codecs(codec: str, profile: str, name: str) -> None:
    assert name_of(medium(codec, profile)) == name


def test_all_codecs_are_named_or_none() -> None:
    h264, aac, dts = medium("h264", "64001f"), medium("aac", "02"), medium("dts")
    assert codec_names([h264, aac]) == H264_AAC
    assert codec_names([h264, aac, aac]) == H264_AAC
    assert codec_names([h264, aac, dts]) == ()
    assert codec_names([medium("h264"), aac]) == ()
    assert codec_names([]) == ()


# --- Names and rates of what encoders make -----------------------------------------------


def of_ffmpeg(stream: bytes, folder: Path) -> tuple[str, ...]:
    """The codecs as ffmpeg's muxer of DASH names them, which is given an MP4."""
    (folder / "clip.ts").write_bytes(stream)
    ffmpeg = f"ffmpeg -v error -nostdin -i {folder}"
    for command in (
        f"{ffmpeg}/clip.ts -c copy -f mp4 {folder}/clip.mp4",
        f"{ffmpeg}/clip.mp4 -c copy -f dash {folder}/clip.mpd",
    ):
        subprocess.run(command.split(), check=True, timeout=60)
    return tuple(re.findall('codecs="(.*?)"', (folder / "clip.mpd").read_text()))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (H264 + KEYS, AAC),
        (H264 + " -profile:v high -pix_fmt yuv420p -preset fast -level 4.1" + KEYS, AC3),
        (H264 + " -profile:v baseline -bf 0 -level 3.0" + KEYS, AAC),
        ("", AAC),
    ],
    ids=["main, AAC", "high, AC-3", "baseline, AAC", "radio"],
)
def test_ffmpeg_names_them_likewise(video: str, audio: str, tmp_path: Path) -> None:
    stream = clip(video, audio)
    names = of_ffmpeg(stream, tmp_path)
    assert names == codec_names(stats_of(stream).media)
    assert len(names) == (2 if video else 1)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("video", "audio", "codecs", "names", "rate"),
    [
        (
            H265 + "keyint=25:scenecut=0",
            "-c:a eac3 -b:a 128k",
            ("hevc", "eac3"),
            ("hvc1.1.6.L30.90", "ec-3"),
            25.0,
        ),
        (MPEG2, "-c:a libmp3lame -b:a 128k", ("mpeg2video", "mp3"), (), 25.0),
        ("", "-c:a libmp3lame -b:a 128k", ("mp3",), ("mp4a.40.34",), None),
        ("", "-c:a aac -ar 24000", ("aac",), ("mp4a.40.5",), None),
        ("", "-c:a aac -mpegts_flags latm", ("aac_latm",), ("mp4a.40.2",), None),
        (
            H264 + KEYS + " -vf fps=60000/1001",
            "-c:a aac -b:a 96k",
            ("h264", "aac"),
            ("avc1.4d400c", "mp4a.40.2"),
            60_000 / 1001,
        ),
        (
            H264 + KEYS + ":interlaced=1",
            "-c:a aac -b:a 96k",
            ("h264", "aac"),
            ("avc1.4d4015", "mp4a.40.2"),
            25.0,
        ),
    ],
    ids=["HEVC", "layer III", "radio in MP3", "HE-AAC", "LATM", "59.94", "interlaced"],
)
def test_streams_of_encoders(
    video: str, audio: str, codecs: tuple[str, ...], names: tuple[str, ...], rate: float | None
) -> None:
    stats = stats_of(clip(video, audio))
    assert stats.codecs == codecs
    assert codec_names(stats.media) == names
    assert stats.frame_rate == rate


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared streams are not there")
@pytest.mark.parametrize(
    ("file", "codecs", "names", "rate"),
    [
        ("test-025.ts", ("mpeg2video", "mp2"), (), 25.0),
        ("sample_h264_no_access_unit_delimiters.ts", ("h264",), ("avc1.64001e",), 30_000 / 1001),
        ("sample_scte35.ts", ("mpeg2video", "mp2", "scte35"), (), 30_000 / 1001),
    ],
)
def test_real_streams(
    file: str, codecs: tuple[str, ...], names: tuple[str, ...], rate: float
) -> None:
    """As ffprobe tells their profile, level and rate."""
    stats = stats_of((SHARED / file).read_bytes())
    assert (stats.codecs, codec_names(stats.media), stats.frame_rate) == (codecs, names, rate)


# --- Frame rates -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "measured", "rate"),
    [
        (None, None, None),
        (25.0, None, 25.0),
        (None, 25.004, 25.0),
        (None, 29.968, 30_000 / 1001),
        (None, 23.99, 24.0),
        (None, 23.98, 24_000 / 1001),
        (None, 12.5, 12.5),
        (25.0, 50.0, 25.0),  # each unit is a field
        (25.0, 24.99, 25.0),
        (50.0, 25.0, 25.0),  # the header is wrong
        (90_000.0, 25.0, 25.0),
        (90_000.0, None, None),
        (25.0, 4000.0, 25.0),
    ],
)
def test_a_frame_rate(told: float | None, measured: float | None, rate: float | None) -> None:
    assert frame_rate(told, measured) == rate


@pytest.mark.parametrize(
    ("code", "rate"),
    [(0, None), (1, 24_000 / 1001), (3, 25.0), (7, 60_000 / 1001), (8, 60.0), (9, None)],
)
def test_a_sequence_header_of_mpeg2_tells_its_rate(code: int, rate: float | None) -> None:
    header = bytes((0xB3, 0x2D, 0x02, 0x40, 0x30 | code)) + bytes(4)
    assert told_frame_rate("mpeg2video", header) == rate
    assert told_frame_rate("mpeg2video", header[:4]) is None


# --- Foreign bytes -----------------------------------------------------------------------

CODECS = ("h264", "hevc", "mpeg2video", "vvc", "aac", "aac_latm", "mp2", "ac3", "eac3", "dts")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(CODECS),
    st.binary(max_size=184)
    | st.binary(max_size=60).map(lambda data: b"\x56\xe0\x10" + data)
    | st.binary(max_size=60).map(lambda data: b"\xff\xf1" + data),
    st.binary(max_size=60),
)
def test_no_bytes_break_it(codec: str, head: bytes, sequence: bytes) -> None:
    kind = VIDEO if codec in CODECS[:4] else AUDIO
    found = medium_of(Nature(kind, codec, 0), head, sequence)
    assert re.fullmatch(r"[a-zA-Z0-9.-]*", name_of(found))
    told = told_frame_rate(codec, sequence)
    assert told is None or told > 0
    assert frame_rate(told, None) is None or 0 < (frame_rate(told, None) or 0) < 300


# --- Remarks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codecs", "words"),
    [
        (("h264", "aac"), []),
        (("aac",), []),
        (("h264", "mp3", "teletext", "0x06", "scte35"), []),
        (("hevc", "aac"), ["HEVC"]),
        (("h264", "mp2"), ["layer II"]),
        (("mpeg2video", "mp2"), ["MPEG-2", "layer II"]),
        (("h264", "ac3"), ["AC-3"]),
        (("h264", "aac", "aac"), ["the first of 2 sound tracks"]),
        (("h264", "mp2", "mp2", "ac3"), ["layer II", "AC-3", "the first of 3 sound tracks"]),
        ((), []),
    ],
    ids="+".join,
)
def test_remarks(codecs: tuple[str, ...], words: list[str]) -> None:
    remarks = remarks_on(codecs)
    assert len(remarks) == len(words)
    for remark, word in zip(remarks, words, strict=True):
        assert word in remark
        assert re.fullmatch(r"[A-Z][^\n]*\.", remark)


def test_each_codec_without_a_name_has_a_remark() -> None:
    """What has none in a playlist, hardly any player of HLS can play."""
    without_remark = {"h264", "aac", "mp3"}
    video = ["h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vvc", "avs", "avs2", "avs3"]
    sound = ["aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "ac4", "dts", "truehd", "s302m"]
    for codec in [*video, "vc1", "av1", "dirac", *sound, "opus"]:
        assert bool(remarks_on([codec])) is (codec not in without_remark), codec
