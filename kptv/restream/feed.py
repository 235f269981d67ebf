"""A stream that is open: its slot, its pieces and its counters."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import gevent

from kptv.channels.model import Stream
from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.metrics.counters import ChannelCounters
from kptv.ports import FilmBody, Piece, StreamOpener, Upstream
from kptv.restream.attempts import Attempt
from kptv.restream.slots import SETTLE, Slot
from kptv.restream.standby import ReadAhead, Room

# If an upstream ended so, the provider hung up; otherwise this proxy did.
_THEY_HUNG_UP = frozenset(
    (Reason.ENDED, Reason.RESET, Reason.REFUSED, Reason.PROXY, Reason.HTTP_ERROR)
)


class Feed:
    """The pieces of one upstream. It holds a slot from the beginning until ``close``."""

    def __init__(
        self, attempt: Attempt, open_stream: StreamOpener[Stream], counters: ChannelCounters
    ) -> None:
        self.stream = attempt.stream
        self.slot = attempt.slot
        self.opened_at = monotonic()
        self.timeout = attempt.timeout  # seconds, for the first media
        self._heard_at = self.opened_at
        self._counters = counters
        self._upstream: Upstream = open_stream(attempt.stream)
        self._ahead: ReadAhead | None = None
        self._first: Piece | None = None
        self._is_open = True
        self._has_slot = True  # which it gives back
        counters.opened(self.stream.source.number)

    def __repr__(self) -> str:
        return f"<Feed {self.stream!r} {'open' if self._is_open else 'closed'}>"

    @property
    def film(self) -> FilmBody | None:
        """The film that the stream turned out to be, until somebody takes it."""
        return self._upstream.film

    def take_film(self) -> FilmBody | None:
        """The ``film``, once: the caller closes it, and takes the slot with ``keep_slot``."""
        return self._upstream.take_film()

    def start(self) -> None:
        """Wait for the first piece, or for a film; may come twice. Raises UpstreamError."""
        if self._first is not None or self._ahead is not None or self.film is not None:
            return
        late = UpstreamError(Reason.TIMEOUT, f"no media within {self.timeout:.1f} s")
        with gevent.Timeout(self.timeout, late):
            self._first = self._next()
        if self._first is None and self.film is None:
            raise UpstreamError(Reason.EMPTY, "ended before it began")

    def __iter__(self) -> Iterator[Piece]:
        """All pieces. Ends after a recording, and at once if it is a film; raises UpstreamError."""
        self.start()
        piece = self._next() if self._ahead else self._first
        while piece is not None:
            yield piece
            piece = self._next()

    @property
    def sets(self) -> ParameterSets | None:
        """The parameter sets that came before its pieces, if any did."""
        return self._ahead.sets if self._ahead else None

    @property
    def heard_at(self) -> float:
        """When its provider last sent something; what was kept may go on for long after that."""
        return self._ahead.heard_at if self._ahead else self._heard_at

    def read_ahead(self, room: Room) -> ReadAhead:
        """Have what comes from now on kept, until somebody iterates; it has started.

        Whoever calls this runs ``read`` of what is returned, and opens that before the iteration.
        """
        assert self._first is not None
        program = self.stream.program
        ahead = self._ahead = ReadAhead(self._upstream, self._first, room, program)
        self._upstream, self._first = ahead, None
        return ahead

    def close(self, outcome: str) -> None:
        """Hang up, then give the slot back; may come twice.

        ``outcome`` is for the counters: a Reason, or why we hung up; empty if it goes on as a film.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._upstream.close()
        finally:
            if self._has_slot:
                self.slot.close(settling(outcome))
            self._counters.upstreams -= 1
            if outcome:
                self._counters.ended(self.stream.source.number, outcome)

    def keep_slot(self) -> Slot:
        """The slot, for the holder of a film's connection, who closes it; ``close`` does not."""
        self._has_slot = False
        return self.slot

    def _next(self) -> Piece | None:
        piece = next(self._upstream, None)
        if piece is not None:
            self._heard_at = monotonic()
            self._counters.bytes_received += len(piece.data)
        return piece


def settling(outcome: str) -> float:
    """Delay before the slot may be reused, in seconds, given how the upstream ended."""
    return 0.0 if outcome in _THEY_HUNG_UP else SETTLE
