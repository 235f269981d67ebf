"""Whole packets of a body, once there are enough of them to call it started."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from time import monotonic

from kptv.channels.rhythm import Leftover
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.aligner import Aligner

GARBAGE_LIMIT = 256 * 1024  # bytes without a packet in them; 0.3 s of an 8 Mbit/s stream


def whole_packets(body: Iterator[bytes], config: Config) -> Iterator[bytes]:
    """The packets of ``body``, once there are MIN_DATA_SIZE bytes of them: see ``started``."""
    return started(_aligned(body, config.stall_timeout), config.min_data_size)


def started(packets: Iterator[bytes], min_data_size: int) -> Iterator[bytes]:
    """The same packets, seams too, once there are at least ``min_data_size`` bytes of them.

    Raises what ``packets`` raises, but EMPTY where they ended before that.
    """
    head: list[bytes] = []
    size = 0
    while size < min_data_size or not head:
        try:
            head.append(next(packets))
        except StopIteration:
            raise UpstreamError(Reason.EMPTY, f"{size} bytes of media") from None
        except UpstreamError as error:
            if error.reason is not Reason.ENDED:
                raise
            detail = f"{size} bytes of media; {error.detail}"
            raise UpstreamError(Reason.EMPTY, detail) from None
        size += len(head[-1])
    for is_media, run in groupby(head, bool):
        pieces = list(run)
        yield from [b"".join(pieces)] if is_media else pieces
    yield from packets


def _aligned(body: Iterator[bytes], patience: float) -> Iterator[bytes]:
    """The packets in ``body``, as they come; never none.

    Raises UpstreamError NOT_MEDIA where other bytes go on in their place: for ``patience``
    seconds, or for more bytes than any disturbance lasts (a fast body of them never waits,
    so that nothing else would get a turn). A pause before them is no part of these seconds.
    """
    aligner = Aligner()
    bad_since, dropped = 0.0, 0  # 0: what came last was good
    while True:
        try:
            data = next(body)
        except (StopIteration, UpstreamError) as end:
            if rest := aligner.flush():
                yield Leftover(rest)  # the last packet waited for the byte after it
            if isinstance(end, StopIteration):
                return
            raise
        if packets := aligner.feed(data):
            yield packets
            bad_since, dropped = 0.0, aligner.bytes_dropped
            continue
        bad_since = bad_since or monotonic()
        if aligner.bytes_dropped - dropped > GARBAGE_LIMIT or monotonic() - bad_since > patience:
            raise UpstreamError(Reason.NOT_MEDIA, "no transport stream in it any more")
