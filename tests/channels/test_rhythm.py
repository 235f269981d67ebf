"""How long a stream may be silent; told the time."""

from __future__ import annotations

import pytest

from kptv.channels.model import Source, Stream
from kptv.channels.rhythm import Pulse, Rhythm, Rhythms

STALL = 5.0
A = Stream(Source(1, "http://p1/", 1), "http://p1/1.ts")


class Connection:
    """One connection: media comes, and time passes with a look twice a second."""

    def __init__(self, pulse: Pulse, now: float = 0.0) -> None:
        self.pulse = pulse
        self.now = now
        self.clock = 0.0

    def media(self, seconds: float) -> None:
        self.pulse.beat(self.now, self.clock, self.clock + seconds)
        self.clock += seconds

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now + 0.5 < end:
            self.now += 0.5
            self.pulse.look(self.now)
        self.now = end

    def flow(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.media(0.1)
            self.wait(0.1)


def connection() -> tuple[Rhythm, Connection]:
    rhythm = Rhythm(STALL)
    return rhythm, Connection(Pulse(rhythm, 0.0))


def test_a_stream_that_flows_has_the_patience_of_the_setting() -> None:
    rhythm, stream = connection()
    stream.flow(30)
    assert rhythm.patience(stream.now) == STALL
    assert rhythm.expected(stream.now) < 0.5


def test_what_a_protocol_allows_counts_while_a_connection_of_it_is_open() -> None:
    rhythm, stream = connection()
    with rhythm.allowing() as first:
        first.seconds = 30.0
        with rhythm.allowing() as second:
            second.seconds = 20.0
        assert rhythm.patience(stream.now) == 30.0, "the end of another connection takes nothing"
    assert rhythm.patience(stream.now) == STALL


def test_the_first_burst_tells_the_pause_behind_it() -> None:
    rhythm, stream = connection()
    stream.media(6.0)
    stream.wait(5.9)
    assert rhythm.patience(stream.now) == 9.0
    assert rhythm.expected(stream.now) == 6.0


def test_so_do_bursts_that_take_seconds() -> None:
    rhythm, stream = connection()
    for _ in range(20):  # ten seconds of media within four
        stream.media(0.5)
        stream.wait(0.2)
    assert 5.5 < rhythm.expected(stream.now) <= 6.5


def test_media_that_was_stored_at_the_start_is_no_rhythm() -> None:
    rhythm, stream = connection()
    stream.media(4.0)
    stream.flow(20)
    assert rhythm.patience(stream.now) == STALL
    assert rhythm.expected(stream.now) < 0.5


def test_patience_follows_the_longest_pause_that_media_followed() -> None:
    rhythm, stream = connection()
    stream.flow(5)
    for pause in (3.0, 4.0, 2.0):
        stream.wait(pause)
        stream.flow(3)
    assert rhythm.pause == pytest.approx(4.1, abs=0.2)
    assert rhythm.patience(stream.now) == pytest.approx(6.2, abs=0.3)


def test_patience_ends_at_fifteen_seconds_or_at_the_setting() -> None:
    rhythm = Rhythm(STALL)
    rhythm.paused(60.0, 0.0)
    assert rhythm.patience(0.0) == 15.0
    assert Rhythm(20.0).patience(0.0) == 20.0


def test_what_is_flushed_at_an_end_is_no_sign_of_life() -> None:
    rhythm, stream = connection()
    stream.flow(5)
    last = stream.pulse.alive_at
    stream.wait(4.0)
    stream.media(0.04)
    stream.wait(0.3)
    stream.media(0.04)  # of an aligner, behind what a remuxer flushed
    assert stream.pulse.alive_at == last
    assert rhythm.pause == 0.0


@pytest.mark.parametrize("silence", [0.5, 0.9, 1.1, 15.0])
def test_what_is_flushed_when_somebody_stops_waiting_is_no_sign_of_life(silence: float) -> None:
    """A packet that waited for the byte after it: STALL_TIMEOUT may be shorter than a pause."""
    rhythm, stream = connection()
    stream.flow(5)
    last = stream.pulse.alive_at
    stream.wait(silence)
    stream.pulse.over()
    stream.media(0.04)
    stream.wait(0.1)
    stream.media(0.04)
    assert stream.pulse.alive_at == last
    assert rhythm.pause == 0.0


def test_what_is_known_to_be_a_rest_is_none_however_long_it_lasts() -> None:
    rhythm, stream = connection()
    stream.flow(5)
    last = stream.pulse.alive_at
    stream.wait(4.0)
    stream.pulse.over()
    stream.flow(6)  # a pipe that is emptied at the speed at which it plays
    assert stream.pulse.alive_at == last
    assert rhythm.pause == 0.0


def test_a_rest_without_a_pause_before_it_is_the_end_of_what_flows() -> None:
    _, stream = connection()
    stream.flow(5)
    stream.pulse.over()
    stream.flow(2)
    assert stream.now - stream.pulse.alive_at <= 0.2


def test_what_goes_on_is_one() -> None:
    rhythm, stream = connection()
    stream.flow(5)
    stream.wait(4.0)
    stream.media(6.0)
    back = stream.now
    stream.wait(1.0)
    assert stream.pulse.alive_at == back
    assert rhythm.pause == pytest.approx(4.1, abs=0.2)


def test_a_stream_that_was_given_up_in_a_pause_is_given_more_time() -> None:
    """Where its clocks tell nothing, and no pause was ever waited for to its end."""
    rhythm, stream = connection()
    given = []
    for _ in range(4):
        stream.media(0.0)
        stream.wait(rhythm.patience(stream.now))
        stream = Connection(stream.pulse.resumed(rhythm, stream.now), stream.now)
        given.append(rhythm.patience(stream.now))
    assert given == [5.0, 7.5, 11.25, 15.0]


def test_a_stream_that_played_and_then_stalled_is_not() -> None:
    rhythm, stream = connection()
    stream.flow(20)
    stream.wait(5.0)
    stream = Connection(stream.pulse.resumed(rhythm, stream.now), stream.now)
    stream.flow(1)
    assert rhythm.patience(stream.now) == STALL


def test_what_is_known_outlives_a_connection_and_is_forgotten_after_an_hour() -> None:
    rhythms = Rhythms(STALL)
    assert rhythms.patience(A, 0.0) == STALL
    rhythms.of(A, 0.0).paused(8.0, 0.0)
    assert rhythms.of(A, 3000.0).pause == 8.0
    assert rhythms.patience(A, 3000.0) == 12.0
    assert rhythms.of(A, 4000.0).pause == 0.0


def test_no_more_than_some_thousand_streams_are_remembered() -> None:
    rhythms = Rhythms(STALL)
    for number in range(5000):
        rhythms.of(Stream(A.source, f"http://p1/{number}.ts"), 0.0)
    assert repr(rhythms) == "<Rhythms of 4096 streams>"


def test_what_was_kept_of_a_connection_and_comes_at_once_foretells_no_pause() -> None:
    rhythm = Rhythm(STALL)
    pulse = Pulse(rhythm, 0.0, kept=True)
    pulse.beat(0.0, 0.0, 2.0)
    for n in range(1, 100):
        pulse.beat(n * 0.1, 2.0 + (n - 1) * 0.1, 2.0 + n * 0.1)
        assert rhythm.expected(n * 0.1) < 0.2
