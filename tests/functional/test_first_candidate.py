"""Whatever the first candidate answers, the first byte comes from the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.functional.failing import RawServer, assert_nothing_leaked, note, warnings_of
from tests.functional.harness import Proxy
from tests.provider import Bad, How, Provider, Reply


@dataclass(frozen=True, slots=True)
class Case:
    """What the first candidate does, and what that is called in the metric."""

    name: str
    how: How
    kind: str
    after_packets: int = 0
    chunked: bool = False


CASES = (
    Case("unauthorised", 401, "http_error"),
    Case("forbidden", 403, "http_error"),
    Case("not found", 404, "http_error"),
    Case("gone", 410, "http_error"),
    Case("error 500", 500, "http_error"),
    Case("error 503", 503, "http_error"),
    Case("error 520", 520, "http_error"),
    Case("no content", Reply(204), "http_error"),
    Case("not modified", Reply(304), "http_error"),
    Case("no location", Reply(302, {}, b"moved"), "http_error"),
    Case("redirect loop", Bad.REDIRECT_LOOP, "http_error"),
    Case("redirect ftp", Reply(302, {"Location": "ftp://elsewhere/1.ts"}), "bad_url"),
    Case("redirect bad", Reply(302, {"Location": "http://[bad/"}), "bad_url"),
    Case("closed", Bad.NO_ANSWER, "reset"),
    Case("reset", Bad.RESET, "reset"),
    Case("reset soon", Bad.RESET, "reset", after_packets=3),
    Case("hang", Bad.HANG, "timeout"),
    Case("hang after headers", Bad.HANG_AFTER_HEADERS, "timeout"),
    Case("drip", Bad.DRIP_HEADERS, "timeout"),
    Case("html", Bad.HTML, "not_media"),
    Case("html 404", Reply(404, {}, b"<html>"), "http_error"),
    Case("playlist", Reply(200, {}, b"#EXTM3U\n#EXT-X-VERSION:3\n"), "not_media"),
    Case("json", Reply(200, {}, b'{"user_info":{"auth":0}}'), "not_media"),
    Case("garbage", Bad.GARBAGE, "not_media"),
    Case("empty", Bad.EMPTY, "empty"),
    Case("empty chunked", Bad.END, "empty", chunked=True),
    Case("short", Bad.SHORT_BODY, "empty"),
    Case("short chunked", Bad.SHORT_BODY, "empty", chunked=True),
    Case("silent soon", Bad.SILENCE, "timeout", after_packets=3),
    Case("ends soon", Bad.END, "empty", after_packets=3),
)
# What no HTTP server would send, and what that is called.
RAW = {
    "raw not http": (b"\x00\x01\x02 what?\r\n\r\n", {"http_error"}),
    "raw nothing": (b"\r\n\r\n", {"http_error", "reset"}),
    "raw bad status": (b"HTTP/1.1 abc\r\n\r\n", {"http_error"}),
    "raw huge header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, {"http_error"}),
    "raw many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", {"http_error"}),
    "raw bad chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        {"empty", "http_error", "not_media", "reset"},
    ),
    "raw bad gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + b"no gzip" * 1000,
        {"not_media"},
    ),
    "raw bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", {"empty", "http_error"}),
    "raw shoutcast": (b"ICY 200 OK\r\n\r\n" + b"x" * 100, {"http_error", "not_media"}),
    "raw bad location": (b"HTTP/1.1 302 X\r\nLocation: \xff\xfe\x00\r\n\r\n", set()),
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    two: Provider
    proxy: Proxy

    def watch(self, name: str) -> None:
        """A viewer comes, sees the second source and goes; nothing is left open."""
        with self.proxy.viewer(name) as viewer:
            viewer.wait_for_source("two").wait_for_bytes(20_000)
            assert viewer.status == 200
            assert viewer.sources() == ["two"]
            note(f"{name}: first byte after {viewer.first_byte_at - viewer.asked_at:.3f} s")
            self.one.wait(lambda: self.one.sockets == 0)
        self.two.wait(lambda: self.two.sockets == 0)

    def errors(self, name: str) -> dict[str, float]:
        """kind -> how many were counted of this channel."""
        return {
            sample.labels["kind"]: sample.value
            for sample in self.proxy.metrics().samples
            if sample.name == "iptv_proxy_stream_errors" and sample.labels["channel"] == name
        }


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    one, two = share_provider("one"), share_provider("two")
    with ExitStack() as stack:
        for case in CASES:
            stream = one.add_channel(case.name)
            stream.chunked = case.chunked
            stream.fail_with(case.how, after_packets=case.after_packets)
        for name, (answer, _) in RAW.items():
            one.add_channel(name, url=stack.enter_context(RawServer(answer)).url("/1.ts"))
        one.add_channel("refused", url=one.refused_url("/1.ts"))
        for name in (*(case.name for case in CASES), *RAW, "refused"):
            two.add_channel(name)
        proxy = share_proxy(
            (one, 0),
            (two, 0),
            STREAM_TIMEOUT="1s",
            STREAM_LINGER="0",
            DEBUG="true",
        )
        yield Stage(one, two, proxy)
        assert_nothing_leaked(proxy, one, two)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_byte_comes_from_the_second_candidate(stage: Stage, case: Case) -> None:
    stage.watch(case.name)
    assert stage.errors(case.name) == {case.kind: 1}
    assert len(warnings_of(stage.proxy, case.name.replace(" ", "-"), 1)) == 1


def test_a_refused_connection_costs_nothing_but_a_line(stage: Stage) -> None:
    stage.watch("refused")
    assert stage.errors("refused") == {"refused": 1}
    assert len(warnings_of(stage.proxy, "refused", 1)) == 1


@pytest.mark.parametrize("name", RAW)
def test_an_answer_that_is_not_http_is_a_failure_like_others(stage: Stage, name: str) -> None:
    stage.watch(name)
    ((kind, count),) = stage.errors(name).items()
    expected = RAW[name][1]
    assert count == 1
    assert kind in expected or not expected
    assert kind != "internal"
    assert len(warnings_of(stage.proxy, name.replace(" ", "-"), 1)) == 1
