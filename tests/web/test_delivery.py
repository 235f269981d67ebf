"""A viewer's socket: sent to from the event loop while it has room, by the server when not."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.queue import Queue

from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.web.players.delivery import Delivery
from tests.restream.radio import marks
from tests.restream.test_hub import LIMIT, NEWS, ONE, Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    with gevent.Timeout(LIMIT):
        yield rig
    rig.hubs.close()


def test_what_a_viewer_has_room_for_reaches_it_without_its_greenlet(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    room: list[int] = [1 << 20, 1 << 20, 200, 0]
    taken: Queue[bytes] = Queue()
    received: Queue[bytes] = Queue()

    def send(data: bytes) -> bytes:
        size = room.pop(0)
        taken.put(data[:size])
        return data[size:]

    playing = rig.hubs.start(NEWS, Lease())
    assert isinstance(playing, Playing)
    body = Delivery(playing, send)

    def serve() -> None:
        for chunk in body:
            for mark in marks(chunk):
                received.put(mark)

    server = gevent.spawn(serve)
    assert received.get() == b"a"
    for mark in (b"b", b"c"):
        rig.upstreams.feed(ONE, mark)
        assert marks(taken.get()) == [mark]
    for mark in (b"d", b"e"):  # room for a part, for nothing: the server sends what is left
        rig.upstreams.feed(ONE, mark)
        assert not marks(taken.get())
        assert received.get() == mark
    assert received.empty()
    server.kill()
    body.close()
    assert rig.hubs.viewers == 0
