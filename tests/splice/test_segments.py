"""Segments: whole, each alone and all together, and as long as they say."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kptv.splice.joining import Chunk
from kptv.splice.segments import Cutter, Segment
from tests.formats.ts_checker import check
from tests.formats.ts_clips import clip, complaints, frames, needs_ffmpeg
from tests.formats.ts_hub import Hub, merge
from tests.formats.ts_maker import Maker


def data_of(segments: list[Segment]) -> bytes:
    return b"".join(part for segment in segments for part in segment.parts)


def cut(chunks: list[Chunk], cutter: Cutter | None = None) -> list[Segment]:
    cutter = cutter or Cutter(2.0)
    out = [segment for n, chunk in enumerate(chunks) for segment in cutter.feed(n, chunk)]
    return out + cutter.end()


def test_media_is_cut_at_key_frames() -> None:
    hub = Hub().play(Maker().pictures(500), clean=True)
    segments = cut(hub.chunks)
    assert [round(s.duration, 3) for s in segments] == [1, 1, 1, *[2] * 8, 1]
    assert not check(data_of(segments)).errors
    for segment in segments:
        assert not check(data_of([segment])).errors
    for one, two in pairwise(segments):
        assert one.clock + one.duration == pytest.approx(two.clock)
    assert [data_of([s]) for s in cut([merge(hub.chunks)])] == [data_of([s]) for s in segments]


@needs_ffmpeg
def test_a_decoder_has_nothing_to_say_of_each_alone_and_no_frame_is_lost() -> None:
    hub = Hub().play(clip(seconds=10), clean=True)
    segments = cut(hub.chunks)
    for segment in segments:
        assert complaints(data_of([segment])) == ""
        assert frames(data_of([segment])) == round(segment.duration * 25)
    assert frames(data_of(segments), "a") == frames(clip(seconds=10), "a")
