"""Splices of what real encoders make, judged by a real decoder."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from kptv.demo.playout import Playout
from kptv.demo.providers import clip as demo_clip
from kptv.splice.joining import ViewerPatch
from tests.formats.ts_checker import check
from tests.formats.ts_clips import (
    AAC,
    AC3,
    H264,
    H265,
    MP2,
    MPEG2,
    SHARED,
    clip,
    complaints,
    decoding_complaints,
    frames,
    needs_ffmpeg,
    probed_errors,
)
from tests.formats.ts_hub import Hub, merge

TICKS = 90_000

CLOSED = "open-gop=0:scenecut=0:keyint="


def providers() -> list[bytes]:
    """Four providers of one channel: other PIDs, other clock, other GOP length."""
    h264 = H264 + " -x264-params " + CLOSED
    return [
        clip(h264 + "25", AAC),
        clip(h264 + "40", AAC, first_pid=0x200, pmt_pid=0x1100, offset=5000),
        clip(h264 + "12", AAC, first_pid=0x31, pmt_pid=0x100, offset=95_440),
        clip(h264 + "50", AAC, first_pid=0x1010, pmt_pid=0x500, offset=77, more="-muxrate 1200k"),
    ]


@needs_ffmpeg
def test_fifty_random_cuts_play_without_a_complaint() -> None:
    chance = random.Random(4)
    streams = providers()
    for _ in range(25):
        first, second, third = (chance.choice(streams) for _ in range(3))
        hub = Hub()
        hub.play(first[: chance.randrange(len(first) // 2, len(first))], 3.0)
        middle = second[chance.randrange(len(second) // 4) :]
        hub.play(middle[: chance.randrange(len(middle) // 2, len(middle))], 3.0)
        hub.play(third[chance.randrange(len(third) // 4) :], 3.0)
        assert not check(hub.out).errors
        assert complaints(hub.out) == ""


@needs_ffmpeg
@pytest.mark.parametrize("cut", [7.8, 7.84, 7.88, 7.92])
def test_sound_goes_on_behind_a_packet_of_more_frames_than_those_before(cut: float) -> None:
    """The demo's tone stops at 7.6 s: what was one frame in a PES packet becomes four and eight."""
    one, two = Playout(demo_clip("one-card"), 1_000_000), Playout(demo_clip("two-card"))
    one.start(6.0)
    two.start(3.0)
    hub = Hub().play(one.due(cut)).play(two.due(5.0))
    assert not check(hub.out).errors
    assert complaints(hub.out) == ""


@needs_ffmpeg
def test_ten_failovers_between_providers_lose_less_than_a_group_each() -> None:
    hub, streams = Hub(), providers()
    for number in range(11):
        hub.play(streams[number % 4], 4.0)
    report = check(hub.out)
    assert not report.errors
    assert complaints(hub.out) == ""
    assert frames(hub.out) >= 11 * 100 - 10 * 2
    assert hub.splices == 10
    assert probed_errors(hub.out) == []
    (video,) = [pid for pid, kind in report.pmts[-1][2].items() if kind == 0x1B]
    played = (report.dts[video][-1] - report.dts[video][0]) / TICKS
    assert played <= hub.now - 1000.0 + 1.0


@needs_ffmpeg
def test_viewers_who_join_anywhere_in_ten_failovers_see_pictures_at_once() -> None:
    hub, streams = Hub(), providers()
    for number in range(11):
        hub.play(streams[number % 4], 4.0)
    chunk = merge(hub.chunks)
    for start in chunk.starts[::6]:
        patch = ViewerPatch(start)
        data = b"".join([patch.start(), *patch.feed(chunk.data, start.offset)])
        assert not check(data).errors
        assert complaints(data) == ""


