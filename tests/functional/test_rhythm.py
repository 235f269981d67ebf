"""A source's own rhythm says what silence is; a stall costs one opening of the next source."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.functional.harness import Proxy, Viewer, eventually
from tests.hls_origin import HlsOrigin
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]
PERIOD = 2.6  # seconds: more than STALL_TIMEOUT, and than it takes until a silence is suspected
SECOND = 1_500_000 // 8  # bytes of a second of a provider's media


def _patience(proxy: Proxy) -> list[float]:
    """Of each candidate of the only channel that plays, as the API tells."""
    (hub,) = json.loads(proxy.get("/api/status").text)["hubs"]
    return [candidate["patience"] for candidate in hub["candidates"]]


def _failures(proxy: Proxy) -> float:
    return proxy.metrics().value("iptv_proxy_stream_errors")


def _watch(viewer: Viewer, seconds: float) -> Viewer:
    return viewer.wait_for_bytes(int(seconds * SECOND), timeout=seconds + 30)


def test_a_source_that_sends_some_seconds_at_once_plays_over_one_connection(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    news = one.add_channel("news")
    news.period = PERIOD
    proxy = start_proxy((one, 1), STALL_TIMEOUT="1s", MAX_FAILURES_BEFORE_BLOCK="2")
    with proxy.viewer("news") as viewer:
        _watch(viewer, 3.5 * PERIOD)
        (run,) = viewer.runs()
        assert (run.lost, run.disordered) == (0, 0)
        (patience,) = _patience(proxy)
        assert PERIOD < patience <= 15.0
    assert len(news.requests) == 1
    assert _failures(proxy) == 0


def test_an_ordinary_pause_opens_no_other_source_and_a_longer_one_opens_it_once(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    bursty, steady = one.add_channel("news"), two.add_channel("news")
    bursty.period = PERIOD
    proxy = start_proxy((one, 1), (two, 1))
    with proxy.viewer("news") as viewer:
        _watch(viewer, 3.5 * PERIOD)
        assert not steady.requests
        bursty.break_now(Bad.SILENCE)
        viewer.wait_for_source("two", timeout=30)
        _watch(viewer, 1)
        assert len(bursty.requests) == len(steady.requests) == 1
        assert [(run.provider, run.lost) for run in viewer.runs()] == [("one", 0), ("two", 0)]
        one.wait(lambda: one.connections == 0)
    assert one.max_connections_seen == two.max_connections_seen == 1


def test_stalls_in_a_row_each_open_the_other_source_once(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    """Of providers that allow one connection; each counts."""
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    streams = one.add_channel("news"), two.add_channel("news")
    proxy = start_proxy((one, 1), (two, 1), MAX_FAILURES_BEFORE_BLOCK="1000")
    with proxy.viewer("news") as viewer:
        for stall in range(3):
            _watch(viewer, 0.5)
            playing, other = streams if stall % 2 == 0 else streams[::-1]
            assert playing.break_now(Bad.SILENCE) == 1
            viewer.wait_for_source(other.provider.name, timeout=30)
            opened = len(streams[0].requests), len(streams[1].requests)
            assert opened == (1 + (stall + 1) // 2, (stall + 2) // 2)
            playing.provider.wait(lambda p=playing: p.provider.connections == 0)  # type: ignore[misc]
        assert len(viewer.runs()) == 4
    assert one.max_connections_seen == two.max_connections_seen == 1
    assert one.turned_away == two.turned_away == 0


def test_an_origin_that_lists_its_segments_five_at_once_plays_without_a_failure(
    tmp_path: Path, start_proxy: StartProxy
) -> None:
    with HlsOrigin(packets=240, batch=5, window=5) as origin:
        (tmp_path / "list.m3u").write_text(f"#EXTM3U\n#EXTINF:-1,news\n{origin.url}\n")
        proxy = start_proxy(f"{tmp_path / 'list.m3u'}|1", STALL_TIMEOUT="1s")
        with proxy.viewer("news") as viewer:
            eventually(lambda: viewer.received >= 240 * 188 * 11, timeout=40)
            (run,) = viewer.runs()
            assert (run.lost, run.disordered) == (0, 0)
            (patience,) = _patience(proxy)
            assert 5.0 < patience <= 15.0
        assert len(origin.requests("^/channel")) == 1
        assert _failures(proxy) == 0
