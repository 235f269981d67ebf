"""Answers of `http.client`, read as leniently as `formats.http` does."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import requests

from kptv.formats.chunked import Chunks
from kptv.formats.http import MAX_HEAD, MAX_LINES, Head, is_whole, read_head
from kptv.upstream.failures import mapped_errors

# Bytes that are taken out of their frames at once: in chunks of a byte each, 0.03 s of work.
MOST_FRAMED = 64 * 1024


class Fields(http.client.HTTPMessage):
    """The fields of an answer; ``skipped`` lines of its head are no fields."""

    skipped = 0


class LenientAnswer(http.client.HTTPResponse):
    """An answer whose head and chunks may be odd."""

    fp: Any
    _chunks: Chunks

    def begin(self) -> None:
        """Read the head. Raises HTTPException if it is none, or has no end."""
        if self.headers is not None:
            return
        head = _final_head(self.fp)
        self.code = self.status = head.status
        self.reason = head.reason
        self.version = head.version
        self.headers = self.msg = fields = Fields()
        fields.skipped = head.skipped
        for name, value in head.fields:
            fields[name] = value
        self.chunked = head.chunked
        self.chunk_left = None
        self._chunks = Chunks()
        empty = head.status in (101, 204, 304) or getattr(self, "_method", "") == "HEAD"
        self.length = 0 if empty else head.length
        to_the_end = not self.chunked and self.length is None
        self.will_close = to_the_end or self._check_close()

    def unframed(self, read: Callable[[], bytes]) -> bytes | None:
        """The body in what ``read`` gives of a chunked one; none at its end; None: frames only.

        ``read`` gives nothing once the server has hung up. Raises IncompleteRead.
        """
        chunks = self._chunks
        data = b"" if chunks.over or chunks.broken else read()
        if body := chunks.feed(data):
            return body
        if chunks.over or (chunks.may_end and not data):
            self._close_conn()  # type: ignore[attr-defined]
            return b""
        if chunks.broken or not data:
            raise http.client.IncompleteRead(b"")
        return None

    def _read1_chunked(self, n: int) -> bytes:
        most = min(n, MOST_FRAMED) if n > 0 else MOST_FRAMED
        body = None
        while body is None:
            body = self.unframed(lambda: self.fp.read1(most))
        return body

    def _get_chunk_left(self) -> int | None:
        raise AssertionError("a chunked body is read by read1 alone")


def _final_head(file: Any) -> Head:
    """The first head that is not an interim one."""
    left = MAX_HEAD
    while True:
        lines: list[bytes] = []
        while line := file.readline(left + 1):
            left -= len(line)
            if left < 0 or len(lines) > MAX_LINES:
                raise http.client.HTTPException("a head without an end")
            if line.strip(b"\r\n"):
                lines.append(line)
            elif lines:  # before the first line, an empty one means nothing
                break
        if not lines:
            raise http.client.RemoteDisconnected("closed without an answer")
        if not line:
            raise http.client.HTTPException("a head that broke off")
        head = read_head(lines[0], lines[1:])
        if head is None:
            raise http.client.BadStatusLine("not an HTTP answer")
        if not head.interim:
            return head


def read_some(response: requests.Response, most: int, *, unpack: bool = True) -> bytes:
    """The bytes of a body that are there, as soon as there are any; none at its end.

    Raises UpstreamError if the body breaks, or is shorter than announced. With ``unpack`` they come
    without the Content-Encoding.
    """
    with mapped_errors():
        # read1, since read would wait for all of them. A closed body may give None: its end too.
        return response.raw.read1(most, decode_content=unpack) or b""


def answer_of(response: requests.Response) -> LenientAnswer | None:
    """The answer below a response; None: it is not of our connections."""
    answer = getattr(response.raw, "_original_response", None)
    return answer if isinstance(answer, LenientAnswer) else None


def has_coding(response: requests.Response) -> bool:
    """Whether the body has a Content-Encoding, so that it is not what the socket gives."""
    return "content-encoding" in response.headers


def hang_up(response: requests.Response) -> None:
    """Close the connection of an answer; may come twice."""
    response.close()


def answers_whole(response: requests.Response) -> bool:
    """True for a success whose body is all of the resource; the request had no range."""
    return is_whole(response.status_code, response.headers.get("content-range"))


def skipped_lines(response: requests.Response) -> int:
    """How many lines of its head are no fields."""
    return getattr(getattr(answer_of(response), "msg", None), "skipped", 0)
