"""The rhythm of a stream: how long its pauses are, and which silence is longer than they. Pure.

Some sources never pause, others send six seconds of media at once, every six seconds. Two things
tell the next pause: the longest one that media followed, and how far the latest media runs ahead
of time. A ``Rhythm`` belongs to a stream and outlives its connections; a ``Pulse`` belongs to one
connection, and believes that it lives again only when it goes on: what is flushed at an end (the
last packet of an aligner, what a remuxer still had) comes after a silence too. If that is known,
the piece says so (``Piece.flushed``).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from kptv.channels.model import Stream
from kptv.formats.patience import LONGEST_PATIENCE, patience_of

PAUSE = 1.0  # seconds without media that count as a pause
REST = 0.4  # as many, before what is left over at an end: it does not go on with what flowed
SURE = 0.4  # seconds after a pause and some media: if the connection is open yet, it goes on
RECENT = 5.0  # seconds back, within which media that came ahead of time counts
SHORT = 10.0  # seconds of media: a connection with less may be silent for longer next time
CATCHING_UP = 0.5  # seconds in which a connection gives what was kept of it
_STEP = 0.25  # seconds between two samples
_REMEMBERED = 4096  # streams
_FORGET_AFTER = 3600.0  # seconds without anything new; Health forgets failures as late


class Allowance:
    """How long one connection may be silent by its protocol, while it is open."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm  # its stream's
        self.seconds = 0.0


class Rhythm:
    """The pauses of one stream, over its connections."""

    def __init__(self, shortest: float) -> None:
        """``shortest``: seconds of silence that count as a failure if nothing is known."""
        self.pause = 0.0  # the longest that media followed, in seconds
        self.news = 0.0  # for HLS: the longest time between two playlists with new segments
        self.noted_at = 0.0
        self._shortest = shortest
        self._allowances: set[Allowance] = set()
        self._ahead = 0.0
        self._ahead_until = 0.0

    def __repr__(self) -> str:
        return f"<Rhythm pause={self.pause:.1f} news={self.news:.1f}>"

    def expected(self, now: float) -> float:
        """The longest silence that is usual for this stream, in seconds."""
        return max(self.pause, self._ahead if now < self._ahead_until else 0.0)

    def patience(self, now: float) -> float:
        """Seconds of silence that count as a failure."""
        allowed = max((allowance.seconds for allowance in self._allowances), default=0.0)
        return max(allowed, patience_of(self.expected(now), self._shortest))

    @contextmanager
    def allowing(self) -> Iterator[Allowance]:
        """Within the block, a connection may ask for more patience with this stream."""
        allowance = Allowance(self)
        self._allowances.add(allowance)
        try:
            yield allowance
        finally:
            self._allowances.discard(allowance)

    def paused(self, seconds: float, now: float) -> None:
        """Record a pause of so many seconds, which media followed."""
        self.pause = max(self.pause, min(seconds, LONGEST_PATIENCE))
        self.noted_at = now

    def came_ahead(self, seconds: float, now: float) -> None:
        """Record that the media that has come lasts for so many seconds from ``now`` on."""
        if seconds >= self._ahead or now >= self._ahead_until:
            self._ahead = min(seconds, LONGEST_PATIENCE)
            self._ahead_until = now + 2 * self._ahead  # the pause, and the patience with it

    def was_given_up(self, silence: float) -> bool:
        """Whether so long a silence counts as a failure if nothing is known."""
        return silence >= self._shortest


class Rhythms:
    """The rhythms of all streams."""

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self._known: OrderedDict[tuple[int, str], Rhythm] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Rhythms of {len(self._known)} streams>"

    def of(self, stream: Stream, now: float) -> Rhythm:
        """The rhythm of a stream; its connection keeps it while it is open."""
        rhythm = self._known.pop(stream.key, None)
        if rhythm is None or now - rhythm.noted_at > _FORGET_AFTER:
            rhythm = Rhythm(self._shortest)
            rhythm.noted_at = now
        self._known[stream.key] = rhythm
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return rhythm

    def patience(self, stream: Stream, now: float) -> float:
        """Seconds of silence of ``stream`` that count as a failure."""
        rhythm = self._known.get(stream.key)
        return rhythm.patience(now) if rhythm else self._shortest


class Pulse:
    """Signs of life of one connection."""

    def __init__(self, rhythm: Rhythm, now: float, *, kept: bool = False) -> None:
        """``kept``: its first media had come before; that it is given at once tells nothing."""
        self.alive_at = now  # when it last gave media and then went on
        self._leads_from = now + CATCHING_UP if kept else now
        self._rhythm = rhythm
        self._began_at: float | None = None  # first media
        self._media_at = now
        self._again_at: float | None = None  # when media came after a pause, if it may yet end
        self._silent_since: float | None = None  # when the connection before fell silent
        self._is_over = False
        self._pause = PAUSE  # seconds without media, after which the next does not go on with it
        # How far media was ahead of time before something came: (when, seconds); these rise.
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
        """Length of a pause that is over only if media goes on, in seconds; 0 if there is none."""
        return self._again_at - self.alive_at if self._again_at is not None else 0.0

    def beat(self, now: float, before: float, clock: float) -> None:
        """Record media that brought the media clock from ``before`` to ``clock`` (seconds)."""
        self.look(now)
        if self._began_at is None:
            self._began_at = now
            if self._silent_since is not None:
                self._rhythm.paused(now - self._silent_since, now)
        elif self._again_at is None and now - self.alive_at >= self._pause:
            self._again_at = now
        self._pause = PAUSE
        if self._again_at is None:
            self.alive_at = now
        self._media_at = now
        if now >= self._leads_from:
            self._note_lead(now, before - now, clock - now)

    def over(self) -> None:
        """Record that all that still comes is left over.

        It comes when somebody stops waiting, which may be sooner than what counts as a pause.
        """
        if not self._is_over:
            self._is_over, self._pause = True, REST

    def look(self, now: float) -> None:
        """Record that the connection is still open; to be called again and again."""
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
        while len(leads) > 1 and leads[-2][1] >= before:  # it is never the least again
            del leads[-2]
        while leads[0][0] <= now - RECENT:
            leads.popleft()
        self._rhythm.came_ahead(after - leads[0][1], now)
