"""A viewer's socket: sent to from the event loop while it has room, by its greenlet when not."""

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


class Connection:
    """A socket with room for as many bytes as a test says, send by send."""

    def __init__(self, *room: int) -> None:
        self.room = list(room)
        self.taken: Queue[bytes] = Queue()  # by sends that do not wait
        self.waited_for: Queue[bytes] = Queue()  # by sends that may wait

    def send(self, data: bytes | memoryview, timeout: float) -> int:
        assert timeout == 0.0
        if not (size := self.room.pop(0)):
            raise BlockingIOError
        self.taken.put(bytes(data[:size]))
        return min(size, len(data))

    def sendall(self, data: bytes | memoryview) -> None:
        self.waited_for.put(bytes(data))


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    with gevent.Timeout(LIMIT):
        yield rig
    rig.hubs.close()


def play(rig: Rig) -> Playing:
    playing = rig.hubs.start(NEWS, Lease())
    assert isinstance(playing, Playing)
    return playing


def test_what_a_viewer_has_room_for_reaches_it_without_its_greenlet(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    connection = Connection(1 << 20, 1 << 20, 200, 0)
    written: Queue[bytes] = Queue()
    body = Delivery(play(rig), connection)

    def serve() -> None:
        for data in body:
            written.put(data)

    server = gevent.spawn(serve)
    assert marks(written.get()) == [b"a"]
    for mark in (b"b", b"c"):
        rig.upstreams.feed(ONE, mark)
        assert marks(connection.taken.get()) == [mark]
    rig.upstreams.feed(ONE, b"d")  # room for a part
    begun = connection.taken.get()
    assert marks(begun + connection.waited_for.get()) == [b"d"]
    rig.upstreams.feed(ONE, b"e")  # room for nothing
    assert marks(connection.waited_for.get()) == [b"e"]
    assert written.empty(), "the server itself writes only the first piece"
    assert connection.taken.empty()
    server.kill()
    body.close()
    assert rig.hubs.viewers == 0


def test_without_a_socket_the_server_is_given_everything_as_bytes(rig: Rig) -> None:
    rig.upstreams.feed(ONE, b"a")
    playing = play(rig)
    body = Delivery(playing)
    chunks = iter(body)
    assert marks(next(chunks)) == [b"a"]
    playing.cursor.put_back(memoryview(b"mark:b;"))
    rest = next(chunks)
    assert type(rest) is bytes
    assert marks(rest) == [b"b"]
    body.close()


def test_a_viewer_that_has_gone_ends_the_body_with_the_error_of_its_socket(rig: Rig) -> None:
    class Gone(Connection):
        def sendall(self, data: bytes | memoryview) -> None:
            raise BrokenPipeError

    rig.upstreams.feed(ONE, b"a")
    body = Delivery(play(rig), Gone(0))
    chunks = iter(body)
    next(chunks)
    rig.upstreams.feed(ONE, b"b")
    with pytest.raises(BrokenPipeError):
        next(chunks)
    body.close()
    assert rig.hubs.viewers == 0
