"""Connections that give the others a turn, however fast the other side sends.

A peer may send `100 Continue`, trailers or chunks of one byte without end: see ``pace.Turns``.
"""

from __future__ import annotations

import io
from typing import Any

import urllib3.connection

from kptv.pace import Turns
from kptv.upstream.answers import LenientAnswer
from kptv.upstream.road import ByRoad


class _Fair(io.RawIOBase):
    """The bytes of ``raw``, a socket's file."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._turns = Turns()

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
