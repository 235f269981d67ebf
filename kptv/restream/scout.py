"""Open before close: the next stream is opened beside a silent one, and the first to speak plays.

So a stall costs a suspicion and an opening, not STALL_TIMEOUT and an opening. Viewers see nothing
of the next stream before it is taken over. With STANDBY it is opened while all is well, and read
ahead: what is left then goes on at once, from a keyframe that has come already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic

import gevent
from gevent.event import Event
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.model import Stream
from kptv.errors import Reason, UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED
from kptv.restream.attempts import Attempt
from kptv.restream.chronicle import Chronicle
from kptv.restream.feed import Feed
from kptv.restream.output import Output
from kptv.restream.pauses import Pauses
from kptv.restream.standby import SETTLED, ReadAhead, Room
from kptv.restream.supply import Supply

log = logging.getLogger(__name__)

SUSPECT_AFTER = 2.0  # seconds of silence, after which the next candidate is opened beside
# The same if the next one stands by: to leave costs nothing. Rhythms know no pause that is shorter
# (channels.rhythm.PAUSE).
SUSPECT_SOONER = 1.0
# Seconds for which a stream is heard beside a standby; one that ends before may end because of it.
OUTLIVED = 1.0
LATE = 1.0  # seconds beyond the longest known pause: until then it is one more of them


class Scout:
    """A feed that is being opened. ``on_done`` is told when it has media, and when it has failed.

    With ``room`` it is read ahead from then on, and ``beat`` is called with each piece.
    """

    def __init__(
        self,
        feed: Feed,
        on_done: Callable[[Scout], None],
        room: Room | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.feed = feed
        self.error: UpstreamError | None = None
        self.found_at: float | None = None  # when it had media, if it has
        self.ahead: ReadAhead | None = None
        self.told = False  # people were told that it stands by
        self._on_done = on_done
        self._room = room
        self._beat = beat
        self._opened = Event()
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Scout {self.feed!r} {self.error or ''}>"

    @property
    def found(self) -> bool:
        """It has media."""
        return self.found_at is not None

    @property
    def ready(self) -> bool:
        """It has a keyframe to go on from at once."""
        return self.ahead is not None and self.ahead.ready

    def wait(self) -> None:
        """Wait until it has media or has failed; the feed's own timeout bounds this."""
        self._opened.wait()

    def dismiss(self, outcome: str = STOPPED) -> None:
        """Hang up: it is not needed. Does not wait; may come twice."""
        gevent.spawn(self._close, outcome)

    def _run(self) -> None:
        try:
            self._look()
        except UpstreamError as error:
            self.error = error
        except Exception:
            log.exception("%s failed in this proxy", self.feed.stream.source.tag)
            self.error = UpstreamError(Reason.INTERNAL)
        finally:
            self._opened.set()
        if self.error is not None:
            self._on_done(self)

    def _look(self) -> None:
        self.feed.start()
        if self.feed.film is not None:
            raise UpstreamError(Reason.NOT_MEDIA, "a file")
        self.found_at = monotonic()
        if self._room is not None:
            self.ahead = self.feed.read_ahead(self._room)
        self._opened.set()
        self._on_done(self)
        if self.ahead is not None:
            self.ahead.read(self._beat)

    def _close(self, outcome: str) -> None:
        self._greenlet.kill()
        self._opened.set()  # it may have been killed before it ran
        self.feed.close(outcome)


@dataclass(frozen=True, slots=True)
class Standby:
    """The stream that stands by, for people."""

    stream: Stream
    since: float | None  # when it had media, monotonic; None: it is being opened
    ready: bool  # it has a keyframe: viewers can go on with it at once


