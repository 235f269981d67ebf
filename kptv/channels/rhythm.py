"""The rhythm of a stream: how long its pauses are, and how long a silence is none. Pure.

Some sources never pause, others send six seconds of media at once, every six seconds. Two things
tell the next pause: the longest one that media followed, and how far what came just now runs ahead
of time. A ``Rhythm`` belongs to a stream and outlives its connections; a ``Pulse`` is one
connection's, and believes that it lives again only when it goes on: what is flushed at an end (the
last packet of an aligner, what a remuxer still had) comes after a silence too. Where it is known to
be that, it is a ``Leftover``.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from kptv.channels.model import Stream
from kptv.formats.patience import LONGEST_PATIENCE, patience_of

PAUSE = 1.0  # seconds without media that are worth a thought
SURE = 0.4  # seconds that a connection lives on after media came behind a pause: no ending
RECENT = 5.0  # seconds in which media that came ahead of time came "just now"
SHORT = 10.0  # seconds of media: a connection with less tells nothing against a longer patience
_STEP = 0.25  # seconds between two samples
_REMEMBERED = 4096  # streams
_FORGET_AFTER = 3600.0  # seconds without anything new: as failover forgets failures


class Leftover(bytes):
    """Bytes that an upstream still gives when it is known to be over: no sign of life."""


class Rhythm:
    """The pauses of one stream, over its connections."""

    def __init__(self, shortest: float) -> None:
        """``shortest``: seconds of silence that count as a failure where nothing is known."""
        self.pause = 0.0  # the longest that media followed, in seconds
        self.news = 0.0  # of an HLS playlist: the longest between two that brought segments
        self.least = 0.0  # patience that the protocol asks for, while it is played
        self.noted_at = 0.0
        self._shortest = shortest
        self._ahead = 0.0
        self._ahead_until = 0.0

    def __repr__(self) -> str:
        return f"<Rhythm pause={self.pause:.1f} news={self.news:.1f}>"

    def expected(self, now: float) -> float:
        """Seconds of silence that are nothing unusual."""
        return max(self.pause, self._ahead if now < self._ahead_until else 0.0)

    def patience(self, now: float) -> float:
        """Seconds of silence that count as a failure."""
        return max(self.least, patience_of(self.expected(now), self._shortest))

    def paused(self, seconds: float, now: float) -> None:
        """Media followed a pause of so many seconds."""
        self.pause = max(self.pause, min(seconds, LONGEST_PATIENCE))
        self.noted_at = now

    def came_ahead(self, seconds: float, now: float) -> None:
        """Media that came until ``now`` will be played for so long."""
        if seconds >= self._ahead or now >= self._ahead_until:
            self._ahead = min(seconds, LONGEST_PATIENCE)
            self._ahead_until = now + 2 * self._ahead  # the pause, and the patience with it

    def was_given_up(self, silence: float) -> bool:
        """Whether so long a silence counts as a failure where nothing is known."""
        return silence >= self._shortest


class Rhythms:
    """What is known of all streams."""

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self._known: OrderedDict[tuple[int, str], Rhythm] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Rhythms of {len(self._known)} streams>"

    def of(self, stream: Stream, now: float) -> Rhythm:
        """The rhythm of a stream, which is to be kept while it is open."""
        rhythm = self._known.pop(stream.key, None)
        if rhythm is None or now - rhythm.noted_at > _FORGET_AFTER:
            rhythm = Rhythm(self._shortest)
            rhythm.noted_at = now
        self._known[stream.key] = rhythm
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return rhythm

    def patience(self, stream: Stream, now: float) -> float:
        """Seconds of silence of a stream that count as a failure."""
        rhythm = self._known.get(stream.key)
        return rhythm.patience(now) if rhythm else self._shortest


class Pulse:
    """Signs of life of one connection."""

    def __init__(self, rhythm: Rhythm, now: float) -> None:
        self.alive_at = now  # when it last gave media, and then went on
        self._rhythm = rhythm
        self._began_at: float | None = None  # first media
        self._media_at = now
        self._again_at: float | None = None  # media behind a pause, not known to go on yet
        self._silent_since: float | None = None  # of the connection before
        self._is_over = False
        # How far media was ahead of time before something came: (when, seconds).
        self._leads: deque[tuple[float, float]] = deque()

    def __repr__(self) -> str:
        return f"<Pulse alive_at={self.alive_at:.1f} again_at={self._again_at}>"

    def resumed(self, rhythm: Rhythm, now: float) -> Pulse:
        """The pulse of the next connection to the same stream.

        A stream that was given up in a pause will make the same pause again: it may last longer.
        """
        pulse = Pulse(rhythm, now)
        short = self._began_at is not None and self.alive_at - self._began_at < SHORT
        if short and rhythm.was_given_up(now - self.alive_at):
            pulse._silent_since = self.alive_at
        return pulse

    @property
    def doubtful(self) -> float:
        """Seconds of a pause that is over only if media goes on; 0: there is none such."""
        return self._again_at - self.alive_at if self._again_at is not None else 0.0

    def beat(self, now: float, before: float, clock: float) -> None:
        """Media came, and brought the media clock from ``before`` to ``clock`` (seconds)."""
        self.look(now)
        if self._began_at is None:
            self._began_at = now
            if self._silent_since is not None:
                self._rhythm.paused(now - self._silent_since, now)
        elif self._again_at is None and now - self.alive_at >= PAUSE:
            self._again_at = now
        if self._again_at is None:
            self.alive_at = now
        self._media_at = now
        self._note_lead(now, before - now, clock - now)

    def over(self) -> None:
        """All that comes from now on is left over."""
        self._is_over = True

    def look(self, now: float) -> None:
        """The connection is still open: to be told again and again."""
        if self._is_over or self._again_at is None:
            return
        if now - self._again_at >= SURE:
            self._rhythm.paused(self.doubtful, now)
            self.alive_at, self._again_at = self._media_at, None

    def _note_lead(self, now: float, before: float, after: float) -> None:
        leads = self._leads
        if leads and now - leads[-1][0] < _STEP:
            leads[-1] = leads[-1][0], min(leads[-1][1], before)
        else:
            leads.append((now, before))
        while leads[0][0] <= now - RECENT:
            leads.popleft()
        self._rhythm.came_ahead(after - min(lead for _, lead in leads), now)
