"""Hands what plays to a viewer's socket."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

from kptv.polling import polled
from kptv.restream.lease import Client, Lease
from kptv.restream.playing import Playing
from kptv.splice.joining import Media
from kptv.web.sockets import hang_up_of

UNSENT_LIMIT = 128 * 1024  # bytes the kernel keeps of a slow viewer (4 MB otherwise)
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)

Send = Callable[[Media], Media]


class Delivery:
    """A body: iterate for the chunks, ``close`` when the viewer has left (may come twice).

    A socket has room for a chunk most of the time. The way over the greenlet and the server costs
    more than all the rest then, so the server gets only the first piece, which goes out behind the
    headers. All others are sent from the event loop, or, if the socket has no room, from here.
    """

    __slots__ = ("_begun", "_connection", "_playing", "_send")

    def __init__(self, playing: Playing, connection: Any = None) -> None:
        """``connection``: the viewer's socket, to which all can be sent as it is.

        None: the server sends everything.
        """
        self._playing = playing
        self._connection = connection
        self._send = None if connection is None else sender_of(connection)
        self._begun = False  # the server has sent the headers and the first data itself

    def __repr__(self) -> str:
        return f"<Delivery of {self._playing!r}>"

    def __iter__(self) -> Iterator[bytes]:
        for data in self._playing.read(self._push):
            if self._connection is not None and self._begun:
                self._connection.sendall(data)
            else:
                yield bytes(data)  # the server takes nothing else
                self._begun = True

    def close(self) -> None:
        """Hold the channel no more."""
        self._playing.close()

    def _push(self) -> bool:
        """Serve the viewer while its greenlet waits; False: the greenlet has to run itself."""
        playing, send = self._playing, self._send
        if send is None or not self._begun or playing.lease.dropped or playing.hub.ended:
            return False
        take = playing.cursor.take
        while data := take():
            if rest := send(data):
                playing.cursor.put_back(rest)
                return False
        return True


def lease_of(connection: Any, client: Client) -> Lease:
    """A lease for whoever asks over ``connection``, gunicorn's socket (None: not known)."""
    if connection is None:
        return Lease(client=client)
    departed = polled(connection.fileno(), _POLLRDHUP)
    return Lease(client=client, departed=departed, on_drop=hang_up_of(connection))


def tune(connection: Any) -> None:
    """Let a viewer's socket take little memory while it is slow."""
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_LIMIT)


def sender_of(connection: Any) -> Send:
    """Sends to a socket without waiting, and gives back the bytes that it has no room for."""

    def send(data: Media) -> Media:
        try:
            sent: int = connection.send(data, timeout=0.0)
        except OSError:  # no room; or gone, and then the greenlet's own send will meet that
            return data
        return data[sent:]

    return send
