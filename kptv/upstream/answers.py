"""Answers of `http.client`, read as leniently as `formats.http` does."""

from __future__ import annotations

import http.client
from typing import Any

import requests

from kptv.formats.http import MAX_HEAD, MAX_LINES, Head, chunk_size, is_whole, read_head
from kptv.upstream.failures import mapped_errors

_LONGEST_LINE = 64 * 1024  # bytes, with which a chunk begins


class Fields(http.client.HTTPMessage):
    """The fields of an answer; ``skipped`` lines of its head are no fields."""

    skipped = 0


class LenientAnswer(http.client.HTTPResponse):
    """An answer whose head and chunks may be odd."""

    fp: Any

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
        empty = head.status in (101, 204, 304) or getattr(self, "_method", "") == "HEAD"
        self.length = 0 if empty else head.length
        to_the_end = not self.chunked and self.length is None
        self.will_close = to_the_end or self._check_close()

    def _get_chunk_left(self) -> int | None:
        if self.chunk_left == 0:
            # Python drops any two bytes: if the server ends lines with LF alone, the second one
            # is the first digit of the next size.
            if self.fp.readline(2) not in (b"\r\n", b"\n"):
                raise http.client.IncompleteRead(b"")
            self.chunk_left = None
        left: int | None = super()._get_chunk_left()  # type: ignore[misc]
        return left

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(_LONGEST_LINE + 1)
        size = chunk_size(line) if line.endswith(b"\n") else None
        if size is None:
            raise http.client.IncompleteRead(b"")
        return size


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


def is_framed(response: requests.Response) -> bool:
    """False if all that comes until the server hangs up is the body, as it is."""
    answer = getattr(response.raw, "_original_response", None)
    if not isinstance(answer, LenientAnswer) or answer.chunked or answer.length is not None:
        return True
    return "content-encoding" in response.headers


def hang_up(response: requests.Response) -> None:
    """Close the connection of an answer; may come twice."""
    response.close()


def answers_whole(response: requests.Response) -> bool:
    """True for a success whose body is all of the resource; the request had no range."""
    return is_whole(response.status_code, response.headers.get("content-range"))


def skipped_lines(response: requests.Response) -> int:
    """How many lines of its head are no fields."""
    answer = getattr(response.raw, "_original_response", None)
    return getattr(getattr(answer, "msg", None), "skipped", 0)
