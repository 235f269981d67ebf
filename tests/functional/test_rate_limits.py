"""A source that has enough connections: left alone as long as it asks, and no stream is blamed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest

from tests.functional.failing import assert_nothing_leaked, warnings_of
from tests.functional.harness import Proxy, eventually
from tests.provider import Bad, Provider, Reply, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

ASKED, BY_ITSELF = 3.0, 5.0  # seconds a source is left alone: as Retry-After says, or without one
CASES: dict[str, tuple[Reply, float]] = {
    "429": (Reply(429), BY_ITSELF),
    "456": (Reply(456), BY_ITSELF),
    "458": (Reply(458, {"Retry-After": "soon"}), BY_ITSELF),
    "509": (Reply(509), BY_ITSELF),
    "429 asks": (Reply(429, {"Retry-After": "3"}), ASKED),
    "date asks": (Reply(509, {"Retry-After": "a date"}), ASKED),
    # These two answer so while another connection to them is open.
    "403 beside": (Reply(403), BY_ITSELF),
    "503 beside": (Reply(503), BY_ITSELF),
}
BESIDE = ("403 beside", "503 beside")


@dataclass(slots=True)
class Busy:
    """A provider of three channels: one it refuses, one that works, one that may be playing."""

    provider: Provider
    number: int  # as a source
    refused: Stream
    works: Stream
    plays: Stream
    refused_at: float = 0.0


@dataclass(slots=True)
class Stage:
    busy: dict[str, Busy] = field(default_factory=dict)
    spare: Provider = None  # type: ignore[assignment]
    proxy: Proxy = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    """All are refused at the start, at the same time; each test waits for what is left."""
    stage = Stage(spare=share_provider("spare"))
    for number, name in enumerate(CASES, start=1):
        provider = share_provider(name.replace(" ", "-"))
        channels = [provider.add_channel(f"{what} {name}") for what in ("refused", "works", "on")]
        stage.busy[name] = Busy(provider, number, *channels)
        stage.spare.add_channel(f"refused {name}")
        stage.spare.add_channel(f"works {name}")
    proxy = stage.proxy = share_proxy(
        *((busy.provider, 0) for busy in stage.busy.values()),
        (stage.spare, 0),
        STREAM_LINGER="0",
        MAX_FAILURES_BEFORE_BLOCK="1",  # whoever is blamed is blocked for a minute
        DEBUG="true",
    )
    playing = [proxy.viewer(stage.busy[name].plays.name) for name in BESIDE]
    for viewer in playing:
        viewer.wait_for_bytes(20_000)
    for name, busy in stage.busy.items():
        refuse(proxy, name, busy)
    yield stage
    for viewer in playing:
        assert not viewer.ended
        (run,) = viewer.runs()
        assert run.lost == 0
        viewer.leave()
    assert_nothing_leaked(proxy, stage.spare, *(busy.provider for busy in stage.busy.values()))


def refuse(proxy: Proxy, name: str, busy: Busy) -> None:
    """One viewer is turned away by the provider, and plays from the spare one."""
    answer = CASES[name][0]
    if answer.headers.get("Retry-After") == "a date":
        answer = Reply(answer.status, {"Retry-After": formatdate(time.time() + 4, usegmt=True)})
    busy.refused.fail_with(answer)
    with proxy.viewer(busy.refused.name) as viewer:
        viewer.wait_for_source("spare")
        assert viewer.sources() == ["spare"]
    busy.refused_at = busy.refused.requests[-1].at
    busy.refused.recover()


@pytest.mark.parametrize("name", CASES)
def test_it_is_left_alone_as_long_as_it_asks_and_then_used_again(stage: Stage, name: str) -> None:
    busy, asked = stage.busy[name], CASES[name][1]
    while not busy.works.requests:  # each viewer is played to, by the spare one until then
        with stage.proxy.viewer(busy.works.name) as viewer:
            viewer.wait_for_bytes(40_000)
        stage.spare.wait(lambda: stage.spare.connections == 0)
        assert time.monotonic() < busy.refused_at + 30
    assert busy.works.requests[0].at - busy.refused_at >= asked - 0.05
    assert len(busy.refused.requests) == 1


@pytest.mark.parametrize("name", CASES)
def test_no_stream_is_blamed(stage: Stage, name: str) -> None:
    busy = stage.busy[name]
    sources: list[str] = []

    def plays_from_it() -> bool:
        with stage.proxy.viewer(busy.refused.name) as viewer:
            viewer.wait_for_bytes(40_000)
            sources.extend(viewer.sources())
        stage.spare.wait(lambda: stage.spare.connections == 0)
        return sources[-1] == busy.provider.name

    eventually(plays_from_it, 15.0)
    slug = busy.refused.name.replace(" ", "-")
    (line,) = warnings_of(stage.proxy, slug, busy.number)
    assert "leaving the source alone" in line
    assert "blocked" not in line
    scrape = stage.proxy.metrics()
    assert scrape.value("iptv_proxy_stream_errors", channel=busy.refused.name) == 1


def test_a_single_source_that_asks_for_a_moment_is_waited_for(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    news = one.add_channel("news")
    news.fail_with(429, times=1, retry_after=2)
    proxy = start_proxy((one, 0))
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
        assert viewer.status == 200
        first, second = news.requests
        assert second.at - first.at >= 1.95


def test_a_viewer_is_held_while_the_only_source_asks_for_a_moment(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    news = one.add_channel("news")
    proxy = start_proxy((one, 0), RETRY_DELAY="100ms")
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(20_000)
        news.fail_with(429, times=1, retry_after=2)
        news.break_now(Bad.RESET)
        one.wait(lambda: len(news.requests) == 3)
        viewer.wait_for_bytes(20_000)
        assert news.requests[2].at - news.requests[1].at >= 1.95
        assert len(viewer.runs()) == 2
        assert not viewer.ended


def test_a_single_source_that_asks_for_long_is_a_503_that_says_so(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    news = one.add_channel("news")
    news.fail_with(429, retry_after=500)
    proxy = start_proxy((one, 0))
    for _ in range(2):
        with proxy.viewer("news") as viewer:
            assert viewer.wait_for_status() == 503
            assert 450 < int(viewer.headers["Retry-After"]) <= 500
    assert len(news.requests) == 1


def test_a_provider_that_allows_fewer_than_we_were_told_costs_nobody_the_picture(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two")
    one.add_channel("news")
    for provider in (one, two):
        provider.add_channel("sport")
    proxy = start_proxy((one, 2), (two, 0))
    with proxy.viewer("news") as news:
        news.wait_for_source("one")
        with proxy.viewer("sport") as sport:
            sport.wait_for_source("two")
            news.wait_for_bytes(50_000)
            assert one.turned_away == 1
            assert len(news.runs()) == 1
