"""One upstream a channel, however many watch; no viewer's trouble is another's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.harness import Proxy, Viewer, eventually
from tests.numbered_ts import PACKET, marks
from tests.provider import Bad, Provider, Stream

BOTH_WAYS = True

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

LINGER = 0.5  # seconds
SLEEPERS_CHANNEL = "Sleep"
MEGABYTE = 1024**2


@dataclass(frozen=True)
class Channel:
    """A channel that no other test has touched."""

    name: str
    streams: tuple[Stream, ...]

    @property
    def requests(self) -> int:
        return sum(len(stream.requests) for stream in self.streams)

    @property
    def most_upstreams(self) -> int:
        """The most connections to its streams that were ever open at once."""
        paths = {stream.path for stream in self.streams}
        changes = [
            (at, 1 if entry[0] == "+" else -1)
            for provider in {stream.provider for stream in self.streams}
            for at, entry, _ in list(provider.history)
            if entry[2:] in paths
        ]
        now = most = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most


@dataclass
class Stage:
    proxy: Proxy
    one: Provider
    two: Provider
    untouched: list[Channel]
    sleeper: Viewer  # one who takes nothing any more, from the start

    def channel(self) -> Channel:
        return self.untouched.pop()


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    """Channels that two sources without a limit have."""
    one, two = share_provider("one"), share_provider("two")
    channels = [
        Channel(name, (one.add_channel(name), two.add_channel(name)))
        for name in (f"Channel {n}" for n in range(20))
    ]
    one.add_channel(SLEEPERS_CHANNEL)
    proxy = share_proxy(
        (one, 0),
        (two, 0),
        STALL_TIMEOUT="4s",
        STREAM_LINGER=f"{LINGER}s",
        RETRY_DELAY="50ms",
        MAX_FAILURES_BEFORE_BLOCK="1000000",
        BUFFER_SIZE_PER_STREAM="1MB",
    )
    sleeper = proxy.viewer(SLEEPERS_CHANNEL, receive_buffer=4096).wait_for_bytes(1_000)
    sleeper.pause()
    yield Stage(proxy, one, two, channels, sleeper)
    sleeper.vanish()


def leave_all(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        viewer.leave()


def assert_whole(viewer: Viewer) -> None:
    """Nothing is missing between the first and the last packet of each connection it saw."""
    for run in viewer.runs():
        assert (run.lost, run.disordered) == (0, 0), run


# --- one upstream ---


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_fifteen_viewers_at_once_on_a_cold_channel_make_one_request(
    stage: Stage, delay: float
) -> None:
    channel = stage.channel()
    channel.streams[0].delay = delay
    viewers = [stage.proxy.viewer(channel.name) for _ in range(15)]
    for viewer in viewers:
        viewer.wait_for_bytes(20_000)
        assert viewer.sources() == ["one"]
        assert_whole(viewer)
    assert channel.requests == 1
    leave_all(viewers)


def test_the_viewer_who_started_it_leaves_and_the_others_go_on(stage: Stage) -> None:
    channel = stage.channel()
    first = stage.proxy.viewer(channel.name).wait_for_bytes(10_000)
    others = [stage.proxy.viewer(channel.name).wait_for_bytes(10_000) for _ in range(3)]
    first.leave()
    for viewer in others:
        viewer.wait_for_bytes(100_000)
        assert len(viewer.runs()) == 1
        assert_whole(viewer)
    assert channel.requests == 1
    leave_all(others)


@pytest.mark.parametrize("way", [Viewer.leave, Viewer.vanish])
def test_the_viewer_who_started_it_leaves_before_its_first_byte(
    stage: Stage, way: Callable[[Viewer], None]
) -> None:
    channel = stage.channel()
    channel.streams[0].delay = 1.5
    first = stage.proxy.viewer(channel.name)
    stage.one.wait(lambda: channel.requests == 1)
    others = [stage.proxy.viewer(channel.name) for _ in range(3)]
    way(first)
    for viewer in others:
        viewer.wait_for_bytes(10_000)
    assert channel.requests == 1
    leave_all(others)


def test_joining_and_leaving_during_failovers_never_makes_a_second_upstream(stage: Stage) -> None:
    channel = stage.channel()
    rng = random.Random(5)
    guests: list[Viewer] = []
    with stage.proxy.viewer(channel.name) as stayer:
        stayer.wait_for_bytes(5_000)
        for failures in range(1, 16):
            guests += [stage.proxy.viewer(channel.name) for _ in range(3)]
            (playing,) = (stream for stream in channel.streams if stream.connections)
            assert playing.break_now(rng.choice((Bad.END, Bad.RESET))) == 1
            guests += [stage.proxy.viewer(channel.name) for _ in range(3)]
            while len(guests) > 6:
                guests.pop(rng.randrange(len(guests))).leave()
            stayer.wait(lambda done=failures: channel.requests == done + 1)  # type: ignore[misc]
            stayer.wait_for_bytes(5_000)
        for guest in guests:
            guest.wait_for_bytes(5_000)
            assert_whole(guest)
        assert len(stayer.runs()) == 16
        assert_whole(stayer)
        assert not stayer.ended
    assert channel.most_upstreams == 1
    leave_all(guests)


def test_a_late_joiner_starts_from_what_is_buffered(stage: Stage) -> None:
    channel = stage.channel()
    with stage.proxy.viewer(channel.name) as first:
        first.wait(lambda: first.received > 0)
        first.wait(lambda: first.arrivals[-1][0] - first.first_byte_at > 2.5)
        channel.streams[0].break_now(Bad.SILENCE)
        with stage.proxy.viewer(channel.name) as late:
            late.wait_for_bytes(PACKET)  # while the upstream gives nothing
            assert channel.requests == 1
            assert late.marks()[0].sent < late.asked_at - 1
            assert late.marks()[0].number > 0


# --- linger ---


def test_a_channel_lingers_after_its_last_viewer_and_no_longer(stage: Stage) -> None:
    channel = stage.channel()
    stage.proxy.viewer(channel.name).wait_for_bytes(5_000).leave()
    with stage.proxy.viewer(channel.name) as again:
        again.wait_for_bytes(50_000)
        assert_whole(again)
        left_at = time.monotonic()  # its thread may notice its own end after the proxy did
    assert channel.requests == 1
    stream = channel.streams[0]
    stage.one.wait(lambda: stream.connections == 0)
    opened, closed = (at for at, e, _ in stage.one.history if e[2:] == stream.path)
    assert left_at + LINGER * 0.9 < closed < opened + 10


def test_a_lingering_channel_opens_nothing_for_nobody(stage: Stage) -> None:
    channel = stage.channel()
    with stage.proxy.viewer(channel.name) as viewer:
        viewer.wait_for_bytes(5_000)
    eventually(lambda: clients(stage.proxy, channel) == 0)
    channel.streams[0].break_now(Bad.END)
    eventually(lambda: upstreams(stage.proxy, channel) == 0)
    with stage.proxy.viewer(channel.name) as again:
        again.wait_for_bytes(5_000)
    assert channel.requests == 2, "one for each viewer, none for nobody"


def clients(proxy: Proxy, channel: Channel) -> float:
    return proxy.metrics().value("iptv_proxy_clients_connected", channel=channel.name)


def upstreams(proxy: Proxy, channel: Channel) -> float:
    return proxy.metrics().value("iptv_proxy_active_connections", channel=channel.name)


def test_without_linger_the_upstream_ends_with_its_last_viewer(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    news = one.add_channel("News")
    proxy = start_proxy((one, 1), STREAM_LINGER="0")
    for _ in range(5):
        viewer = proxy.viewer("News").wait_for_bytes(2_000)
        viewer.leave()
        one.wait(lambda: one.connections == 0)
        assert one.history[-1][0] - viewer.ended_at < 1
    assert len(news.requests) == 5


# --- direct mode ---


def test_in_direct_mode_each_viewer_has_an_upstream_and_a_slot(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=3)
    news = one.add_channel("News")
    proxy = start_proxy((one, 3), ENABLE_RESTREAMING="false")
    viewers = [proxy.viewer("News").wait_for_bytes(5_000) for _ in range(3)]
    assert len(news.requests) == one.connections == 3
    assert proxy.metrics().value("iptv_proxy_active_connections", channel="News") == 3
    assert proxy.metrics().value("iptv_proxy_clients_connected", channel="News") == 3
    fourth = proxy.viewer("News")
    viewers[0].wait_for_bytes(20_000)
    assert not fourth.status
    viewers.pop(0).leave()
    fourth.wait_for_bytes(5_000)
    for viewer in (*viewers, fourth):
        assert len(viewer.runs()) == 1
        assert_whole(viewer)
        viewer.leave()
    proxy.wait_idle()
    one.wait(lambda: one.connections == 0)  # no linger: nobody else can use it
    assert one.max_connections_seen == 3


# --- re-import ---


def test_a_playing_channel_survives_an_import_that_lost_it(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    news, sport = one.add_channel("News"), one.add_channel("Sport")
    proxy = start_proxy((one, 1), IMPORT_REFRESH_INTERVAL="1s", STREAM_LINGER="0")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(5_000)
        one.list.set(f"#EXTM3U\n#EXTINF:-1,Sport\n{sport.url}\n")
        eventually(lambda: list(proxy.playlist()) == ["Sport"])
        viewer.wait_for_bytes(50_000)
        with proxy.viewer("News") as second:  # it is still there for those who know it
            second.wait_for_bytes(5_000)
        assert len(viewer.runs()) == 1
        assert_whole(viewer)
        assert len(news.requests) == 1
    one.wait(lambda: one.connections == 0)
    with proxy.viewer("News") as late:
        assert late.wait_for_status() == 404
    assert one.max_connections_seen == 1


def test_a_playing_channel_finishes_what_it_plays_and_then_takes_the_new_entry(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    news, moved = one.add_channel("News"), one.stream("/live/user-one/sesame-one/moved.ts")
    proxy = start_proxy((one, 1), IMPORT_REFRESH_INTERVAL="1s")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(5_000)
        one.list.set(f"#EXTM3U\n#EXTINF:-1,News\n{moved.url}\n#EXTINF:-1,Done\n{moved.url}\n")
        eventually(lambda: "Done" in proxy.playlist())
        viewer.wait_for_bytes(50_000)
        assert not moved.requests
        news.break_now(Bad.END)
        one.wait(lambda: moved.connections == 1)
        viewer.wait_for_bytes(5_000)
        assert [run.channel for run in viewer.runs()] == ["News", "moved.ts"]
        assert_whole(viewer)
    assert (len(news.requests), len(moved.requests)) == (1, 1)
    assert one.max_connections_seen == 1


# --- viewers that misbehave, beside one that does not ---


def test_a_stopped_viewer_loses_data_and_costs_the_others_nothing(stage: Stage) -> None:
    channel = stage.channel()
    channel.streams[0].bitrate = 8_000_000
    with (
        stage.proxy.viewer(channel.name) as healthy,
        stage.proxy.viewer(channel.name, receive_buffer=4096) as stopped,
    ):
        stopped.wait_for_bytes(10_000)
        stopped.pause()
        healthy.wait_for_bytes(4 * MEGABYTE, 60)
        resumed = time.monotonic()
        stopped.resume()
        stopped.wait(lambda: newest_packet_sent(stopped) > resumed, 60)
        (run,) = stopped.runs()  # aligned, or it would not read
        assert run.lost > 0
        assert run.disordered == 0
        assert not stopped.ended
        assert_whole(healthy)
        assert healthy.longest_silence() < 2
    assert channel.requests == 1


def newest_packet_sent(viewer: Viewer) -> float:
    end = len(viewer.body) // PACKET * PACKET
    return max(mark.sent for mark in marks(bytes(viewer.body[max(0, end - 9 * PACKET) : end])))


def test_a_vanished_viewer_costs_the_others_nothing(stage: Stage) -> None:
    channel = stage.channel()
    with stage.proxy.viewer(channel.name) as healthy:
        for _ in range(10):
            ghosts = [stage.proxy.viewer(channel.name) for _ in range(3)]
            ghosts[0].vanish()  # before its first byte, maybe
            ghosts[1].wait_for_bytes(1_000).vanish()
            ghosts[2].wait_for_bytes(1_000).leave()
        eventually(lambda: clients(stage.proxy, channel) == 1)
        healthy.wait_for_bytes(20_000)
        assert len(healthy.runs()) == 1
        assert_whole(healthy)
        assert healthy.longest_silence() < 2
    assert channel.requests == 1


def test_viewers_that_go_while_the_upstream_is_silent_are_noticed(stage: Stage) -> None:
    channel = stage.channel()
    with stage.proxy.viewer(channel.name) as healthy:
        ghosts = [stage.proxy.viewer(channel.name).wait_for_bytes(5_000) for _ in range(4)]
        channel.streams[0].break_now(Bad.SILENCE)
        for way, ghost in zip((Viewer.leave, Viewer.vanish) * 2, ghosts, strict=True):
            way(ghost)
        eventually(lambda: clients(stage.proxy, channel) == 1)
        assert channel.requests == 1, "noticed only after the stall had ended"
        healthy.wait_for_source("two")
        assert_whole(healthy)
    eventually(lambda: clients(stage.proxy, channel) == 0)


# --- memory ---


def test_the_buffers_of_all_channels_stay_within_their_budget(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    streams = [one.add_channel(f"Channel {n}") for n in range(6)]
    for stream in streams:
        stream.burst = 32.0  # seconds: 6 MB
    proxy = start_proxy((one, 0), MAX_BUFFER_SIZE="4MB", BUFFER_SIZE_PER_STREAM="3MB")
    viewers = []
    for stream in streams:
        viewers.append(proxy.viewer(stream.name, keep=False))
        one.wait(lambda stream=stream: stream.bytes_sent > 6_000_000)  # type: ignore[misc]
        viewers[-1].wait_for_bytes(MEGABYTE)
        if len(viewers) == 1:
            before = proxy.memory()
    grown = proxy.memory() - before
    assert grown < 14 * MEGABYTE, f"{grown / MEGABYTE:.1f} MB more"
    leave_all(viewers)


# --- at the end, for it takes 30 s ---


def test_a_viewer_who_takes_nothing_any_more_is_given_up(stage: Stage) -> None:
    """A machine that lost its power says no goodbye."""
    channel = Channel(SLEEPERS_CHANNEL, ())
    eventually(lambda: clients(stage.proxy, channel) == upstreams(stage.proxy, channel) == 0, 60)
    assert "a viewer is gone" in stage.proxy.log
    assert "Traceback" not in stage.proxy.log
    eventually(lambda: stage.one.connections == stage.two.connections == 0)
