"""Connections that give the others a turn, however fast the other side sends.

A peer may send `100 Continue`, trailers or chunks of one byte without end: see ``pace.Turns``.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent.socket
import gevent.ssl
import requests
import urllib3.connection

from kptv.pace import Turns
from kptv.polling import polled
from kptv.upstream.answers import LenientAnswer, answer_of
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
    """Receives what an answer's connection has, past all layers, into memory; it never waits.

    It raises BlockingIOError if nothing is there, for TLS also if it is less than a record. None:
    such a connection is not known. Before it is called, what the layers hold has to be read from
    them.
    """
    raw = getattr(getattr(answer_of(response), "fp", None), "raw", None)
    connection: Any = raw.connection if isinstance(raw, _Fair) else None
    if type(connection) is gevent.ssl.SSLSocket:
        return partial(_receive_record, connection)
    if type(connection) not in (gevent.socket.socket, socket.socket):
        return None  # a subclass's bytes may be encrypted
    plain = getattr(connection, "_sock", None)  # below gevent's: it never waits
    if plain is None:  # one of Python's own, which waits first, whatever it is told
        return partial(_receive_if_there, connection, polled(connection.fileno(), select.POLLIN))
    receive: Callable[[memoryview], int] = plain.recv_into
    return receive


def _receive_if_there(connection: Any, is_there: Callable[[], bool], room: memoryview) -> int:
    if not is_there():
        raise BlockingIOError
    size: int = connection.recv_into(room)
    return size


def _receive_record(connection: Any, room: memoryview) -> int:
    """What the next record holds. The socket below gevent's own never waits."""
    try:
        size: int = connection._sslobj.read(len(room), room)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except ssl.SSLEOFError:  # hung up without a word, as most do
        return 0
    return size
