"""A source's limit is never exceeded, as the provider counts; a full source is not a failed one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.functional.harness import Proxy, Viewer
from tests.provider import Bad, Provider, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

SETTINGS = {"RETRY_DELAY": "50ms", "MAX_FAILURES_BEFORE_BLOCK": "1000000"}
CROWD = 50
ACCOUNTS = 6
PATIENCE = 60.0  # seconds; what waits 10 s for a slot waits longer on a busy machine


@dataclass(frozen=True)
class Stage:
    """A proxy with the default STREAM_LINGER; what a test leaves behind lingers at most."""

    proxy: Proxy
    single: Provider  # one connection
    left: Provider  # one connection, and no channel of right's
    right: Provider
    shared: Provider  # one connection, all channels of left and right
    three: Provider  # three connections
    room: Provider  # two connections, some channels of single
    full: Provider  # one connection, which somebody has
    holder: Viewer
    waiter: Viewer  # for it, from the start

    def errors(self, channel: str) -> float:
        return self.proxy.metrics().value("iptv_proxy_stream_errors", channel=channel)


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    single, left, right, shared = (
        share_provider(name, limit=1, bitrate=800_000)
        for name in ("single", "left", "right", "shared")
    )
    three = share_provider("three", limit=3, bitrate=800_000)
    room = share_provider("room", limit=2)
    for n in range(4):
        single.add_channel(f"Zap {n}")
    left.add_channel("News")
    right.add_channel("Sport")
    shared.add_channel("News")
    shared.add_channel("Sport")
    for n in range(CROWD):
        three.add_channel(f"Crowd {n}")
    for provider in (single, room):
        provider.add_channel("Both")
    full = share_provider("full", limit=1)
    for name in ("Held", "Not to be had"):
        full.add_channel(name)
    providers = (single, left, right, shared, three, room, full)
    proxy = share_proxy(*((p, p.limit) for p in providers), **SETTINGS)
    with proxy.viewer("Held") as holder:
        holder.wait_for_bytes(2_000)
        with proxy.viewer("Not to be had") as waiter:
            yield Stage(proxy, *providers, holder, waiter)


def stream_of(provider: Provider, channel: str) -> Stream:
    url = provider.list.entries[
        next(n for n, e in enumerate(provider.list.entries) if e.endswith(f",{channel}")) + 1
    ]
    return provider.stream(url.removeprefix(provider.url("")))


# --- zapping on an account with one connection ---


def test_zapping_gives_up_the_old_channel_for_the_new_one(stage: Stage) -> None:
    stage.proxy.viewer("Zap 0").wait_for_bytes(2_000).leave()
    with stage.proxy.viewer("Zap 1") as viewer:
        viewer.wait_for_bytes(2_000)
        assert viewer.first_byte_at - viewer.asked_at < 5, "it waited for the linger to end"
        assert viewer.wait_for_status() == 200
    assert stage.single.max_connections_seen == 1
    assert stage.errors("Zap 1") == 0


def test_zapping_may_ask_for_the_new_channel_before_it_leaves_the_old_one(stage: Stage) -> None:
    with stage.proxy.viewer("Zap 2") as old:
        old.wait_for_bytes(2_000)
        with stage.proxy.viewer("Zap 3") as new:
            old.wait_for_bytes(50_000)
            assert not new.status, "the running channel was taken from its viewer"
            left_at = time.monotonic()
            old.leave()
            new.wait_for_bytes(2_000)
            assert new.first_byte_at - left_at < 5
    assert stage.single.max_connections_seen == 1


def test_thirty_zaps_in_a_row_play_with_one_connection(stage: Stage) -> None:
    rng = random.Random(3)
    old = stage.proxy.viewer("Zap 0").wait_for_bytes(2_000)
    for n in range(1, 31):
        overlaps, way = rng.random() < 0.5, rng.choice((Viewer.leave, Viewer.vanish))
        if not overlaps:
            way(old)
        new = stage.proxy.viewer(f"Zap {n % 4}")
        if overlaps:
            way(old)
        old = new.wait_for_bytes(2_000)
    old.leave()
    assert stage.single.max_connections_seen == 1
    assert sum(stage.errors(f"Zap {n}") for n in range(4)) == 0


def test_asking_again_0_50_and_500_ms_after_the_last_viewer_left(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    providers = [start_provider(f"p{n}", limit=1, bitrate=800_000) for n in range(2 * ACCOUNTS)]
    for provider in providers:
        provider.add_channel(provider.name)
    half = [(provider, 1) for provider in providers[:ACCOUNTS]]
    rest = [(provider, 1) for provider in providers[ACCOUNTS:]]
    at_once = start_proxy(*half, STREAM_LINGER="0", **SETTINGS)
    lingering = start_proxy(*rest, **SETTINGS)

    def ask_again_and_again(proxy: Proxy, provider: Provider) -> None:
        for again in range(200 // ACCOUNTS + 1):
            with proxy.viewer(provider.name) as viewer:
                viewer.wait_for_bytes(2_000, PATIENCE)
            time.sleep((0, 0.05, 0.5)[again % 3])  # what is tested

    proxies = [at_once] * ACCOUNTS + [lingering] * ACCOUNTS
    with ThreadPoolExecutor(2 * ACCOUNTS) as pool:
        list(pool.map(ask_again_and_again, proxies, providers))
    assert [provider.max_connections_seen for provider in providers] == [1] * 2 * ACCOUNTS
    assert all(len(provider.history) > 20 for provider in providers[:ACCOUNTS])
    assert all(len(provider.history) == 1 for provider in providers[ACCOUNTS:])
    for proxy in (at_once, lingering):
        assert proxy.metrics().value("iptv_proxy_stream_errors") == 0


# --- failing over into a limited source ---


def test_two_channels_fail_over_into_one_limited_source_a_hundred_times(stage: Stage) -> None:
    rng = random.Random(4)
    news = stream_of(stage.left, "News"), stream_of(stage.shared, "News")
    sport = stream_of(stage.right, "Sport"), stream_of(stage.shared, "Sport")
    channels = (news, sport)
    with stage.proxy.viewer("News") as first, stage.proxy.viewer("Sport") as second:
        viewers = (first.wait_for_bytes(2_000), second.wait_for_bytes(2_000))
        for _ in range(100):
            asked = [requests_of(streams) for streams in channels]
            how = rng.choice((Bad.END, Bad.RESET, Bad.SHORT_BODY))
            playing = [s for streams in channels for s in streams if s.connections]
            assert [stream.break_now(how) for stream in playing] == [1, 1]
            for viewer, streams, before in zip(viewers, channels, asked, strict=True):
                viewer.wait(lambda s=streams, b=before: requests_of(s) > b)  # type: ignore[misc]
                viewer.wait_for_bytes(2_000)
        assert not first.ended
        assert not second.ended
        for viewer in viewers:
            assert all((run.lost, run.disordered) == (0, 0) for run in viewer.runs())
    assert all(len(streams[1].requests) > 10 for streams in channels)
    for provider in (stage.left, stage.right, stage.shared):
        assert provider.max_connections_seen == 1


def requests_of(streams: tuple[Stream, ...]) -> int:
    return sum(len(stream.requests) for stream in streams)


# --- many on few slots ---


def test_fifty_viewers_on_three_slots_never_hold_more(stage: Stage) -> None:
    def watch(n: int) -> int:
        with stage.proxy.viewer(f"Crowd {n}") as viewer:
            if viewer.wait_for_status(PATIENCE) == 200:
                viewer.wait_for_bytes(5_000)
            else:
                assert int(viewer.headers["Retry-After"]) >= 1
            return viewer.status

    with ThreadPoolExecutor(CROWD) as pool:
        statuses = list(pool.map(watch, range(CROWD)))
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > 10
    assert stage.three.max_connections_seen == 3
    assert sum(stage.errors(f"Crowd {n}") for n in range(CROWD)) == 0


def test_a_viewer_that_gives_up_waiting_takes_no_slot_along(stage: Stage) -> None:
    def give_up(n: int) -> None:
        rng = random.Random(n)
        viewer = stage.proxy.viewer(f"Crowd {n}")
        time.sleep(rng.uniform(0, 1))  # anywhere between the request and the first bytes
        rng.choice((Viewer.leave, Viewer.vanish))(viewer)

    with ThreadPoolExecutor(CROWD) as pool:
        list(pool.map(give_up, range(CROWD)))
    viewers = [stage.proxy.viewer(f"Crowd {n}") for n in range(3)]
    for viewer in viewers:
        viewer.wait_for_bytes(5_000)
    for viewer in viewers:
        viewer.leave()
    assert stage.three.max_connections_seen == 3


# --- a full source ---


def test_another_source_with_room_is_used_at_once_without_a_failure(stage: Stage) -> None:
    with stage.proxy.viewer("Zap 2") as holder:
        holder.wait_for_bytes(2_000)
        with stage.proxy.viewer("Both") as viewer:
            viewer.wait_for_bytes(5_000)
            assert viewer.first_byte_at - viewer.asked_at < 5
            assert viewer.sources() == ["room"]
    assert stage.errors("Both") == 0
    assert not stream_of(stage.single, "Both").requests


def test_a_full_source_is_waited_for_while_the_others_fail(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    full, broken = start_provider("full", limit=1), start_provider("broken", limit=1)
    full.add_channel("Sport")
    full.add_channel("News")
    broken.add_channel("News").fail_with(404)
    proxy = start_proxy((full, 1), (broken, 1), RETRY_DELAY="1s")
    with proxy.viewer("Sport") as holder, proxy.viewer("News") as waiter:
        holder.wait_for_bytes(2_000)
        broken.wait(lambda: len(stream_of(broken, "News").requests) >= 2)
        assert not waiter.status
        holder.leave()
        waiter.wait_for_source("full").wait_for_bytes(2_000)
    assert full.max_connections_seen == broken.max_connections_seen == 1
    assert proxy.metrics().value("iptv_proxy_stream_errors", channel="Sport") == 0


# --- films ---


def test_a_film_and_each_range_of_it_is_in_a_slot(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    data = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + random.Random(1).randbytes(40_000_000)
    film = one.add_file("/movie/user-one/sesame-one/1.mp4", data)
    one.list.entries.append(f"#EXTINF:-1,Film\n{film.url}")
    proxy = start_proxy((one, 1), STREAM_LINGER="0", **SETTINGS)
    for at in (0, 0, 30_000_000, 5_000_000, 20_000_000):  # a player that seeks
        viewer = proxy.viewer("Film", headers={"Range": f"bytes={at}-"}, receive_buffer=4096)
        viewer.wait_for_bytes(100_000)
        assert viewer.body[:100_000] == data[at : at + 100_000]
        viewer.vanish()
    viewer = proxy.viewer("Film", receive_buffer=4096).wait_for_bytes(2_000)
    viewer.pause()
    with proxy.viewer("News") as zapper:
        assert one.connections == 1
        assert not zapper.status
        viewer.vanish()
        zapper.wait_for_bytes(2_000)
    proxy.wait_idle()
    assert one.max_connections_seen == 1
    assert proxy.metrics().value("iptv_proxy_stream_errors") == 0


# --- at the end, for it takes 10 s ---


def test_a_full_source_is_waited_for_and_then_it_is_503_without_a_failure(stage: Stage) -> None:
    waiter = stage.waiter
    assert waiter.wait_for_status(PATIENCE) == 503
    waiter.wait_for_end()
    assert waiter.ended_at - waiter.asked_at > 9
    assert int(waiter.headers["Retry-After"]) >= 1
    assert waiter.text.count("\n") == 1
    assert not any(secret in waiter.text for secret in stage.full.secrets)
    with stage.proxy.viewer("Held") as joiner:  # what runs can be joined all the time
        joiner.wait_for_bytes(2_000)
    assert not stage.holder.ended
    assert stage.errors("Not to be had") == 0
    assert len(stage.full.history) == stage.full.max_connections_seen == 1
