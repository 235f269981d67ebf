"""Connections that give the others a turn, however fast the other side sends.

A read that finds data does not switch, so what is parsed line by line or chunk by chunk without an
end (`100 Continue` again and again, trailers, chunks of a byte) would stop all streams, and no
deadline would ever strike.
"""

from __future__ import annotations

import io
from typing import Any

import gevent
import urllib3.connection

from kptv.upstream.answers import LenientAnswer
from kptv.upstream.road import ByRoad

TURN_AFTER = 64 * 1024  # bytes read since the last turn; lines of so many are parsed in 0.05 s


class _Fair(io.RawIOBase):
    """The bytes of ``raw``, a socket's file."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._since_turn = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self._since_turn += size or 0
        if self._since_turn >= TURN_AFTER:
            self._since_turn = 0
            gevent.sleep(1e-6)  # not 0: see pace
        return size

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(LenientAnswer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = io.BufferedReader(_Fair(self.fp.detach()))


class FairConnection(ByRoad, urllib3.connection.HTTPConnection):
    response_class = _Answer


class FairTLSConnection(ByRoad, urllib3.connection.HTTPSConnection):
    response_class = _Answer
