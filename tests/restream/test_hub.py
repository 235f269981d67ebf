"""One channel, one upstream, many viewers: the hub with upstreams that are plain generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.formats.mpegts.seam import BROKEN_OFF, TORN
from kptv.metrics.counters import Metrics
from kptv.ports import FilmBody, Piece, Seam, Upstream
from kptv.restream.film import Film
from kptv.restream.front_row import Wire
from kptv.restream.gathering import SMALL_TICK
from kptv.restream.hub import Hub
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.restream.slots import SETTLE, Slots
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.restream.radio import Radio, marks
from tests.shared import shared

LIMIT = 10.0  # seconds; what hangs, fails


class Over:
    """Fed to an upstream: what it plays is a film, and at its end."""


class FakeUpstreams:
    """Upstreams that give what a test puts in, and know who is connected."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.open_now = 0
        self.most_open = 0
        self.feeds: dict[str, Queue[bytes | UpstreamError | Over]] = {}
        self.opening: Callable[[Stream], FilmBody | None] = lambda stream: None
        self.rests = 0  # frames that wait for the next one, as in an aligner, until the end

    def feed(self, stream: Stream, *items: bytes | UpstreamError | Over) -> None:
        for item in items:
            self._feed_of(stream).put(item)

    def open_stream(self, stream: Stream) -> OpenedUpstream:
        return OpenedUpstream(self._pieces(stream))

    def _pieces(self, stream: Stream) -> Pieces:
        self.opened.append(stream.url)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            if film := self.opening(stream):
                return film
            radio = Radio()
            while True:
                try:
                    item = self._feed_of(stream).get()
                    if isinstance(item, UpstreamError):
                        raise item
                except UpstreamError:  # thrown in, too
                    for _ in range(self.rests):
                        yield Piece(radio.frame(b"rest"))
                        gevent.sleep(0.01)
                    raise
                if isinstance(item, Over):
                    return None
                yield Piece(radio.frame(item))
        finally:
            self.open_now -= 1

    def _feed_of(self, stream: Stream) -> Queue[bytes | UpstreamError | Over]:
        return self.feeds.setdefault(stream.url, Queue())


class FakeFilm:
    status = 200
    headers = {"Content-Type": "video/mp4"}  # noqa: RUF012
    closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"film"

    def close(self) -> None:
        self.closed += 1


SOURCES = (Source(1, "http://one/", 1), Source(2, "http://two/", 1))
ONE, TWO = (Stream(source, source.url + "1.ts") for source in SOURCES)
NEWS = Channel("news", "News", (ONE, TWO))
SPORT = Channel("sport", "Sport", (Stream(SOURCES[0], "http://one/2.ts"),))


class Rig:
    """Hubs over fake upstreams."""

    def __init__(self, slots: Slots | None = None, **settings: object) -> None:
        _RIGS.append(self)
        self.upstreams = FakeUpstreams()
        self.files: list[tuple[str, str | None]] = []
        self.metrics = Metrics()
        config = Config(sources=SOURCES, **settings)  # type: ignore[arg-type]
        parts = {"metrics": self.metrics} | ({"slots": slots} if slots else {})
        self.hubs = Hubs(shared(config, **parts), self.upstreams.open_stream, self._open_film)

    def _open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        self.files.append((stream.url, byte_range))
        return FakeFilm()

    def play(self, channel: Channel, byte_range: str | None = None) -> Playing | Film:
        with gevent.Timeout(LIMIT):
            return self.hubs.start(channel, Lease(), byte_range)

    def viewer(
        self,
        channel: Channel,
        departed: Callable[[], bool] = lambda: False,
        send: Callable[[bytes], int] | None = None,
    ) -> Viewer:
        with gevent.Timeout(LIMIT):
            playing = self.hubs.start(channel, Lease(departed=departed))
        assert isinstance(playing, Playing)
        return Viewer(playing, Wire(send, -1) if send else None)


class Viewer:
    """Reads what plays; while it waits, ``wire`` gets that instead."""

    def __init__(self, body: Playing, wire: Wire | None = None) -> None:
        self.body = body
        self._chunks = body.read(wire)
        self.received: Queue[bytes | None] = Queue()
        self._greenlet = gevent.spawn(self._read)

    def _read(self) -> None:
        for chunk in self._chunks:
            for mark in marks(chunk):
                self.received.put(mark)
        self.received.put(None)

    def next(self) -> bytes | None:
        """The next frame's mark; None at the end of the body."""
        return self.received.get(timeout=LIMIT)

    def leave(self) -> None:
        self._greenlet.kill()
        self.body.close()


_RIGS: list[Rig] = []


@pytest.fixture(autouse=True)
def _close_rigs() -> Iterator[None]:
    """No hub of a test plays on in the next one."""
    yield
    while _RIGS:
        _RIGS.pop().hubs.close()
    gevent.idle()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.hubs.close()


def hub_of(rig: Rig) -> Hub:
    """The only hub."""
    (hub,) = rig.hubs.all()
    return hub


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


