"""A film on its way from its provider to a viewer: the fields that are passed on, and its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import requests

from kptv.formats.identify import FILE_TYPES
from kptv.upstream.answers import answers_whole, hang_up, read_some
from kptv.upstream.look import Body

_READ_SIZE = 128 * 1024  # bytes; a film is sent as fast as its viewer takes it
_PACKINGS = frozenset(("gzip", "x-gzip", "deflate", "br", "zstd"))
# The fields of an answer that describe the film, and that the viewer must get (RFC 9110, 8 and 14).
_FILM_FIELDS = ("Content-Type", "Last-Modified")
# Those that describe the bytes that were sent: they are untrue once these are unpacked.
_BYTES_FIELDS = ("Content-Range", "Accept-Ranges", "ETag")
_MEDIA_TYPE = re.compile(r"(?:video|audio)/|multipart/byteranges|application/octet-stream", re.I)


class HttpFilm:
    """An open answer whose body is a film, or a part of one (see ``ports.FilmBody``)."""

    def __init__(self, response: requests.Response, looked_at: Body | None = None) -> None:
        """``looked_at``: the body that turned out to be a film; None: a range, which tells nothing.

        From here on whoever has this closes the answer.
        """
        self._response = response
        self._looked_at = looked_at
        self._is_coded = is_packed(response)  # although we asked for identity
        self._is_packed = self._is_coded or (looked_at is not None and looked_at.layer.packed)
        self._is_whole = looked_at is not None and answers_whole(response)
        self.status = 200 if self._is_whole else response.status_code
        # A server refuses to send a line break or control, which a provider's field may hold.
        self.headers = {n: value for n, value in self._told().items() if value.isprintable()}
        if not _MEDIA_TYPE.match(self.headers.get("Content-Type", "")):
            self.headers.pop("Content-Type", None)  # a page in our name could log in and act
        if looked_at is not None:  # trust the bytes, not the provider
            self.headers["Content-Type"] = FILE_TYPES[looked_at.found.what]
        self.headers.setdefault("Content-Type", "application/octet-stream")

    def _told(self) -> dict[str, str]:
        """The fields of the answer that are true for the bytes that are sent on."""
        names = _FILM_FIELDS if self._is_packed else _FILM_FIELDS + _BYTES_FIELDS
        told = {n: self._response.headers[n] for n in names if n in self._response.headers}
        if self._is_whole:
            told.pop("Content-Range", None)  # it is of all of it: nobody asked for a part
        if self.status == 416:
            told["Content-Length"] = "0"  # its body is a page of the provider's: nobody needs it
        elif not self._is_packed and (length := told_length(self._response)):
            told["Content-Length"] = length
        return told

    def __iter__(self) -> Iterator[bytes]:
        """The film. Raises UpstreamError if it breaks."""
        if self.status == 416:
            return
        if self._looked_at is not None and self._looked_at.layer.packed:
            yield from self._looked_at.to_end()
            return
        if self._looked_at is not None:
            yield self._looked_at.start()
        while data := read_some(self._response, _READ_SIZE, unpack=self._is_coded):
            yield data

    def close(self) -> None:
        """Close the connection; may come twice."""
        hang_up(self._response)


def is_packed(response: requests.Response) -> bool:
    """True if the answer says that the film is packed on its way (RFC 9110, 8.4)."""
    codings = response.headers.get("Content-Encoding", "").lower().split(",")
    return any(coding.strip() in _PACKINGS for coding in codings)


def told_length(response: requests.Response) -> str | None:
    """The Content-Length that its body has (RFC 9112, 6.3); None: nothing can be told."""
    if "Transfer-Encoding" in response.headers:
        return None  # it wins, and they need not agree
    told = {text.strip() for text in response.headers.get("Content-Length", "").split(",")}
    length = told.pop()
    return length if not told and length.isascii() and length.isdecimal() else None
