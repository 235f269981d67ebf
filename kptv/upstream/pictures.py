"""Pictures, fetched from providers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import requests

from kptv.channels.logos import Logo
from kptv.errors import Reason, UpstreamError
from kptv.formats import gzipped
from kptv.formats.gzipped import PIECE
from kptv.formats.pictures import ENOUGH, LONGEST, media_type_of
from kptv.pace import Pace
from kptv.upstream.answers import hang_up, read_some
from kptv.upstream.client import HttpClient

_TIMEOUT = (5.0, 10.0)  # seconds: to connect, between two reads
_HEADERS = {"Accept": "image/avif,image/webp,image/png,image/*;q=0.8"}


def download_picture(client: HttpClient, logo: Logo) -> bytes:
    """The bytes of a picture, unpacked. Raises UpstreamError.

    Cookies that the answer sets are dropped, and none is forgotten: streams need theirs.
    """
    with closing(client.alone(logo.source)) as alone:
        response = alone.get(logo.source, logo.url, headers=_HEADERS, timeout=_TIMEOUT, again=False)
        try:
            return _picture_in(response)
        finally:
            hang_up(response)


def _picture_in(response: requests.Response) -> bytes:
    """The body, unpacked. Raises UpstreamError unless it begins as a picture and is short."""
    data, pace = bytearray(), Pace()
    try:
        for piece in gzipped.unpacked(_pieces(response)):
            data += piece
            if len(data) > LONGEST:
                raise _too_long()
            if len(data) >= ENOUGH:
                _check(data)
            pace()
    except gzipped.BadGzip as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None
    _check(data)
    return bytes(data)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    size = 0
    while piece := read_some(response, PIECE, unpack=False):
        size += len(piece)
        if size > LONGEST:
            raise _too_long()
        yield piece


def _check(data: bytearray) -> None:
    if not media_type_of(bytes(data[:ENOUGH])):
        raise UpstreamError(Reason.NOT_MEDIA, "no picture")


def _too_long() -> UpstreamError:
    return UpstreamError(Reason.NOT_MEDIA, f"longer than {LONGEST // 1024**2} MiB")