def test_fifteen_viewers_on_a_cold_channel_make_one_upstream(rig: Rig) -> None:
    plays = [gevent.spawn(rig.viewer, NEWS) for _ in range(15)]
    gevent.idle()
    rig.upstreams.feed(ONE, b"a")
    viewers = [play.get(timeout=LIMIT) for play in plays]
    assert [viewer.next() for viewer in viewers] == [b"a"] * 15
    assert rig.upstreams.opened == [ONE.url]


def test_a_late_viewer_gets_what_is_buffered(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a", b"b")
    first = rig.viewer(NEWS)
    assert [first.next(), first.next()] == [b"a", b"b"]
    late = rig.viewer(NEWS)
    assert [late.next(), late.next()] == [b"a", b"b"]


def test_the_stream_goes_on_when_the_viewer_who_started_it_leaves(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    first, second = rig.viewer(NEWS), rig.viewer(NEWS)
    first.leave()
    second.next()
    rig.upstreams.feed(ONE, b"b")
    assert second.next() == b"b"
    assert rig.upstreams.opened == [ONE.url]


@pytest.mark.parametrize("reason", [Reason.ENDED, Reason.RESET, Reason.STALLED, Reason.NOT_MEDIA])
def test_a_failure_in_mid_stream_goes_on_with_the_next_source(rig: Rig, reason: Reason) -> None:
    rig.upstreams.feed(ONE, b"a", UpstreamError(reason))
    rig.upstreams.feed(TWO, b"b")
    viewer = rig.viewer(NEWS)
    assert [viewer.next(), viewer.next()] == [b"a", b"b"]
    assert rig.upstreams.most_open == 1


def test_a_fault_of_ours_in_one_stream_costs_that_stream_only(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(stream: Stream) -> None:
        if stream == ONE:
            raise KeyError("a bug")

    rig.upstreams.opening = fail
    rig.upstreams.feed(TWO, b"b")
    assert rig.viewer(NEWS).next() == b"b"
    assert "KeyError" in caplog.text


def test_a_channel_that_cannot_start_says_when_to_come_again() -> None:
    rig = Rig(max_retries=0)
    rig.upstreams.feed(ONE, UpstreamError(Reason.REFUSED))
    rig.upstreams.feed(TWO, UpstreamError(Reason.REFUSED))
    with pytest.raises(Unavailable) as caught:
        rig.play(NEWS)
    assert caught.value.retry_after >= 1
    assert len(rig.hubs) == 0
    assert rig.hubs.slots.held(SOURCES[0]) == 0


def test_a_hub_lingers_and_the_next_viewer_finds_it(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).leave()
    assert rig.viewer(NEWS).next() == b"a"
    assert rig.upstreams.opened == [ONE.url]


def test_a_lingering_hub_gives_way_to_who_needs_its_slot(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).leave()
    rig.upstreams.feed(SPORT.streams[0], b"s")
    assert rig.viewer(SPORT).next() == b"s"
    assert rig.upstreams.most_open == 1


def test_a_viewer_who_zaps_before_the_old_channel_is_left_gets_its_slot_then(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    old = rig.viewer(NEWS)
    zap = gevent.spawn(rig.viewer, SPORT)
    gevent.idle()
    assert rig.upstreams.opened == [ONE.url]
    rig.upstreams.feed(SPORT.streams[0], b"s")
    old.leave()
    assert zap.get(timeout=LIMIT).next() == b"s"
    assert rig.upstreams.most_open == 1


def test_a_hub_ends_when_it_has_lingered_long_enough() -> None:
    rig = Rig(stream_linger=0.05)
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).leave()
    until(lambda: len(rig.hubs) == 0 and rig.upstreams.open_now == 0)
    until(lambda: rig.hubs.slots.held(SOURCES[0]) == 0)
    assert rig.hubs.budget.used == 0


def test_in_direct_mode_each_viewer_has_an_upstream_of_its_own() -> None:
    rig = Rig(enable_restreaming=False)
    rig.upstreams.feed(ONE, b"a")
    rig.upstreams.feed(TWO, b"b")
    first, second = rig.viewer(NEWS), rig.viewer(NEWS)
    assert {first.next(), second.next()} == {b"a", b"b"}
    first.leave()
    until(lambda: rig.upstreams.open_now == 1)


FRAME = 3 * 188  # bytes of a frame and its tables, as a viewer gets them


def fall_behind(rig: Rig, slow: Iterator[bytes], healthy: Viewer, *, first: int) -> bytes:
    """Let more pass than the buffer holds, then look at what the slow viewer gets."""
    for mark in range(first, first + 20):
        rig.upstreams.feed(ONE, b"%d" % mark)
        while healthy.next() != b"%d" % mark:
            pass
    return next(slow, b"")


def test_a_viewer_who_is_too_slow_loses_data_and_holds_up_nobody() -> None:
    rig = Rig(buffer_size_per_stream=3 * FRAME)
    rig.upstreams.feed(ONE, b"a")
    slow = rig.play(NEWS)
    assert isinstance(slow, Playing)
    chunks = iter(slow)
    assert marks(next(chunks)) == [b"a"]
    data = fall_behind(rig, chunks, rig.viewer(NEWS), first=0)
    assert marks(data) == [b"17"], "the oldest entry that is left"
    assert data[3] & 0x20, "the first packet marks the break"
    assert slow.lease.skips == 1
    assert rig.hubs.budget.used <= 3 * FRAME


def test_a_viewer_who_falls_behind_again_and_again_is_let_go() -> None:
    rig = Rig(buffer_size_per_stream=3 * FRAME)
    rig.upstreams.feed(ONE, b"a")
    slow = rig.play(NEWS)
    assert isinstance(slow, Playing)
    chunks, healthy = iter(slow), rig.viewer(NEWS)
    next(chunks)
    assert fall_behind(rig, chunks, healthy, first=0)
    assert fall_behind(rig, chunks, healthy, first=20)
    assert not fall_behind(rig, chunks, healthy, first=40)
    assert rig.metrics.open("News").dropped == 1


def test_a_viewer_who_has_hung_up_is_noticed_while_the_upstream_is_silent() -> None:
    rig = Rig(stream_linger=0)
    gone = Event()
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS, gone.is_set)
    viewer.next()
    gone.set()
    assert viewer.next() is None


def test_a_running_hub_takes_the_candidates_of_a_new_import(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    viewer.next()
    new = Stream(SOURCES[1], "http://two/new.ts")
    rig.hubs.imported(lambda slug: Channel(slug, "News", (new,)))
    rig.upstreams.feed(new, b"n")
    rig.upstreams.feed(ONE, UpstreamError(Reason.ENDED))
    assert viewer.next() == b"n"


def test_a_hub_whose_channel_rules_call_otherwise_is_found_by_its_new_name(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).next()
    renamed = Channel("world-news", "World News", NEWS.streams)
    rig.hubs.imported({"news": renamed}.get)
    rig.viewer(renamed)
    assert rig.upstreams.opened == [ONE.url]
    assert [hub.channel for hub in rig.hubs.all()] == [renamed]


def test_hubs_whose_channels_rules_join_play_on_and_newcomers_share_one_of_them() -> None:
    rig = Rig(stream_linger=60)
    rig.upstreams.feed(ONE, b"a")
    rig.upstreams.feed(TWO, b"s")
    news, sport = rig.viewer(NEWS), rig.viewer(Channel("sport", "Sport", (TWO,)))
    assert (news.next(), sport.next()) == (b"a", b"s")
    hubs = {hub.channel.slug: hub for hub in rig.hubs.all()}
    began = rig.hubs.all()
    joined = Channel("sport", "Sport", NEWS.streams)
    rig.hubs.imported(lambda slug: joined)
    rig.viewer(joined)
    assert rig.hubs.all() == began
    assert [hub.audience.viewers for hub in (hubs["news"], hubs["sport"])] == [1, 2]
    rig.upstreams.feed(ONE, b"b")
    assert news.next() == b"b"
    news.leave()
    until(lambda: rig.hubs.all() == [hubs["sport"]])  # nobody would find the other: no lingering
    assert rig.upstreams.opened == [ONE.url, TWO.url]


def test_a_hub_that_waits_for_a_slot_sees_the_candidates_of_a_new_import_at_once(
    rig: Rig,
) -> None:
    rig.upstreams.feed(ONE, b"a", UpstreamError(Reason.ENDED))
    viewer = rig.viewer(Channel("news", "News", (ONE,)))
    sport = gevent.spawn(rig.viewer, SPORT)
    assert viewer.next() == b"a"
    rig.upstreams.feed(SPORT.streams[0], b"s")
    other = sport.get(timeout=LIMIT)
    assert other.next() == b"s"
    until(lambda: rig.hubs.slots.waiting(1) == 1)
    rig.upstreams.feed(TWO, b"b")
    rig.hubs.imported(lambda slug: NEWS if slug == "news" else None)
    assert viewer.next() == b"b"
    assert rig.hubs.slots.waiting(1) == 0
    assert rig.upstreams.opened == [ONE.url, SPORT.streams[0].url, TWO.url]


def test_the_first_answer_of_a_file_is_the_one_that_is_sent(rig: Rig) -> None:
    film = FakeFilm()

    def is_film(stream: Stream) -> FilmBody:
        return film

    rig.upstreams.opening = is_film
    body = rig.play(NEWS)
    assert isinstance(body, Film)
    assert list(body) == [b"film"]
    assert rig.files == []
    assert rig.hubs.slots.held(SOURCES[0]) == 1
    body.close()
    assert film.closed
    until(lambda: rig.hubs.slots.held(SOURCES[0]) == 0)
    again = rig.play(NEWS, "bytes=100-")
    assert rig.files == [(ONE.url, "bytes=100-")], "what it is, is remembered"
    assert rig.upstreams.opened == [ONE.url]
    again.close()


def test_a_slot_of_a_film_that_we_gave_up_is_used_again_only_when_the_provider_knows() -> None:
    rig = Rig()
    asked: list[float] = []

    def open_film(stream: Stream, byte_range: str | None) -> FilmBody:
        asked.append(monotonic())
        if len(asked) == 1:
            raise UpstreamError(Reason.NOT_MEDIA)
        return FakeFilm()

    rig.hubs.films._open_film = open_film
    two_of_one = Channel("film", "Film", (ONE, Stream(SOURCES[0], "http://one/2.mp4")))
    with gevent.Timeout(LIMIT):
        rig.hubs.films.open(two_of_one, None, Lease()).close()
    assert asked[1] - asked[0] >= SETTLE
    rig.hubs.close()


def test_viewers_of_files_are_viewers_from_their_waiting_to_their_end(rig: Rig) -> None:
    def is_film(stream: Stream) -> FilmBody:
        return FakeFilm()

    rig.upstreams.opening = is_film
    first = rig.play(Channel("film", "Film", (ONE,)))
    assert isinstance(first, Film)
    assert rig.hubs.viewers == 1
    waiting = gevent.spawn(rig.play, Channel("film", "Film", (ONE,)), "bytes=5-")
    until(lambda: rig.hubs.slots.waiting(1) == 1)
    assert rig.hubs.viewers == 2
    first.close()
    second = waiting.get(timeout=LIMIT)
    assert isinstance(second, Film)
    assert rig.hubs.viewers == 1
    second.close()
    second.close()
    assert rig.hubs.viewers == 0


def test_a_film_whose_viewer_has_hung_up_is_ended_also_where_nothing_can_be_sent(
    rig: Rig,
) -> None:
    def is_film(stream: Stream) -> FilmBody:
        return FakeFilm()

    rig.upstreams.opening = is_film
    gone, hung_up = Event(), Event()
    for _ in range(2):  # not known to be a film yet, and known
        film = rig.hubs.start(NEWS, Lease(departed=gone.is_set, on_drop=hung_up.set))
        assert isinstance(film, Film)
        gone.set()
        assert hung_up.wait(LIMIT)
        film.close()
        gone.clear()
        hung_up.clear()


def test_a_viewer_that_leaves_while_waiting_for_a_film_opens_nothing(
    rig: Rig,
) -> None:
    def is_film(stream: Stream) -> FilmBody:
        return FakeFilm()

    rig.upstreams.opening = is_film
    channel, gone = Channel("film", "Film", (ONE,)), Event()
    film = rig.play(channel)
    waiting = gevent.spawn(rig.hubs.start, channel, Lease(departed=gone.is_set), "bytes=5-")
    until(lambda: rig.hubs.slots.waiting(1) == 1)
    gone.set()
    with pytest.raises(Unavailable, match="has left"):
        waiting.get(timeout=LIMIT)
    assert rig.hubs.slots.waiting(1) == 0
    assert rig.files == []
    assert rig.hubs.viewers == 1
    film.close()
    until(lambda: rig.hubs.slots.held(SOURCES[0]) == 0)


def test_closing_ends_every_viewer_and_gives_everything_back(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    viewer.next()
    rig.hubs.close()
    assert viewer.next() is None
    until(lambda: rig.hubs.slots.held(SOURCES[0]) == 0)
    assert rig.upstreams.open_now == 0
    viewer.leave()
    assert rig.hubs.budget.used == 0
    with pytest.raises(Unavailable):
        rig.play(NEWS)


# --- what somebody asks for ---


def test_a_switch_moves_all_viewers_to_the_next_source() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"1")
    rig.upstreams.feed(TWO, b"2")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"1"
    assert rig.hubs.switch("news", None)
    assert viewer.next() == b"2"
    assert rig.upstreams.most_open == 1
    assert rig.hubs.health.failures(ONE) == 0
    assert rig.metrics.totals.failovers == {"switched": 1}
    rig.hubs.close()


def test_a_switch_by_number_goes_to_that_source_even_if_it_is_blocked() -> None:
    rig = Rig(max_failures_before_block=1)
    rig.upstreams.feed(ONE, UpstreamError(Reason.REFUSED), b"1")
    rig.upstreams.feed(TWO, b"2")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"2"
    assert len(rig.hubs.health.blocks(0.0)) == 1
    assert rig.hubs.switch("news", 1)
    assert viewer.next() == b"1"
    rig.hubs.close()


def test_a_switch_as_the_stream_fails_does_not_leave_the_source_that_was_asked_for() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"1")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"1"
    until(lambda: rig.hubs.all()[0]._greenlet.at_work)
    gevent.sleep(SMALL_TICK * 3)  # it waits for more
    rig.upstreams.feed(ONE, UpstreamError(Reason.ENDED))
    assert rig.hubs.switch("news", 2)
    gevent.sleep(0)
    rig.upstreams.feed(TWO, b"2")
    assert viewer.next() == b"2"
    assert rig.upstreams.opened == [ONE.url, TWO.url]
    rig.hubs.close()


def test_a_switch_while_nothing_plays_changes_nothing() -> None:
    rig = Rig()
    assert not rig.hubs.switch("news", None)
    assert not rig.hubs.stop("news")
    rig.hubs.close()


def test_a_stopped_channel_ends_its_viewers_and_gives_its_slot_back() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"1")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"1"
    assert rig.hubs.stop("news")
    assert viewer.next() is None
    rig.hubs.close()


def test_what_happened_to_a_channel_is_told_in_order() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"1", UpstreamError(Reason.STALLED, "silent"))
    rig.upstreams.feed(TWO, b"2")
    viewer = rig.viewer(NEWS)
    assert [viewer.next(), viewer.next()] == [b"1", b"2"]
    told = [(event.kind, event.source, event.reason) for event in rig.hubs.journal.events]
    assert told == [
        ("opened", None, ""),
        ("started", 1, ""),
        ("failed", 1, "stalled"),
        ("started", 2, "stalled"),
    ]
    rig.hubs.close()


