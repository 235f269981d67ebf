"""Films whose slot is lost: while they are asked for, and on their way to the viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import gevent
import pytest
from gevent.event import Event

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.metrics.counters import Metrics
from kptv.restream.film import Film
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from tests.restream.far_slots import FarSlots
from tests.shared import shared

LIMIT = 10.0  # seconds; what hangs, fails
SOURCES = (Source(1, "http://one/", 1), Source(2, "http://two/", 1))
STREAMS = tuple(Stream(source, source.url + "film.mp4") for source in SOURCES)
FILM = Channel("film", "Film", STREAMS)


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


class Answer:
    """A film of two pieces; the second comes when the test says so."""

    status = 200
    headers = {"Content-Type": "video/mp4"}  # noqa: RUF012

    def __init__(self) -> None:
        self.goes_on = Event()
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"begin"
        self.goes_on.wait()
        yield b"end"

    def close(self) -> None:
        self.closed += 1


class Rig:
    def __init__(self) -> None:
        self.slots = FarSlots(SOURCES)
        self.metrics = Metrics()
        self.answers: list[Answer] = []
        self.hanging: set[int] = set()  # numbers of sources that never answer
        config = Config(sources=SOURCES)
        parts = shared(config, metrics=self.metrics, slots=self.slots)
        self.hubs = Hubs(parts, lambda stream: iter(()), self._open)

    def _open(self, stream: Stream, byte_range: str | None) -> Answer:
        if stream.source.number in self.hanging:
            Event().wait()
        self.answers.append(Answer())
        return self.answers[-1]

    def film(self, lease: Lease | None = None) -> Film:
        with gevent.Timeout(LIMIT):
            return self.hubs.films.open(FILM, None, lease or Lease())

    @property
    def outcomes(self) -> dict[tuple[int, str], int]:
        return dict(self.metrics.totals.outcomes)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.hubs.close()
    until(lambda: not any(map(rig.slots.held, SOURCES)))
    assert all(answer.closed for answer in rig.answers)
    assert not rig.hubs.health.known(), "nothing is held against any stream"
    assert rig.metrics.open("Film").upstreams == rig.hubs.viewers == 0


def test_it_is_lost_while_the_film_is_asked_for_and_another_source_has_it(rig: Rig) -> None:
    rig.hanging.add(1)
    coming = gevent.spawn(rig.film)
    until(lambda: rig.slots.held(SOURCES[0]) == 1)
    gevent.sleep(0.01)
    rig.slots.lose(SOURCES[0])
    with closing(coming.get(timeout=LIMIT)) as film:
        assert next(iter(film)) == b"begin"
        assert rig.slots.held(SOURCES[1]) == 1
    assert rig.outcomes == {(1, "slot_lost"): 1, (2, "stopped"): 1}
    assert rig.metrics.totals.opens == {1: 1, 2: 1}


def test_it_is_lost_while_the_provider_is_waited_for_and_the_body_ends(rig: Rig) -> None:
    film = rig.film()
    received: list[bytes] = []
    reading = gevent.spawn(lambda: received.extend(film))
    gevent.sleep(0.01)
    rig.slots.lose(SOURCES[0])
    reading.get(timeout=LIMIT)
    film.close()
    assert rig.outcomes == {(1, "slot_lost"): 1}
    assert not film.lease.dropped, "what was received is sent"


def test_it_is_lost_while_the_viewer_takes_its_time_and_the_send_is_ended(rig: Rig) -> None:
    hung_up = Event()
    film = rig.film(Lease(on_drop=hung_up.set))
    pieces = iter(film)
    assert next(pieces) == b"begin"
    rig.slots.lose(SOURCES[0])
    assert hung_up.is_set()
    rig.answers[0].goes_on.set()
    assert list(pieces) == []
    film.close()
    assert rig.outcomes == {(1, "slot_lost"): 1}


def test_it_is_lost_before_the_body_begins_which_then_is_empty(rig: Rig) -> None:
    film = rig.film()
    rig.slots.lose(SOURCES[0])
    assert list(film) == []
    film.close()
    film.close()
    assert rig.outcomes == {(1, "slot_lost"): 1}


def test_a_viewer_killed_while_a_film_is_asked_for_leaves_an_outcome(rig: Rig) -> None:
    rig.hanging.add(1)
    coming = gevent.spawn(rig.film)
    until(lambda: rig.metrics.totals.opens == {1: 1})
    coming.kill()
    assert rig.outcomes == {(1, "stopped"): 1}
