"""A body that never ends, read in pieces as they gather."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import requests

from kptv.errors import Reason, UpstreamError
from kptv.upstream.reading import BodyReader, Bound

END_OF_BODY = "end of body"
READ_SIZE = 256 * 1024  # bytes that are read at once, and so published at once, at most
_MOST_PIECES = 2000  # read at once; if each is one packet, 370 KB in 0.03 s


def read_body(
    response: requests.Response,
    start_timeout: float,
    stall_timeout: float,
    patience: Callable[[], float] = lambda: 0.0,
) -> Iterator[bytes]:
    """The bytes that have gathered since the last call, up to READ_SIZE; waits only for the first.

    Raises UpstreamError: ENDED at the end of the body, RESET if it breaks, TIMEOUT if it does not
    begin within ``start_timeout`` seconds, STALLED after ``stall_timeout`` seconds of silence (more
    if ``patience`` says so when the silence begins).
    """
    reader = BodyReader(response, READ_SIZE)

    def start() -> Bound:
        late = UpstreamError(Reason.TIMEOUT, f"no body within {start_timeout:g} s")
        return start_timeout, late

    def stall() -> Bound:
        return _stalled_after(stall_timeout)

    def patient_stall() -> Bound:
        return _stalled_after(max(stall_timeout, patience()))

    bound = start
    while True:
        parts = [reader.read(bound)]
        size = len(parts[0])
        ended = None if size else UpstreamError(Reason.ENDED, END_OF_BODY)
        # Each read gives one chunk of a chunked body, or one record of TLS. Take all that are
        # there, or a fast upstream is throttled to one per tick.
        while (
            ended is None and size < READ_SIZE and len(parts) < _MOST_PIECES and reader.has_more()
        ):
            try:
                parts.append(reader.read(stall))
            except UpstreamError as error:
                ended = error  # raised behind the bytes that came before it
                break
            size += len(parts[-1])
            if not parts[-1]:
                ended = UpstreamError(Reason.ENDED, END_OF_BODY)
        if size:
            yield parts[0] if len(parts) == 1 else b"".join(parts)
        if ended is not None:
            raise ended
        bound = patient_stall  # the rhythm knows these bytes by now


def _stalled_after(seconds: float) -> Bound:
    return seconds, UpstreamError(Reason.STALLED, f"silent for {seconds:.3g} s")