def test_what_was_opened_is_open_or_has_an_outcome() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"1", UpstreamError(Reason.RESET))
    rig.upstreams.feed(TWO, b"2")
    viewer = rig.viewer(NEWS)
    assert [viewer.next(), viewer.next()] == [b"1", b"2"]
    assert rig.metrics.totals.opens == {1: 1, 2: 1}
    assert rig.metrics.totals.outcomes == {(1, "reset"): 1}
    rig.hubs.close()
    gevent.sleep(0)
    assert rig.metrics.totals.outcomes == {(1, "reset"): 1, (2, "stopped"): 1}
    assert rig.metrics.bytes_received == 2 * len(Radio().frame(b"1"))


# --- the next candidate, opened beside one that is silent ---


@pytest.fixture
def silent(rig: Rig) -> tuple[Rig, Viewer]:
    """A channel that plays from the first source, and then is silent until it is suspected."""
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"a"
    until(lambda: rig.upstreams.open_now == 2)
    return rig, viewer


def test_a_silent_stream_is_left_for_the_next_as_soon_as_that_speaks(
    silent: tuple[Rig, Viewer],
) -> None:
    rig, viewer = silent
    rig.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    until(lambda: rig.upstreams.open_now == 1)
    assert rig.upstreams.opened == [ONE.url, TWO.url]
    assert rig.metrics.open("News").errors == {Reason.STALLED: 1}


