"""Whole packets of a body, once there are enough of them to call it started."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import monotonic

from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.aligner import Aligner
from kptv.ports import Piece

GARBAGE_LIMIT = 256 * 1024  # bytes without a packet in them; 0.3 s of an 8 Mbit/s stream


def whole_packets(body: Iterator[bytes], config: Config) -> Iterator[Piece]:
    """The packets of ``body``, once there are MIN_DATA_SIZE bytes of them: see ``started``."""
    return started(_aligned(body, config.stall_timeout), config.min_data_size)


def started(pieces: Iterator[Piece], min_data_size: int) -> Iterator[Piece]:
    """The same packets and seams, once there are at least ``min_data_size`` bytes of them.

    Raises the errors of ``pieces``, but EMPTY if they ended before that.
    """
    head: list[Piece] = []
    size = 0
    while size < min_data_size or not head:
        try:
            head.append(next(pieces))
        except StopIteration:
            raise UpstreamError(Reason.EMPTY, f"{size} bytes of media") from None
        except UpstreamError as error:
            if error.reason is not Reason.ENDED:
                raise
            detail = f"{size} bytes of media; {error.detail}"
            raise UpstreamError(Reason.EMPTY, detail) from None
        size += len(head[-1].data)
    joined = deque(_joined(head))
    head.clear()  # this frame lasts as long as the stream
    while joined:
        yield joined.popleft()
    yield from pieces


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """As few pieces as possible: one from each seam to the next."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if not runs or piece.seam is not None:
            runs.append([])
        runs[-1].append(piece)
    for run in runs:
        yield replace(run[-1], data=b"".join([p.data for p in run]), seam=run[0].seam)


def _aligned(body: Iterator[bytes], patience: float) -> Iterator[Piece]:
    """The packets in ``body``, as they come.

    Raises UpstreamError NOT_MEDIA if only other bytes come instead: for ``patience`` seconds, or
    for more bytes than any disturbance lasts (a fast body of them never waits, so nothing else
    would get a turn). A pause before them does not count towards these seconds.
    """
    aligner = Aligner()
    bad_since, dropped = 0.0, 0  # 0: the last bytes were good
    while True:
        try:
            data = next(body)
        except (StopIteration, UpstreamError) as end:
            if rest := aligner.flush():  # the last packet waited for the byte after it
                yield _piece(rest, aligner, flushed=True)
            if isinstance(end, StopIteration):
                return
            raise
        if packets := aligner.feed(data):
            yield _piece(packets, aligner)
            bad_since, dropped = 0.0, aligner.bytes_dropped
            continue
        bad_since = bad_since or monotonic()
        if aligner.bytes_dropped - dropped > GARBAGE_LIMIT or monotonic() - bad_since > patience:
            raise UpstreamError(Reason.NOT_MEDIA, "no transport stream in it any more")


def _piece(packets: bytes, aligner: Aligner, *, flushed: bool = False) -> Piece:
    return Piece(
        packets,
        flushed=flushed,
        bytes_dropped=aligner.bytes_dropped,
        sync_losses=aligner.sync_losses,
    )
