"""The housekeeping of all hubs: that it works can be seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator

import gevent
import pytest
from gevent.event import Event

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.ports import FilmBody, Piece
from kptv.restream import housekeeping as module
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.upstream.opened import OpenedUpstream
from kptv.vitals import repeating
from kptv.vitals.heartbeat import Heartbeat
from tests.restream.radio import Radio
from tests.shared import shared

SOURCE = Source(1, "http://one/", 1)
NEWS = Channel("news", "News", (Stream(SOURCE, "http://one/1.ts"),))
FILM = Channel("film", "Film", (Stream(SOURCE, "http://one/film.mp4"),))
LIMIT = 10.0  # seconds


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.005)


def test_a_housekeeper_that_is_stuck_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)
    monkeypatch.setattr(repeating, "Heartbeat", lambda now: Heartbeat(now, longest=0.5))
    never, goes_on = Event(), Event()

    def open_film(stream: Stream, byte_range: str | None) -> FilmBody:
        never.wait()
        raise AssertionError

    def departed() -> bool:
        goes_on.wait()  # what it must not do
        return False

    hubs = Hubs(shared(Config(sources=(SOURCE,))), lambda stream: iter(()), open_film)
    assert hubs.alive
    viewer = gevent.spawn(hubs.films.open, FILM, None, Lease(departed=departed))
    until(lambda: not hubs.alive)
    goes_on.set()
    until(lambda: hubs.alive)
    viewer.kill()
    hubs.close()
    until(lambda: not hubs.alive)


def test_no_figure_of_now_outlives_its_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)
    parts = shared(Config(sources=(SOURCE,), stream_linger=0.05))
    ends = Event()

    def pieces() -> Generator[Piece, None, FilmBody | None]:
        radio = Radio()
        try:
            while True:
                yield Piece(radio.frame(b"a"))
                gevent.sleep(0.005)
        finally:
            ends.wait()  # hanging up takes its time

    def no_film(stream: Stream, byte_range: str | None) -> FilmBody:
        raise AssertionError

    hubs = Hubs(parts, lambda stream: OpenedUpstream(pieces()), no_film)
    playing = hubs.start(NEWS, Lease())
    (counters,) = parts.metrics.channels()
    until(lambda: counters.source == 1 and counters.buffer_bytes > 0)
    playing.close()
    until(lambda: not len(hubs))
    gevent.sleep(0.05)  # some looks later
    assert (counters.source, counters.bit_rate, counters.buffer_bytes) == (None, 0.0, 0)
    ends.set()
    hubs.close()


def test_hubs_are_told_that_the_loop_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_nothing(stream: Stream, byte_range: str | None = None) -> FilmBody:
        raise AssertionError

    monkeypatch.setattr(module, "TICK", 0.001)
    share, seconds = [0.1], itertools.count()
    spent = itertools.accumulate(share[0] for _ in itertools.count())
    monkeypatch.setattr(module, "monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(module, "thread_time", lambda: next(spent))
    hubs = Hubs(shared(Config(sources=(SOURCE,))), lambda stream: iter(()), open_nothing)
    assert not hubs.busy
    share[0] = 0.9
    until(lambda: hubs.busy)
    share[0] = 0.1
    until(lambda: not hubs.busy)
    hubs.close()
