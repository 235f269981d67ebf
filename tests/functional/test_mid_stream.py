"""Whatever ends a stream in its middle, its viewer's connection goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.failing import assert_nothing_leaked, note, warnings_of
from tests.functional.harness import Proxy, Viewer
from tests.provider import Bad, Provider, Stream

CASES = {
    "end": (Bad.END, False, "ended"),
    "last chunk": (Bad.END, True, "ended"),
    "reset": (Bad.RESET, False, "reset"),
    "reset chunked": (Bad.RESET, True, "reset"),
    "short": (Bad.SHORT_BODY, False, "ended"),
    "short chunked": (Bad.SHORT_BODY, True, "ended"),
    "html": (Bad.HTML, False, "ended"),
    "silence": (Bad.SILENCE, False, "stalled"),
    "silence chunked": (Bad.SILENCE, True, "stalled"),
    "garbage": (Bad.GARBAGE, False, "not_media"),
    "garbage chunked": (Bad.GARBAGE, True, "not_media"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    two: Provider
    streams: dict[str, Stream]  # of the first provider
    proxy: Proxy


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    one, two = share_provider("one", bitrate=4e6), share_provider("two", bitrate=4e6)
    streams = {name: one.add_channel(name) for name in (*CASES, "killed", "alone", "mute")}
    for name, (_, chunked, _) in CASES.items():
        two.add_channel(name)
        streams[name].chunked = chunked
        if name == "short":
            streams[name].content_length = 1 << 40
    two.add_channel("killed")
    proxy = share_proxy(
        (one, 0),
        (two, 0),
        STALL_TIMEOUT="1s",
        STREAM_TIMEOUT="2s",
        STREAM_LINGER="0",
        RETRY_DELAY="200ms",
        MAX_FAILURES_BEFORE_BLOCK="1000",
        DEBUG="true",
    )
    yield Stage(one, two, streams, proxy)
    assert_nothing_leaked(proxy, one, two)


def silence_after(viewer: Viewer, broken_at: float) -> float:
    return viewer.longest_silence(since=broken_at - 0.1)


@pytest.mark.parametrize("name", CASES)
def test_the_viewer_goes_on_with_the_second_source(stage: Stage, name: str) -> None:
    how, _, kind = CASES[name]
    stream = stage.streams[name]
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        stream.fail_with(404)
        broken_at = time.monotonic()
        assert stream.break_now(how) == 1
        viewer.wait_for_source("two").wait_for_bytes(50_000)
        note(f"{name}: {silence_after(viewer, broken_at):.3f} s without media")
        first, second = viewer.runs()  # asserts whole packets, each with its sync byte
        assert (first.provider, first.lost, first.disordered) == ("one", 0, 0)
        assert (second.provider, second.lost, second.disordered) == ("two", 0, 0)
        assert not viewer.ended
        stage.one.wait(lambda: stage.one.connections == 0)
        scrape = stage.proxy.metrics()
        assert scrape.value("iptv_proxy_stream_errors", channel=name) == 1
        assert scrape.value("iptv_proxy_stream_errors", channel=name, kind=kind) == 1
        assert scrape.value("iptv_proxy_active_connections", channel=name) == 1
    assert len(warnings_of(stage.proxy, name.replace(" ", "-"), 1)) == 1
    stage.two.wait(lambda: stage.two.connections == 0)


def test_a_stream_that_breaks_and_works_again_goes_on(stage: Stage) -> None:
    alone = stage.streams["alone"]
    with stage.proxy.viewer("alone") as viewer:
        for how in (Bad.END, Bad.RESET, Bad.SILENCE, Bad.GARBAGE):
            viewer.wait_for_bytes(50_000)
            seen = len(alone.requests)
            assert alone.break_now(how) == 1
            stage.one.wait(lambda seen=seen: len(alone.requests) > seen)
        viewer.wait_for_bytes(50_000)
        assert [run.provider for run in viewer.runs()] == ["one"] * 5
        assert all(run.lost == run.disordered == 0 for run in viewer.runs())
        assert stage.one.connections == 1


def test_a_viewer_is_held_while_the_only_stream_is_refused(stage: Stage) -> None:
    alone = stage.streams["alone"]
    with stage.proxy.viewer("alone") as viewer:
        viewer.wait_for_bytes(50_000)
        alone.fail_with(404)
        alone.break_now(Bad.END)
        seen = len(alone.requests)
        stage.one.wait(lambda: len(alone.requests) >= seen + 3)
        assert not viewer.ended
        before = viewer.received
        alone.recover()
        viewer.wait(lambda: viewer.received > before + 50_000)
        assert viewer.sources() == ["one"]


def test_a_viewer_outlives_its_providers_death_and_return(stage: Stage) -> None:
    with stage.proxy.viewer("mute") as viewer:
        viewer.wait_for_bytes(50_000)
        stage.one.kill()
        errors = 'iptv_proxy_stream_errors{channel="mute",kind="refused"}'
        viewer.wait(lambda: errors in stage.proxy.metrics().text)
        assert not viewer.ended
        before = viewer.received
        stage.one.revive()
        viewer.wait(lambda: viewer.received > before + 50_000)
        assert len(viewer.runs()) == 2
    stage.one.wait(lambda: stage.one.connections == 0)


def test_a_provider_that_dies_is_replaced_by_the_other(stage: Stage) -> None:
    with stage.proxy.viewer("killed") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        died_at = time.monotonic()
        stage.one.kill()
        viewer.wait_for_source("two").wait_for_bytes(50_000)
        note(f"killed: {silence_after(viewer, died_at):.3f} s without media")
        assert viewer.sources() == ["one", "two"]
        stage.one.revive()
        stage.two.kill()
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        stage.two.revive()
        assert not viewer.ended


def test_the_connection_ends_when_nothing_has_worked_for_stream_give_up(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one")
    news = one.add_channel("news")
    proxy = start_proxy(
        (one, 0), STREAM_GIVE_UP="2s", RETRY_DELAY="300ms", MAX_FAILURES_BEFORE_BLOCK="1000"
    )
    with proxy.viewer("news") as viewer, proxy.viewer("news") as other:
        viewer.wait_for_bytes(50_000)
        other.wait_for_bytes(50_000)
        one.kill()
        broken_at = time.monotonic()
        viewer.wait_for_end()
        other.wait_for_end()
        assert viewer.ended_at - broken_at >= 1.9
        note(f"given up after {viewer.ended_at - broken_at:.3f} s")
    proxy.wait_idle()
    one.revive()
    with proxy.viewer("news") as viewer:
        viewer.wait_for_bytes(50_000)
    assert len(news.requests) >= 2
    assert_nothing_leaked(proxy, one)