def test_a_film_that_is_opened_beside_is_closed_and_the_stream_plays_on(rig: Rig) -> None:
    film = FakeFilm()
    rig.upstreams.opening = lambda stream: film if stream == TWO else None
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"a"
    until(lambda: film.closed == 1)
    rig.upstreams.feed(ONE, b"c")
    assert viewer.next() == b"c"
    assert rig.metrics.open("News").errors == {Reason.NOT_MEDIA: 1}
    until(lambda: rig.hubs.slots.held(SOURCES[1]) == 0)


def test_a_silent_stream_that_speaks_again_stays(silent: tuple[Rig, Viewer]) -> None:
    rig, viewer = silent
    rig.upstreams.feed(ONE, b"c")
    assert viewer.next() == b"c"
    until(lambda: rig.upstreams.open_now == 1)
    until(lambda: rig.hubs.slots.held(SOURCES[1]) == 0)
    assert not rig.metrics.open("News").errors


def test_what_was_opened_beside_and_failed_costs_its_viewers_nothing(
    silent: tuple[Rig, Viewer],
) -> None:
    rig, viewer = silent
    rig.upstreams.feed(TWO, UpstreamError(Reason.NOT_MEDIA))
    until(lambda: rig.upstreams.open_now == 1)
    rig.upstreams.feed(ONE, b"c")
    assert viewer.next() == b"c"
    assert rig.metrics.open("News").errors == {Reason.NOT_MEDIA: 1}
    until(lambda: rig.hubs.slots.held(SOURCES[1]) == 0)


