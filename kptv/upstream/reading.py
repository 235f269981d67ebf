"""The bytes of an endless body, by the shortest way that its framing allows.

A hundred channels are read thousands of times per second. The layers of a client library cost a
fifth of all work there, and if each read makes room for the largest size, the heap is torn to
shreds.
"""

from __future__ import annotations

import select
from collections.abc import Callable

import gevent
import requests

from kptv.errors import UpstreamError
from kptv.pace import Turns
from kptv.polling import polled
from kptv.upstream.answers import is_framed, read_some
from kptv.upstream.failures import mapped_errors
from kptv.upstream.fairness import receiver_of

_SMALLEST = 16 * 1024  # bytes that a read asks for; twice what a file of the socket keeps
# All receive into the same memory, and copy from it what came: nothing else has a turn in between.
_ROOM = memoryview(bytearray(256 * 1024))
Bound = tuple[float, UpstreamError]  # seconds to wait at most, and what is raised after them


class BodyReader:
    """Reads one body; through layers, it asks for about as many bytes as came lately."""

    __slots__ = (
        "_begun",
        "_most",
        "_readable",
        "_receive",
        "_response",
        "_room",
        "_size",
        "_turns",
    )

    def __init__(self, response: requests.Response, most: int) -> None:
        """``most``: bytes that one read gives."""
        self._response = response
        self._most = self._size = most
        self._room = _ROOM[:most]
        self._readable = polled(response.raw.fileno(), select.POLLIN)
        self._receive = None if is_framed(response) else receiver_of(response)
        self._turns = Turns(len(self._room))  # a receive parses nothing
        self._begun = False  # what came with the head is read, so that the socket has the rest

    def __repr__(self) -> str:
        return f"<BodyReader size={self._size} direct={self._receive is not None}>"

    def read(self, bound: Callable[[], Bound]) -> bytes:
        """The next bytes, waited for; none at the end. Raises UpstreamError.

        ``bound`` is asked only if they may have to be waited for.
        """
        data = None
        if self._receive is not None and self._begun and self._readable():
            data = self._received(self._receive)
        if data is None:
            with gevent.Timeout(*bound()):
                data = read_some(self._response, self._size)
            self._begun = True
            self._adapt(len(data))
        return data

    def has_more(self) -> bool:
        """Whether something is there to read, or the end.

        A read that gave less than it asked for does not tell: what did not fit into the window is
        still at the sender, comes as soon as there is room, and would be a tick too late.
        """
        return self._readable()

    def _received(self, receive: Callable[[memoryview], int]) -> bytes | None:
        """What the socket has; None: nothing after all."""
        try:
            data = bytes(self._room[: receive(self._room)])
        except BlockingIOError:
            return None
        except OSError:
            with mapped_errors():
                raise
        self._turns.count(len(data))
        return data

    def _adapt(self, size: int) -> None:
        if size == self._size:
            self._size = min(2 * size, self._most)
        elif size < self._size // 4:
            self._size = max(self._size // 2, _SMALLEST)
