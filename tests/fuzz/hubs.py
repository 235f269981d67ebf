"""Hubs over upstreams that do what they are told, on a clock that can be put forward."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from time import monotonic as real_time
from unittest.mock import patch

import gevent
from gevent.queue import Queue

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.errors import IsLive, Unavailable, UpstreamError
from kptv.metrics.counters import Metrics
from kptv.ports import FilmBody, Piece, Upstream
from kptv.restream.film import Film as OpenFilm
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from tests.restream.radio import Radio, marks
from tests.shared import shared

LIMIT = 20.0  # real seconds; what hangs, fails
LIMITS = (1, 2, 1, 0)  # connections that each source allows; 0: any number
SOURCES = tuple(Source(n, f"http://{n}.example/", limit) for n, limit in enumerate(LIMITS, 1))
CHANNELS = tuple("abc")
STREAMS = {  # one of each source, and of the first two sources
    name: tuple(Stream(source, f"{source.url}{name}.ts") for source in SOURCES[:number])
    for name, number in zip(CHANNELS, (4, 3, 2), strict=True)
}
# Those that take their time to answer and to hang up.
SLOW = {stream for streams in STREAMS.values() for stream in streams[1::2]}
FRAME = 3 * 188  # bytes of a frame as viewers get it


class Film:
    """The open answer of a film, which is a connection to its source until it is closed."""

    status = 200
    headers = {"Content-Type": "video/mp4"}  # noqa: RUF012

    def __init__(self, upstreams: Upstreams, stream: Stream) -> None:
        self._upstreams, self._stream, self._open = upstreams, stream, True
        upstreams.connected(stream, 1)

    def __iter__(self) -> Iterator[bytes]:
        yield b"film"

    def close(self) -> None:
        if self._open:
            self._open = False
            self._upstreams.connected(self._stream, -1)


class Over:
    """Told to an upstream: what it plays is at its end."""


class Connection:
    """An upstream that is connected from the first piece that is asked for until ``close``."""

    def __init__(self, upstreams: Upstreams, stream: Stream) -> None:
        self._upstreams, self._stream = upstreams, stream
        self._name = stream.url.rpartition("/")[2]
        self.film: FilmBody | None = None
        self._pieces: Iterator[Piece] | None = None
        self._counted = False

    def __iter__(self) -> Connection:
        return self

    def take_film(self) -> FilmBody | None:
        film, self.film = self.film, None
        return film

    def __next__(self) -> Piece:
        up, stream = self._upstreams, self._stream
        if self._pieces is None:
            self._counted, self._pieces = True, up.pieces(stream)
            up.connected(stream, 1)
            up.plays(self._name, 1)
        piece = next(self._pieces)
        if not piece.data:
            self._counted = False
            up.plays(self._name, -1)
            up.connected(stream, -1)  # it is the film's connection from here on
            self.film, self._pieces = Film(up, stream), iter(())
            raise StopIteration
        return piece

    def close(self) -> None:
        if self._counted:
            self._counted = False
            self._upstreams.plays(self._name, -1)
            if self._stream in SLOW:
                gevent.sleep(0.003)  # as HLS, whose close waits for a greenlet
            self._upstreams.connected(self._stream, -1)
        if film := self.take_film():
            film.close()


class Upstreams:
    """Upstreams that give what they are told to, and count who is connected."""

    def __init__(self) -> None:
        self.films: set[str] = set()  # URLs at which there is one
        self.refusals: dict[str, UpstreamError] = {}  # what is said at a URL instead
        self.open = Counter[int]()  # connections of each source
        self.playing = Counter[str]()  # connections of each channel, without films
        self.wrong: list[str] = []
        self._queues: dict[str, Queue[bytes | UpstreamError | Over]] = {}

    def tell(self, stream: Stream, item: bytes | UpstreamError | Over) -> None:
        self._queue(stream).put(item)

    def open_stream(self, stream: Stream) -> Upstream:
        return Connection(self, stream)

    def open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        if refusal := self.refusals.get(stream.url):
            raise refusal
        if stream.url not in self.films:
            raise IsLive
        return Film(self, stream)

    def plays(self, name: str, more: int) -> None:
        self.playing[name] += more
        if self.playing[name] > 2:  # the one that plays, and what is opened beside it
            self.wrong.append(f"{self.playing[name]} connections play {name}")

    def connected(self, stream: Stream, more: int) -> None:
        source = stream.source
        self.open[source.number] += more
        if source.max_connections and self.open[source.number] > source.max_connections:
            self.wrong.append(f"{self.open[source.number]} connections to {source.tag}")

    def pieces(self, stream: Stream) -> Iterator[Piece]:
        """What comes after the connection is made."""
        if stream in SLOW:
            gevent.sleep(0.003)  # until the answer is there
        if refusal := self.refusals.get(stream.url):
            raise refusal
        if stream.url in self.films:
            yield Piece(b"")  # a mark
        radio = Radio()
        while not isinstance(item := self._queue(stream).get(), Over):
            if isinstance(item, UpstreamError):
                raise item
            yield Piece(radio.frame(item))

    def _queue(self, stream: Stream) -> Queue[bytes | UpstreamError | Over]:
        return self._queues.setdefault(stream.url, Queue())


class Person:
    """Asks for a channel and watches it; a slow one only when told to."""

    def __init__(self, play: Callable[[Callable[[], bool]], Playing | OpenFilm], slow: bool):
        self.gone = False
        self.told: Unavailable | None = None
        self.seen: list[bytes] = []
        self.body: Playing | OpenFilm | None = None
        self._play, self._slow = play, slow
        self._pieces: Iterator[bytes] | None = None
        self.greenlet = gevent.spawn(self._watch)

    def _watch(self) -> None:
        try:
            self.body = body = self._play(lambda: self.gone)
        except Unavailable as why:
            self.told = why
            return
        try:
            if self._slow:
                self._pieces = iter(body)
                while not self.gone:
                    gevent.sleep(0.005)
            else:
                for piece in body:
                    self._see(piece)
        finally:
            body.close()
            body.close()

    def look(self) -> None:
        """A slow one takes what there is: one piece, if any waits."""
        if self._pieces is None or self.greenlet.dead:
            return
        with gevent.Timeout(0.002, False):
            if piece := next(self._pieces, None):
                self._see(piece)

    def _see(self, piece: bytes) -> None:
        if isinstance(self.body, Playing):
            assert len(piece) % 188 == 0
            assert set(piece[::188]) == {0x47}
            self.seen += marks(piece)


class World:
    """Hubs, their upstreams and the people who watch."""

    def __init__(self) -> None:
        self.upstreams = Upstreams()
        self.people: list[Person] = []
        self.everybody: list[Person] = []
        self.metrics = Metrics()
        self.streams = dict(STREAMS)
        self._later = 0.0
        self._marks = count()
        self._patches = [
            patch.object(module, "monotonic", self.now)
            for name, module in list(sys.modules.items())
            if name.startswith("kptv.") and getattr(module, "monotonic", None) is real_time
        ]
        fast = ("kptv.restream.housekeeping.TICK", "kptv.restream.gathering.SMALL_TICK")
        self._patches += [patch(name, 0.002) for name in fast]
        self._patches += [patch(f"kptv.restream.{m}.SETTLE", 0.004) for m in ("feed", "film")]
        for one in self._patches:
            one.start()
        config = Config(
            sources=SOURCES,
            max_retries=1,
            retry_delay=0.01,
            stream_give_up=20.0,
            buffer_size_per_stream=4 * FRAME,
            max_buffer_size=9 * FRAME,
        )
        up = self.upstreams
        self.hubs = Hubs(shared(config, metrics=self.metrics), up.open_stream, up.open_film)

    def now(self) -> float:
        return real_time() + self._later

    def pass_time(self, seconds: float) -> None:
        self._later += seconds

    def channel(self, name: str) -> Channel:
        return Channel(name, name.upper(), self.streams[name])

    def come(self, name: str, *, slow: bool, byte_range: str | None) -> None:
        channel = self.channel(name)
        person = Person(
            lambda gone: self.hubs.start(channel, Lease(departed=gone), byte_range), slow
        )
        self.people.append(person)
        self.everybody.append(person)

    def mark(self) -> bytes:
        return b"%d" % next(self._marks)

    def let_run(self) -> None:
        """Others have their turns; timers of some milliseconds too."""
        for _ in range(4):
            gevent.sleep(0.001)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            with gevent.Timeout(LIMIT):
                while not condition():
                    gevent.sleep(0.002)
        except gevent.Timeout:
            raise AssertionError(f"not within {LIMIT} s: {what}: {self!r}") from None

    def __repr__(self) -> str:
        used = {source.tag: self.hubs.slots.held(source) for source in SOURCES}
        idle = [
            f"{hub!r} idle since {self.now() - hub.audience.idle_since:.1f} s"
            for hub in self.hubs.all()
        ]
        keeper = self.hubs._housekeeping._rounds._greenlet
        stack = "".join(traceback.format_stack(keeper.gr_frame)) if keeper.gr_frame else "ended"
        return f"<World {used} open={dict(self.upstreams.open)} {idle} housekeeper: {stack}>"

    def end(self) -> None:
        self.hubs.close()
        for person in self.everybody:
            person.greenlet.kill()
        for one in self._patches:
            one.stop()