@needs_ffmpeg
def test_ten_failovers_between_codecs_play_without_a_complaint() -> None:
    streams = [
        clip(H264 + " -x264-params " + CLOSED + "25", AAC),
        clip(H265 + CLOSED + "30", AC3, first_pid=0x100, offset=3),
        clip(MPEG2 + " -g 12 -flags +cgop -sc_threshold 1000000000", MP2, first_pid=0x150),
    ]
    hub = Hub()
    for number in range(11):
        hub.play(streams[number % 3], 4.0)
    assert not check(hub.out).errors
    assert decoding_complaints(hub.out) == ""


@needs_ffmpeg
@pytest.mark.parametrize(
    "stream",
    [
        ("", AAC),
        (H265 + CLOSED + "30", AC3),
        (H265 + "open-gop=1:keyint=25:scenecut=0:bframes=3:b-adapt=0", AC3),
        (MPEG2 + " -g 12 -flags +cgop -sc_threshold 1000000000", MP2),
        (MPEG2 + " -g 12 -sc_threshold 1000000000", MP2),
    ],
    ids=["radio", "h265", "h265 open", "mpeg2", "mpeg2 open"],
)
def test_random_cuts_of_other_codecs_play_without_a_complaint(stream: tuple[str, str]) -> None:
    chance = random.Random(9)
    source = clip(*stream)
    # ffmpeg 7.1 and later miss that a BLA picture begins a new count of pictures, where it has the
    # number of one of the last few: so of this very clip no piece ends near where the next begins.
    shortest = len(source) * 2 // 3 if "open-gop=1" in stream[0] else len(source) // 2
    for _ in range(8):
        hub = Hub()
        for _ in range(3):
            start = chance.randrange(len(source) // 3)
            hub.play(source[start : chance.randrange(shortest, len(source))], 3.0)
        assert not check(hub.out).errors
        assert complaints(hub.out) == ""


@needs_ffmpeg
@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("ultrafast", "keyint=25:bframes=3"),
        ("fast", "keyint=40:bframes=3"),
        ("fast", "keyint=12:bframes=2:slices=3:b-pyramid=normal"),
        ("fast", "keyint=25:bframes=3:interlaced=1"),
    ],
)
def test_cuts_of_a_source_without_an_idr_draw_no_more_than_it_does_alone(
    preset: str, options: str
) -> None:
    """H.264 with open groups of pictures; and nothing that was sent is lost at a decoder."""
    chance = random.Random(11)
    video = f"-c:v libx264 -preset {preset} -threads 1 -x264-params "
    source = clip(video + options + ":open-gop=1:scenecut=0:b-adapt=0", AAC, seconds=6)
    after_idr = source[len(source) // 4 :]
    for _ in range(5):
        first = source[: chance.randrange(len(source) // 2, len(source))]
        second = after_idr[chance.randrange(len(source) // 4) :]
        hub = Hub().play(first, 3.0).play(second, 3.0)
        alone = Hub().play(first, 3.0), Hub().play(second, 3.0)
        assert not check(hub.out).errors
        assert said(hub.out) <= said(alone[0].out) + said(alone[1].out)
        assert frames(hub.out) == len(check(hub.out).dts[0x100])


def said(stream: bytes) -> Counter[str]:
    """How often a decoder says what, numbers aside."""
    return Counter(
        re.sub(r"(0x)?[0-9a-f]*[0-9]", "N", line) for line in complaints(stream).split("\n")
    )


@needs_ffmpeg
def test_a_decoder_makes_as_many_pictures_of_the_programme_as_of_the_stream() -> None:
    source = providers()[0]
    hub = Hub().play(source, clean=True)
    assert (frames(hub.out), frames(hub.out, "a")) == (frames(source), frames(source, "a"))
    assert complaints(hub.out) == ""


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared streams")
@pytest.mark.parametrize("name", ["test-025.ts", "sample_scte35.ts"])
def test_streams_of_the_field_are_spliced(name: str) -> None:
    stream = (SHARED / name).read_bytes()
    hub = Hub().play(stream, 3.0).play(stream, 3.0).play(stream, 3.0)
    report = check(hub.out)
    assert not report.errors
    assert hub.splices == 2
