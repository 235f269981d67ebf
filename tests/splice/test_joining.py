"""How a viewer gets into the stream, the first time and again."""

from __future__ import annotations

import pytest

from kptv.formats.mpegts.psi import ElementaryStream
from kptv.splice.joining import Chunk, StartPoint, ViewerPatch, choose_start
from tests.formats.ts_checker import check
from tests.formats.ts_clips import clip, complaints, frames, needs_ffmpeg
from tests.formats.ts_hub import AlignedSplicer, merge
from tests.formats.ts_maker import Maker, pes


def play(stream: bytes, read: int = 7000) -> list[Chunk]:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    chunks = [splicer.feed(stream[at : at + read], 0.0) for at in range(0, len(stream), read)]
    return [*chunks, splicer.close(0.0, clean=True)]


def join(patch: ViewerPatch, chunk: Chunk, start: StartPoint) -> bytes:
    return b"".join([patch.start(), *patch.feed(chunk.data, start.offset)])


def at(clock: float) -> StartPoint:
    return StartPoint(0, clock, b"", frozenset(), frozenset(), 0x100, None)


@pytest.mark.parametrize(
    ("clocks", "now", "chosen"),
    [
        ([0.0, 2.0, 4.0, 6.0], 7.5, 4.0),
        ([0.0, 2.0, 4.0, 6.0], 8.0, 6.0),
        ([5.0, 6.0], 6.5, 5.0),
        ([5.0], 5.0, 5.0),
    ],
)
def test_the_newest_start_old_enough_is_chosen_else_the_oldest(
    clocks: list[float], now: float, chosen: float
) -> None:
    start = choose_start([at(clock) for clock in clocks], now, join_buffer=2.0)
    assert start is not None
    assert start.clock == chosen


def test_where_there_is_no_start_none_is_chosen() -> None:
    assert choose_start([], 9.0, 2.0) is None


def test_starts_tell_media_time_from_the_first_one_on() -> None:
    chunk = merge(play(Maker(gop=25, time=7_777_777).pictures(100)))
    assert [start.clock for start in chunk.starts] == [0.0, 1.0, 2.0, 3.0]
    assert chunk.clock == pytest.approx(99 / 25)


def test_starts_tell_how_long_there_was_no_media_before_them() -> None:
    maker = Maker(gop=25, size=100)
    stream = maker.pictures(50)
    maker.time += 45_000
    stream += maker.pictures(50)
    maker.time += 2 * 90_000
    starts = merge(play(stream + maker.pictures(25))).starts
    assert [round(start.gap, 6) for start in starts] == [0, 0, 0.5, 0, 2]


def test_chunks_tell_when_their_last_picture_is_over() -> None:
    chunks = [chunk for chunk in play(Maker(gop=25).pictures(100)) if chunk]
    assert all(chunk.over == pytest.approx(chunk.clock + 0.04) for chunk in chunks)
    assert chunks[-1].over == pytest.approx(4.0)


def test_filler_is_known_as_such() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    assert not splicer.feed(Maker().pictures(50), 0.0).is_filler
    assert splicer.filler().is_filler


def test_a_viewer_gets_the_tables_and_then_the_keyframe() -> None:
    chunk = merge(play(Maker().pictures(100)))
    for start in chunk.starts:
        patch = ViewerPatch(start)
        data = join(patch, chunk, start)
        report = check(data)
        assert not report.errors
        assert not report.marked
        assert patch.done
        assert b"\x00\x00\x01\x65" in data[376:564]


def test_a_viewer_gets_nothing_of_sound_that_began_before() -> None:
    maker = Maker(gop=21)  # the second keyframe has no sound beside it
    first = maker.pictures(21)
    torn = maker.packets(0x101, pes(0xC0, b"\xbb" * 900, maker.time + 21 * 3600, sized=True))
    stream = first + torn[:188] + maker.picture() + torn[188:]
    chunk = merge(play(stream + maker.pictures(30)))
    start = chunk.starts[1]
    assert b"\xbb" * 100 in chunk.data[start.offset :]
    data = join(ViewerPatch(start), chunk, start)
    assert b"\xbb" * 100 not in data
    assert not check(data).errors


def test_a_patch_is_done_with_the_first_sound_and_copies_no_more() -> None:
    chunks = play(Maker().pictures(100))
    start = chunks[0].starts[0]
    patch = ViewerPatch(start)
    patch.feed(chunks[0].data[start.offset :])
    assert patch.done
    (data,) = patch.feed(chunks[1].data)
    assert data is chunks[1].data


def test_a_skipping_viewer_sees_a_marked_break_and_right_counters() -> None:
    stream = Maker(more=(ElementaryStream(0x102, 0x86),)).pictures(200)
    chunks = play(stream)
    chunk = merge(chunks)
    seen = b"".join(part.data for part in chunks[:3])
    start = chunk.starts[5]
    report = check(seen + join(ViewerPatch(start, resumed=True), chunk, start), clock_steps_ok=True)
    assert not [text for text in report.errors if "inside" not in text and "lacks" not in text]
    assert report.marked == {0: 1, 0x1000: 1, 0x100: 1, 0x101: 1}
    assert len(report.pcrs) > 90


def test_after_a_splice_a_viewer_gets_the_tables_in_force() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    chunks = [splicer.feed(Maker().pictures(60), 0.0), splicer.close(1.0)]
    splicer.open(1.0, same_stream=False)
    chunks += [splicer.feed(Maker(audio=None, time=0).pictures(60), 1.0), splicer.close(2.0)]
    chunk = merge(chunks)
    start = chunk.starts[-1]
    report = check(join(ViewerPatch(start), chunk, start))
    assert not report.errors
    assert report.pmts == [(1, 1, {0x100: 0x1B})]


def test_sound_that_never_comes_is_not_waited_for_for_ever() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    maker = Maker(size=18_000)
    chunk = splicer.feed(maker.pictures(3), 0.0)
    start = chunk.starts[0]
    patch = ViewerPatch(start)
    assert not patch.done
    silent = Maker(size=180_000, audio=None).pictures(30)
    patch.feed(silent)
    assert patch.done


@needs_ffmpeg
def test_a_decoder_shows_every_picture_from_the_keyframe_on() -> None:
    chunk = merge(play(clip(seconds=4)))
    for number, start in enumerate(chunk.starts):
        data = join(ViewerPatch(start), chunk, start)
        assert complaints(data) == ""
        assert frames(data) == 100 - 25 * number
