"""Viewers of HLS while their instance is drained and started anew, with one allowed connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.formats.hls_rules import broken
from tests.functional.haproxy import Haproxy
from tests.functional.harness import Proxy
from tests.functional.hls_follower import Follower
from tests.functional.tapes import h264
from tests.instances.valkey import Valkey
from tests.provider import Provider

pytestmark = [pytest.mark.requires("redis-server"), pytest.mark.requires("ffmpeg")]

LEASE = "2"  # seconds
IN_HAND = 6.0  # seconds that players have: they are three segments behind
GONE = "6.2.2, gone"  # the rule that segments stay: the other instance has none of them
LIST = "/hls/news.m3u8"


@pytest.fixture
def single(start_provider: Callable[..., Provider], tmp_path: Path) -> Provider:
    """It allows one connection."""
    provider = start_provider("one", limit=1)
    h264().on_air(provider.add_channel("News"), tmp_path).burst = 3.0
    return provider


@pytest.fixture
def instances(
    single: Provider, start_proxy: Callable[..., Proxy], tmp_path: Path
) -> Iterator[list[Proxy]]:
    """Two, with one Valkey and one folder."""
    with TemporaryDirectory(prefix="kptv-") as folder:
        valkey = Valkey(Path(folder))
        proxies = [
            start_proxy(
                (single, 1),
                wait=False,
                LEASES_URL=valkey.url,
                INSTANCE=f"i{number}",
                DATA_DIR=str(tmp_path / "shared"),
                KPTV_TEST_LEASE=LEASE,
            )
            for number in (1, 2)
        ]
        for proxy in proxies:
            proxy.wait_until_ready()
        yield proxies
        valkey.kill()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Haproxy]:
    server = Haproxy(tmp_path)
    yield server
    server.stop()


def home_of(instances: list[Proxy]) -> Proxy:
    """Where somebody follows the channel, as they count."""

    def viewers(instance: Proxy) -> float:
        return instance.metrics().value("iptv_proxy_channel_hls_viewers", channel="News")

    return max(instances, key=viewers)


def wait_until_moved(follower: Follower) -> None:
    """Wait for a list of another instance: it has no segment of those before."""
    seen = len(follower.loads)

    def moved() -> bool:
        found = pairwise(follower.loads[seen - 1 :])
        return any(two.begins_anew(one) for one, two in found)

    follower.wait(moved)


@pytest.mark.requires("haproxy")
def test_a_viewer_of_hls_plays_over_a_drain_and_a_restart(
    single: Provider, instances: list[Proxy], router: Haproxy
) -> None:
    router.start([proxy.port for proxy in instances])
    with Follower(router, LIST) as follower:
        follower.wait(lambda: len(follower.segments) >= 3)
        home = home_of(instances)
        server = f"set server channels/i{instances.index(home) + 1}"
        router.command(f"{server} state drain")
        wait_until_moved(follower)
        home.stop()
        home.start()
        router.command(f"{server} health up; {server} state ready")
        wait_until_moved(follower)
    refused = {path.startswith(f"{LIST.removesuffix('.m3u8')}/") for _, path in follower.refusals}
    assert refused <= {True}, "only segments, that the other instance had"
    assert [rule for rule in broken(follower.served(late=IN_HAND)) if GONE not in rule] == []
    lists = [load.at for load in follower.loads]
    assert max(two - one for one, two in pairwise(lists)) < IN_HAND, "players run dry"
    assert single.max_connections_seen == 1
