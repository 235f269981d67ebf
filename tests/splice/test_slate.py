"""A short clip played without an end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kptv.config import DEFAULT_SLATE
from kptv.splice.slate import Slate
from kptv.splice.splicer import Splicer
from tests.formats.ts_checker import check
from tests.formats.ts_clips import complaints, frames, needs_ffmpeg
from tests.formats.ts_maker import Maker


def play(slate: Slate, seconds: int, start: float = 50.0) -> bytes:
    return b"".join(slate.due(start + n / 4) for n in range(seconds * 4 + 1))


def test_it_comes_at_the_pace_of_its_clock() -> None:
    slate = Slate(Maker().pictures(50), 50.0)
    first = slate.due(50.0)
    assert 0 < len(check(first).dts[0x100]) <= 25
    assert slate.due(50.0) == b""
    assert len(check(first + play(slate, 10)).dts[0x100]) == pytest.approx(262, abs=15)


def test_its_rounds_are_spliced() -> None:
    report = check(play(Slate(Maker().pictures(50), 50.0), 20))
    assert not report.errors
    times = report.dts[0x100]
    assert {after - before for before, after in pairwise(times)} == {3600}


def test_after_a_long_sleep_it_does_not_hurry() -> None:
    slate = Slate(Maker().pictures(50), 50.0)
    slate.due(50.0)
    assert len(slate.due(5000.0)) < len(Maker().pictures(100))


@pytest.mark.parametrize("clip", [b"", b"<html>" * 999, Maker(scrambled=True).pictures(9)])
def test_what_is_no_stream_gives_nothing(clip: bytes) -> None:
    slate = Slate(clip, 0.0)
    assert slate.due(1.0) == b""
    assert not slate.playable
    assert slate.due(2.0) == b""


@needs_ffmpeg
def test_the_card_that_is_shipped_plays() -> None:
    stream = play(Slate(DEFAULT_SLATE.read_bytes(), 50.0), 20)
    assert not check(stream).errors
    assert complaints(stream) == ""
    assert frames(stream) > 480
    assert len(DEFAULT_SLATE.read_bytes()) < 50_000


def test_it_is_spliced_in_and_gives_way() -> None:
    splicer, now, out, begins = Splicer(), 0.0, b"", set[float]()
    for number in range(5):
        splicer.open(now, same_stream=False)
        maker, slate = Maker(time=number * 10**6, pmt=0x300), Slate(DEFAULT_SLATE.read_bytes(), now)
        for _ in range(12):
            now += 0.25
            data = slate.due(now) if number % 2 else maker.pictures(6)
            out += splicer.feed(data, now).data
            begins |= {splicer.began} if splicer.sending else set()
        out += splicer.close(now).data + splicer.filler().data
    assert not check(out).errors
    assert len(begins) == 5
