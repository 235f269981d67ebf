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
        seconds = max(stall_timeout, patience())
        return seconds, UpstreamError(Reason.STALLED, f"silent for {seconds:.3g} s")

    bound = start
    while True:
        parts = [reader.read(bound)]
        size = len(parts[0])
        ended = None if size else UpstreamError(Reason.ENDED, END_OF_BODY)
        # Each read gives one record of TLS, or the chunks of some frames. Take all that are there,
        # or a fast upstream is throttled to one per tick; and wait for none, as it may be long in
        # coming.
        while ended is None and size < READ_SIZE and len(parts) < _MOST_PIECES:
            try:
                part = reader.gathered()
            except UpstreamError as error:
                ended = error  # raised behind the bytes that came before it
                break
            if part is None:
                break
            parts.append(part)
            size += len(part)
            if not part:
                ended = UpstreamError(Reason.ENDED, END_OF_BODY)
        if size:
            yield parts[0] if len(parts) == 1 else b"".join(parts)
        if ended is not None:
            raise ended
        bound = stall  # the rhythm knows these bytes by now