def test_a_stream_that_fails_while_the_next_is_opened_waits_for_that(
    silent: tuple[Rig, Viewer],
) -> None:
    rig, viewer = silent
    rig.upstreams.feed(ONE, UpstreamError(Reason.ENDED))
    rig.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    assert rig.upstreams.opened == [ONE.url, TWO.url]


def test_closing_a_hub_hangs_up_what_was_opened_beside(silent: tuple[Rig, Viewer]) -> None:
    rig, viewer = silent
    rig.hubs.close()
    assert viewer.next() is None
    until(lambda: rig.upstreams.open_now == 0)
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))


def test_without_a_second_slot_nothing_is_opened_beside() -> None:
    rig = Rig()
    held = rig.hubs.slots.try_acquire(SOURCES[1])
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).next()
    until(lambda: monotonic() - hub_of(rig).output.media_at > 2.6)
    assert rig.upstreams.opened == [ONE.url]
    assert held is not None


@pytest.mark.parametrize("leaves", [False, True], ids=["fails", "leaves"])
def test_a_viewer_lost_while_its_hub_takes_over_what_was_opened_beside_costs_the_others_nothing(
    silent: tuple[Rig, Viewer], caplog: pytest.LogCaptureFixture, leaves: bool
) -> None:
    rig, viewer = silent

    def fail(data: bytes) -> int:
        if leaves:
            lost.body.close()
            return 0
        raise RuntimeError("a socket in no good state")

    lost = rig.viewer(NEWS, send=fail)
    assert lost.next() == b"a"
    rig.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    assert lost.next() is None
    assert ("a viewer was lost" in caplog.text) is not leaves
    lost.leave()
    rig.upstreams.feed(TWO, b"c")
    assert viewer.next() == b"c"
    until(lambda: rig.upstreams.open_now == 1)
    assert rig.metrics.open("News").viewers == 1


