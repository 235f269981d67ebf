"""What viewers leave behind in the hubs' process: nothing that lives, nothing that is held."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import gevent
import pytest
from gevent.greenlet import Greenlet

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.ports import FilmBody, Piece
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.cursor import Cursor
from kptv.restream.hub import Hub
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.restream.slots import SETTLE, Slot
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.restream.radio import Radio
from tests.shared import shared

SOURCE = Source(1, "http://one/", 4)
CHANNELS = [Channel(f"c{n}", f"C{n}", (Stream(SOURCE, f"http://one/{n}.ts"),)) for n in range(4)]
BROKEN = Channel("broken", "Broken", (Stream(SOURCE, "http://one/broken.ts"),))
VIEWERS, ROUNDS = 200, 20
LIMIT = 20.0  # seconds; what hangs, fails


def open_stream(stream: Stream) -> OpenedUpstream:
    return OpenedUpstream(pieces(stream))


def pieces(stream: Stream) -> Pieces:
    if stream.url.endswith("broken.ts"):
        raise UpstreamError(Reason.REFUSED)
    radio = Radio()
    while True:
        yield Piece(radio.frame(b"on"))
        gevent.sleep(0.001)


def open_film(stream: Stream, byte_range: str | None) -> FilmBody:
    raise UpstreamError(Reason.REFUSED)


def watch(hubs: Hubs, channel: Channel, chunks: int) -> None:
    """A viewer who reads some chunks and leaves."""
    try:
        body = hubs.start(channel, Lease())
    except Unavailable:
        return
    assert isinstance(body, Playing)
    try:
        for _, _chunk in zip(range(chunks), body, strict=False):
            pass
    finally:
        body.close()


def alive() -> dict[str, int]:
    """How many of each kind there are."""
    gc.collect()
    objects = gc.get_objects()
    counts = {
        kind.__name__: sum(type(o) is kind for o in objects)
        for kind in (Hub, ChunkBuffer, Slot, Lease, Cursor)
    }
    counts["greenlets"] = sum(isinstance(o, Greenlet) and not o.dead for o in objects)
    return counts


@pytest.fixture
def no_log() -> Iterator[None]:
    """pytest keeps what is logged, and with an error its frames."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("no_log")
@pytest.mark.parametrize("linger", [0.0, 0.01])
def test_two_hundred_viewers_come_and_go_twenty_times_and_leave_nothing(linger: float) -> None:
    config = Config(sources=(SOURCE,), stream_linger=linger, max_retries=0, retry_delay=0.01)
    hubs = Hubs(shared(config), open_stream, open_film)
    gevent.sleep(2 * SETTLE)  # the housekeeper is there, slots of other tests are back
    before = alive()
    channels = (*CHANNELS, BROKEN)
    for n in range(ROUNDS):
        viewers = [
            gevent.spawn(watch, hubs, channels[v % len(channels)], v % 7) for v in range(VIEWERS)
        ]
        if n % 3 == 0:  # as a server does that stops
            gevent.sleep(0.005)
            gevent.killall(viewers[::2])
        assert len(gevent.joinall(viewers, timeout=LIMIT)) == VIEWERS
    with gevent.Timeout(LIMIT):
        while len(hubs) or hubs.slots.held(SOURCE):
            gevent.sleep(0.01)
    del viewers
    assert hubs.budget.used == 0
    assert hubs.slots.waiting(SOURCE.number) == 0
    after = alive()
    assert after.pop("greenlets") == before.pop("greenlets")
    # The event loop keeps its last callback, and with it the hub that was killed last.
    assert all(count <= before[kind] + 1 for kind, count in after.items()), after
    hubs.close()
