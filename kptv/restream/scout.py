"""Open before close: the next stream is opened beside a silent one, and the first to speak plays.

So a stall costs a suspicion and an opening, not STALL_TIMEOUT and an opening. Viewers see nothing
of the next stream before it is taken over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

import gevent
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.model import Stream
from kptv.errors import Reason, UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED
from kptv.restream.feed import Feed
from kptv.restream.output import Output
from kptv.restream.supply import Supply

log = logging.getLogger(__name__)

SUSPECT_AFTER = 2.0  # seconds of silence, after which the next candidate is opened beside
LATE = 1.0  # seconds beyond the longest known pause: until then it is one more of them


class Scout:
    """A feed that is being opened. ``on_done`` is told when it has media or has failed."""

    def __init__(self, feed: Feed, on_done: Callable[[Scout], None]) -> None:
        self.feed = feed
        self.error: UpstreamError | None = None
        self.found = False  # it has media
        self._on_done = on_done
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Scout {self.feed!r} {self.error or ''}>"

    def wait(self) -> None:
        """Wait until it has media or has failed; the feed's own timeout bounds this."""
        self._greenlet.join()

    def dismiss(self, outcome: str = STOPPED) -> None:
        """Hang up: it is not needed. Does not wait; may come twice."""
        gevent.spawn(self._close, outcome)

    def _run(self) -> None:
        try:
            self.feed.start()
            if self.feed.film is None:
                self.found = True
            else:
                self.error = UpstreamError(Reason.NOT_MEDIA, "a file")
        except UpstreamError as error:
            self.error = error
        except Exception:
            log.exception("%s failed in this proxy", self.feed.stream.source.tag)
            self.error = UpstreamError(Reason.INTERNAL)
        self._on_done(self)

    def _close(self, outcome: str) -> None:
        self._greenlet.kill()
        self.feed.close(outcome)


class Lookout:
    """One hub's: opens the next stream beside a silent one, and leaves that for it.

    It sends out one scout at a time, if a slot is free, and keeps what that finds.
    """

    def __init__(
        self,
        supply: Supply,
        output: Output,
        leave: Callable[[UpstreamError], None],
        on_failed: Callable[[UpstreamError, Stream, str], None],
    ) -> None:
        """``leave`` ends the stream that plays: there is a feed with media to ``take``.

        ``on_failed`` gets a scout's error, its stream, and failover's note on it.
        """
        self._supply = supply
        self._output = output
        self._leave = leave
        self._on_failed = on_failed
        self._scout: Scout | None = None
        self._over = 0  # counts how often the reason for a look has ended

    def __repr__(self) -> str:
        return f"<Lookout {self._scout!r}>"

    def watch(self, now: float) -> None:
        """To be called twice a second while a stream plays, from a greenlet that may wait.

        A scout goes home when the stream speaks again. Bytes that a stream flushes at its end do
        not count as speaking.
        """
        output = self._output
        if now - output.media_at >= max(SUSPECT_AFTER, output.expected_pause(now) + LATE):
            self.look()
            if self._scout is not None and self._scout.found:
                self._take_over()
        elif output.alive_at == output.media_at:
            self.dismiss()

    def look(self) -> None:
        """Open another stream than the one that plays, unless one is being opened already."""
        if self._scout:
            return
        before = self._over
        attempt = self._supply.beside()
        if attempt is None:
            return
        if self._over != before:  # while the slot was asked for
            attempt.slot.close()
            return
        scout = self._scout = Scout(self._supply.open(attempt), self._done)
        attempt.slot.on_lost(lambda: self._lost(scout))

    def take(self) -> Feed | None:
        """The stream that was opened early, once it has media; None without such a stream."""
        self._over += 1
        if scout := self._scout:
            scout.wait()
        scout, self._scout = self._scout, None  # none any more, if it failed meanwhile
        return scout.feed if scout else None

    def dismiss(self, *, but_of: int | None = None) -> None:
        """Hang up what was opened, unless it is of the source with the number ``but_of``."""
        self._over += 1
        if (scout := self._scout) and scout.feed.stream.source.number != but_of:
            self._scout = None
            scout.dismiss()

    def _lost(self, scout: Scout) -> None:
        if scout is self._scout:
            self._scout = None
            scout.dismiss(SLOT_LOST)

    def _done(self, scout: Scout) -> None:
        if scout is not self._scout:
            return  # dismissed
        if scout.error is None:
            get_hub().loop.run_callback(self._found, scout)
        else:
            self._scout = None
            self._failed(scout.error, scout.feed)

    def _found(self, scout: Scout) -> None:
        if scout is self._scout:  # else the silence has ended just now
            self._take_over()

    def _take_over(self) -> None:
        """Leave the silent stream, if it still is silent."""
        now = monotonic()
        silence = now - self._output.media_at
        if silence >= max(SUSPECT_AFTER, self._output.expected_pause(now)):
            self._leave(UpstreamError(Reason.STALLED, f"silent for {silence:.1f} s"))

    def _failed(self, error: UpstreamError, feed: Feed) -> None:
        busy, failover = feed.slot.others > 0, self._supply.failover
        outcome = failover.spare_failed(feed.stream, error, feed.opened_at, monotonic(), busy)
        self._on_failed(error, feed.stream, outcome)
        feed.close(error.reason)
