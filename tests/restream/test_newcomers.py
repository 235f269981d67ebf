"""What holds a channel without a socket, as an HLS window and a recorder will do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from time import monotonic

import gevent
import pytest
from gevent.event import Event

from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Client, Lease, LeaseKind
from kptv.restream.playing import Playing
from tests.restream.radio import marks
from tests.restream.test_hub import LIMIT, NEWS, ONE, SOURCES, TWO, Rig, hub_of, until


class Window:
    """Held by requests: each one renews the lease, which ends some time after the last."""

    def __init__(self, hubs: Hubs, client: Client, seconds: float) -> None:
        self._seconds = seconds
        self.renew()
        lease = Lease(LeaseKind.WINDOW, client, self._is_over, on_drop=self._end)
        playing = hubs.start(NEWS, lease)
        assert isinstance(playing, Playing)
        self.playing = playing

    def renew(self) -> None:
        self._until = monotonic() + self._seconds

    def _is_over(self) -> bool:
        return monotonic() > self._until

    def _end(self) -> None:
        self.playing.close()


class Recorder:
    """Writes what plays into a file, until its time is over or it is told to stop."""

    def __init__(self, hubs: Hubs, is_over: Callable[[], bool] = lambda: False) -> None:
        self.file = BytesIO()
        playing = hubs.start(NEWS, Lease(LeaseKind.RECORDER, departed=is_over))
        assert isinstance(playing, Playing)
        self.playing = playing
        self._greenlet = gevent.spawn(self._record)

    def _record(self) -> None:
        for data in self.playing:
            self.file.write(data)

    def wait(self) -> None:
        self._greenlet.join(LIMIT)
        assert self._greenlet.successful()

    def stop(self) -> None:
        self._greenlet.kill()
        self.playing.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(stream_linger=0.0)
    with gevent.Timeout(LIMIT):
        yield rig
    rig.hubs.close()


def nothing_is_left(rig: Rig) -> None:
    until(lambda: not len(rig.hubs) and not any(map(rig.hubs.slots.held, SOURCES)))
    assert rig.hubs.viewers == 0
    assert rig.hubs.budget.used == 0
    assert rig.metrics.open("News").viewers == 0


def test_a_window_holds_its_hub_as_long_as_requests_renew_it(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    window = Window(rig.hubs, Client("192.0.2.7", "TV"), 1.0)
    assert rig.hubs.viewers == 0, "its followers are"
    for n in range(8):
        window.renew()
        rig.upstreams.feed(ONE, b"%d" % n)
        gevent.sleep(0.2)
    assert hub_of(rig).leases == {window.playing.lease}
    renewed = monotonic()
    while len(rig.hubs):  # media that comes all the time is no sign of its viewer
        rig.upstreams.feed(ONE, b"more")
        gevent.sleep(0.05)
    assert 0.7 <= monotonic() - renewed < 3.0
    nothing_is_left(rig)


def test_a_window_ends_when_its_channel_is_stopped(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    window = Window(rig.hubs, Client(), 60.0)
    rig.hubs.stop("news")
    assert window.playing.over
    nothing_is_left(rig)


def test_requests_of_one_window_wait_for_more_side_by_side(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    playing = Window(rig.hubs, Client(), 60.0).playing
    waiting = [gevent.spawn(playing.wait) for _ in range(3)]
    gevent.idle()
    rig.upstreams.feed(ONE, b"b")
    assert len(gevent.joinall(waiting, timeout=LIMIT)) == 3
    assert not playing.over
    playing.close()
    nothing_is_left(rig)


def test_a_window_of_a_channel_that_cannot_start_leaves_nothing() -> None:
    rig = Rig(max_retries=0, stream_linger=0.0)
    for stream in (ONE, TWO):
        rig.upstreams.feed(stream, UpstreamError(Reason.REFUSED))
    with pytest.raises(Unavailable):
        Window(rig.hubs, Client(), 60.0)
    nothing_is_left(rig)


def test_a_recorder_reads_a_channel_into_a_file_and_is_no_viewer(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a", b"b", UpstreamError(Reason.ENDED))
    rig.upstreams.feed(TWO, b"c")
    recorder = Recorder(rig.hubs)
    until(lambda: marks(recorder.file.getvalue()) == [b"a", b"b", b"c"])
    assert rig.hubs.viewers == 0
    assert rig.metrics.open("News").viewers == 0
    assert hub_of(rig).leases
    recorder.stop()
    nothing_is_left(rig)


def test_a_recorder_ends_when_its_time_is_over_though_media_still_comes(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    over = Event()
    recorder = Recorder(rig.hubs, over.is_set)
    over.set()
    while not recorder.playing.over:
        rig.upstreams.feed(ONE, b"more")
        gevent.sleep(0.05)
    recorder.wait()
    recorder.stop()
    nothing_is_left(rig)


def test_a_recorder_ends_with_its_channel(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    recorder = Recorder(rig.hubs)
    until(lambda: marks(recorder.file.getvalue()) == [b"a"])
    rig.hubs.stop("news")
    recorder.wait()
    recorder.stop()
    nothing_is_left(rig)
