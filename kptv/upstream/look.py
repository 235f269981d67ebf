"""An open answer, looked at: its first bytes tell what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import requests

from kptv.errors import Reason, UpstreamError
from kptv.formats.gzipped import BadGzip, Gunzip
from kptv.formats.hls.parse import MAX_BYTES
from kptv.formats.icy import METADATA_INTERVAL, metadata_interval, without_metadata
from kptv.formats.identify import ENOUGH, FILE_TYPES, Identity, identify
from kptv.formats.mpegts.aligner import PROBE_SIZE
from kptv.upstream.answers import hang_up
from kptv.upstream.progressive import END_OF_BODY

_LOOK_AGAIN = 1.25  # times as many bytes: a slow body is not looked at after each of them


@dataclass(frozen=True, slots=True)
class Asked:
    """An address, and when it was asked for."""

    url: str = field(repr=False)
    at: float  # monotonic


@dataclass(frozen=True, slots=True)
class Body:
    """An open answer: what it is, its first bytes, and the rest as it comes."""

    asked: Asked
    response: requests.Response
    found: Identity
    head: bytes = field(repr=False)
    rest: Iterator[bytes] = field(repr=False)
    layer: Gunzip  # that ``rest`` comes through
    more: list[bytes] = field(default_factory=list, repr=False)  # came with ``head``, until taken
    is_entry: bool = False  # the stream's own address gave a channel list that led here

    def __iter__(self) -> Iterator[bytes]:
        yield self.start()
        yield from self.rest

    def start(self) -> bytes:
        """What came before ``rest``, once: most of it is not kept, as a stream lasts for days."""
        return self.head + (self.more.pop() if self.more else b"")

    def to_end(self) -> Iterator[bytes]:
        """All of it. Raises UpstreamError if it breaks, but not when it ends."""
        try:
            yield from self
        except UpstreamError as error:
            if error.detail != END_OF_BODY:
                raise

    @property
    def has_end(self) -> bool:
        """The answer says how long it is, or that parts of it may be asked for."""
        told = self.response.headers
        has_ranges = told.get("Accept-Ranges", "").strip().lower() == "bytes"
        is_radio = any(name in told for name in ("icy-name", "icy-br", METADATA_INTERVAL))
        length = told.get("Content-Length")
        return (length is not None or has_ranges or "Content-Range" in told) and not is_radio

    @property
    def is_film(self) -> bool:
        """It is sent as it is: it has an end, or ffmpeg could make nothing of it."""
        lasts = self.found.endless and not self.has_end and not self.found.foreign_picture
        return self.found.what in FILE_TYPES and not lasts

    @property
    def is_read(self) -> bool:
        """All of it has come, as far as its length was told."""
        return self.has_end and not self.response.raw.length_remaining

    def close(self) -> None:
        """Close the connection; may come twice."""
        hang_up(self.response)


def look(asked: Asked, response: requests.Response, body: Iterator[bytes]) -> Body:
    """Reads as much of ``body`` as tells what the answer is. Raises UpstreamError."""
    if interval := metadata_interval(response.headers.get(METADATA_INTERVAL)):
        body = without_metadata(body, interval)  # nobody asked for it
    layer = Gunzip()
    body = _unpacked(body, layer)
    head, found = _read_head(body)
    more = [head[ENOUGH:]] if len(head) > ENOUGH else []
    return Body(asked, response, found, head[:ENOUGH], body, layer, more)


def whole(body: Body) -> Body:
    """A playlist or manifest that is read to its end: ``head`` is all of it.

    Its connection is closed. Raises UpstreamError if it breaks, or is longer than any playlist.
    """
    parts: list[bytes] = []
    size = 0
    for data in body.to_end():
        parts.append(data)
        size += len(data)
        if size > MAX_BYTES:
            raise UpstreamError(Reason.NOT_MEDIA, f"a playlist of more than {MAX_BYTES} bytes")
    body.close()
    text = b"".join(parts)
    return replace(body, found=_identity_of(text), head=text, rest=iter(()))


def _read_head(body: Iterator[bytes]) -> tuple[bytes, Identity]:
    """The first bytes of the body, as many as it takes, and what they say it is."""
    head = b""
    looked_at = 0.0
    while True:
        try:
            head += next(body)
        except UpstreamError as error:
            if error.reason is not Reason.ENDED:
                raise
            if not head:
                raise UpstreamError(Reason.EMPTY, "empty body") from None
            return head, _identity_of(head)  # a short body
        if len(head) < looked_at * _LOOK_AGAIN and len(head) < ENOUGH:
            continue
        if found := identify(head):
            return head, found
        looked_at = len(head) if len(head) >= PROBE_SIZE else 0.0


def _identity_of(body: bytes) -> Identity:
    found = identify(body, final=True)
    assert found is not None, "all of a body tells what it is"
    return found


def _unpacked(body: Iterator[bytes], layer: Gunzip) -> Iterator[bytes]:
    try:
        for data in body:
            yield from layer.feed(data)
    except BadGzip as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None
