"""Segments: whole, each alone and all together, and as long as they say."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest

from kptv.channels.model import Source, Stream
from kptv.config import DEFAULT_SLATE
from kptv.formats.mpegts.psi import ElementaryStream
from kptv.ports import Piece
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.output import Output
from kptv.splice.joining import Chunk, StartPoint
from kptv.splice.segments import AHEAD, LONGEST, SHORTEST, Cutter, Segment
from tests.formats.ts_checker import check
from tests.formats.ts_clips import (
    AAC,
    H264,
    H265,
    MP2,
    MPEG2,
    clip,
    complaints,
    frames,
    interleaved,
    needs_ffmpeg,
)
from tests.formats.ts_maker import Maker, pes
from tests.splice.feeds import Feeds, data_of

FRAME = 3600 / 90_000  # seconds; Maker's
STREAM = Stream(Source(1, "", 1), "http://1/")
PIDS = frozenset((0x100, 0x101))


def broadcast(maker: Maker, count: int) -> bytes:
    """Pictures, with sound that lies among them."""
    return interleaved(maker.pictures(count), 4)


def lengths(segments: list[Segment]) -> list[float]:
    return [round(segment.duration, 6) for segment in segments]


def assert_sound(segments: list[Segment], sent: bytes) -> None:
    """Each is whole, all together are the stream, and all of that is in them."""
    for segment in segments:
        data = data_of(segment)
        assert not check(data).errors
        assert len(data) == segment.size
        assert data[1:3] == b"\x40\x00", "a PAT comes first"
    whole, report = check(data_of(*segments)), check(sent)
    assert not whole.errors
    assert (whole.dts, whole.pts) == (report.dts, report.pts)
    for segment in segments:
        assert segment.breaks or segment is segments[0] or segment.duration >= 0.1


# Where segments begin and end


def test_each_key_frame_is_cut_at_until_there_are_three_segments() -> None:
    feeds = Feeds().play(broadcast(Maker(), 250), clean=True)
    segments = feeds.segments()
    assert lengths(segments) == [1, 1, 1, 2, 2, 2, 1]
    assert [segment.breaks for segment in segments] == [True, *[False] * 6]
    assert_sound(segments, feeds.sent)
    assert lengths(feeds.segments(Cutter(2.0, begun=3))) == [2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("gop", "target", "expected"),
    [
        (50, 2.0, 2.0),
        (25, 2.0, 2.0),
        (10, 2.0, 2.0),
        (20, 2.0, 2.4),
        (48, 2.0, 1.92),
        (32, 2.0, 1.28),
        (60, 2.0, 2.4),
        (50, 5.0, 4.0),
        (50, 6.0, 6.0),
    ],
)
def test_a_segment_is_about_as_long_as_the_target(gop: int, target: float, expected: float) -> None:
    cutter = Cutter(target, begun=3)
    segments = Feeds().play(Maker(gop=gop).pictures(600)).segments(cutter)
    assert set(lengths(segments[:-1])) == {expected}
    assert cutter.target_duration == target


def test_a_longer_group_of_pictures_raises_the_target_duration_for_good() -> None:
    cutter = Cutter(2.0)
    feeds = Feeds().play(broadcast(Maker(gop=50), 230))
    feeds.play(broadcast(Maker(gop=250, time=5), 600)).play(broadcast(Maker(), 200))
    segments = feeds.segments(cutter)
    assert lengths(segments) == [2, 2, 2, 2, 1.16, 10, 10, 3.96, 1, 2, 2, 2, 0.96]
    assert cutter.target_duration == 10
    assert_sound(segments, feeds.sent)
    assert Cutter(2.0, target_duration=10).target_duration == 10


def test_what_there_is_becomes_a_segment_where_the_feed_ends() -> None:
    feeds = Feeds().play(broadcast(Maker(gop=50), 179))
    feeds.play(broadcast(Maker(gop=50, video=0x44, audio=0x55, time=77), 120))
    cutter = Cutter(2.0)
    segments = feeds.segments(cutter)
    assert lengths(segments) == [2, 2, 2, 1.12, 2, 2, 0.76]
    assert [n for n, segment in enumerate(segments) if segment.breaks] == [0, 4]
    assert cutter.target_duration == 2
    assert_sound(segments, feeds.sent)


def test_segments_go_on_with_media_that_a_new_connection_goes_on_with() -> None:
    whole = Maker(gop=50, size=700).pictures(400)
    feeds = Feeds().play(whole[: len(whole) // 2], 8.0)
    feeds.play(whole[len(whole) // 4 :], same=True)
    assert feeds.hub.splices == 0
    segments = feeds.segments()
    assert_sound(segments, feeds.sent)
    assert [segment.breaks for segment in segments] == [True, *[False] * (len(segments) - 1)]
    assert lengths(segments) == [2, 2, 2, 1.96, 2.04, 2, 2, 1.96]


@pytest.mark.parametrize("extra", [2, 3, 10])
def test_of_a_feed_that_ends_at_a_key_frame_no_tiny_segment_is_made(extra: int) -> None:
    def feeds(*, same: bool) -> Feeds:
        maker = Maker(size=700)
        stream = maker.pictures(75 + extra)
        second = stream[len(stream) // 4 :] + maker.pictures(80)
        return Feeds().play(stream).play(second if same else Maker().pictures(80), same=same)

    goes_on = feeds(same=True)
    assert_sound(goes_on.segments(), goes_on.sent)
    assert lengths(goes_on.segments())[:3] == [1, 1, 1]
    segments = feeds(same=False).segments()
    assert min(lengths(segments)) >= 0.1
    for segment in segments:
        assert not check(data_of(segment)).errors
    assert sum(len(check(data_of(segment)).dts[0x100]) for segment in segments) >= 152


def test_a_segment_ends_where_media_has_a_hole() -> None:
    maker = Maker()
    stream = broadcast(maker, 100)
    maker.time += 90_000
    cutter = Cutter(2.0)
    segments = Feeds().play(stream + broadcast(maker, 100)).segments(cutter)
    assert lengths(segments)[:5] == [1, 1, 1, 1, 1]
    assert [round(segment.clock, 6) for segment in segments[:5]] == [0, 1, 2, 3, 5]
    assert [segment.breaks for segment in segments] == [True, *[False] * 3, True, *[False] * 3]
    assert cutter.target_duration == 2


def test_a_segment_ends_where_the_tables_change() -> None:
    maker = Maker(gop=25)
    stream = broadcast(maker, 125)
    maker.more = (ElementaryStream(0x102, 0x86),)
    segments = Feeds().play(stream + broadcast(maker, 100)).segments()
    listed = [check(data_of(segment)).pmts[0] for segment in segments]
    assert [segment.breaks for segment in segments] == [
        n == 0 or one != listed[n - 1] for n, one in enumerate(listed)
    ]
    assert len(set(map(str, listed))) == 2


def test_behind_a_break_one_segment_is_cut_as_soon_as_may_be() -> None:
    feeds = Feeds().play(broadcast(Maker(), 200), clean=True)
    feeds.play(broadcast(Maker(video=0x44, audio=0x55, time=77), 125), clean=True)
    segments = feeds.segments(Cutter(2.0, begun=3))
    assert lengths(segments) == [2, 2, 2, 2, 1, 2, 2]
    assert [n for n, segment in enumerate(segments) if segment.breaks] == [0, 4]


def test_radio_is_cut_at_any_sound() -> None:
    feeds = Feeds().play(Maker(video=None, gop=5).pictures(500))
    segments = feeds.segments(Cutter(2.0))
    assert lengths(segments) == [1.04, 1.04, 1.04, *[2.0] * 8, 0.88]
    assert_sound(segments, feeds.sent)


def test_filler_is_no_media_but_its_counters_go_on() -> None:
    feeds = Feeds().play(broadcast(Maker(), 60)).fill().fill()
    feeds.play(broadcast(Maker(), 60)).fill().play(broadcast(Maker(), 60))
    for _ in range(40):
        feeds.fill()
    segments = feeds.play(broadcast(Maker(), 60)).segments()
    assert_sound(segments, feeds.sent)
    assert 0x1FFF not in check(data_of(*segments)).pids
    assert max(check(data_of(segment)).pids[0] for segment in segments) <= 20
    other = feeds.fill().play(Maker(audio=None).pictures(60)).segments()
    assert len(other) > len(segments)
    assert all(len(check(data_of(segment)).pmts) == 1 for segment in other)


def test_counters_go_on_also_if_a_feed_ended_without_media() -> None:
    feeds = Feeds().play(broadcast(Maker(), 60)).fill().fill().play(broadcast(Maker(), 60))
    cutter, segments = Cutter(2.0), []
    for number, chunk in enumerate(chunk for chunks in feeds.of for chunk in chunks):
        segments += cutter.end() if chunk.is_filler else []
        segments += cutter.feed(number, chunk)
    assert_sound([*segments, *cutter.end()], feeds.sent)


def test_filler_in_a_pause_belongs_to_the_segment_that_is_open() -> None:
    feeds = Feeds()
    feeds.hub.splicer.open(0.0, same_stream=False)
    maker, splicer, chunks = Maker(), feeds.hub.splicer, []
    for number in range(10):
        chunks += [splicer.feed(broadcast(maker, 30), float(number)), splicer.filler()]
    feeds.of = [[*chunks, splicer.close(10.0)]]
    assert_sound(feeds.segments(), feeds.sent)


# How long they are


def test_durations_are_true_over_ten_minutes_that_come_at_once() -> None:
    feeds = Feeds().play(Maker(gop=48, audio=None, size=100).pictures(25 * 600)).at_once()
    segments = feeds.segments()
    clocks = [check(data_of(segment)).dts[0x100][0] / 90_000 for segment in segments]
    told = accumulate(lengths(segments), initial=clocks[0])
    drift = [one - other for one, other in zip(told, clocks, strict=False)]
    assert max(drift) - min(drift) < 0.001
    assert sum(lengths(segments)) == pytest.approx(599.96, abs=0.001)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes_no_rule_of_lists_is_broken(seed: int) -> None:
    draw = random.Random(seed)
    feeds = Feeds()
    for _ in range(6):
        maker = Maker(time=draw.randrange(1 << 33), size=draw.choice((100, 700)))
        stream = b""
        for _ in range(draw.randint(1, 12)):
            maker.gop = draw.choice((3, 12, 25, 40, 50, draw.randint(1, 120)))
            maker.count = 0
            count = draw.choice((maker.gop, draw.randint(1, 60)))
            stream += maker.pictures(count)
            maker.time += count * 3600 + draw.choice((0, 0, 0, 45_000, 100_000))
        feeds.play(interleaved(stream, draw.randint(1, 5)), clean=draw.random() < 0.5)
    cutter, number, segments, least = Cutter(2.0), 0, [], 0
    for chunks in feeds.of:
        ended = False
        for chunk in chunks:
            segments += (made := cutter.feed(number, chunk))
            number += 1
            assert cutter.target_duration >= least
            least = cutter.target_duration
            assert all(int(round(s.duration, 3) + 0.5) <= least for s in made)
            assert ended or all(s.duration >= 0.1 for s in made)
        segments += cutter.end()
    assert_sound_apart(segments)
    for one, two in pairwise(segments):
        assert one.duration >= SHORTEST or two.breaks
        assert two.breaks or one.clock + one.duration == pytest.approx(two.clock)
        over = one.clock + one.duration
        assert over <= two.clock + 0.001 or two.breaks
    through = [s for s, after in pairwise(segments) if not after.breaks]
    assert len(through) <= sum(s.duration for s in through) + AHEAD + 1
    for segment in segments:
        times = check(data_of(segment)).dts[0x100]
        length = (times[-1] - times[0]) % (1 << 33) / 90_000 + FRAME
        assert segment.duration == pytest.approx(length, abs=FRAME), "Apple 8.1"


def assert_sound_apart(segments: list[Segment]) -> None:
    for segment in segments:
        assert not check(data_of(segment)).errors


# What is in them


@pytest.mark.parametrize("seed", range(20))
def test_they_are_the_same_whatever_chunks_media_comes_in(seed: int) -> None:
    def told(feeds: Feeds) -> list[tuple[bytes, float, float, bool]]:
        return [
            (data_of(one), round(one.clock, 6), round(one.duration, 6), one.breaks)
            for one in feeds.segments()
        ]

    maker, odd = Maker(gop=25), Maker(gop=32, size=3000)
    sets = (ElementaryStream(0x102, 0x06),)
    feeds = Feeds().play(broadcast(maker, 130)).fill().play(broadcast(odd, 170))
    feeds.play(broadcast(Maker(more=sets), 90)).play(Maker(gop=3).pictures(80))
    expected = told(feeds.at_once())
    assert told(feeds) == expected
    assert told(feeds.cut_anew(seed)) == expected


@needs_ffmpeg
@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (H264 + " -x264-params open-gop=0:keyint=25:scenecut=0", AAC),
        (MPEG2 + " -g 25 -flags +cgop -sc_threshold 1000000000", MP2),
        (H265 + "keyint=25:min-keyint=25:scenecut=0:open-gop=0", AAC),
    ],
    ids=["H.264 and AAC", "MPEG-2 and layer II", "H.265 and AAC"],
)
def test_a_decoder_has_nothing_to_say_of_any_of_them(video: str, audio: str) -> None:
    source = clip(video, audio, seconds=5, more="-muxrate 3M")
    feeds = Feeds().play(interleaved(source), clean=True)
    segments = feeds.segments()
    assert_sound(segments, feeds.sent)
    assert 0.9 < min(lengths(segments)) <= max(lengths(segments)) <= 2
    for segment in segments:
        data = data_of(segment)
        assert complaints(data, "warning") == ""
        assert frames(data) == round(segment.duration * 25)
    times = [check(data_of(segment)).dts[0x100][0] for segment in segments]
    assert [(two - one) / 90_000 for one, two in pairwise(times)] == [
        pytest.approx(segment.duration, abs=0.0001) for segment in segments[:-1]
    ]
    whole = data_of(*segments)
    assert complaints(whole, "warning") == ""
    assert (frames(whole), frames(whole, "a")) == (frames(source), frames(source, "a"))


def test_a_segment_waits_for_the_sound_that_began_in_it() -> None:
    feeds = Feeds().play(broadcast(Maker(), 60)).cut_anew(0)
    (chunk,) = feeds.at_once().of[0]
    cutter, made = Cutter(2.0), []
    for number in range(len(chunk.data) // 188):
        at = number * 188
        starts = tuple(s.at(0) for s in chunk.starts if s.offset == at)
        packet = chunk.data[at : at + 188]
        out = cutter.feed(number, Chunk(packet, starts, starts[0].clock if starts else 0.0))
        made += [(number, packet[2], segment) for segment in out]
    (number, pid, segment), *_ = made
    assert pid == 1, "a packet of sound"
    assert segment.last == number
    assert not check(data_of(segment)).errors
    behind = [s.offset // 188 for s in chunk.starts][1]
    assert number > behind


def test_sound_that_does_not_go_on_is_waited_for_half_a_second() -> None:
    sound = Maker().packets(0x101, pes(0xC0, b"\xaa" * 900, 1000, sized=True))
    tables = Maker().tables()
    picture = Maker().packets(0x100, pes(0xE0, b"\xee" * 600, 1000, sized=False))
    starts = [StartPoint(0, clock, tables, PIDS, frozenset(), 0x100, None) for clock in (0.0, 2.0)]
    cutter = Cutter(2.0)
    assert not cutter.feed(0, Chunk(picture, (starts[0],), 1.0))
    assert not cutter.feed(1, Chunk(picture + sound[:376], (), 1.9))
    assert not cutter.feed(2, Chunk(picture, (starts[1],), 2.4))
    (segment,) = cutter.feed(3, Chunk(picture, (), 2.6))
    assert segment.duration == 2.0
    assert (segment.first, segment.last) == (0, 1)
    assert cutter.first == 2


@pytest.mark.parametrize("spread", [2, 3, 5, 12])
def test_text_that_began_before_a_cut_is_not_torn(spread: int) -> None:
    maker = Maker(more=(ElementaryStream(0x102, 0x06),))
    stream = b""
    for n in range(120):
        text = maker.packets(0x102, pes(0xBD, b"\xdd" * 700, maker.time + n * 3600, sized=True))
        stream += maker.picture() + text
    feeds = Feeds().play(interleaved(stream, spread))
    segments = feeds.segments()
    assert lengths(segments)[:3] == [1, 1, 1]
    assert_sound(segments, feeds.sent)


@pytest.mark.parametrize("at_once", [False, True])
def test_media_is_referred_to_and_hardly_any_of_it_copied(at_once: bool) -> None:
    feeds = Feeds().play(broadcast(Maker(gop=50, size=20_000), 400))
    (chunks,) = feeds.at_once().of if at_once else feeds.of
    number_of = {id(chunk.data): number for number, chunk in enumerate(chunks)}
    copied = 0
    segments = (Feeds(feeds.hub, [chunks])).segments()
    for segment in segments:
        for part in segment.parts:
            number = number_of.get(id(part.obj if isinstance(part, memoryview) else part))
            if number is None:
                copied += len(part)
            else:
                assert segment.first <= number <= segment.last
        assert len(segment.parts) <= segment.last - segment.first + 10
    assert copied < len(segments) * 6000


def test_of_what_began_before_the_first_segment_nothing_is_in_it() -> None:
    (chunk,) = Feeds().play(broadcast(Maker(), 120)).at_once().of[0]
    torn = 0
    for number, first in enumerate(chunk.starts):
        starts = tuple(start.at(start.offset - first.offset) for start in chunk.starts[number:])
        rest = replace(chunk, data=chunk.data[first.offset :], starts=starts)
        torn += bool(check(first.tables + rest.data).errors)
        assert_sound_apart(Feeds(of=[[rest]]).segments())
    assert torn


# What may go wrong


def start_at(clock: float, version: int = 1) -> StartPoint:
    return StartPoint(0, clock, Maker().tables(), PIDS, frozenset(), 0x100, None, version)


def picture_of(size: int = 600) -> bytes:
    return Maker().packets(0x100, pes(0xE0, b"\xee" * size, 1000, sized=False))


def packet_of(pid: int, *, starts: bool = False, control: int = 0x10) -> bytes:
    head = bytes((0x47, pid >> 8 | (0x40 if starts else 0), pid & 255, control))
    return (head + (b"\xb7\x00" if control == 0x20 else b"")).ljust(188, b"\xff")


def test_sections_are_not_waited_for() -> None:
    cutter = Cutter(2.0)
    starts = [replace(start_at(clock), others=frozenset((0x102,))) for clock in (0.0, 2.0)]
    section = packet_of(0x102, starts=True)
    assert not cutter.feed(0, Chunk(picture_of() + section, (starts[0],), 1.9))
    (segment,) = cutter.feed(1, Chunk(picture_of() + packet_of(0x102), (starts[1],), 2.1))
    assert segment.duration == 2.0


def test_sound_of_untold_length_goes_on_until_more_sound_begins() -> None:
    cutter, more, begins = Cutter(2.0), packet_of(0x101), packet_of(0x101, starts=True)
    assert not cutter.feed(0, Chunk(picture_of() + begins + more, (start_at(0.0),), 1.9))
    picture = picture_of()
    assert not cutter.feed(1, Chunk(picture + more * 9, (start_at(2.0),), 2.1))
    (segment,) = cutter.feed(2, Chunk(more + begins + more, (), 2.2))
    assert data_of(segment).count(more) == 11
    (after,) = cutter.end()
    assert data_of(after).endswith(picture + begins + more)


def test_nor_are_two_million_bytes_of_it() -> None:
    cutter, more, begins = Cutter(2.0), packet_of(0x101), packet_of(0x101, starts=True)
    cutter.feed(0, Chunk(picture_of() + begins, (start_at(0.0),), 1.9))
    (segment,) = cutter.feed(1, Chunk(picture_of() + more * 20_000, (start_at(2.0),), 2.1))
    assert 2_000_000 < segment.size < 2_200_000


def test_a_clock_of_its_own_is_there_from_the_first_packet_on() -> None:
    clock, cutter = packet_of(0x102, control=0x20), Cutter(2.0)
    start = replace(start_at(0.0), others=frozenset((0x102,)))
    cutter.feed(0, Chunk(picture_of() + clock * 3, (start,), 1.0, over=1.0))
    (segment,) = cutter.end()
    assert data_of(segment).count(clock) == 3


def test_media_with_other_tables_does_not_go_on_with_what_ended() -> None:
    cutter, media = Cutter(2.0), picture_of()
    cutter.feed(0, Chunk(media, (start_at(0.0),), 1.0, 1, over=1.0))
    assert len(cutter.end()) == 1
    assert not cutter.feed(1, Chunk(media, (), 2.0, 2, over=2.0))
    assert cutter.end() == []
    cutter.feed(2, Chunk(media, (start_at(2.0),), 3.0, 1, over=3.0))
    assert [segment.breaks for segment in cutter.end()] == [True]
    cutter.feed(3, Chunk(media, (), 4.0, 1, over=4.0))
    (segment,) = cutter.end()
    assert (segment.breaks, segment.clock, data_of(segment)[2]) == (False, 3.0, 0)


def test_whoever_lost_chunks_goes_on_at_the_next_start_point() -> None:
    (chunks,) = Feeds().play(broadcast(Maker(gop=50), 400)).of
    cutter, segments = Cutter(2.0), []
    for number, chunk in enumerate(chunks):
        if number == 20:
            cutter.skip()
            assert cutter.first is None
        if not 15 <= number < 20:
            segments += cutter.feed(number, chunk)
    segments += cutter.end()
    assert_sound_apart(segments)
    assert [segment.breaks for segment in segments].count(True) == 2
    assert not any(one.first <= n <= one.last for one in segments for n in range(15, 20))


def test_media_without_a_place_to_cut_is_not_kept_for_ever() -> None:
    cutter, megabyte = Cutter(2.0), picture_of(184) * 5_578
    assert not cutter.feed(0, Chunk(picture_of(), (start_at(0.0),), 0.0))
    for number in range(1, 101):
        assert not cutter.feed(number, Chunk(megabyte, (), 0.0))
    assert cutter.first is None
    assert not cutter.feed(101, Chunk(picture_of(), (start_at(9.0),), 9.0))
    (segment,) = cutter.feed(102, Chunk(picture_of(), (start_at(11.0),), 11.0))
    assert (segment.first, segment.breaks) == (101, True)


def test_nor_is_what_takes_too_long() -> None:
    cutter = Cutter(2.0)
    cutter.feed(0, Chunk(picture_of(), (start_at(0.0),), 0.0))
    assert not cutter.feed(1, Chunk(picture_of(), (), LONGEST + 1))
    assert cutter.first is None
    assert cutter.target_duration == 2


@pytest.mark.parametrize("step", [0.0, 0.04, 0.6, 3.0])
def test_a_start_at_every_packet_makes_no_more_segments_than_seconds(step: float) -> None:
    packet = picture_of(100)
    starts = tuple(start_at(n * step, version=n).at(n * 188) for n in range(10_000))
    segments = Cutter(2.0).feed(0, Chunk(packet * len(starts), starts, step * len(starts)))
    assert len(segments) <= step * len(starts) + AHEAD + 1
    assert all(segment.duration >= 0.1 for segment in segments)


def test_the_end_may_come_at_any_time() -> None:
    cutter = Cutter(2.0)
    assert cutter.end() == cutter.end() == []
    cutter.feed(0, Chunk(picture_of(), (start_at(0.0),), 0.0, over=0.04))
    assert cutter.end() == cutter.end() == []
    cutter.feed(1, Chunk(picture_of(), (start_at(0.04),), 1.0, over=1.04))
    (segment,) = cutter.end()
    assert segment.duration == 1.0
    cutter.skip()
    assert cutter.end() == []


# Through the output that viewers get


def test_an_outage_is_a_slate_in_segments_of_its_own() -> None:
    buffer = ChunkBuffer(1 << 26, Budget(1 << 26))
    output = Output(buffer, DEFAULT_SLATE.read_bytes(), 100.0, lambda: None)
    now = 100.0

    def play(maker: Maker, seconds: int) -> None:
        nonlocal now
        output.open(STREAM, now)
        for _ in range(seconds * 5):
            output.feed(Piece(broadcast(maker, 5)), now)
            now += 0.2
        output.close(now)

    play(Maker(gop=50), 7)
    for _ in range(40):
        now += 0.5
        output.tick(now)
    play(Maker(gop=50, time=7), 7)
    cutter, segments = Cutter(2.0), []
    for number in range(buffer.end):
        if buffer.is_parted(number):
            segments += cutter.end()
        segments += cutter.feed(number, buffer.get(number))
    segments += cutter.end()
    assert_sound_apart(segments)
    assert not check(data_of(*segments)).errors
    assert cutter.target_duration <= 3
    assert sum(lengths(segments)) == pytest.approx(7 + 15 + 7, abs=1.5)
    assert sum(segment.breaks for segment in segments) >= 3
