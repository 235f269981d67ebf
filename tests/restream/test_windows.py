"""Windows of segments over hubs whose upstreams are made of sound, frame by frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from kptv.channels.model import Channel, Stream
from kptv.config import Config
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.metrics.counters import Metrics
from kptv.ports import FilmBody, Piece
from kptv.restream import asking, followers, window, windows
from kptv.restream.followers import MayNotFollow, Viewer
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Client, Lease
from kptv.restream.output import Output
from kptv.restream.playing import Playing
from kptv.restream.window import Common, Window
from kptv.restream.window_playlist import Past, PlaylistText
from kptv.restream.windows import IsFilm, IsOver, Windows
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.restream.radio import Radio, marks
from tests.restream.test_hub import (
    LIMIT,
    NEWS,
    ONE,
    SOURCES,
    SPORT,
    TWO,
    FakeFilm,
    until,
)
from tests.shared import shared

SECOND = 47  # frames
PHONE = Viewer(Client("192.0.2.1", "Safari"))
LAPTOP = Viewer(Client("192.0.2.2", "hls.js"))


class Broadcasts:
    """Upstreams that give as many frames as a test says, and know who is connected."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.open_now = 0
        self.most_open = 0
        self.films: set[str] = set()
        self._queues: dict[str, Queue[int | UpstreamError]] = {}

    def feed(self, stream: Stream, *items: int | UpstreamError) -> None:
        """So many frames, all at once; or a failure."""
        for item in items:
            self._queue(stream).put(item)

    def open_stream(self, stream: Stream) -> OpenedUpstream:
        return OpenedUpstream(self._pieces(stream))

    def _pieces(self, stream: Stream) -> Pieces:
        self.opened.append(stream.url)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            if stream.url in self.films:
                return FakeFilm()
            radio, count = Radio(), 0
            while True:
                item = self._queue(stream).get()
                if isinstance(item, UpstreamError):
                    raise item
                yield Piece(b"".join(radio.frame(b"%d" % (count + n)) for n in range(item)))
                count += item
        finally:
            self.open_now -= 1

    def _queue(self, stream: Stream) -> Queue[int | UpstreamError]:
        return self._queues.setdefault(stream.url, Queue())


class Rig:
    """Windows over hubs over broadcasts."""

    def __init__(self, **settings: object) -> None:
        self.broadcasts = Broadcasts()
        self.metrics = Metrics()
        config = Config(sources=SOURCES, **settings)  # type: ignore[arg-type]
        self.shared = shared(config, metrics=self.metrics)
        self.hubs = Hubs(self.shared, self.broadcasts.open_stream, self._open_film)
        self.refused: float = 0.0  # what ``enter`` says
        self.entered: list[Lease] = []
        self.windows = Windows(
            Common(2.0, self.shared.budget, self.hubs.start, figures=self.metrics.hls)
        )

    def _open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        return FakeFilm()

    def enter(self, lease: Lease) -> float:
        self.entered.append(lease)
        return self.refused

    def follow(self, channel: Channel, viewer: Viewer = PHONE) -> Window:
        with gevent.Timeout(LIMIT):
            return self.windows.follow(channel, viewer, self.enter)

    def close(self) -> None:
        self.windows.close()
        self.hubs.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(stream_linger=0.0)
    yield rig
    rig.close()
    gevent.idle()


def nothing_is_left(rig: Rig) -> None:
    until(lambda: not len(rig.windows) and not len(rig.hubs))
    until(lambda: not any(map(rig.hubs.slots.held, SOURCES)))
    assert rig.hubs.viewers == 0
    assert rig.hubs.budget.used == 0
    assert rig.metrics.open("News").viewers == 0
    assert rig.metrics.hls.windows == 0
    assert rig.metrics.hls.window_bytes == 0


def listing_of(playing: Window) -> PlaylistText:
    listing = playing.listing()
    assert listing is not None
    return listing


def numbers_of(listing: PlaylistText) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+)\.ts", listing.text)]


def data_of(playing: Window, number: int) -> bytes:
    numbered = playing.segment(number)
    assert numbered is not None
    return b"".join(numbered.segment.parts)


