"""Two instances that share the limits of sources: zapping, crashes, and a server that is away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.functional.harness import Proxy, eventually
from tests.instances.valkey import Valkey
from tests.provider import Provider, Stream

pytestmark = pytest.mark.requires("redis-server")

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

LEASE = "3"  # seconds: an instance gives up 2.4 s after it last heard from the server
PASSWORD = "open-sesame"  # of the server


@dataclass
class Stage:
    """Two instances on a source with one connection and one without a limit."""

    valkey: Valkey
    one: Provider
    free: Provider
    open: Stream  # of the latter
    a: Proxy
    b: Proxy


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with TemporaryDirectory(prefix="kptv-") as folder:
        server = Valkey(Path(folder), "--requirepass", PASSWORD)
        server.url = server.url.replace("unix://", f"unix://:{PASSWORD}@")
        yield server
        server.kill()


@pytest.fixture
def stage(valkey: Valkey, start_provider: StartProvider, start_proxy: StartProxy) -> Stage:
    one, free = start_provider("one", limit=1, bitrate=800_000), start_provider("free")
    for channel in "News", "Sport":
        one.add_channel(channel)
    channel = free.add_channel("Open")
    a, b = (
        start_proxy(
            (one, 1),
            (free, 0),
            wait=False,
            LEASES_URL=valkey.url,
            KPTV_TEST_LEASE=LEASE,
            STREAM_LINGER="60s",
            RETRY_DELAY="50ms",
        )
        for _ in range(2)
    )
    eventually(lambda: "anew" in told(a), 20.0, "it does not wait for others to tell")
    a.wait_until_ready()
    b.wait_until_ready()
    return Stage(valkey, one, free, channel, a, b)


def told(proxy: Proxy) -> str:
    """What it says of its being ready; nothing while it starts."""
    try:
        return proxy.get("/readyz").text
    except OSError:
        return ""


def test_zapping_from_one_instance_to_the_other_with_one_connection(stage: Stage) -> None:
    stage.a.viewer("news").wait_for_bytes(2_000).leave()
    with stage.b.viewer("sport") as viewer:
        viewer.wait_for_bytes(2_000)
        assert viewer.first_byte_at - viewer.asked_at < 5, "it waited for the linger to end"
    stage.a.viewer("sport").wait_for_bytes(2_000).leave()
    assert stage.one.max_connections_seen == 1
    assert stage.b.metrics().value("iptv_proxy_stream_errors", channel="Sport") == 0
    assert PASSWORD not in stage.a.log + stage.b.log


def test_what_an_account_asks_of_one_the_other_keeps_to_and_says_why(stage: Stage) -> None:
    stage.open.fail_with(429, times=1, retry_after=4)

    def resting() -> list[tuple[str, str]]:
        found = json.loads(stage.b.get("/api/status").text)["resting"]
        return [(each["what"], each["detail"]) for each in found]

    with stage.a.viewer("open") as first:
        eventually(lambda: resting() == [("account", "HTTP 429 to another instance")], 3.0)
        with stage.b.viewer("open") as second:
            first.wait_for_bytes(2_000)
            second.wait_for_bytes(2_000)
            assert not resting(), "whoever was let in has told it"
    refused, *later = stage.open.requests
    assert len(later) == 2
    assert later[0].at - refused.at >= 3.95
    assert "leaving the source alone" in stage.b.log


def test_each_lists_both_and_says_which_is_silent(stage: Stage) -> None:
    def listed() -> list[dict[str, Any]]:
        found = json.loads(stage.b.get("/api/instances").text)["instances"]
        return sorted(found, key=lambda each: bool(each["is_this"]))

    def plays() -> bool:
        found = listed()
        return len(found) == 2 and [c["id"] for c in found[0]["playing"]] == ["news"]

    with stage.a.viewer("news") as viewer:
        viewer.wait_for_bytes(2_000)
        eventually(plays, 5.0, "the other is not listed with what it plays")
        assert not listed()[0]["stale"]
        assert listed()[0]["address"].endswith(f":{stage.a.port}")
        # BASE_URL is not set, so links lead to the port of whoever is asked.
        assert [each["same_list"] for each in listed()] == [False, True]
    stage.a.kill()
    eventually(lambda: listed()[0]["stale"], 15.0, "it is not said to be silent")
    assert not listed()[1]["stale"]


def test_an_instance_that_crashed_has_its_connection_again_when_it_is_back(stage: Stage) -> None:
    with stage.a.viewer("news") as viewer:
        viewer.wait_for_bytes(2_000)
        stage.a.kill()
    stage.a.start()
    with stage.a.viewer("news") as again:
        again.wait_for_bytes(2_000)
    assert stage.one.max_connections_seen == 1


def test_what_plays_goes_on_while_the_server_is_away_for_a_moment(stage: Stage) -> None:
    with stage.a.viewer("news") as viewer, stage.b.viewer("open") as other:
        viewer.wait_for_bytes(2_000)
        stage.valkey.freeze()
        eventually(lambda: stage.a.get("/readyz").status == 503, 5.0, "it is ready")
        assert "Valkey (LEASES_URL) does not answer in time" in stage.a.get("/readyz").text
        assert stage.a.get("/healthz").status == 200
        assert stage.a.metrics().value("iptv_proxy_leases_server_up") == 0
        stage.valkey.thaw()
        stage.a.wait_until_ready()
        viewer.wait_for_bytes(2_000)
        other.wait_for_bytes(2_000)
        assert not viewer.ended
    assert stage.a.metrics().value("iptv_proxy_leases_lost_total") == 0


def test_behind_the_deadline_it_hangs_up_by_itself_and_comes_back_by_itself(stage: Stage) -> None:
    with stage.a.viewer("news") as viewer:
        viewer.wait_for_bytes(2_000)
        stage.valkey.kill()
        eventually(lambda: stage.one.connections == 0, 10.0, "it did not hang up")
        with stage.a.viewer("open") as other:
            other.wait_for_bytes(2_000)
        with stage.b.viewer("sport") as refused:
            assert refused.wait_for_status() == 503
            refused.wait_for_end()
            assert "Valkey (LEASES_URL) cannot be reached" in refused.text
        assert not viewer.ended, "the slate is shown meanwhile"
        stage.valkey.start()
        viewer.wait_for_source("one", 20.0)
    assert stage.one.max_connections_seen == 1
    assert stage.a.metrics().value("iptv_proxy_leases_lost_total") == 1


def test_a_wrong_address_is_told_and_never_means_alone(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    provider = start_provider("one", limit=1)
    provider.add_channel("News")
    url = f"redis://:{PASSWORD}@127.0.0.1:1/0"
    proxy = start_proxy((provider, 1), wait=False, LEASES_URL=url)
    eventually(lambda: "cannot be reached" in told(proxy), 20.0, "it is ready")
    with proxy.viewer("news") as viewer:
        assert viewer.wait_for_status() == 503
        viewer.wait_for_end()
        assert "Valkey (LEASES_URL) cannot be reached" in viewer.text
    assert provider.max_connections_seen == 0
    assert PASSWORD not in proxy.log + viewer.text
