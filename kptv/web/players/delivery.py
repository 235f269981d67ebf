"""Hands what plays to a viewer's socket."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent.socket

from kptv.polling import polled
from kptv.restream.front_row import Wire
from kptv.restream.lease import Client, Lease
from kptv.restream.playing import Playing
from kptv.web.handover import HandOver
from kptv.web.sockets import hang_up_of

UNSENT_LIMIT = 128 * 1024  # bytes the kernel keeps of a slow viewer (4 MB otherwise)
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)


class Delivery:
    """A body: iterate for the chunks, ``close`` when the viewer has left (may come twice).

    A socket has room for a chunk most of the time. The way over the greenlet and the server costs
    more than all the rest then, so the server gets only the first piece, which goes out behind the
    headers. All others are sent from the event loop, or, if the socket has no room, from here.
    """

    __slots__ = ("_connection", "_hand_over", "_handed_over", "_playing")

    def __init__(
        self, playing: Playing, connection: Any = None, hand_over: HandOver | None = None
    ) -> None:
        """``connection``: the viewer's socket, to which all can be sent as it is.

        None: the server sends everything. ``hand_over``: see there.
        """
        self._playing = playing
        self._connection = connection
        self._hand_over = hand_over
        self._handed_over = False

    def __repr__(self) -> str:
        return f"<Delivery of {self._playing!r}>"

    def __iter__(self) -> Iterator[bytes]:
        for data in self._playing.read():
            yield bytes(data)  # the server takes nothing else
            if self._connection is not None:  # whoever asks for more has sent that
                break
        else:
            return
        rest = _Rest(self._playing, self._connection)
        if self._hand_over is None:
            rest.send()
        else:
            self._handed_over = True
            self._hand_over(rest)

    def close(self) -> None:
        """Hold the channel no more, unless the rest of it does."""
        if not self._handed_over:
            self._playing.close()


class _Rest:
    """All behind the first piece."""

    __slots__ = ("_connection", "_playing")

    def __init__(self, playing: Playing, connection: Any) -> None:
        self._playing = playing
        self._connection = connection

    def send(self) -> None:
        for data in self._playing.read(wire_of(self._connection)):
            self._connection.sendall(data)

    def close(self) -> None:
        self._playing.close()


def lease_of(connection: Any, client: Client) -> Lease:
    """A lease for whoever asks over ``connection``, gunicorn's socket (None: not known)."""
    if connection is None:
        return Lease(client=client)
    departed = departed_of(connection)
    return Lease(client=client, departed=departed, on_drop=hang_up_of(connection))


def departed_of(connection: Any) -> Callable[[], bool]:
    """Tells, without waiting, whether whoever asked over ``connection`` has left (None: never)."""
    return (lambda: False) if connection is None else polled(connection.fileno(), _POLLRDHUP)


def tune(connection: Any) -> None:
    """Let a viewer's socket take little memory while it is slow."""
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_LIMIT)


def wire_of(connection: Any) -> Wire | None:
    """The way to a viewer's socket past gevent; None: there is more to do than to write to it.

    Only a type that is known exactly counts: what goes past a socket with TLS is not encrypted.
    """
    if type(connection) is not gevent.socket.socket:
        return None
    raw = connection._sock
    if type(raw) is not gevent.socket.socket._gevent_sock_class:
        return None
    return Wire(raw.send, raw.fileno())
