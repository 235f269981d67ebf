"""Whatever a body is wrapped in, what is in it plays; and a slow or a mad one disturbs nobody."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.functional.failing import RawServer, assert_nothing_leaked, note
from tests.functional.harness import Proxy
from tests.numbered_ts import PACKET, NumberedStream
from tests.provider import Provider, Stream

BOTH_WAYS = True

# Attributes of the provider's stream.
FORMS: dict[str, dict[str, object]] = {
    "identity": {},
    "chunked": {"chunked": True},
    "length": {"content_length": 1 << 40},
    "as html": {"content_type": "text/html"},
    "as playlist": {"content_type": "application/vnd.apple.mpegurl"},
    "as binary": {"content_type": "application/octet-stream; charset=binary"},
    "as nothing": {"content_type": ""},
    "junk": {"junk": b"\r\n junk GGG \xff" * 150},
    "junk chunked": {"junk": b"G" + bytes(2000), "chunked": True},
    "gzip": {"content_encoding": "gzip", "compressed": True},
    "gzip chunked": {"content_encoding": "gzip", "compressed": True, "chunked": True},
    "says identity": {"content_encoding": "identity"},
    "says binary": {"content_encoding": "binary"},
    "burst": {"burst": 4.0},
}

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ODD_HEADS = {
    "line without a colon": b"HTTP/1.1 200 OK\r\nX; y\r\nTransfer-Encoding: chunked\r\n\r\n",
    "long head": b"HTTP/2.0 203 Fine\r\n%b: %b\r\nTransfer-Encoding : chunked\r\n\r\n"
    % (b"X-Padding: 0\r\n" * 120 + b"X", b"y" * 70_000),
}
FLOODS = {  # what has no end and is read in pieces, each too small to wait for
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": (_CHUNKED + b"0\r\n", b"X: y\r\n"),
    "chunks of a byte": (_CHUNKED, b"1\r\ng\r\n"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    streams: dict[str, Stream]
    proxy: Proxy


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    one = share_provider("one", bitrate=4e6)
    streams = {name: one.add_channel(name) for name in (*FORMS, "radio", "slow", "plain")}
    for name, attributes in FORMS.items():
        for attribute, value in attributes.items():
            assert hasattr(streams[name], attribute)
            setattr(streams[name], attribute, value)
    streams["radio"].bitrate = 64_000
    streams["slow"].delay_body = 2.5
    packets = NumberedStream("one", "mad", 1).packets(200, 0.0)
    noise = random.Random(7).randbytes(1_000_000).replace(b"G", b"g")
    whole = b"HTTP/1.1 200 OK\r\n\r\n" + packets
    with RawServer(whole, then=noise) as mad, ExitStack() as floods:
        one.add_channel("mad", url=mad.url("/mad.ts"))
        one.add_channel("mad")  # two entries of one name are both candidates, in this order
        for name, flood in FLOODS.items():
            server = floods.enter_context(RawServer(flood[0], then=flood[1] * 2000))
            one.add_channel(name, url=server.url("/flood.ts"))
            one.add_channel(name)
        chunks = b"".join(b"%x\r\n%b\r\n" % (PACKET, p) for p in _packets(packets))
        for name, odd in ODD_HEADS.items():
            server = floods.enter_context(RawServer(odd + chunks, hold=True))
            one.add_channel(name, url=server.url("/odd.ts"))
        proxy = share_proxy(
            (one, 0), STREAM_LINGER="0", STREAM_TIMEOUT="5s", STALL_TIMEOUT="1s", DEBUG="true"
        )
        yield Stage(one, streams, proxy)
        assert_nothing_leaked(proxy, one)


def _packets(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


@pytest.mark.parametrize("name", FORMS)
def test_the_bytes_decide_what_a_body_is(stage: Stage, name: str) -> None:
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_source("one").wait_for_bytes(100_000)
        assert viewer.status == 200
        assert viewer.headers["Content-Type"] == "video/mp2t"
        (run,) = viewer.runs()
        assert (run.first, run.lost, run.disordered) == (0, 0, 0)
    stage.one.wait(lambda: stage.one.sockets == 0)
    assert stage.proxy.metrics().value("iptv_proxy_stream_errors", channel=name) == 0


def test_the_api_tells_of_bytes_that_were_in_no_packet(stage: Stage) -> None:
    with stage.proxy.viewer("junk") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        (hub,) = json.loads(stage.proxy.get("/api/status").text)["hubs"]
        assert hub["media"]["bytes_dropped"] == len(FORMS["junk"]["junk"])
        assert hub["media"]["sync_losses"] == 0


@pytest.mark.parametrize("name", ODD_HEADS)
def test_no_line_of_a_head_gets_chunk_heads_into_the_picture(stage: Stage, name: str) -> None:
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_source("one").wait(lambda: viewer.received >= 150 * PACKET)
        (run,) = viewer.runs()
        assert (run.first, run.lost, run.disordered) == (0, 0, 0)
    assert stage.proxy.metrics().value("iptv_proxy_stream_errors", channel=name) == 0


def test_a_radio_stream_starts_soon_and_flows(stage: Stage) -> None:
    with stage.proxy.viewer("radio") as viewer:
        viewer.wait_for_source("one")
        waited = viewer.first_byte_at - viewer.asked_at
        viewer.wait_for_bytes(3 * 8000)
        note(f"radio: first byte after {waited:.3f} s, then {viewer.longest_silence():.3f} s apart")
        assert waited < 5
        assert len(viewer.arrivals) >= 6
        (run,) = viewer.runs()
        assert run.lost == 0


def test_a_provider_may_take_longer_to_begin_than_a_stall_may_last(stage: Stage) -> None:
    """STREAM_TIMEOUT bounds the wait for the first byte, STALL_TIMEOUT silence in mid-stream."""
    with stage.proxy.viewer("slow") as viewer:
        viewer.wait_for_source("one")
        assert viewer.first_byte_at - viewer.asked_at >= 2.4
    assert stage.proxy.metrics().value("iptv_proxy_stream_errors", channel="slow") == 0


def test_a_flood_of_garbage_costs_neither_its_viewer_nor_others_the_picture(stage: Stage) -> None:
    with stage.proxy.viewer("plain") as other:
        other.wait_for_bytes(50_000)
        begun = other.arrivals[-1][0]
        with stage.proxy.viewer("mad") as viewer:
            viewer.wait_for_source("one").wait_for_bytes(300 * PACKET)
            serials = [run.connection for run in viewer.runs()]
            assert len(serials) >= 2  # the flood's packets, then the working stream's
        other.wait_for_bytes(50_000)
        note(f"beside a flood: {other.longest_silence(since=begun):.3f} s without media")
        assert other.longest_silence(since=begun) < 3
        (run,) = other.runs()
        assert run.lost == 0
    scrape = stage.proxy.metrics()
    assert scrape.value("iptv_proxy_stream_errors", channel="mad", kind="not_media") == 1


@pytest.mark.parametrize("name", FLOODS)
def test_a_provider_that_never_lets_go_stops_no_other_stream(stage: Stage, name: str) -> None:
    with stage.proxy.viewer("plain") as other:
        other.wait_for_bytes(50_000)
        begun = other.arrivals[-1][0]
        with stage.proxy.viewer(name) as viewer:
            viewer.wait_for_source("one", timeout=30.0)  # of the second candidate
        other.wait_for_bytes(50_000)
        note(f"beside {name}: {other.longest_silence(since=begun):.3f} s without media")
        assert other.longest_silence(since=begun) < 3