def test_a_hub_whose_last_viewer_is_lost_while_it_takes_over_lingers_on_one_slot(
    silent: tuple[Rig, Viewer],
) -> None:
    rig, viewer = silent

    def leave(data: bytes) -> int:
        last.body.close()
        return 0

    last = rig.viewer(NEWS, send=leave)
    assert last.next() == b"a"
    viewer.leave()
    rig.upstreams.feed(TWO, b"b")
    assert last.next() is None
    until(lambda: rig.upstreams.open_now <= 1)
    until(lambda: sum(map(rig.hubs.slots.held, SOURCES)) == rig.upstreams.open_now)
    assert rig.metrics.open("News").viewers == 0


def test_a_fault_in_looking_after_one_hub_leaves_the_others_their_housekeeping(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"a")

    def broken() -> bool:
        raise RuntimeError("a descriptor in no good state")

    rig.hubs.start(NEWS, Lease(departed=broken))
    other, gone = Channel("other", "Other", (TWO,)), Event()
    rig.upstreams.feed(TWO, b"o")
    viewer = rig.viewer(other, gone.is_set)
    assert viewer.next() == b"o"
    until(lambda: "news: housekeeping failed" in caplog.text)
    gone.set()
    assert viewer.next() is None, "seen to be gone by the same housekeeping"
    assert rig.hubs.alive


