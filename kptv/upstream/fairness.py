"""Connections that give the others a turn, however fast the other side sends.

A peer may send `100 Continue`, trailers or chunks of one byte without end: see ``pace.Turns``.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from typing import Any

import gevent.socket
import requests
import urllib3.connection

from kptv.pace import Turns
from kptv.upstream.answers import LenientAnswer
from kptv.upstream.road import ByRoad


class _Fair(io.RawIOBase):
    """The bytes of ``raw``, a socket's file."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._turns = Turns()

    @property
    def connection(self) -> Any:
        """The socket; None: it is not known."""
        return getattr(self._raw, "_sock", None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self._turns.count(size or 0)
        return size

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FairAnswer(LenientAnswer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = io.BufferedReader(_Fair(self.fp.detach()))


class FairConnection(ByRoad, urllib3.connection.HTTPConnection):
    response_class = _FairAnswer


class FairTLSConnection(ByRoad, urllib3.connection.HTTPSConnection):
    response_class = _FairAnswer


def receiver_of(response: requests.Response) -> Callable[[memoryview], int] | None:
    """Receives from an answer's socket, past all layers, into memory; it never waits.

    It raises BlockingIOError if nothing is there. None: the connection is encrypted. Before it is
    called, what the layers hold has to be read from them.
    """
    file = getattr(getattr(response.raw, "_original_response", None), "fp", None)
    raw = getattr(file, "raw", None)
    connection: Any = raw.connection if isinstance(raw, _Fair) else None
    if type(connection) not in (gevent.socket.socket, socket.socket):
        return None  # a subclass's bytes may be encrypted
    plain = getattr(connection, "_sock", connection)
    receive: Callable[[memoryview, int, int], int] = plain.recv_into
    return lambda room: receive(room, 0, socket.MSG_DONTWAIT)
