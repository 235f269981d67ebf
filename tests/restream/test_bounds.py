"""How long an upstream may go without anything that can be played."""

from __future__ import annotations

import pytest

from kptv.channels.model import Source, Stream
from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.ports import Piece
from kptv.restream.bounds import GRACE, LONGEST_SILENCE, PROGRAMME_WAIT, Bounds
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.gathering import (
    BURST_TICK,
    BUSY_TICK,
    LARGE_TICK,
    PUBLISH_AT,
    SMALL_TICK,
    tick,
)
from kptv.restream.output import Output
from kptv.splice.watch import Trouble
from tests.restream.radio import Radio

STREAM = Stream(Source(1, "http://one/", 1), "http://one/1.ts")
TIMEOUT = 5.0


@pytest.fixture
def output() -> Output:
    return Output(ChunkBuffer(1 << 20, Budget(1 << 20)), b"", 0.0, lambda: None)


def test_before_the_first_piece_its_own_time_out_comes_first(output: Output) -> None:
    bounds = Bounds(output, 0.0, TIMEOUT)
    assert bounds.exceeded(TIMEOUT + PROGRAMME_WAIT + GRACE) is None
    error = bounds.exceeded(TIMEOUT + PROGRAMME_WAIT + GRACE + 0.1)
    assert error is not None
    assert error.reason is Reason.NO_MEDIA


def test_bytes_without_a_programme_are_no_stream(output: Output) -> None:
    bounds = Bounds(output, 0.0, TIMEOUT)
    output.open(STREAM, 1.0)
    bounds.seek(1.0)
    output.feed(Piece(NULL_PACKET * 7), 2.0)
    bounds.check(1.0 + PROGRAMME_WAIT)
    with pytest.raises(UpstreamError, match="no programme") as caught:
        bounds.check(1.1 + PROGRAMME_WAIT)
    assert caught.value.reason is Reason.NO_MEDIA
    assert bounds.exceeded(1.0 + PROGRAMME_WAIT + GRACE) is None, "the hub has seen to it by then"
    assert bounds.exceeded(1.1 + PROGRAMME_WAIT + GRACE) is not None


def test_one_that_plays_may_be_silent_for_long_and_not_for_ever(output: Output) -> None:
    bounds = Bounds(output, 0.0, TIMEOUT)
    output.open(STREAM, 0.0)
    radio = Radio()
    for n in range(3):
        output.feed(Piece(radio.frame(b"on")), n * 0.02)
        bounds.check(n * 0.02)
    assert output.sending
    since = output.media_at
    assert bounds.exceeded(since + LONGEST_SILENCE) is None
    error = bounds.exceeded(since + LONGEST_SILENCE + 0.1)
    assert error is not None
    assert error.reason is Reason.STALLED


@pytest.mark.parametrize("trouble", Trouble)
def test_each_trouble_of_the_splicer_is_a_reason_to_leave(trouble: Trouble) -> None:
    assert Reason(trouble) == trouble


def test_few_have_media_sooner_than_many_and_a_burst_is_not_gathered() -> None:
    assert [tick(1000, leases) for leases in (1, 49, 50, 5000)] == [
        SMALL_TICK,
        SMALL_TICK,
        LARGE_TICK,
        LARGE_TICK,
    ]
    assert tick(PUBLISH_AT, 1) == BURST_TICK


def test_chunks_are_larger_while_the_loop_is_busy_but_a_burst_is_not_gathered() -> None:
    assert {tick(1000, leases, busy=True) for leases in (1, 49, 50, 5000)} == {BUSY_TICK}
    assert tick(PUBLISH_AT, 1000, busy=True) == BURST_TICK


def test_chunks_are_larger_while_only_segments_are_cut_but_a_burst_is_not_gathered() -> None:
    assert tick(1000, 0) == BUSY_TICK
    assert tick(PUBLISH_AT, 0) == tick(1000, 0, starting=True) == BURST_TICK


def test_nothing_is_gathered_while_viewers_wait_for_the_rest_of_a_keyframe() -> None:
    assert tick(1000, 5000, busy=True, starting=True) == BURST_TICK
