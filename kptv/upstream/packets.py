"""Whole packets of a body, once there are enough of them to call it started."""

from __future__ import annotations

from collections.abc import Iterator

from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.aligner import Aligner


def whole_packets(body: Iterator[bytes], min_data_size: int, head: bytes = b"") -> Iterator[bytes]:
    """The packets of ``head`` and ``body``; the first piece as ``started`` says."""
    return started(_aligned(body, head), min_data_size)


def started(packets: Iterator[bytes], min_data_size: int) -> Iterator[bytes]:
    """The same packets; the first piece has at least ``min_data_size`` bytes.

    Raises what ``packets`` raises, but EMPTY where they ended before that.
    """
    start = b""
    while len(start) < min_data_size:
        try:
            start += next(packets)
        except StopIteration:
            raise UpstreamError(Reason.EMPTY, f"{len(start)} bytes of media") from None
        except UpstreamError as error:
            if error.reason is not Reason.ENDED:
                raise
            detail = f"{len(start)} bytes of media; {error.detail}"
            raise UpstreamError(Reason.EMPTY, detail) from None
    yield start
    yield from packets


def _aligned(body: Iterator[bytes], head: bytes) -> Iterator[bytes]:
    aligner = Aligner()
    if packets := aligner.feed(head):
        yield packets
    for data in body:
        if packets := aligner.feed(data):
            yield packets
