"""Counters that start anew: at borders of segments, and where a source has connected once more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kptv.formats.mpegts.packets import payload_of
from kptv.formats.mpegts.seam import BORDER, BROKEN_OFF, SPLICE, Parts
from kptv.ports import Seam
from tests.formats.ts_checker import check
from tests.formats.ts_clips import (
    H264,
    MPEG2,
    clip,
    complaints,
    frames,
    needs_ffmpeg,
    probed_errors,
    segmented,
)
from tests.formats.ts_hub import Hub
from tests.formats.ts_maker import FRAME, Maker

PNG = b"\x89PNG\r\n\x1a\n"


def segments(count: int, maker: Maker | None = None, pictures: int = 50) -> list[bytes]:
    """Of a packager without a memory: the clock goes on, all counters start anew."""
    maker = maker or Maker()
    made = []
    for _ in range(count):
        maker.counters.clear()
        made.append(maker.pictures(pictures))
    return made


def in_parts(hub: Hub, parts: list[bytes], seam: Seam = BORDER) -> Hub:
    """Segments as the HLS side hands them on."""
    split, seams = Parts(), [None, *[seam] * len(parts)]
    hub.splicer.open(hub.now, same_stream=False)
    for part, before in zip(parts, seams, strict=False):
        for at in range(0, len(part), 10_007):
            hub.now += 2 / len(parts)
            for piece in split.feed(part[at : at + 10_007], None if at else before):
                hub.take(piece)
    for piece in split.flush():
        hub.take(piece)
    hub.chunks.append(hub.splicer.close(hub.now, clean=True))
    return hub


def sizes(stream: bytes, pid: int) -> set[int]:
    """Of its PES packets, without their headers."""
    found: list[int] = []
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        if (packet[1] << 8 | packet[2]) & 0x1FFF == pid:
            payload = payload_of(packet)
            if packet[1] & 0x40:
                found.append(-9 - payload[8])
            found[-1] += len(payload)
    return set(found)


def errors(hub: Hub) -> int:
    return hub.splicer.stats.continuity_errors


def pictures_in(hub: Hub) -> int:
    return len(check(hub.out).dts[0x100])


@pytest.mark.parametrize("pictures", [25, 37, 50])
@pytest.mark.parametrize("maker", [Maker(), Maker(video=None), Maker(audio=None)])
def test_counters_go_on_over_the_borders_of_segments(maker: Maker, pictures: int) -> None:
    hub = in_parts(Hub(), segments(8, replace(maker, counters={}, gop=pictures), pictures))
    report = check(hub.out)
    assert report.errors == []
    assert report.marked == {}
    assert errors(hub) == 0
    assert len(report.dts[maker.video or 0x101]) >= 8 * pictures // (1 if maker.video else 2)
    assert hub.splices == 0


def test_where_counters_go_on_nothing_is_touched() -> None:
    maker = Maker()
    parts = [maker.pictures(50) for _ in range(5)]
    hub = in_parts(Hub(), parts)
    stream = b"".join(parts)
    assert hub.out == stream


def test_a_loss_within_a_segment_is_seen_and_counted() -> None:
    parts = segments(4)
    parts[2] = parts[2][: 188 * 100] + parts[2][188 * 103 :]
    hub = in_parts(Hub(), parts)
    assert errors(hub) in (1, 2)
    assert len([text for text in check(hub.out).errors if "counter" in text]) == errors(hub)


@pytest.mark.parametrize("lost", [1, 7])
def test_a_loss_in_a_stream_is_seen_and_counted_wherever_it_is(lost: int) -> None:
    stream = Maker().pictures(60)
    for at in range(188 * 60, 188 * 110, 188):
        hub = Hub().play(stream[:at] + stream[at + 188 * lost :], 2.0)
        assert errors(hub) >= 1


@pytest.mark.parametrize("tables", [True, False], ids=["tables first", "at once"])
@pytest.mark.parametrize("before", [40, 49, 50])
def test_counters_go_on_where_a_source_has_connected_once_more(before: int, tables: bool) -> None:
    maker = Maker(gop=25)
    stream = maker.pictures(before)
    maker.counters = {pid: counter + 5 for pid, counter in maker.counters.items()}
    rest = maker.pictures(60)
    hub = Hub().play(stream + (maker.tables() if tables else b"") + rest, 4.0)
    report = check(hub.out)
    assert report.errors == []
    assert errors(hub) == 0
    assert len(report.dts[0x100]) >= before + 59


@pytest.mark.parametrize("cut", range(188 * 220, 188 * 240, 188))
def test_a_unit_that_broke_off_where_a_source_connected_once_more_is_left_out(cut: int) -> None:
    maker = Maker(gop=25)
    stream = maker.pictures(60)[:cut]
    again = Maker(gop=25, time=900_000 + 75 * FRAME, counters={0: 6, 0x1000: 6})
    hub = Hub().play(stream + again.pictures(75), 5.0)
    report = check(hub.out)
    assert report.errors == []
    assert errors(hub) >= 1
    assert len(report.dts[0x100]) > 100


@pytest.mark.parametrize("counter", range(16))
def test_sound_that_broke_off_is_left_out_even_where_its_counter_fits_by_chance(
    counter: int,
) -> None:
    maker = Maker(gop=25)
    stream = maker.pictures(25)[:-188]  # the sound of the last picture lacks its end
    again = Maker(gop=25, time=900_000 + 25 * FRAME, counters={0: 6, 0x1000: 6, 0x101: counter})
    hub = Hub().play(stream + again.pictures(50), 3.0)
    assert check(hub.out).errors == []
    assert errors(hub) >= 1


@pytest.mark.parametrize("size", [70, 1500, 70_000])
def test_junk_before_each_segment_costs_nothing(size: int) -> None:
    maker = Maker()
    parts = [maker.pictures(50) for _ in range(4)]
    junk = (PNG + b"\0GGG" * size)[:size]
    hub = in_parts(Hub(), [junk + part for part in parts])
    assert hub.out == b"".join(parts)


@pytest.mark.parametrize("junk", [b"\r\n", b"</html>", PNG + bytes(range(256)) * 9])
def test_junk_behind_each_segment_costs_nothing(junk: bytes) -> None:
    maker = Maker()
    parts = [maker.pictures(50) for _ in range(4)]
    assert in_parts(Hub(), [part + junk for part in parts]).out == b"".join(parts)


@pytest.mark.parametrize(
    ("before", "after"), [(b"\x00\x01\x02\x03", b""), (b"", b"p" * 16)], ids=["192", "204"]
)
def test_segments_of_longer_packets_lose_nothing(before: bytes, after: bytes) -> None:
    maker = Maker()
    parts = [maker.pictures(50) for _ in range(4)]
    long = [
        b"".join(before + part[at : at + 188] + after for at in range(0, len(part), 188))
        for part in parts
    ]
    assert in_parts(Hub(), long).out == b"".join(parts)


def test_segments_cut_in_the_middle_of_packets_are_joined() -> None:
    stream = Maker().pictures(200)
    parts = [stream[at : at + 50_001] for at in range(0, len(stream), 50_001)]
    assert in_parts(Hub(), parts).out == stream


@pytest.mark.parametrize("counters_go_on", [True, False])
@pytest.mark.parametrize("cut", [188 * 101, 188 * 101 + 100, 188 * 105, 188 * 140 + 1])
def test_a_segment_that_broke_off_is_not_spliced_as_if_it_were_whole(
    cut: int, counters_go_on: bool
) -> None:
    maker = Maker()
    parts = [maker.pictures(50) for _ in range(4)] if counters_go_on else segments(4)
    parts[1] = parts[1][:cut]
    hub = in_parts(Hub(), parts)
    report = check(hub.out)
    assert report.errors == []
    assert errors(hub) >= 1
    assert sizes(hub.out, 0x100) == {600}
    assert len(report.dts[0x100]) > 160


def test_what_broke_off_before_a_discontinuity_is_left_out() -> None:
    parts = segments(2)
    torn = Seam(goes_on=False, whole=False)
    split, hub = Parts(), Hub()
    hub.splicer.open(hub.now, same_stream=False)
    for data, seam in ((parts[0][: 188 * 102], None), (parts[1], torn)):
        for piece in split.feed(data, seam):
            hub.take(piece)
    hub.chunks.append(hub.splicer.close(hub.now, clean=True))
    assert check(hub.out).errors == []


def test_segments_whose_clock_starts_anew_lose_no_picture() -> None:
    parts = [Maker().pictures(50) for _ in range(5)]
    hub = in_parts(Hub(), parts)
    assert check(hub.out).errors == []
    assert pictures_in(hub) == 250


def test_a_seam_says_whether_the_part_before_was_whole() -> None:
    maker = Maker()
    parts = [maker.pictures(25) for _ in range(4)]
    parts[1] = parts[1][:-100]
    split = Parts()
    pieces = [*split.feed(parts[0], None)]
    for part in parts[1:]:
        pieces += split.feed(part, BORDER)
    seams = [piece.seam for piece in pieces if piece.seam is not None]
    assert [seam.whole for seam in seams] == [True, False, True]
    assert BROKEN_OFF.goes_on
    assert not SPLICE.goes_on


@needs_ffmpeg
@pytest.mark.parametrize("more", ["", "-reset_timestamps 1"])
@pytest.mark.parametrize("video", [H264, MPEG2], ids=["h264", "mpeg2"])
def test_a_decoder_has_nothing_to_say_of_segments_that_start_anew(video: str, more: str) -> None:
    stream = clip(f"{video} -g 25 -flags +cgop -sc_threshold 1000000000", seconds=6)
    hub = in_parts(Hub(), segmented(stream, more=more))
    assert complaints(hub.out) == ""
    assert probed_errors(hub.out) == []
    assert frames(hub.out) == 150
    assert errors(hub) == 0
