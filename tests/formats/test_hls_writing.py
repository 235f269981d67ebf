"""HLS playlists as we write them, byte for byte, and as others read them."""

from __future__ import annotations

from itertools import pairwise

import m3u8
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.hls.parse import parse
from kptv.formats.hls.playlist import MediaPlaylist, MultivariantPlaylist
from kptv.formats.hls.writing import (
    PREFIX,
    ListedSegment,
    media_playlist,
    multivariant_playlist,
)

AT = 1_795_694_400.0  # 2026-11-26 12:00 UTC


def segments(
    *durations: float, first: int = 7, breaks: tuple[int, ...] = (), at: float = AT
) -> list[ListedSegment]:
    """Segments that follow each other; those of these numbers break."""
    made = []
    for number, duration in enumerate(durations, first):
        uri = f"{PREFIX}one/{number}.ts"
        made.append(ListedSegment(number, uri, duration, at, number in breaks))
        at += duration
    return made


def test_a_media_playlist_byte_for_byte() -> None:
    listed = segments(2.0, 1.92, 0.5, 2.0, breaks=(7, 9))
    remarks = ("Safari plays no HEVC here.",)
    text = media_playlist(listed, target_duration=2, discontinuity_sequence=4, remarks=remarks)
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:4\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.0\n"
        "# Safari plays no HEVC here.\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-26T12:00:00.000Z\n"
        "#EXTINF:2.000,\n"
        "{PREFIX}one/7.ts\n"
        "#EXTINF:1.920,\n"
        "{PREFIX}one/8.ts\n"
        "#EXT-X-DISCONTINUITY\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-26T12:00:03.920Z\n"
        "#EXTINF:0.500,\n"
        "{PREFIX}one/9.ts\n"
        "#EXTINF:2.000,\n"
        "{PREFIX}one/10.ts\n"
    )


@pytest.mark.parametrize(
    ("more", "attributes"),
    [
        (
            {
                "average_bandwidth": 1_900_000,
                "codecs": ("avc1.64001f", "mp4a.40.2"),
                "size": (1280, 720),
                "frame_rate": 30000 / 1001,
            },
            'BANDWIDTH=2500000,AVERAGE-BANDWIDTH=1900000,CODECS="avc1.64001f,mp4a.40.2",'
            "RESOLUTION=1280x720,FRAME-RATE=29.970",
        ),
        (
            {"average_bandwidth": None, "codecs": (), "size": None, "frame_rate": None},
            "BANDWIDTH=2500000",
        ),
    ],
    ids=["all is known", "nothing is known"],
)
def test_a_multivariant_playlist_byte_for_byte(more: dict[str, object], attributes: str) -> None:
    text = multivariant_playlist("one.m3u8", bandwidth=2_500_000, **more)  # type: ignore[arg-type]
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    assert text == f"{head}#EXT-X-STREAM-INF:{attributes}\none.m3u8\n"


def test_our_own_reader_reads_what_we_write() -> None:
    listed = segments(2.0, 1.92, 0.52, 2.0, breaks=(9,))
    read = parse(
        media_playlist(listed, target_duration=2, discontinuity_sequence=4).encode(),
        "http://tv.example/hls/one.m3u8",
    )
    assert isinstance(read, MediaPlaylist)
    assert (read.target_duration, read.media_sequence, read.ended) == (2, 7, False)
    assert [s.duration for s in read.segments] == [2.0, 1.92, 0.52, 2.0]
    assert [s.discontinuity_sequence for s in read.segments] == [4, 4, 5, 5]
    assert [s.time for s in read.segments] == pytest.approx([s.date for s in listed], abs=0.001)
    text = multivariant_playlist(
        "one.m3u8",
        bandwidth=3,
        average_bandwidth=2,
        codecs=("avc1.64001f", "mp4a.40.2"),
        size=(1280, 720),
        frame_rate=25,
    )
    variants = parse(text.encode(), "http://tv.example/hls/one.m3u8?master")
    assert isinstance(variants, MultivariantPlaylist)
    (variant,) = variants.variants
    assert variant.uri == "http://tv.example/hls/one.m3u8"
    assert (variant.bandwidth, variant.width, variant.height) == (3, 1280, 720)
    assert (variant.codecs, variant.frame_rate) == (("avc1.64001f", "mp4a.40.2"), 25)


def test_the_m3u8_package_reads_what_we_write() -> None:
    listed = segments(2.0, 1.92, 0.52, 2.0, breaks=(9,))
    remarks = ("One.", "Two: #EXT-X-ENDLIST")
    read = m3u8.loads(
        media_playlist(listed, target_duration=2, discontinuity_sequence=4, remarks=remarks)
    )
    assert (read.version, read.target_duration, read.media_sequence) == (3, 2, 7)
    assert (read.discontinuity_sequence, read.is_endlist, read.is_variant) == (4, False, False)
    assert read.is_independent_segments
    assert [s.discontinuity for s in read.segments] == [False, False, True, False]
    assert read.server_control.can_block_reload == "YES"
    assert read.server_control.hold_back == 6.0


