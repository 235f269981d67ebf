"""A viewer's socket: sent to from the event loop while it has room, by its greenlet when not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.queue import Queue

from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.web.handover import RestOfBody
from kptv.web.players.delivery import Delivery, wire_of
from tests.restream.radio import marks
from tests.restream.test_hub import LIMIT, NEWS, ONE, Rig, until


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    with gevent.Timeout(LIMIT):
        yield rig
    rig.hubs.close()


@pytest.fixture
def ends() -> Iterator[tuple[Any, Any]]:
    """The proxy's and the viewer's end of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def play(rig: Rig) -> Playing:
    playing = rig.hubs.start(NEWS, Lease())
    assert isinstance(playing, Playing)
    return playing


def read(connection: Any, *expected: bytes) -> None:
    """Reads whole frames until these marks have come."""
    data = b""
    while len(found := marks(data)) < len(expected) or len(data) % 188:
        data += connection.recv(65536)
    assert found == list(expected)


def test_the_server_writes_the_first_piece_and_nothing_else(
    rig: Rig, ends: tuple[Any, Any]
) -> None:
    rig.upstreams.feed(ONE, b"a")
    written: Queue[bytes] = Queue()
    playing = play(rig)
    body = Delivery(playing, ends[0])

    def serve() -> None:
        for data in body:
            written.put(data)

    server = gevent.spawn(serve)
    assert marks(written.get()) == [b"a"]
    for mark in (b"b", b"c", b"d"):
        rig.upstreams.feed(ONE, mark)
        read(ends[1], mark)
    assert written.empty()
    assert playing.lease.place == playing.hub.buffer.end
    server.kill()
    body.close()
    assert rig.hubs.viewers == 0


def test_the_rest_is_handed_over_and_holds_the_channel_when_the_body_is_closed(
    rig: Rig, ends: tuple[Any, Any]
) -> None:
    rig.upstreams.feed(ONE, b"a")
    handed: list[RestOfBody] = []
    playing = play(rig)
    body = Delivery(playing, ends[0], handed.append)
    (first,) = body
    assert marks(first) == [b"a"]
    body.close()
    assert not playing.lease.dropped
    (rest,) = handed
    sending = gevent.spawn(rest.send)
    rig.upstreams.feed(ONE, b"b")
    read(ends[1], b"b")
    rest.close()
    assert playing.lease.dropped
    sending.kill()


def test_a_body_that_is_closed_before_it_has_begun_holds_the_channel_no_more(
    rig: Rig, ends: tuple[Any, Any]
) -> None:
    rig.upstreams.feed(ONE, b"a")
    playing = play(rig)
    Delivery(playing, ends[0], lambda rest: None).close()
    assert playing.lease.dropped


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


def test_a_viewer_that_has_gone_ends_the_body_with_the_error_of_its_socket(
    rig: Rig, ends: tuple[Any, Any]
) -> None:
    rig.upstreams.feed(ONE, b"a")
    body = Delivery(play(rig), ends[0])
    chunks = iter(body)
    next(chunks)
    server = gevent.spawn(next, chunks)
    until(lambda: any(lease.waiting for hub in rig.hubs.all() for lease in hub.leases))
    ends[1].close()
    rig.upstreams.feed(ONE, b"b")
    with pytest.raises(BrokenPipeError):
        server.get()
    body.close()
    assert rig.hubs.viewers == 0


def test_a_body_ends_with_its_hub(rig: Rig, ends: tuple[Any, Any]) -> None:
    rig.upstreams.feed(ONE, b"a")
    server = gevent.spawn(list, Delivery(playing := play(rig), ends[0]))
    until(lambda: playing.lease.waiting)
    rig.hubs.stop("news")
    assert len(server.get()) == 1


def test_only_a_socket_with_nothing_between_is_written_to_past_gevent(
    ends: tuple[Any, Any],
) -> None:
    class Counting(socket.socket):
        """Whatever it does, it is told what is sent."""

    wire = wire_of(ends[0])
    assert wire is not None
    assert wire.descriptor == ends[0].fileno()
    assert wire.send(b"abc") == 3
    assert ends[1].recv(9) == b"abc"
    context = ssl.create_default_context()
    with socket.socket() as plain, Counting() as counting:
        assert wire_of(counting) is None
        encrypted = context.wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False
        )
        with encrypted:
            assert wire_of(encrypted) is None