def test_a_film_that_was_played_to_its_end_ends_its_viewers(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a", b"b", Over())
    viewer = rig.viewer(NEWS)
    assert [viewer.next(), viewer.next(), viewer.next()] == [b"a", b"b", None]
    assert rig.upstreams.opened == [ONE.url]
    assert not rig.metrics.open("News").errors
    until(lambda: rig.hubs.slots.held(SOURCES[0]) == 0)


# --- what is flushed at an end is no sign of life ---


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A rig that suspects, and looks after its hubs, twenty times as fast."""
    monkeypatch.setattr("kptv.restream.scout.SUSPECT_AFTER", 0.1)
    monkeypatch.setattr("kptv.restream.scout.LATE", 0.05)
    monkeypatch.setattr("kptv.restream.housekeeping.TICK", 0.025)
    monkeypatch.setattr("kptv.channels.rhythm.PAUSE", 0.05)
    monkeypatch.setattr("kptv.channels.rhythm.SURE", 0.2)
    monkeypatch.setattr("kptv.channels.failover.REOPEN_DELAY", 0.0)
    rig = Rig(max_failures_before_block=1000)
    rig.upstreams.rests = 2
    return rig


def test_each_of_twenty_stalls_in_a_row_opens_the_other_source_once(quick: Rig) -> None:
    quick.upstreams.feed(ONE, b"0")
    viewer = quick.viewer(NEWS)
    expected = [ONE.url]
    for n in range(1, 21):
        silent, other = (ONE, TWO) if n % 2 else (TWO, ONE)
        assert viewer.next() == b"%d" % (n - 1)
        until(lambda other=other: quick.upstreams.open_now == 2)  # type: ignore[misc]
        quick.upstreams.feed(other, b"%d" % n)
        expected.append(other.url)
        until(lambda: quick.upstreams.open_now == 1)
        assert quick.upstreams.opened == expected, f"after stall {n} of {silent}"
        seen = viewer.next()
        while seen == b"rest":
            seen = viewer.next()
        assert seen == b"%d" % n
        viewer.received.put(seen)  # to be looked at in the next round
    assert quick.upstreams.most_open == 2
    assert quick.metrics.open("News").errors == {Reason.STALLED: 20}


@pytest.mark.parametrize("reason", [Reason.ENDED, Reason.RESET, Reason.STALLED])
def test_a_silent_stream_that_flushes_as_it_ends_does_not_cost_what_is_opened_beside(
    quick: Rig, reason: Reason
) -> None:
    quick.upstreams.feed(ONE, b"a")
    viewer = quick.viewer(NEWS)
    assert viewer.next() == b"a"
    until(lambda: quick.upstreams.open_now == 2)
    quick.upstreams.feed(ONE, UpstreamError(reason))
    until(lambda: quick.upstreams.open_now == 1)
    quick.upstreams.feed(TWO, b"b")
    while (seen := viewer.next()) == b"rest":
        pass
    assert seen == b"b"
    assert quick.upstreams.opened == [ONE.url, TWO.url]
    assert quick.hubs.rhythms.of(ONE, monotonic()).pause == 0.0, "no pause that media followed"


def test_tables_and_null_packets_do_not_send_away_what_is_opened_beside(quick: Rig) -> None:
    def nulls(stream: Stream) -> Pieces:
        body = quick.upstreams.open_stream(stream)
        yield next(body)
        while stream == ONE:
            yield Piece(NULL_PACKET * 7)
            gevent.sleep(0.01)
        yield from body
        return None

    quick.hubs._open_stream = lambda stream: OpenedUpstream(nulls(stream))
    quick.upstreams.feed(ONE, b"a")
    viewer = quick.viewer(NEWS)
    assert viewer.next() == b"a"
    until(lambda: TWO.url in quick.upstreams.opened)
    gevent.sleep(0.3)
    quick.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    assert quick.upstreams.opened == [ONE.url, TWO.url]


# --- a source has its own rhythm ---


def test_what_is_opened_beside_waits_for_the_longest_known_pause(quick: Rig) -> None:
    quick.hubs.rhythms.of(ONE, monotonic()).paused(1.0, monotonic())
    quick.upstreams.feed(ONE, b"a")
    viewer = quick.viewer(NEWS)
    assert viewer.next() == b"a"
    silent_since = monotonic()
    quick.upstreams.feed(TWO, b"b")
    while viewer.next() != b"b":
        pass
    assert monotonic() - silent_since >= 1.0
    assert quick.upstreams.opened == [ONE.url, TWO.url]


def test_the_housekeeping_goes_on_after_it_has_left_a_stream_for_what_was_opened_beside(
    quick: Rig,
) -> None:
    gone = Event()
    quick.upstreams.feed(ONE, b"a")
    viewer = quick.viewer(NEWS, gone.is_set)
    until(lambda: quick.upstreams.open_now == 2)
    quick.upstreams.feed(ONE, b"c")  # once more, and silent again
    quick.upstreams.feed(TWO, *[b"b"] * 5)  # what is sent home for that has had one of them
    while viewer.next() != b"b":  # what the silent one flushes comes before
        pass
    gone.set()
    while (seen := viewer.next()) == b"b":
        pass
    assert seen is None, "seen to be gone"


def test_what_is_opened_beside_and_ready_goes_when_the_stream_plays_on(quick: Rig) -> None:
    quick.upstreams.feed(ONE, b"a")
    viewer = quick.viewer(NEWS)
    assert viewer.next() == b"a"
    until(lambda: quick.upstreams.open_now == 2)
    for n in range(20):
        quick.upstreams.feed(ONE, b"%d" % n)
        assert viewer.next() == b"%d" % n
        gevent.sleep(0.01)
    until(lambda: quick.upstreams.open_now == 1)
    assert not quick.metrics.open("News").errors
    assert quick.hubs.rhythms.of(ONE, monotonic()).pause > 0.09


# --- endings that cross each other ---


def test_a_fault_of_ours_in_what_was_opened_beside_costs_its_viewers_nothing(
    silent: tuple[Rig, Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, viewer = silent

    def fail(frame: Radio, mark: bytes) -> bytes:
        raise KeyError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(Radio, "frame", fail)
        rig.upstreams.feed(TWO, b"b")
        until(lambda: rig.upstreams.open_now == 1)
    rig.upstreams.feed(ONE, UpstreamError(Reason.ENDED), b"c")
    assert viewer.next() == b"c"
    until(lambda: rig.hubs.slots.held(SOURCES[1]) == 0)


def test_what_was_opened_beside_goes_at_once_when_its_viewers_stop(
    silent: tuple[Rig, Viewer],
) -> None:
    rig, viewer = silent
    began = monotonic()
    rig.hubs.stop("news")
    assert viewer.next() is None
    viewer.leave()
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    assert rig.upstreams.open_now == 0
    assert rig.metrics.open("News").upstreams == 0
    assert monotonic() - began < 2.0  # not when its own time-out comes


def test_a_hub_that_is_closed_while_it_hangs_up_gives_its_slot_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up, waiting = Event(), Event()

    class SlowToClose:
        """As HLS, whose close waits for a greenlet."""

        film = None

        def __init__(self, upstream: Upstream) -> None:
            self._upstream = upstream

        def take_film(self) -> None:
            """It is none."""

        def __iter__(self) -> SlowToClose:
            return self

        def __next__(self) -> Piece:
            return next(self._upstream)

        def close(self) -> None:
            waiting.set()
            gevent.sleep(0.05)
            self._upstream.close()
            hung_up.set()

    plain = rig.upstreams.open_stream
    monkeypatch.setattr(rig.hubs, "_open_stream", lambda stream: SlowToClose(plain(stream)))
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"a"
    rig.hubs.switch("news", None)
    assert waiting.wait(LIMIT)
    rig.hubs.stop("news")
    viewer.leave()
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    assert hung_up.is_set()
    assert rig.upstreams.open_now == 0
    assert rig.metrics.open("News").upstreams == 0


def test_a_file_that_is_found_while_its_hub_is_closed_is_closed(rig: Rig) -> None:
    file, answer = FakeFilm(), Event()

    def is_film(stream: Stream) -> FilmBody:
        answer.wait()
        return file

    rig.upstreams.opening = is_film
    viewer = gevent.spawn(rig.play, NEWS)
    until(lambda: rig.upstreams.open_now == 1)
    # Woken for the answer first, then killed: both in one turn of the event loop.
    answer.set()
    rig.hubs.stop("news")
    with pytest.raises(Unavailable):
        viewer.get(timeout=LIMIT)
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    assert file.closed == 1
    assert rig.metrics.open("News").viewers == 0


def test_a_film_without_a_frame_is_a_failure(rig: Rig) -> None:
    rig.upstreams.feed(ONE, Over())
    rig.upstreams.feed(TWO, b"b")
    assert rig.viewer(NEWS).next() == b"b"
    assert rig.metrics.open("News").errors == {Reason.EMPTY: 1}


def test_a_hub_that_waited_for_a_slot_leaves_a_source_alone_that_asks_for_it(rig: Rig) -> None:
    held = rig.hubs.slots.try_acquire(SOURCES[0])
    assert held is not None
    waiting = gevent.spawn(rig.viewer, SPORT)
    until(lambda: rig.hubs.slots.waiting(1) == 1)
    asks = UpstreamError(Reason.RATE_LIMITED, retry_after=1.0)
    rig.hubs.health.refused(SPORT.streams[0], asks, monotonic(), busy=False)
    began = monotonic()
    held.close()
    rig.upstreams.feed(SPORT.streams[0], b"s")
    assert waiting.get(timeout=LIMIT).next() == b"s"
    assert monotonic() - began > 0.9
    assert rig.upstreams.opened == [SPORT.streams[0].url]


def test_a_switch_by_number_wins_over_what_was_opened_beside(silent: tuple[Rig, Viewer]) -> None:
    rig, viewer = silent
    rig.hubs.switch("news", 1)
    rig.upstreams.feed(TWO, b"b")
    until(lambda: rig.upstreams.opened == [ONE.url, TWO.url, ONE.url])
    rig.upstreams.feed(ONE, b"c")
    assert viewer.next() == b"c"
    until(lambda: rig.hubs.slots.held(SOURCES[1]) == 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptv.restream.bounds.PROGRAMME_WAIT", 0.2)
    monkeypatch.setattr("kptv.restream.bounds.GRACE", 0.2)
    monkeypatch.setattr("kptv.restream.bounds.LONGEST_SILENCE", 1.0)


@pytest.mark.usefixtures("impatient")
def test_an_upstream_that_begins_and_never_goes_on_is_left_by_housekeeping(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose reader waits for what never comes, and knows of no deadline."""
    plain = rig.upstreams.open_stream

    def stuck(stream: Stream) -> Pieces:
        if stream is not ONE:
            yield from plain(stream)
            return None
        yield Piece(NULL_PACKET * 20)
        Event().wait()
        return None

    monkeypatch.setattr(rig.hubs, "_open_stream", lambda stream: OpenedUpstream(stuck(stream)))
    rig.upstreams.feed(TWO, b"b")
    assert rig.viewer(NEWS).next() == b"b"
    assert hub_of(rig).source_number == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seam", [BROKEN_OFF, TORN])
def test_what_breaks_off_after_it_has_played_for_long_is_waited_for_as_at_the_start(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, seam: Seam
) -> None:
    opened = []

    def breaking(stream: Stream) -> Pieces:
        opened.append(stream.url)
        radio = Radio()
        began = monotonic()
        while monotonic() - began < 0.5:  # longer than a programme may take to come
            yield Piece(radio.frame(b"a"))
            gevent.sleep(0.02)
        yield Piece(NULL_PACKET * 20, seam)
        yield Piece(radio.frame(b"b"))
        Event().wait()
        return None

    monkeypatch.setattr(rig.hubs, "_open_stream", lambda stream: OpenedUpstream(breaking(stream)))
    viewer = rig.viewer(NEWS)
    while viewer.next() == b"a":
        pass
    assert opened == [ONE.url]


@pytest.mark.usefixtures("impatient")
def test_an_upstream_that_stops_and_never_fails_is_left_by_housekeeping(rig: Rig) -> None:
    alone = Channel("news", "News", (ONE,))
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(alone)
    assert viewer.next() == b"a"
    until(lambda: len(rig.upstreams.opened) > 1)
    rig.upstreams.feed(ONE, b"b")
    assert viewer.next() == b"b"
