"""Bytes that are in no whole packet: told with the pieces, and shown by the API, for each road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import gevent
import pytest

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import UpstreamError
from kptv.formats.mpegts.seam import BORDER, SPLICE, Parts
from kptv.ports import Piece, Upstream
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.output import Output
from kptv.upstream.aligned import whole_packets
from kptv.upstream.client import HttpClient
from kptv.web.page.hub_view import media_of
from tests.formats.ts_maker import Maker
from tests.hls_origin import HlsOrigin
from tests.provider import Provider, Reply
from tests.shared import opener_of
from tests.upstreams import data_of, upstream_of

LIMIT = 20.0  # seconds that any wait may take
SOURCE = Source(1, "http://127.0.0.1/unused", 1)
CONFIG = Config(sources=(SOURCE,))
RUBBISH = b"\r\n rubbish \xff" * 90  # before the first packet
CUT = 188 * 160  # where a packet lacks its last 88 bytes
MADE = Maker().pictures(100)
STREAM = RUBBISH + MADE[: CUT + 100] + MADE[CUT + 188 :]
DROPPED, LOSSES = len(RUBBISH) + 100, 1


def media(upstream: Upstream) -> dict[str, object]:
    """What the API shows of an upstream that is played as far as it comes."""
    output = Output(ChunkBuffer(1 << 24, Budget(1 << 24)), b"", 0.0, lambda: None)
    output.open(Stream(SOURCE, ""), 0.0)
    with closing(upstream), gevent.Timeout(LIMIT), suppress(UpstreamError):  # it ended
        for number, piece in enumerate(upstream):
            if piece.seam:
                output.cross(piece.seam, number / 10)
            output.feed(piece, number / 10)
    return media_of(output)


def figures(upstream: Upstream) -> tuple[object, object]:
    shown = media(upstream)
    return shown["bytes_dropped"], shown["sync_losses"]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[str], Upstream]]:
    """Opens a stream; ffmpeg is a program that gives STREAM, whatever it is told."""
    (tmp_path / "stream").write_bytes(STREAM)
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/stream\n")
    program.chmod(0o755)
    config = Config(sources=(SOURCE,), ffmpeg=str(program))
    with closing(HttpClient(config)) as client:
        opener = opener_of(config, client)
        yield lambda url: opener.open_stream(Stream(SOURCE, url))


def test_of_a_transport_stream_over_http(play: Callable[[str], Upstream]) -> None:
    with Provider() as provider:
        served = provider.add_channel("News")
        served.fail_with(Reply(200, {}, STREAM))
        assert figures(play(served.url)) == (DROPPED, LOSSES)


def test_of_hls_segments(play: Callable[[str], Upstream]) -> None:
    """Each segment has rubbish before its packets, the second one a packet that was cut, too."""
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    text += "#EXTINF:4,\n0.ts\n#EXTINF:4,\n1.ts\n#EXT-X-ENDLIST\n"
    with HlsOrigin() as origin:
        origin.files = {
            "/x.m3u8": text.encode(),
            "/0.ts": RUBBISH + Maker(time=90_000).pictures(100),
            "/1.ts": STREAM,
        }
        url = f"http://127.0.0.1:{origin.port}/x.m3u8"
        assert figures(play(url)) == (DROPPED + len(RUBBISH), LOSSES)


def test_of_what_ffmpeg_gives(play: Callable[[str], Upstream]) -> None:
    assert figures(play("rtsp://127.0.0.1:1/x")) == (DROPPED, LOSSES)


def test_of_a_stream_without_a_fault_nothing_is_told() -> None:
    pieces = whole_packets(iter((MADE[:10_000], MADE[10_000:])), CONFIG)
    assert figures(upstream_of(*pieces)) == (0, 0)


@pytest.mark.parametrize("cut", [1, 100, 1000, 10_007])
def test_every_piece_tells_what_was_dropped_before_it_however_the_bytes_are_cut(cut: int) -> None:
    body = iter([STREAM[at : at + cut] for at in range(0, len(STREAM), cut)])
    pieces = list(whole_packets(body, CONFIG))
    told = [(piece.bytes_dropped, piece.sync_losses) for piece in pieces]
    assert told == sorted(told)
    assert told[0] in ((len(RUBBISH), 0), (DROPPED, LOSSES))
    assert told[-1] == (DROPPED, LOSSES)
    assert data_of(pieces) == MADE[:CUT] + MADE[CUT + 188 :]


def test_of_the_next_upstream_the_figures_begin_anew() -> None:
    pieces = list(whole_packets(iter((STREAM,)), CONFIG))
    output = Output(ChunkBuffer(1 << 24, Budget(1 << 24)), b"", 0.0, lambda: None)
    output.open(Stream(SOURCE, ""), 0.0)
    for piece in pieces:
        output.feed(piece, 0.0)
    output.close(1.0)
    assert output.stats.bytes_dropped == DROPPED
    output.open(Stream(SOURCE, ""), 1.0)
    assert output.stats.bytes_dropped == output.stats.sync_losses == 0


def test_a_discontinuity_within_an_upstream_does_not_forget_them() -> None:
    parts, output = Parts(), Output(ChunkBuffer(1 << 24, Budget(1 << 24)), b"", 0.0, lambda: None)
    output.open(Stream(SOURCE, ""), 0.0)
    for data, seam in ((STREAM, None), (MADE, SPLICE), (MADE, BORDER)):
        for piece in parts.feed(data, seam):
            if piece.seam:
                output.cross(piece.seam, 0.0)
            output.feed(piece, 0.0)
    assert (output.stats.bytes_dropped, output.stats.sync_losses) == (DROPPED, LOSSES)


def test_a_piece_is_split_between_packets_and_its_seam_stays_before_it() -> None:
    whole = Piece(MADE[: 188 * 10], SPLICE, bytes_dropped=5, sync_losses=1)
    assert whole.split(188 * 10) == (whole, None)
    first, rest = whole.split(188 * 4)
    assert rest is not None
    assert (first.seam, rest.seam) == (SPLICE, None)
    assert first.data + rest.data == whole.data
    assert rest.bytes_dropped == first.bytes_dropped == 5