def test_a_segment_reads_the_same_in_each_playlist_that_does_not_begin_with_it() -> None:
    listed = segments(*[2.0] * 8, breaks=(10,))

    def lines(window: list[ListedSegment], number: int) -> str:
        text = media_playlist(window, target_duration=2, discontinuity_sequence=1)
        (found,) = [part for part in text.split(".ts\n") if part.endswith(f"/{number}")]
        return found

    for number in range(8, 15):
        told = {lines(listed[start:], number) for start in range(number - 7)}
        assert len(told) == 1, told


def test_a_playlist_never_begins_with_a_discontinuity() -> None:
    text = media_playlist(segments(2.0, breaks=(7,)), target_duration=2, discontinuity_sequence=1)
    assert "#EXT-X-DISCONTINUITY\n" not in text


@pytest.mark.parametrize(
    "remark",
    [
        "a\n#EXT-X-ENDLIST\nb",
        "a\r#EXT-X-ENDLIST",
        "a\u2028#EXT-X-ENDLIST\x85#EXT-X-GAP\x0b#EXT-X-GAP\x00",
        "#EXT-X-ENDLIST",
        "\n#EXT-X-ENDLIST",
        "EXT-X-ENDLIST",
        "\u200b",
        "x" * 10_000,
    ],
    ids=["LF", "CR", "ends of lines", "a tag", "a tag on a line", "a name", "nothing", "much"],
)
def test_no_remark_becomes_a_tag(remark: str) -> None:
    listed = segments(2.0, 2.0)
    text = media_playlist(listed, target_duration=2, discontinuity_sequence=1, remarks=[remark])
    plain = media_playlist(listed, target_duration=2, discontinuity_sequence=1)
    (line,) = set(text.splitlines()) - set(plain.splitlines())
    assert line.startswith("# ")
    assert len(line) <= 502
    assert [kept for kept in text.split("\n") if kept != line] == plain.split("\n")


@pytest.mark.parametrize(
    ("duration", "count"),
    [(1.9199555, 20_000), (2.0020004, 20_000), (1.0, 20_000), (1024 * 47 / 44_100, 20_000)],
)
@pytest.mark.parametrize("listed_at_once", [1, 10])
def test_durations_add_up_over_hours(duration: float, count: int, listed_at_once: int) -> None:
    """Rounded one by one, those of the first kind would be 0.9 s too long in the end."""
    all_of_them = segments(*[duration] * count, at=AT + 0.0007)
    told = 0.0
    for start in range(0, count, listed_at_once):
        window = all_of_them[start : start + listed_at_once]
        text = media_playlist(window, target_duration=2, discontinuity_sequence=0)
        told += sum(float(line[8:-1]) for line in text.split("\n") if line.startswith("#EXTINF"))
    assert told == pytest.approx(duration * count, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.1, 60.0), min_size=2, max_size=40),
    st.floats(1.0e9, 4.0e9),
    st.sets(st.integers(0, 39)),
)
def test_any_run_of_durations_is_true(durations: list[float], at: float, breaks: set[int]) -> None:
    listed = segments(*durations, first=0, at=at, breaks=tuple(breaks))
    text = media_playlist(listed, target_duration=60, discontinuity_sequence=0)
    told = [float(line[8:-1]) for line in text.split("\n") if line.startswith("#EXTINF")]
    for first in range(len(told)):
        for last in range(first + 1, len(told) + 1):
            assert abs(sum(told[first:last]) - sum(durations[first:last])) < 0.003
    read = m3u8.loads(text)
    dates = [s.current_program_date_time.timestamp() for s in read.segments]
    for (one, other), duration in zip(pairwise(dates), told, strict=False):
        assert other - one == pytest.approx(duration, abs=0.0015)


def test_no_segment_has_no_length() -> None:
    text = media_playlist(segments(0.0), target_duration=2, discontinuity_sequence=0)
    assert "#EXTINF:0.001,\n" in text


@pytest.mark.parametrize("at", [0.0, 0.0003, 0.0005, 0.0007])
def test_no_duration_rounds_to_above_the_target(at: float) -> None:
    listed = segments(2.4994, 2.4994, 2.4994, at=AT + at)
    text = media_playlist(listed, target_duration=2, discontinuity_sequence=0)
    told = [float(line[8:-1]) for line in text.split("\n") if line.startswith("#EXTINF")]
    assert set(told) == {2.499}
