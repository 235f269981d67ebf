"""A channel that nothing can start: 503 and why, in time; rounds of retries; blocked streams."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.failing import assert_nothing_leaked, note
from tests.functional.harness import Proxy, Viewer
from tests.provider import Bad, Provider, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

# The viewers of these wait beside the other tests.
SLOW = {"hangs": Bad.HANG, "silent": Bad.HANG_AFTER_HEADERS, "drips": Bad.DRIP_HEADERS}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    two: Provider
    first: dict[str, Stream]  # the first provider's, by channel
    second: dict[str, Stream]
    proxy: Proxy
    waiting: dict[str, Viewer]  # of the slow ones, begun at the start


def assert_unavailable(viewer: Viewer, within: float = 30.0) -> None:
    """503, Retry-After, one line of text, and nothing else was said before."""
    assert viewer.wait_for_status(within) == 503
    viewer.wait_for_end()
    assert viewer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert int(viewer.headers["Retry-After"]) >= 1
    assert viewer.text.endswith("\n")
    assert len(viewer.text.splitlines()) == 1


def ask(proxy: Proxy, name: str) -> Viewer:
    """A viewer of a channel that cannot play, told so."""
    with proxy.viewer(name) as viewer:
        assert_unavailable(viewer)
    return viewer


def gaps(stream: Stream) -> list[float]:
    """Seconds from each request to the next."""
    return [b.at - a.at for a, b in itertools.pairwise(stream.requests)]


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    """Sources that fail on each channel; STREAM_TIMEOUT is the default, 10 s."""
    one, two = share_provider("one"), share_provider("two")
    first = {name: one.add_channel(name) for name in (*SLOW, "third", "absent", "late", "blocked")}
    second = {name: two.add_channel(name) for name in (*SLOW, "third", "absent")}
    for name in first:
        first[name].fail_with(SLOW.get(name, 404))
    for name in second:
        second[name].fail_with(SLOW.get(name, Bad.HTML))
    first["third"].fail_with(Bad.HANG)
    second["third"].fail_with(Bad.HANG)
    three = share_provider("three")
    three.add_channel("third")
    proxy = share_proxy(
        (one, 0),
        (two, 0),
        (three, 0),
        STREAM_LINGER="0",
        RETRY_DELAY="200ms",
        MAX_RETRIES="2",
        MAX_FAILURES_BEFORE_BLOCK="7",
        DEBUG="true",
    )
    waiting = {name: proxy.viewer(name) for name in (*SLOW, "third")}
    yield Stage(one, two, first, second, proxy, waiting)
    for viewer in waiting.values():
        viewer.leave()
    proxy.wait_idle()
    assert_nothing_leaked(proxy, one, two, three)


def test_every_candidate_is_tried_once_then_max_retries_rounds(stage: Stage) -> None:
    ask(stage.proxy, "absent")
    first, second = stage.first["absent"], stage.second["absent"]
    assert [len(first.requests), len(second.requests)] == [3, 3]
    assert first.requests[0].at < second.requests[0].at
    # One round may overlap the next: each delay has a jitter of its own.
    assert second.requests[0].at < first.requests[1].at


def test_rounds_are_retry_delay_apart_and_the_delay_doubles(stage: Stage) -> None:
    stream = stage.first["late"]
    ask(stage.proxy, "late")
    once, twice = gaps(stream)
    assert once >= 0.8 * 0.2 - 0.02  # jitter is a fifth
    assert twice >= 0.8 * 0.4 - 0.02


def test_a_retry_that_works_starts_the_stream(stage: Stage) -> None:
    stream = stage.first["late"]
    stream.fail_with(404, times=1)
    with stage.proxy.viewer("late") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(20_000)
        assert viewer.status == 200
    stage.one.wait(lambda: stream.connections == 0)


def test_a_blocked_stream_is_left_alone_in_its_cool_down(stage: Stage) -> None:
    stream = stage.first["blocked"]
    while len(stream.requests) < 7:
        ask(stage.proxy, "blocked")
    assert len(stream.requests) == 7
    stream.recover()
    for _ in range(3):
        viewer = ask(stage.proxy, "blocked")
        assert 30 < int(viewer.headers["Retry-After"]) <= 60
    assert len(stream.requests) == 7


def test_a_blocked_stream_does_not_hold_up_the_other_candidate(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one"), start_provider("two")
    first = one.add_channel("news")
    two.add_channel("news")
    first.fail_with(404)
    proxy = start_proxy((one, 0), (two, 0), STREAM_LINGER="0", MAX_FAILURES_BEFORE_BLOCK="2")
    for _ in range(4):
        with proxy.viewer("news") as viewer:
            viewer.wait_for_source("two")
        two.wait(lambda: two.connections == 0)
        proxy.wait_idle()
    assert len(first.requests) == 2


def test_an_import_gives_a_blocked_stream_one_more_chance(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    news = one.add_channel("news")
    news.fail_with(404)
    proxy = start_proxy(
        (one, 0),
        STREAM_LINGER="0",
        MAX_FAILURES_BEFORE_BLOCK="1",
        MAX_RETRIES="0",
        IMPORT_REFRESH_INTERVAL="2s",
    )
    ask(proxy, "news")
    seen = len(news.requests)
    imports = len(one.list.requests)
    news.recover()
    one.wait(lambda: len(one.list.requests) >= imports + 2)  # the first is over by the second
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
    assert len(news.requests) == seen + 1


def test_with_no_retries_each_candidate_is_asked_once_and_the_answer_is_quick(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one"), start_provider("two")
    streams = [provider.add_channel("news") for provider in (one, one, two)]
    for stream in streams:
        stream.fail_with(500)
    proxy = start_proxy((one, 1), (two, 1), MAX_RETRIES="0")
    with proxy.viewer("news") as viewer:
        assert_unavailable(viewer)
        note(f"no retries: told after {viewer.ended_at - viewer.asked_at:.3f} s")
    assert [len(stream.requests) for stream in streams] == [1, 1, 1]
    assert_nothing_leaked(proxy, one, two)


@pytest.mark.parametrize("name", SLOW)
def test_a_viewer_is_told_within_twenty_seconds_or_so(stage: Stage, name: str) -> None:
    viewer = stage.waiting[name]
    assert_unavailable(viewer)
    waited = viewer.ended_at - viewer.asked_at
    note(f"{name}: told after {waited:.3f} s")
    assert 15 < waited < 25
    assert len(viewer.arrivals) == 1


def test_two_candidates_that_hang_leave_time_for_a_third(stage: Stage) -> None:
    viewer = stage.waiting["third"].wait_for_source("three")
    assert viewer.status == 200
    note(f"third: first byte after {viewer.first_byte_at - viewer.asked_at:.3f} s")
