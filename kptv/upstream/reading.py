"""The bytes of an endless body, by the shortest way that its framing allows.

A hundred channels are read thousands of times per second. The layers of a client library cost a
fifth of all work there, and if each read makes room for the largest size, the heap is torn to
shreds. And they wait for a whole frame (the line ends behind a chunk, a record of TLS) once a part
of it is there, while all that came before stays with us.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable

import gevent
import requests

from kptv.errors import UpstreamError
from kptv.pace import Turns
from kptv.upstream.answers import MOST_FRAMED, LenientAnswer, answer_of, has_coding, read_some
from kptv.upstream.failures import mapped_errors
from kptv.upstream.fairness import receiver_of

_SMALLEST = 16 * 1024  # bytes that a read asks for; twice what a file of the socket keeps
# All receive into the same memory, and copy from it what came: nothing else has a turn in between.
_ROOM = memoryview(bytearray(256 * 1024))
Bound = tuple[float, UpstreamError]  # seconds to wait at most, and what is raised after them


class BodyReader:
    """Reads one body; through layers, it asks for about as many bytes as came lately."""

    __slots__ = ("_answer", "_begun", "_most", "_receive", "_response", "_room", "_size", "_turns")

    def __init__(self, response: requests.Response, most: int) -> None:
        """``most``: bytes that one read gives."""
        self._response = response
        self._answer = answer = answer_of(response)
        self._most = self._size = most
        # What is packed has to go through the layers: nobody knows what a part of it gives.
        self._receive = None if has_coding(response) else receiver_of(response)
        # A receive parses nothing, but for the frames of chunks.
        chunked = answer is not None and answer.chunked
        self._room = _ROOM[: min(most, MOST_FRAMED) if chunked else most]
        self._turns = Turns(len(self._room))
        self._begun = False  # what came with the head is read, so that the socket has the rest

    def __repr__(self) -> str:
        return f"<BodyReader size={self._size} direct={self._receive is not None}>"

    def read(self, bound: Callable[[], Bound]) -> bytes:
        """The next bytes, waited for; none at the end. Raises UpstreamError.

        ``bound`` is asked only if they may have to be waited for.
        """
        data = self.gathered()
        if data is None:
            with gevent.Timeout(*bound()):
                data = read_some(self._response, self._size)
            self._begun = True
            self._adapt(len(data))
        return data

    def gathered(self) -> bytes | None:
        """The next bytes that are there, none at the end; None: nobody knows without waiting.

        A read that gave less than it asked for does not tell that there is no more: what did not
        fit into the window is still at the sender, comes as soon as there is room, and would be a
        tick too late. Raises UpstreamError.
        """
        answer = self._answer
        if self._receive is None or answer is None or not self._begun:
            return None
        if answer.fp is None or answer.length == 0:
            return b""
        try:
            return self._unframed(answer)
        except BlockingIOError:
            return None
        except (OSError, http.client.HTTPException):
            with mapped_errors():
                raise

    def _unframed(self, answer: LenientAnswer) -> bytes:
        """The body in what the socket has. Raises BlockingIOError if that is frames alone."""
        body = None
        while answer.chunked and body is None:
            body = answer.unframed(self._received)
        if body is None:
            left = answer.length
            body = self._received(left)
            if left is not None:
                self._count_down(answer, left, len(body))
        return body

    def _received(self, most: int | None = None) -> bytes:
        """What the socket has, as it is, up to ``most`` bytes; none if the server hung up."""
        assert self._receive is not None
        room = self._room if most is None else self._room[:most]
        data = bytes(room[: self._receive(room)])
        self._turns.count(len(data))
        return data

    def _count_down(self, answer: LenientAnswer, left: int, size: int) -> None:
        """The layers are told that ``size`` bytes of the ``left`` ones went past them."""
        if not size:
            raise http.client.IncompleteRead(b"")
        answer.length = self._response.raw.length_remaining = left - size

    def _adapt(self, size: int) -> None:
        if size == self._size:
            self._size = min(2 * size, self._most)
        elif size < self._size // 4:
            self._size = max(self._size // 2, _SMALLEST)
