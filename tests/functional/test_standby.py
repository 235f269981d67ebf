"""Warm standby: a second connection, counted by the provider, that is there when it is needed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.functional.harness import Proxy, eventually
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def slots(proxy: Proxy, number: int) -> tuple[float, float]:
    """Connections to a source: in use, standing by."""
    scrape, source = proxy.metrics(), f"source-{number}"
    return (
        scrape.value("iptv_proxy_source_slots_in_use", source=source),
        scrape.value("iptv_proxy_source_slots_standby", source=source),
    )


def ready(proxy: Proxy) -> int | None:
    """The number of the source that viewers can go on with at once."""
    hubs = json.loads(proxy.get("/api/status").text)["hubs"]
    standby = hubs[0]["standby"] if hubs else None
    return standby["source"] if standby and standby["ready"] else None


@pytest.mark.parametrize("how", [Bad.END, Bad.RESET, Bad.SILENCE])
def test_viewers_go_on_with_it_at_once_time_and_again(
    how: Bad, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    providers = [start_provider(name, limit=1, bitrate=800_000) for name in ("one", "two")]
    streams = [provider.add_channel("News") for provider in providers]
    proxy = start_proxy(*((provider, 1) for provider in providers), STREAM_LINGER="0", STANDBY="on")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")
        for playing, standby in ((1, 2), (2, 1), (1, 2)):
            eventually(lambda n=standby: ready(proxy) == n)  # type: ignore[misc]
            assert slots(proxy, playing) == (1, 0)
            assert slots(proxy, standby) == (0, 1)
            opened = len(streams[standby - 1].requests)
            broken_at = time.monotonic()
            streams[playing - 1].break_now(how)
            eventually(lambda n=standby: slots(proxy, n) == (1, 0))  # type: ignore[misc]
            assert len(streams[standby - 1].requests) == opened
            viewer.wait_for_bytes(20_000)
            assert viewer.longest_silence(since=broken_at) < (3.0 if how is Bad.SILENCE else 1.0)
        assert not viewer.ended
    assert [provider.max_connections_seen for provider in providers] == [1, 1]
    proxy.wait_idle()
    eventually(lambda: slots(proxy, 1) == slots(proxy, 2) == (0, 0))


def test_it_gives_its_connection_to_whoever_needs_one_and_comes_back(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = (start_provider(name, limit=1, bitrate=800_000) for name in ("one", "two"))
    for provider in (one, two):
        provider.add_channel("News")
    two.add_channel("Only there")
    proxy = start_proxy((one, 1), (two, 1), STREAM_LINGER="0", STANDBY="on")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")
        eventually(lambda: ready(proxy) == 2)
        with proxy.viewer("Only there") as other:
            other.wait_for_bytes(2_000)
            assert other.first_byte_at - other.asked_at < 5
            assert slots(proxy, 2) == (1, 0)
        eventually(lambda: ready(proxy) == 2)
        assert not viewer.ended
    assert (one.max_connections_seen, two.max_connections_seen) == (1, 1)
    assert proxy.metrics().value("iptv_proxy_stream_errors") == 0
