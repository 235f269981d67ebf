"""Warm standby: another source is read beside, and viewers go on with it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from time import monotonic

import gevent
import pytest
from gevent.event import Event
from gevent.lock import RLock
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.metrics.counters import Metrics
from kptv.ports import FilmBody, Piece
from kptv.restream.buffer import Budget
from kptv.restream.hub import Hub, State
from kptv.restream.hubs import Hubs
from kptv.restream.journal import EventKind
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.restream.standby import ReadAhead, Room
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.formats.ts_maker import Maker
from tests.shared import shared

LIMIT = 15.0  # seconds; what hangs, fails
FRAME = 0.04
SOURCES = tuple(Source(number, f"http://{number}/", 1) for number in (1, 2, 3))
ONE, TWO, THREE = (Stream(source, source.url + "1.ts") for source in SOURCES)
NEWS = Channel("news", "News", (ONE, TWO, THREE))


class Providers:
    """Each stream plays in real time, until a test has it fail or fall silent."""

    def __init__(self) -> None:
        self.opened: list[Stream] = []
        self.open_now: list[Stream] = []
        self.refused: dict[str, UpstreamError] = {}
        self.ends: dict[str, UpstreamError | None] = {}  # None: it falls silent
        self.lock = RLock()
        self.kills = 0  # so many openings end all streams that play

    def open_stream(self, stream: Stream) -> OpenedUpstream:
        return OpenedUpstream(self._pieces(stream))

    def end(self, stream: Stream, error: UpstreamError | None) -> None:
        self.ends[stream.url] = error

    def _pieces(self, stream: Stream) -> Pieces:
        self.opened.append(stream)
        if self.kills and self.open_now:
            self.kills -= 1
            self.ends.update((other.url, UpstreamError(Reason.RESET)) for other in self.open_now)
        self.open_now.append(stream)
        self.ends.pop(stream.url, None)
        try:
            if error := self.refused.get(stream.url):
                raise error
            maker, begun = Maker(time=900_000 * stream.source.number), monotonic()
            maker.count = 15  # the first keyframe comes after 0.4 s
            while stream.url not in self.ends:
                if monotonic() - begun >= (maker.count - 15) * FRAME:
                    yield Piece(maker.tables() + maker.picture())
                else:
                    gevent.sleep(0.01)
            error = self.ends[stream.url]
            if error is None:
                Event().wait()
            raise error or UpstreamError(Reason.STALLED)
        finally:
            self.open_now.remove(stream)


class Rig:
    """Hubs with STANDBY on, over those providers."""

    def __init__(self, **settings: object) -> None:
        self.providers = Providers()
        self.metrics = Metrics()
        config = Config(sources=SOURCES, **{"standby": True, **settings})  # type: ignore[arg-type]
        self.hubs = Hubs(
            shared(config, metrics=self.metrics), self.providers.open_stream, self._no_film
        )

    def _no_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        raise AssertionError

    def viewer(self, channel: Channel = NEWS) -> Viewer:
        with gevent.Timeout(LIMIT):
            playing = self.hubs.start(channel, Lease())
        assert isinstance(playing, Playing)
        return Viewer(playing)

    @property
    def hub(self) -> Hub:
        return self.hubs.all()[0]

    @property
    def stands_by(self) -> Stream | None:
        """What stands by and could be gone on with at once."""
        standby = self.hub.standby
        return standby.stream if standby and standby.ready else None

    def wait_for_standby(self, stream: Stream | None = None) -> Stream:
        until(lambda: self.stands_by is not None and self.stands_by == (stream or self.stands_by))
        found = self.stands_by
        assert found is not None
        return found


class Viewer:
    """Notes when media came."""

    def __init__(self, playing: Playing) -> None:
        self.playing = playing
        self.times = [monotonic()]
        self.over = False
        self._ticks = [monotonic()]
        self._greenlet = gevent.spawn(self._run)
        self._clock = ThreadPool(1)  # no greenlet: one would not tell of a loop that is held up
        self._clock.spawn(self._tick)

    def _run(self) -> None:
        try:
            for _ in self.playing:
                self.times.append(monotonic())
        finally:
            self.playing.close()
            self.over = True

    def _tick(self) -> None:
        while not self.over:
            get_original("time", "sleep")(0.01)
            self._ticks.append(monotonic())

    def longest_silence(self, since: float) -> float:
        """Seconds without media, less what the machine held all of this process up for."""
        return _longest(self.times, since) - _longest(self._ticks, since)

    def leave(self) -> None:
        self._greenlet.kill()
        self.playing.close()  # it may not have begun
        self.over = True


def _longest(moments: Sequence[float], since: float) -> float:
    times = [since, *(at for at in list(moments) if at >= since), monotonic()]
    return max(b - a for a, b in pairwise(times))


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.01)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("kptv.restream.scout.SETTLED", 0.2)
    monkeypatch.setattr("kptv.restream.scout.OUTLIVED", 0.1)
    monkeypatch.setattr("kptv.restream.housekeeping.TICK", 0.05)
    monkeypatch.setattr("kptv.channels.failover.REOPEN_DELAY", 0.0)
    rig = Rig()
    yield rig
    rig.hubs.close()
    until(lambda: not rig.providers.open_now)
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    assert not any(map(rig.hubs.slots.standing_by, SOURCES))
    until(lambda: rig.hubs.budget.used == 0)
    assert rig.metrics.open("News").upstreams == 0


def test_without_the_setting_nothing_stands_by(rig: Rig) -> None:
    off = Rig(standby=False)
    off.viewer()
    rig.viewer()
    rig.wait_for_standby()
    assert off.providers.opened == [ONE]
    off.hubs.close()


def test_another_source_is_read_beside_and_never_shown(rig: Rig) -> None:
    rig.viewer()
    assert rig.wait_for_standby() == TWO
    assert rig.hub.source_number == 1
    assert rig.providers.opened == [ONE, TWO]
    standby = rig.hub.standby
    assert standby is not None
    assert standby.since is not None
    until(lambda: len(rig.hub.chronicle.history) == 3)
    kinds = [event.kind for event in rig.hub.chronicle.history]
    assert kinds == [EventKind.OPENED, EventKind.STARTED, EventKind.STANDS_BY]
    assert [rig.hubs.slots.standing_by(source) for source in SOURCES] == [0, 1, 0]


@pytest.mark.parametrize(
    "error", [UpstreamError(Reason.ENDED), UpstreamError(Reason.RESET)], ids=["end", "reset"]
)
def test_ten_deaths_in_a_row_cost_no_time(rig: Rig, error: UpstreamError) -> None:
    viewer = rig.viewer()
    playing = ONE
    for _ in range(10):
        standby = rig.wait_for_standby()
        died_at = monotonic()
        rig.providers.end(playing, error)
        until(lambda standby=standby: rig.hub.source_number == standby.source.number)  # type: ignore[misc]
        until(lambda: rig.hub.state is State.PLAYING)
        gevent.sleep(0.3)
        assert viewer.longest_silence(died_at) < 0.3
        playing = standby
    assert len(rig.providers.opened) <= 12
    totals = rig.metrics.totals
    assert totals.failovers == {error.reason: 10}
    assert totals.silence["failover"].sum < 1.0, "0.1 s each"


def test_a_silent_stream_is_left_sooner_and_what_it_cost_is_made_up_for(rig: Rig) -> None:
    rig.viewer()
    rig.wait_for_standby()
    gevent.sleep(2.0)  # it keeps as much as a silence costs
    before = rig.hub.output.buffer.end
    rig.providers.end(ONE, None)
    until(lambda: rig.hub.source_number == 2)
    until(lambda: rig.hub.state is State.PLAYING)
    assert rig.metrics.totals.silence["failover"].sum < 1.5
    assert rig.hub.output.buffer.end > before


def test_it_gives_way_to_whoever_needs_its_slot_and_comes_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 0.2)
    news = Channel("news", "News", (ONE, TWO))
    viewer = rig.viewer(news)
    assert rig.wait_for_standby() == TWO
    begun = monotonic()
    other = rig.viewer(Channel("sport", "Sport", (Stream(SOURCES[1], "http://2/2.ts"),)))
    assert monotonic() - begun < 2.0
    assert rig.stands_by is None
    other.leave()
    rig.hubs.stop("sport")
    assert rig.wait_for_standby() == TWO
    assert viewer.longest_silence(begun) < 0.5
    assert not rig.metrics.open("News").errors


def test_one_that_fails_is_replaced_by_the_next_and_blocks_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 0.1)
    rig.providers.refused[TWO.url] = UpstreamError(Reason.REFUSED)
    viewer = rig.viewer()
    assert rig.wait_for_standby() == THREE
    assert rig.providers.opened == [ONE, TWO, THREE]
    assert rig.hubs.health.failures(TWO) == 0
    rig.providers.end(THREE, UpstreamError(Reason.ENDED))
    until(lambda: rig.stands_by is None)
    assert rig.hubs.health.failures(THREE) == 0
    assert rig.hub.source_number == 1
    assert not viewer.over


def test_while_all_refuse_they_are_asked_in_turn_and_more_and_more_seldom(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 0.2)
    streams = tuple(Stream(SOURCES[1], f"http://2/{n}.ts") for n in range(50))
    rig.providers.refused = {s.url: UpstreamError(Reason.EMPTY) for s in streams}
    rig.viewer(Channel("news", "News", (ONE, *streams)))
    gevent.sleep(3.0)
    assert 3 <= len(rig.providers.opened) <= 6, "after 0.2, 0.2, 0.4, 0.8, 1.6 s"


def test_standbys_that_kill_what_plays_are_opened_more_and_more_seldom(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 0.4)
    rig.providers.kills = 1000
    viewer = rig.viewer()
    gevent.sleep(3.5)
    assert 4 <= len(rig.providers.opened) <= 6, "two at once, then after 0.4, 0.8, 1.6 s"
    assert not viewer.over


def test_a_stream_that_plays_on_beside_a_standby_ends_the_row(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 0.1)
    rig.providers.kills = 2
    rig.viewer()
    until(lambda: not rig.providers.kills)
    rig.wait_for_standby()
    gevent.sleep(0.3)
    monkeypatch.setattr("kptv.restream.pauses.FIRST_PAUSE", 1000.0)
    rig.providers.kills = 1
    playing = next(s for s in NEWS.streams if s.source.number == rig.hub.source_number)
    rig.providers.end(playing, UpstreamError(Reason.ENDED))
    until(lambda: not rig.providers.kills)
    rig.wait_for_standby()


def test_nothing_stands_by_for_a_hub_that_lingers(rig: Rig) -> None:
    viewer = rig.viewer()
    rig.wait_for_standby()
    viewer.leave()
    until(lambda: rig.providers.open_now == [ONE])
    gevent.sleep(0.3)
    assert rig.providers.opened == [ONE, TWO]
    rig.viewer()
    rig.wait_for_standby()


def test_a_switch_by_hand_goes_on_with_it_if_it_is_the_wanted_source(rig: Rig) -> None:
    viewer = rig.viewer()
    assert rig.wait_for_standby() == TWO
    switched_at = monotonic()
    rig.hubs.switch("news", 2)
    until(lambda: rig.hub.source_number == 2 and rig.hub.state is State.PLAYING)
    gevent.sleep(0.2)
    assert viewer.longest_silence(switched_at) < 0.3
    assert rig.providers.opened[:2] == [ONE, TWO]
    rig.wait_for_standby()
    rig.hubs.switch("news", 3 if rig.stands_by == ONE else 1)
    until(lambda: rig.hub.source_number not in (None, 2) and rig.hub.state is State.PLAYING)
    until(lambda: len(rig.providers.open_now) <= 2)


def test_one_that_the_channel_lost_in_an_import_is_hung_up(rig: Rig) -> None:
    rig.viewer()
    assert rig.wait_for_standby() == TWO
    rig.hub.update(Channel("news", "News", (ONE, THREE)))
    assert rig.wait_for_standby(THREE) == THREE


def test_what_it_keeps_counts_in_the_budget_and_gives_way_there(rig: Rig) -> None:
    rig.viewer()
    rig.wait_for_standby()
    gevent.sleep(0.5)
    budget = rig.hubs.budget
    assert budget.used > rig.hub.buffer.size
    budget.limit = rig.hub.buffer.size // 2
    budget.trim()
    assert budget.used <= budget.limit


def test_it_is_hung_up_when_the_channel_is_stopped(rig: Rig) -> None:
    viewer = rig.viewer()
    rig.wait_for_standby()
    rig.hubs.stop("news")
    until(lambda: not rig.providers.open_now)
    until(lambda: viewer.over)


def test_a_slot_that_is_lost_as_it_is_taken_blames_nobody(rig: Rig) -> None:
    viewer = rig.viewer()
    rig.wait_for_standby()
    slot = rig.hubs.slots._standbys  # type: ignore[attr-defined]
    rig.providers.end(ONE, UpstreamError(Reason.ENDED))
    until(lambda: rig.hub.source_number != 1)
    assert not slot, "it is used"
    until(lambda: rig.hub.state is State.PLAYING)
    assert not viewer.over


def test_whoever_goes_on_with_it_slower_than_it_comes_holds_it_up() -> None:
    limit, maker, given = 100_000, Maker(), 0

    def endless() -> Pieces:
        nonlocal given
        while True:
            given += 1
            yield Piece(maker.picture())

    upstream = OpenedUpstream(endless())
    first = next(upstream)
    budget = Budget(1 << 24)
    ahead = ReadAhead(upstream, first, Room(budget, limit), 0)
    reader = gevent.spawn(ahead.read, lambda: gevent.sleep(0))
    with gevent.Timeout(LIMIT):
        while not ahead.ready:
            gevent.sleep(0.01)
        ahead.open(0.0)
        while ahead.size <= limit:
            gevent.sleep(0.01)
        before = given
        gevent.sleep(0.3)
        assert given == before
        next(ahead)
        while given == before:
            gevent.sleep(0.01)
    ahead.close()
    assert reader.dead
    assert budget.used == 0