class Lookout:
    """One hub's: opens the next stream beside a silent one, and leaves that for it.

    It sends out one scout at a time, if a slot is free, and keeps what that finds. If the supply
    has room for a standby, a scout is out all the time.
    """

    def __init__(
        self,
        supply: Supply,
        output: Output,
        leave: Callable[[UpstreamError], None],
        chronicle: Chronicle,
    ) -> None:
        """``leave`` makes the hub leave the stream that plays.

        ``chronicle`` is told of scouts that failed, and of streams that stand by.
        """
        self._supply = supply
        self._output = output
        self._leave = leave
        self._chronicle = chronicle
        self._scout: Scout | None = None
        self._over = 0  # counts how often the reason for a look has ended
        self._pauses = Pauses()  # between standbys

    def __repr__(self) -> str:
        return f"<Lookout {self._scout!r}>"

    @property
    def standby(self) -> Standby | None:
        """What stands by, or is being opened beside."""
        if (scout := self._scout) is None:
            return None
        return Standby(scout.feed.stream, scout.found_at, scout.ready)

    def watch(self, playing: Feed, now: float) -> None:
        """To be called twice a second while ``playing`` does, from a greenlet that may wait.

        A scout goes home when the stream speaks again, unless it is to stand by. Bytes that a
        stream flushes at its end do not count as speaking.
        """
        output = self._output
        if self._is_silent(now):
            self.look()
            if self._scout is not None and self._scout.found:
                self._take_over()
        elif output.alive_at != output.media_at:
            return
        elif self._supply.room is None:
            self.dismiss()
        else:
            self._stand_by(playing, now)

    def look(self) -> None:
        """Open another stream than the one that plays, unless one is being opened already."""
        if not self._scout:
            self._send_out(self._supply.beside)

    def take(self) -> Feed | None:
        """The stream that was opened early, once it has media; None without such a stream."""
        self._over += 1
        if not self._output.playable:
            self._pauses.wait(monotonic() + SETTLED)
        if scout := self._scout:
            scout.wait()
        scout, self._scout = self._scout, None  # none any more, if it failed meanwhile
        if scout is None:
            return None
        scout.feed.slot.mark_used()
        if scout.ahead is not None:
            scout.ahead.open(monotonic() - self._output.media_at)
        return scout.feed

    def died(self, playing: Feed, now: float) -> None:
        """The stream that plays has failed; to be called before ``take``."""
        scout = self._scout
        if scout is None or self._supply.room is None:
            return
        if _is_outlived(scout, playing):
            self._pauses.outlived()
        elif playing.heard_at > scout.feed.opened_at - SUSPECT_AFTER:  # else silent already
            self._pauses.died(now)

    def dismiss(self, *, but_of: int | None = None) -> None:
        """Hang up what was opened, unless it is of the source with the number ``but_of``."""
        self._over += 1
        if (scout := self._scout) and scout.feed.stream.source.number != but_of:
            self._scout = None
            scout.dismiss()

    def keep_to(self, streams: Collection[Stream]) -> None:
        """Hang up what was opened, unless it is one of these."""
        if self._scout and all(self._scout.feed.stream.key != stream.key for stream in streams):
            self.dismiss()

    def _send_out(self, attempt_of: Callable[[], Attempt | None]) -> None:
        before = self._over
        attempt = attempt_of()
        if attempt is None:
            return
        if self._over != before:  # while the slot was asked for
            attempt.slot.close()
            return
        feed = self._supply.open(attempt)
        scout = self._scout = Scout(feed, self._done, self._supply.room, self._beat)
        attempt.slot.on_lost(lambda: self._lost(scout))

    def _stand_by(self, feed: Feed, now: float) -> None:
        """Have a stream of another source stand by; it gives way to whoever needs its slot."""
        if self._scout is None and self._pauses.over(now):
            self._send_out(self._supply.standby)
        scout, playing = self._scout, self._supply.failover.playing
        if scout is None or playing is None:
            return
        if scout.feed.stream.source == playing.source:  # it was opened beside a silent one
            self.dismiss()
            return
        scout.feed.slot.mark_standby()
        if _is_outlived(scout, feed):
            self._pauses.outlived()

    def _beat(self) -> None:
        """A piece of a stream that stands by has come."""
        scout = self._scout
        if scout is None or not scout.ready:
            return
        if not scout.told:
            scout.told = True
            self._chronicle.stands_by(scout.feed.stream)
        if self._is_silent(monotonic()):
            self._take_over()

    def _is_silent(self, now: float) -> bool:
        output = self._output
        return now - output.media_at >= max(self._suspect_after, output.expected_pause(now) + LATE)

    @property
    def _suspect_after(self) -> float:
        return SUSPECT_SOONER if self._scout is not None and self._scout.ready else SUSPECT_AFTER

    def _lost(self, scout: Scout) -> None:
        if scout is self._scout:
            self._scout = None
            self._pauses.lost(monotonic())
            scout.dismiss(SLOT_LOST)

    def _done(self, scout: Scout) -> None:
        if scout is not self._scout:
            return  # dismissed, or taken
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
        if silence >= max(self._suspect_after, self._output.expected_pause(now)):
            self._leave(UpstreamError(Reason.STALLED, f"silent for {silence:.1f} s"))

    def _failed(self, error: UpstreamError, feed: Feed) -> None:
        now, busy, failover = monotonic(), feed.slot.others > 0, self._supply.failover
        if self._supply.room is None:
            outcome = failover.spare_failed(feed.stream, error, feed.opened_at, now, busy)
        else:
            outcome = failover.standby_failed(feed.stream, error, feed.opened_at, now, busy)
            self._pauses.failed(now, feed.opened_at)
        self._chronicle.failed(error, feed.stream, outcome)
        feed.close(error.reason)


def _is_outlived(scout: Scout, playing: Feed) -> bool:
    """Whether the stream that plays has gone on beside it for a while."""
    return scout.found_at is not None and playing.heard_at - scout.found_at >= OUTLIVED
