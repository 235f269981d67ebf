"""Players play HLS as the proxy cuts it, through all that goes wrong: `make hls-players`.

hls.js in Chromium, Chromium by itself, VLC, mpv, ffmpeg and GStreamer. Needs chromium, cvlc, mpv,
ffmpeg, nodejs with npm, and gstreamer1.0-tools with gstreamer1.0-plugins-{good,bad} and
gstreamer1.0-libav. Each test prints what it measured.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.clients.browser import SCRIPT, Record, Theatre
from tests.functional.failing import note
from tests.functional.faults_in_a_row import IN_A_ROW, playing
from tests.functional.harness import Metrics, Proxy, Viewer, eventually
from tests.functional.programs import PROGRAMS, running, watch
from tests.functional.tapes import RATE, h264, radio
from tests.provider import Bad, Provider, Stream

pytestmark = pytest.mark.timeout(180)

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

TOKEN = "open-sesame"
GROUP = 2.0  # seconds from keyframe to keyframe
BURST = 2.0  # seconds of media that providers send at once, as most do
BETWEEN = 4.0  # seconds between two things that go wrong
AFTER = 10.0  # and of what is watched after the last: players are some seconds behind
LIST = "/hls/news.m3u8"
SIZES = [(320, 180), (160, 120)]  # of the two providers' pictures


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """A proof that is skipped proves nothing."""
    programs = ("chromium", *PROGRAMS)
    missing = [name for name in programs if shutil.which(name) is None]
    assert not missing, f"not installed: {missing}"
    assert SCRIPT.exists(), "make hls-players installs hls.js"


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with Theatre() as theatre:
        yield theatre
        assert theatre.complaints == []


@dataclass(frozen=True, slots=True)
class Stage:
    proxy: Proxy
    streams: list[Stream]

    @property
    def url(self) -> str:
        return self.proxy.url(LIST)

    def asked(self) -> int:
        return sum(len(stream.requests) for stream in self.streams)

    def keep_running(self, seconds: float) -> Viewer:
        """Somebody else watches; returns after so many seconds."""
        viewer = self.proxy.viewer("news", keep=False)
        viewer.wait(lambda: viewer.received > 0)
        since = time.monotonic()
        viewer.wait(lambda: time.monotonic() >= since + seconds)
        return viewer

    def act(self, what: str) -> None:
        """What the operator may do to the channel."""
        answer = self.proxy.get(
            f"/api/channels/news/{what}", {"Authorization": f"Bearer {TOKEN}"}, "POST"
        )
        assert answer.status == 202, answer.text


@pytest.fixture
def stage(start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path) -> Stage:
    one, two = start_provider("one"), start_provider("two")
    group = int(GROUP * RATE)
    streams = [
        h264(group, pid, "x".join(map(str, size))).on_air(provider.add_channel("news"), tmp_path)
        for provider, pid, size in zip((one, two), (0x100, 0x200), SIZES, strict=True)
    ]
    for stream in streams:
        stream.burst = BURST
        stream.provider.started -= 60  # it has been on the air for long
    settings = {"RETRY_DELAY": "200ms", "MAX_FAILURES_BEFORE_BLOCK": "1000", "ADMIN_TOKEN": TOKEN}
    return Stage(start_proxy((one, 0), (two, 0), **settings), streams)


def no_stall(record: Record) -> None:
    assert record.fatal == []
    assert record.stalls == (), record
    assert record.seeks <= 1, record  # the one to where it begins
    assert len(record.buffered) == 1, record


# hls.js


def test_a_running_channel_shows_a_picture_within_a_second(stage: Stage, theatre: Theatre) -> None:
    with stage.keep_running(10):
        firsts = []
        for number in range(5):
            watching = theatre.watch(stage.url)
            watching.wait_for_picture()
            record = watching.watch_on(4 + 0.4 * number)  # each begins elsewhere in a segment
            note(f"hls.js, running channel: {record}")
            no_stall(record)
            firsts.append(record.first)
            watching.leave()
    assert sorted(firsts)[2] < 1.0


def test_faults_in_a_row_are_not_noticed(stage: Stage, theatre: Theatre) -> None:
    with stage.keep_running(10):
        watching = theatre.watch(stage.url)
        watching.wait_for_picture()
        for fault in IN_A_ROW:
            asked = stage.asked()
            fault(stage.streams)
            watching.wait(lambda _, asked=asked: stage.asked() > asked)
            watching.watch_on(BETWEEN)
        record = watching.watch_on(AFTER)
        note(f"hls.js, {', '.join(f.__name__ for f in IN_A_ROW)}: {record}")
        no_stall(record)
        assert record.sizes[-1] != record.sizes[0]  # it did see another provider
        assert record.lists[-1]["breaks"] >= record.lists[0]["breaks"]
        watching.leave()


@pytest.mark.parametrize("burst", [BURST, 0.0], ids=["burst", "live"])
def test_a_cold_channel_shows_a_picture_as_soon_as_there_is_a_segment(
    stage: Stage, theatre: Theatre, burst: float
) -> None:
    """One group to wait for, with a provider that sends no past, and one that is the segment."""
    for stream in stage.streams:
        stream.burst = burst
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    opened = 0.0 if burst else GROUP
    record = watching.watch_on(15)
    note(f"hls.js, cold channel, {burst:g} s at once: {record}")
    assert record.first < opened + GROUP + 1.5
    assert record.fatal == []
    assert sum(stall.seconds for stall in record.stalls) < 2.5
    watching.leave()


def test_a_total_outage_is_bridged_and_recovered_from(stage: Stage, theatre: Theatre) -> None:
    stage.keep_running(10).leave()
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    watching.watch_on(4)
    for stream in stage.streams:
        stream.provider.kill()
    watching.watch_on(15)  # of the slate, in the end
    slate = watching.record().sizes[-1]
    for stream in stage.streams:
        stream.provider.revive()
    watching.wait(lambda record: record.sizes[-1] in SIZES, 60)
    record = watching.watch_on(AFTER)
    note(f"hls.js, all providers dead for a while: {record}")
    assert slate not in SIZES
    assert record.fatal == []
    assert sum(stall.seconds for stall in record.stalls) <= 3.0
    watching.leave()


def test_who_asks_for_nothing_for_a_while_plays_on(stage: Stage, theatre: Theatre) -> None:
    """As a phone in a pocket: the channel ends, and begins anew under the same page."""
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    before = watching.watch_on(6).lists[-1]
    watching.page.evaluate("video.pause(); hls.stopLoad()")
    eventually(lambda: not any(stream.connections for stream in stage.streams), 60)
    watching.page.evaluate("hls.startLoad(-1); video.play()")
    watching.wait(lambda record: record.lists[-1]["first"] > before["last"], 60)
    record = watching.watch_on(AFTER)
    note(f"hls.js, the channel ended meanwhile: {record}")
    assert record.fatal == []
    assert record.lists[-1]["breaks"] > before["breaks"]
    watching.leave()


def test_a_channel_that_is_stopped_ends_and_can_be_begun_again(
    stage: Stage, theatre: Theatre
) -> None:
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    stage.act("stop")
    record = watching.wait(lambda record: bool(record.fatal))
    note(f"hls.js, channel stopped: {record}")
    assert [(e["details"], e["status"]) for e in record.fatal] == [("levelLoadError", 404)]
    watching.leave()
    eventually(lambda: stage.proxy.get(LIST).status == 200)
    watching = theatre.watch(stage.url)
    assert watching.watch_on(4).fatal == []
    watching.leave()


def test_the_proxy_is_restarted_under_the_same_page(stage: Stage, theatre: Theatre) -> None:
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    before = watching.watch_on(6)
    stage.proxy.stop()
    stage.proxy.start()
    last = before.lists[-1]["last"]
    watching.wait(lambda record: record.lists[-1]["first"] > last, 60)
    record = watching.watch_on(AFTER)
    note(f"hls.js, proxy restarted: {record}")
    assert record.fatal == []
    watching.leave()


def test_who_resumes_after_a_long_pause_plays_on(stage: Stage, theatre: Theatre) -> None:
    """What it would play next is long gone."""
    watching = theatre.watch(stage.url)
    watching.wait_for_picture()
    watching.watch_on(4)
    watching.pause()
    watching.page.wait_for_timeout(80_000)
    watching.resume()
    record = watching.watch_on(40, 90)  # more than it has in its buffer
    note(f"hls.js, paused for 80 s: {record}")
    assert record.fatal == []
    watching.leave()


def test_it_plays_each_time(stage: Stage, theatre: Theatre) -> None:
    """At once, while the window is there; and when the channel is gone."""
    for gone in (False, False, True):
        if gone:
            eventually(lambda: not any(stream.connections for stream in stage.streams), 60)
        watching = theatre.watch(stage.url)
        record = watching.wait_for_picture()
        record = watching.watch_on(4)
        note(f"hls.js, again: {record}")
        assert record.fatal == []
        watching.leave()


def test_a_longer_group_of_pictures_after_a_failover(
    start_provider: StartProvider, start_proxy: StartProxy, theatre: Theatre, tmp_path: Path
) -> None:
    one, two = start_provider("one"), start_provider("two")
    h264(50).on_air(one.add_channel("news"), tmp_path).burst = BURST
    h264(200, 0x200).on_air(two.add_channel("news"), tmp_path).burst = 8.0
    for provider in (one, two):
        provider.started -= 60
    proxy = start_proxy((one, 0), (two, 0))
    watching = theatre.watch(proxy.url(LIST))
    watching.wait_for_picture()
    before = watching.watch_on(8)
    one.kill()
    record = watching.watch_on(40, 90)
    note(f"hls.js, a keyframe each 8 s: {record}")
    assert record.fatal == []
    assert before.lists[-1]["target"] == 2
    assert [each["target"] for each in record.lists] == sorted(
        each["target"] for each in record.lists
    )
    assert record.lists[-1]["target"] == 8
    watching.leave()


def test_radio(
    start_provider: StartProvider, start_proxy: StartProxy, theatre: Theatre, tmp_path: Path
) -> None:
    one = start_provider("one")
    radio().on_air(one.add_channel("news"), tmp_path)
    proxy = start_proxy((one, 0))
    watching = theatre.watch(proxy.url(LIST))
    record = watching.watch_on(8)
    note(f"hls.js, radio: {record}")
    assert record.fatal == []
    # Its first segments last a second, and all others two: that second is waited for once.
    assert sum(stall.seconds for stall in record.stalls) < 1.5
    watching.leave()


def test_a_multivariant_playlist_plays(stage: Stage, theatre: Theatre) -> None:
    """Its CODECS and all: hls.js believes them before it has seen a segment."""
    watching = theatre.watch(f"{stage.url}?master")
    record = watching.watch_on(8)
    note(f"hls.js, multivariant playlist: {record}")
    assert {error["details"] for error in record.errors} <= {"bufferStalledError"}
    watching.leave()


def test_a_users_own_link_plays(stage: Stage, theatre: Theatre) -> None:
    proxy = stage.proxy
    secret = UsersFile(proxy.folder / "data").add(User(id=0, name="anna")).text
    eventually(lambda: proxy.get(LIST).status == 401)
    listed = proxy.playlist(f"/u/{secret}/playlist.m3u8?output=hls")
    assert listed == {"news": f"/u/{secret}{LIST}"}
    watching = theatre.watch(proxy.url(listed["news"]))
    record = watching.watch_on(8)
    note(f"hls.js, a user's link: {record}")
    assert record.fatal == []
    told = proxy.get("/metrics", {"Authorization": f"Bearer {TOKEN}"}).text
    assert Metrics(told).value("iptv_proxy_clients_connected") == 1
    watching.leave()
    assert secret not in proxy.log


# Others


def test_chromium_by_itself(stage: Stage, theatre: Theatre) -> None:
    """It reads playlists without a script, too."""
    with stage.keep_running(10):
        watching = theatre.watch(stage.url, native=True)
        watching.wait_for_picture()
        playing(stage.streams).break_now(Bad.RESET)
        record = watching.watch_on(AFTER)
        note(f"Chromium: {record}")
        assert record.fatal == []
        watching.leave()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_plays_on_through_faults_in_a_row(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    with stage.keep_running(10), running(name, stage.url, tmp_path) as player:
        watch([player], lambda: player.pictures >= BETWEEN * RATE)
        for fault in IN_A_ROW:
            asked, shown = stage.asked(), player.pictures + BETWEEN * RATE
            fault(stage.streams)
            watch([player], lambda asked=asked: stage.asked() > asked)
            watch([player], lambda shown=shown: player.pictures >= shown)
        shown = player.pictures + AFTER * RATE
        watch([player], lambda: player.pictures >= shown, 60)
        note(str(player))
        assert player.complaints() == []
        if name != "ffmpeg":
            assert player.paused < 1.0
