"""The part of an answer that is a segment, as it comes."""

from __future__ import annotations

import re
import select
from collections.abc import Iterator
from time import monotonic

import gevent
import requests

from kptv.errors import Reason, UpstreamError
from kptv.pace import Pace
from kptv.polling import polled
from kptv.upstream.answers import hang_up, read_some

READ_SIZE = 256 * 1024  # bytes
_GATHER = 0.02  # seconds between two reads of a slow body: each costs CPU


def size_of(response: requests.Response, start: int, end: int | None) -> int | None:
    """How many bytes the entity has from ``start`` to ``end``; None: the answer does not tell."""
    if end is not None:
        return end - start
    text = response.headers.get("content-length", "")
    if not re.fullmatch(r"\d{1,15}", text):
        return None
    return int(text) - (start - _offset(response))


def _offset(response: requests.Response) -> int:
    """The byte of the entity with which the answer's body starts."""
    if response.status_code != 206 or "Range" not in response.request.headers:
        return 0
    match = re.match(r"bytes (\d{1,15})-", response.headers.get("content-range", ""))
    if not match:
        raise UpstreamError(Reason.HTTP_ERROR, "a part without Content-Range", status=206)
    return int(match[1])


def body_of(
    response: requests.Response, start: int, end: int | None, longest: float
) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end`` of the entity, as they come.

    A server that does not know ranges sends all of it: the bytes before ``start`` are dropped.
    Raises UpstreamError if the body breaks or is too short.
    """
    skip = start - _offset(response)
    if skip < 0:
        raise UpstreamError(Reason.HTTP_ERROR, "another part than was asked for", status=206)
    left = None if end is None else end - start
    for data in _gathered(response, longest):
        useful = data[skip:]
        skip = max(skip - len(data), 0)
        if left is not None:
            useful = useful[:left]
            left -= len(useful)
        if useful:
            yield useful
        if left == 0 and response.status_code != 206:
            hang_up(response)  # nobody needs the rest of the entity
            return
    if left or skip:
        raise UpstreamError(Reason.ENDED, "a segment shorter than its byte range")


def _gathered(response: requests.Response, longest: float) -> Iterator[bytes]:
    """The bytes that gather from read to read. At the end the connection goes back to the pool."""
    readable = polled(response.raw.fileno(), select.POLLIN)
    pace = Pace()  # reading what is there already never waits
    spent = 0.0  # seconds of waiting for bytes; waiting for the pipe is not the provider's fault
    first = True
    while True:
        pace()
        began = monotonic()
        if not first and not readable():
            gevent.sleep(_GATHER)
        first = False
        data = read_some(response, READ_SIZE)
        spent += monotonic() - began
        if not data:
            return
        if spent > longest:
            raise UpstreamError(Reason.TIMEOUT, f"a segment not there within {longest:.0f} s")
        yield data