def durations_of(listing: PlaylistText) -> list[float]:
    return [float(text) for text in re.findall(r"#EXTINF:([\d.]+)", listing.text)]


def test_all_who_follow_a_channel_share_a_window_and_one_upstream(rig: Rig) -> None:
    asking = [
        gevent.spawn(rig.follow, NEWS, Viewer(Client(f"192.0.2.{n}", "TV"))) for n in range(15)
    ]
    gevent.idle()
    rig.broadcasts.feed(ONE, 3 * SECOND)
    (one,) = {asked.get(timeout=LIMIT) for asked in asking}
    assert rig.broadcasts.opened == [ONE.url]
    assert rig.hubs.viewers == 15
    assert len(rig.entered) == 15
    assert one.hub is not None
    assert len(one.hub.leases) == 1


def test_segments_follow_each_other_without_a_frame_lost(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, *[SECOND] * 20)
    playing = rig.follow(NEWS)
    until(lambda: rig.metrics.hls.segments >= 9)
    listing = listing_of(playing)
    numbers = numbers_of(listing)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert listing.last == numbers[-1]
    frames = [int(mark) for number in numbers for mark in marks(data_of(playing, number))]
    assert frames == list(range(frames[0], frames[-1] + 1))
    assert all(data_of(playing, number)[:3] == b"\x47\x40\x00" for number in numbers)
    assert sum(durations_of(listing)) == pytest.approx(len(frames) * 1920 / 90000, abs=0.03)


def test_the_list_has_ten_segments_and_six_more_can_be_had(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, *[SECOND] * 50)
    playing = rig.follow(NEWS)
    until(lambda: rig.metrics.hls.segments >= 20)
    numbers = numbers_of(listing_of(playing))
    assert len(numbers) == 10
    assert playing.segment(numbers[0] - 6) is not None
    assert playing.segment(numbers[0] - 7) is None
    assert playing.segment(numbers[-1] + 1) is None


def test_a_running_channel_has_its_segments_at_once(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, *[SECOND] * 13)
    viewer = rig.hubs.start(NEWS, Lease())
    until(lambda: rig.hubs.all()[0].output.buffer.end >= 13)
    assert len(numbers_of(listing_of(rig.follow(NEWS)))) >= 5
    assert rig.broadcasts.opened == [ONE.url]
    viewer.close()


def test_a_failure_ends_the_segment_at_once_and_the_next_one_breaks(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 3 * SECOND, UpstreamError(Reason.RESET))
    playing = rig.follow(NEWS)
    until(lambda: rig.broadcasts.opened == [ONE.url, TWO.url])
    until(lambda: sum(durations_of(listing_of(playing))) > 2.9)
    before = listing_of(playing)
    rig.broadcasts.feed(TWO, 5 * SECOND)
    until(lambda: listing_of(playing).last > before.last)
    assert listing_of(playing).text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert listing_of(playing).text.startswith(before.text)


def test_who_waits_for_a_segment_gets_it_when_it_comes(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 3 * SECOND)
    playing = rig.follow(NEWS)
    last = listing_of(playing).last
    waiting = gevent.spawn(playing.wait_for, last + 1, LIMIT)
    gevent.idle()
    assert not waiting.ready()
    rig.broadcasts.feed(ONE, 5 * SECOND)
    waiting.get(timeout=LIMIT)
    assert listing_of(playing).last > last


def test_who_waits_for_what_does_not_come_waits_no_longer_than_told(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 3 * SECOND)
    playing = rig.follow(NEWS)
    with gevent.Timeout(LIMIT):
        playing.wait_for(listing_of(playing).last + 1, 0.05)


def test_a_window_ends_some_time_after_the_last_request(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "QUIET", 0.3)
    monkeypatch.setattr(window, "QUIET_TARGETS", 0.1)
    monkeypatch.setattr(followers, "QUIET", 0.3)
    rig.broadcasts.feed(ONE, 3 * SECOND)
    playing = rig.follow(NEWS)
    until(lambda: playing.is_over)
    assert rig.entered[0].departed()
    until(lambda: rig.hubs.viewers == 0)
    nothing_is_left(rig)


