"""A stream that is opened: its slot, its pieces, what is counted of it; and one opened early."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.channels.model import Stream
from kptv.errors import IsFile, Reason, UpstreamError
from kptv.metrics import STOPPED, ChannelCounters
from kptv.restream.attempts import Attempt
from kptv.restream.limits import SETTLE, Slot

log = logging.getLogger(__name__)

OpenStream = Callable[[Stream], Iterator[bytes]]

# How an upstream ends by itself; after any other ending it was we who hung up.
_THEY_HUNG_UP = frozenset((Reason.ENDED, Reason.RESET, Reason.REFUSED, Reason.HTTP_ERROR))


class Feed:
    """The pieces of one upstream. Holds a slot from the beginning until ``close``."""

    def __init__(
        self, attempt: Attempt, open_stream: OpenStream, counters: ChannelCounters
    ) -> None:
        self.stream = attempt.stream
        self.slot = attempt.slot
        self.opened_at = monotonic()
        self._timeout = attempt.timeout
        self._counters = counters
        self._chunks = open_stream(attempt.stream)
        self._first: bytes | None = None
        self._is_open = True
        counters.opened(self.stream.source.number)

    def __repr__(self) -> str:
        return f"<Feed {self.stream!r} {'open' if self._is_open else 'closed'}>"

    def start(self) -> None:
        """Wait for the first piece; may come twice. Raises UpstreamError, IsFile."""
        if self._first is not None:
            return
        late = UpstreamError(Reason.TIMEOUT, f"no media within {self._timeout:.1f} s")
        with gevent.Timeout(self._timeout, late):
            self._first = self._next()
        if self._first is None:
            raise UpstreamError(Reason.EMPTY, "ended before it began")

    def __iter__(self) -> Iterator[bytes]:
        """All pieces; an empty one says that the next does not go on where the last ended.

        Ends after a film; raises UpstreamError, IsFile.
        """
        self.start()
        piece = self._first
        while piece is not None:
            yield piece
            piece = self._next()

    def close(self, outcome: str) -> None:
        """Hang up, then give the slot back; may come twice.

        ``outcome`` is for the counters: a Reason, or why we hung up; empty where nothing ended.
        """
        if not self._is_open:
            return
        self._is_open = False
        close = getattr(self._chunks, "close", None)  # a plain iterator has nothing to close
        try:
            if close is not None:
                close()
        finally:
            self.slot.close(0.0 if outcome in _THEY_HUNG_UP else SETTLE)
            self._counters.upstreams -= 1
            if outcome:
                self._counters.ended(self.stream.source.number, outcome)

    def keep_slot(self) -> Slot:
        """The slot, for who goes on with the connection of an IsFile."""
        return self.slot.transfer()

    def _next(self) -> bytes | None:
        data = next(self._chunks, None)
        if data is not None:
            self._counters.bytes_received += len(data)
        return data


class Scout:
    """A feed that is opened while another is silent. ``on_done`` is told when it has media or not.

    Nothing of it is seen by viewers before it is taken over.
    """

    def __init__(self, feed: Feed, on_done: Callable[[Scout], None]) -> None:
        self.feed = feed
        self.ready = False  # it has given media
        self.error: UpstreamError | None = None
        self._on_done = on_done
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Scout {self.feed!r} {'ready' if self.ready else 'opening'}>"

    def wait(self) -> None:
        """Until it is ready or has failed; the feed's own timeout bounds this."""
        self._greenlet.join()

    def dismiss(self) -> None:
        """It is not needed: hang up. Waits for nothing; may come twice."""
        gevent.spawn(self._close)

    def _run(self) -> None:
        try:
            self.feed.start()
            self.ready = True
        except IsFile as found:
            found.body.close()
            self.error = UpstreamError(Reason.NOT_MEDIA, "a file")
        except UpstreamError as error:
            self.error = error
        except Exception:
            log.exception("%s failed in this proxy", self.feed.stream.source.tag)
            self.error = UpstreamError(Reason.INTERNAL)
        self._on_done(self)

    def _close(self) -> None:
        self._greenlet.kill()
        self.feed.close(STOPPED)