def test_segments_alone_keep_no_channel_open(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "QUIET", 0.3)
    monkeypatch.setattr(window, "QUIET_TARGETS", 0.1)
    monkeypatch.setattr(followers, "QUIET", 0.3)
    rig.broadcasts.feed(ONE, 3 * SECOND)
    playing = rig.follow(NEWS)
    number = listing_of(playing).last
    until(lambda: rig.windows.segment("news", number, LAPTOP) is None or playing.is_over)
    nothing_is_left(rig)


def test_the_next_window_goes_on_behind_the_numbers_of_the_last(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 7 * SECOND)
    first = rig.follow(NEWS)
    last = listing_of(first).last
    breaks = re.search(r"DISCONTINUITY-SEQUENCE:(\d+)", listing_of(first).text)
    first.close()
    until(lambda: first.is_over and not len(rig.hubs) and not rig.hubs.slots.held(SOURCES[0]))
    rig.broadcasts.feed(ONE, 7 * SECOND)
    listing = listing_of(rig.follow(NEWS))
    assert numbers_of(listing)[0] > last
    again = re.search(r"DISCONTINUITY-SEQUENCE:(\d+)", listing.text)
    assert breaks is not None
    assert again is not None
    assert int(again[1]) == int(breaks[1]) + 1


def test_a_channel_that_cannot_start_says_when_to_come_again(rig: Rig) -> None:
    for stream in NEWS.streams:
        rig.broadcasts.feed(stream, *[UpstreamError(Reason.REFUSED)] * 9)
    rig = _with(rig, max_retries=0)
    with pytest.raises(Unavailable) as caught:
        rig.follow(NEWS)
    assert caught.value.retry_after >= 1
    rig.windows.close()
    nothing_is_left(rig)


def _with(rig: Rig, **settings: object) -> Rig:
    other = Rig(stream_linger=0.0, **settings)
    other.broadcasts._queues = rig.broadcasts._queues
    return other


def test_a_film_is_told_as_one_and_holds_nothing(rig: Rig) -> None:
    rig.broadcasts.films = {ONE.url, TWO.url}
    with pytest.raises(IsFilm):
        rig.follow(NEWS)
    nothing_is_left(rig)


def test_a_channel_that_was_stopped_stays_so_although_players_ask_on(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    playing = rig.follow(NEWS)
    rig.hubs.stop("news")
    until(lambda: playing.is_over)
    with pytest.raises(IsOver):
        rig.follow(NEWS)
    assert rig.broadcasts.opened == [ONE.url]
    nothing_is_left(rig)


def test_whoever_asks_before_a_window_knows_that_it_was_stopped_begins_no_other(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    playing = rig.follow(NEWS)
    asking = gevent.spawn(rig.follow, NEWS, LAPTOP)
    assert playing.hub is not None
    playing.hub.stop()
    assert not playing.is_over
    asking.join(timeout=LIMIT)
    assert isinstance(asking.exception, IsOver)
    assert rig.broadcasts.opened == [ONE.url]
    nothing_is_left(rig)


def test_of_a_channel_that_is_over_nobody_counts_as_a_viewer(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    playing = rig.follow(NEWS)
    rig.hubs.stop("news")
    until(lambda: playing.is_over)
    with pytest.raises(IsOver):
        rig.follow(NEWS, LAPTOP)
    assert len(rig.entered) == 1


def test_a_channel_that_gives_up_is_over_for_who_followed_and_numbers_go_on(rig: Rig) -> None:
    rig = _with(rig, stream_give_up=0.2, retry_delay=0.05)
    one = Channel("news", "News", (ONE,))
    rig.broadcasts.feed(ONE, 5 * SECOND, *[UpstreamError(Reason.REFUSED)] * 50)
    playing = rig.follow(one)
    last = listing_of(playing).last
    until(lambda: playing.is_over)
    assert playing.failure is not None
    with pytest.raises(IsOver):
        rig.follow(one)
    until(lambda: not len(rig.hubs))
    rig.windows._over.clear()  # some seconds later
    rig.broadcasts._queues.clear()
    rig.broadcasts.feed(ONE, 5 * SECOND)
    assert numbers_of(listing_of(rig.follow(one)))[0] > last
    rig.close()


def test_one_who_zaps_leaves_the_only_connection_to_the_next_channel(rig: Rig) -> None:
    rig = Rig()  # with a linger
    zaps = [NEWS if n % 2 else SPORT for n in range(30)]
    one = Channel("news", "News", (ONE,))
    for stream in (ONE, SPORT.streams[0]):
        rig.broadcasts.feed(stream, *[3 * SECOND] * 500)
    for channel in zaps:
        playing = rig.follow(one if channel is NEWS else channel)
        assert listing_of(playing)
    assert rig.broadcasts.most_open == 1
    rig.close()


def test_one_who_zaps_on_before_a_channel_begins_has_the_next_one_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LOOK_EVERY", 2 * LIMIT)
    left: list[bool] = []
    one = Channel("news", "News", (ONE,))  # says nothing
    first = gevent.spawn(rig.windows.follow, one, PHONE, rig.enter, lambda: bool(left))
    until(lambda: rig.broadcasts.open_now == 1)
    rig.broadcasts.feed(SPORT.streams[0], 5 * SECOND)
    left.append(True)
    assert rig.follow(SPORT).has_begun
    assert rig.broadcasts.most_open == 1
    with pytest.raises(Unavailable):
        first.get(timeout=LIMIT)


def test_one_who_zaps_on_leaves_no_request_that_waits(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LOOK_EVERY", 2 * LIMIT)
    left: list[bool] = []
    one = Channel("news", "News", (ONE,))  # plays by a connection of its own
    rig.broadcasts.feed(ONE, 10)  # but that is no segment
    first = gevent.spawn(rig.windows.follow, one, PHONE, rig.enter, lambda: bool(left))
    until(lambda: any(playing.hub for playing in rig.windows))
    rig.broadcasts.feed(TWO, 5 * SECOND)
    left.append(True)
    assert rig.follow(Channel("sport", "Sport", (TWO,))).has_begun
    with pytest.raises(Unavailable):
        first.get(timeout=LIMIT)


def test_whoever_waits_long_for_a_channel_to_begin_still_follows(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "QUIET", 0.02)
    monkeypatch.setattr(window, "QUIET_TARGETS", 0.01)
    waiting = gevent.spawn(rig.follow, NEWS)
    until(lambda: rig.broadcasts.open_now == 1)
    gevent.sleep(0.05)
    rig.windows.look()
    rig.broadcasts.feed(ONE, 3 * SECOND)
    assert waiting.get(timeout=LIMIT).has_begun
    assert rig.hubs.viewers == 1


def test_two_on_different_channels_keep_them(rig: Rig) -> None:
    sport = Channel("sport", "Sport", (TWO,))
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.broadcasts.feed(TWO, 5 * SECOND)
    rig.follow(NEWS, PHONE)
    rig.follow(sport, LAPTOP)
    assert rig.hubs.viewers == 2
    assert len(rig.windows) == 2
    assert not any(playing.gives_way for playing in rig.windows)


def test_two_who_look_the_same_keep_their_channels_when_both_ask_on(rig: Rig) -> None:
    sport = Channel("sport", "Sport", (TWO,))
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.broadcasts.feed(TWO, 5 * SECOND)
    first = rig.follow(NEWS)
    second = rig.follow(sport)
    assert rig.hubs.viewers == 1
    assert first.gives_way
    for _ in range(followers.MOST_ZAPS + 1):
        assert rig.follow(NEWS) is first
        assert rig.follow(sport) is second
    assert rig.hubs.viewers == 2
    assert not first.gives_way


def test_whoever_waits_for_its_slot_gets_it_when_nothing_is_asked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "WAITED_FOR", 0.05)
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.broadcasts.feed(SPORT.streams[0], 5 * SECOND)
    one = Channel("news", "News", (ONE,))
    rig.follow(one, PHONE)
    assert rig.follow(SPORT, LAPTOP).has_begun
    assert rig.broadcasts.most_open == 1
    assert rig.windows.find("news") is None


def test_a_window_that_is_asked_for_keeps_its_slot(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(asking, "monotonic", lambda: now[0])
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.broadcasts.feed(SPORT.streams[0], 5 * SECOND)
    playing = rig.follow(Channel("news", "News", (ONE,)), PHONE)
    hub = playing.hub
    assert hub is not None
    waiting = gevent.spawn(rig.follow, SPORT, LAPTOP)
    until(lambda: rig.shared.slots.waiting(1) > 0)
    for _ in range(8):
        now[0] += 2.9
        hub.heed()
        gevent.idle()
        assert rig.follow(playing.channel, PHONE) is playing
    assert not waiting.ready()
    now[0] += 3.1
    hub.heed()
    assert waiting.get(timeout=LIMIT).has_begun


@pytest.mark.parametrize(
    ("is_elsewhere", "quiet", "goes_on"),
    [(True, 2.9, True), (True, 3.1, False), (False, 9.0, True)],
    ids=["asked for again in time", "quiet for longer", "alone"],
)
def test_numbers_begin_anew_if_who_asks_may_have_been_elsewhere(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, is_elsewhere: bool, quiet: float, goes_on: bool
) -> None:
    now = [1000.0]
    monkeypatch.setattr(asking, "monotonic", lambda: now[0])
    monkeypatch.setattr(window, "time", lambda: 1_800_000_000 + now[0])
    common = Common(2.0, rig.shared.budget, rig.hubs.start, is_elsewhere=is_elsewhere)
    rig.windows = Windows(common)
    rig.broadcasts.feed(ONE, *[SECOND] * 9)
    playing = rig.follow(NEWS)
    until(lambda: len(numbers_of(listing_of(playing))) >= 4)
    assert playing.target_duration == 2
    before = numbers_of(listing_of(playing))
    now[0] += 100
    playing.touch()
    now[0] += quiet
    assert rig.follow(NEWS) is playing
    after = numbers_of(listing_of(playing))
    assert (after == before) == goes_on
    if not goes_on:
        assert before[-1] < after[0]
        assert after[-1] == int(1_800_000_000 + now[0]) - 1
        assert playing.segment(after[-1]) is not None
        assert playing.segment(before[-1]) is None


def test_who_may_not_follow_opens_nothing(rig: Rig) -> None:
    rig.refused = 3.0
    with pytest.raises(MayNotFollow) as caught:
        rig.follow(NEWS)
    assert (caught.value.retry_after, caught.value.ended) == (3.0, False)
    assert rig.broadcasts.opened == []
    assert len(rig.windows) == 0


def test_requests_that_come_while_it_is_decided_hear_the_same(rig: Rig) -> None:
    decide = Event()

    def enter(lease: Lease) -> float:
        decide.wait(LIMIT)
        return 3.0

    asking = [gevent.spawn(rig.windows.follow, NEWS, PHONE, enter) for _ in range(3)]
    gevent.idle()
    decide.set()
    gevent.joinall(asking, timeout=LIMIT)
    refused = [each.exception for each in asking if isinstance(each.exception, MayNotFollow)]
    assert [(why.retry_after, why.ended) for why in refused] == [(3.0, False)] * 3


def test_nobody_gets_in_while_it_is_not_decided(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "DECIDED_WITHIN", 0.01)
    first = gevent.spawn(rig.windows.follow, NEWS, PHONE, lambda _: Event().wait(LIMIT) or 0.0)
    gevent.idle()
    with pytest.raises(MayNotFollow):
        rig.follow(NEWS)
    first.kill()
    assert rig.broadcasts.opened == []


def test_one_that_was_ended_is_refused_as_long_as_it_asks(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    playing = rig.follow(NEWS)
    ends: list[Lease] = []
    rig.entered[0].on_end = ends.append
    number = listing_of(playing).last
    rig.hubs.let_go(rig.entered[0])
    assert ends == rig.entered
    with pytest.raises(MayNotFollow) as caught:
        rig.follow(NEWS)
    assert caught.value.ended
    with pytest.raises(MayNotFollow):
        rig.windows.segment("news", number, PHONE)
    assert rig.windows.segment("news", number, LAPTOP) is not None
    assert rig.hubs.viewers == 0
    assert len(rig.entered) == 1


@pytest.mark.parametrize("asked", [0, -1, 10**200, -(10**200)], ids=["0", "-1", "long", "-long"])
def test_a_number_that_is_none_of_a_segment_is_none(rig: Rig, asked: int) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.follow(NEWS)
    assert rig.windows.segment("news", asked, PHONE) is None


def test_many_requests_of_one_viewer_at_once_enter_once(rig: Rig) -> None:
    asking = [gevent.spawn(rig.follow, NEWS) for _ in range(6)]
    gevent.idle()
    rig.broadcasts.feed(ONE, 5 * SECOND)
    for asked in asking:
        asked.get(timeout=LIMIT)
    assert len(rig.entered) == 1
    assert rig.hubs.viewers == 1


def test_closing_ends_all_and_begins_none(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 5 * SECOND)
    rig.follow(NEWS)
    rig.windows.close()
    rig.windows.close()
    with pytest.raises(Unavailable):
        rig.follow(SPORT)
    nothing_is_left(rig)


def test_one_that_is_closed_before_it_began_leaves_nothing(rig: Rig) -> None:
    over: list[Window] = []
    playing = Window(NEWS, rig.windows._common, Past(), over.append)
    playing.close()
    until(lambda: playing.is_over)
    assert over == [playing]
    assert rig.broadcasts.opened == []


# --- memory ---

SMALL = SECOND * 3 * 188  # bytes of a second


def test_a_window_keeps_to_the_memory_of_all(rig: Rig) -> None:
    rig = _with(rig, max_buffer_size=5 * SMALL, buffer_size_per_stream=SMALL)
    rig.broadcasts.feed(TWO, *[SECOND // 4] * 8)
    other = rig.hubs.start(Channel("sport", "Sport", (TWO,)), Lease())
    assert isinstance(other, Playing)
    until(lambda: other.hub.buffer.end >= 8)
    rig.broadcasts.feed(ONE, *[SECOND // 4] * 80)
    playing = rig.follow(NEWS)
    until(lambda: rig.metrics.hls.segments >= 9)
    assert 1 <= len(numbers_of(listing_of(playing))) < 4, "so many are kept if there is room"
    assert rig.hubs.budget.used <= 5 * SMALL
    assert other.hub.buffer.size > SMALL // 2
    other.close()
    rig.close()


def test_one_whose_segments_need_more_than_all_memory_ends_and_says_so(rig: Rig) -> None:
    rig = _with(rig, max_buffer_size=2 * SMALL, buffer_size_per_stream=SMALL // 2)
    rig.broadcasts.feed(ONE, *[SECOND // 4] * 60)
    playing = rig.follow(NEWS)
    until(lambda: playing.is_over)
    assert "MAX_BUFFER_SIZE" in str(playing.failure)
    with pytest.raises(IsOver):
        rig.follow(NEWS)
    nothing_is_left(rig)
    rig.close()


# --- what people are told ---


def test_the_playlist_says_what_some_players_cannot_have(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.broadcasts.feed(ONE, 4 * SECOND)
    assert "\n# " not in listing_of(rig.follow(NEWS)).text
    (hub,) = rig.hubs.all()
    stats = replace(hub.output.stats, codecs=("mp2",))
    monkeypatch.setattr(Output, "stats", stats)
    playing = rig.follow(NEWS)
    before = listing_of(playing).last
    rig.broadcasts.feed(ONE, 4 * SECOND)
    until(lambda: listing_of(playing).last > before)
    assert "\n# Browsers do not play sound of MPEG layer II" in listing_of(playing).text


def test_what_a_follower_asked_for_is_told_of_it(rig: Rig) -> None:
    rig.broadcasts.feed(ONE, 4 * SECOND)
    numbers = numbers_of(listing_of(rig.follow(NEWS)))
    found = rig.windows.segment("news", numbers[0], PHONE)
    assert found is not None
    assert rig.entered[0].received == found.segment.size
    assert rig.windows.segment("news", numbers[0], LAPTOP) is not None, "who does not follow"
