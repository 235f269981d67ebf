"""How far media is ahead of time: players have that much in reserve.

Media that comes faster than it plays is kept by the players. How far it is ahead of time is the
media time that was made, less the time that has passed. Two figures tell of it. The *floor* is the
least that media was ahead of time just before more arrived; below it, time was lost. The *ceiling*
is the most that one upstream alone has put media ahead of time, mostly by sending at once what it
had stored. The next upstream sends its store on top of what players have in reserve, so without a
limit they would have to keep more with each splice.

Lost time. Media goes on where the last upstream's ended: players play on from their reserve, and
stand still only if that is used up. So they have less, and all figures sink by what was lost. The
other ways, which players show worse, skip lost time: all of it, or what is beyond so many seconds.
"""

from __future__ import annotations

from kptv.formats.mpegts.clock import TICKS

MARGIN = 5.0  # seconds above the ceiling: media that would be further ahead of time is cut
RELIEF = 2.0  # seconds below that limit: from there on a splice waits for a later keyframe
STORED = 10.0  # seconds in which an upstream sends what it had stored


class Reserve:
    """Told what media was made and when. Media times are ticks since the first unit."""

    __slots__ = (
        "_base",
        "_began_at",
        "_begins",
        "_ceiling",
        "_debt",
        "_floor",
        "_is_first",
        "_is_limited",
        "_last",
        "_pause",
        "_skip_beyond",
    )

    def __init__(self, skip_beyond: float | None = None) -> None:
        """``skip_beyond``: seconds below the floor from which on lost time is skipped."""
        self._skip_beyond = skip_beyond  # None: it never is
        self._debt = 0.0  # seconds below the floor at which the last upstream began
        self._base: float | None = None  # how far media was ahead of time at the start
        self._floor = 0.0
        self._ceiling: float | None = None  # None: there was no second arrival yet
        self._pause: float | None = None  # the floor, were the last arrival to count
        self._begins = 0  # media time at which the last upstream began
        self._began_at = 0.0  # and when
        self._is_first = True  # it is the first one, which may send what it had stored at any time
        self._is_limited = False  # players had much to play when it began
        self._last: tuple[float, float] | None = None  # (time, media seconds) of the last arrival

    def begin(self, media: int, now: float) -> None:
        """An upstream starts at this media time."""
        if self._base is None:
            self._base = self._floor = -now
        else:
            self._last, self._pause, self._is_first = None, None, False
            ahead = media / TICKS - now
            self._lose(max(0.0, self._floor - ahead))
            self._is_limited = ahead - self._base > MARGIN
        self._begins, self._began_at = media, now

    def note(self, media: int, now: float) -> None:
        """Media arrived as far as this; to be told after all that arrives at one moment.

        A pause lowers the floor once media goes on behind it: the last packet of an upstream that
        fell silent comes when it is given up, and does not tell that media came late.
        """
        if self._base is None or media < self._begins:
            return  # only tables came yet behind the gap of a splice
        seconds = media / TICKS
        if self._last is not None and now > self._last[0]:
            then, before = self._last
            if self._pause is not None:
                self._floor = min(self._floor, self._pause)
            self._pause = before - now + self._debt
            if self._is_first or self._ceiling is None:
                self._ceiling = max(self._ceiling or before - then, before - then)
        if not self._is_first and now - self._began_at < STORED and self._ceiling is not None:
            alone = (media - self._begins) / TICKS
            self._ceiling = max(self._ceiling, self._base + alone - (now - self._began_at))
        self._last = now, seconds

    def to_skip(self, media: int, now: float) -> float:
        """Seconds of lost time that a splice at this media time must skip."""
        if self._skip_beyond is None:
            return 0.0
        return max(0.0, self._floor - self._skip_beyond - (media / TICKS - now))

    def is_ample(self, media: int, now: float) -> bool:
        """Whether a splice now would add to what players have to keep."""
        if self._ceiling is None:
            return False
        return media / TICKS - now > self._ceiling + MARGIN - RELIEF

    def limit(self, now: float) -> float | None:
        """The media time, in seconds, behind which the upstream is cut; None: there is none."""
        if not self._is_limited or self._ceiling is None:
            return None
        return now + self._ceiling + MARGIN

    def _lose(self, seconds: float) -> None:
        """So much time was lost at a splice, and not skipped."""
        if self._skip_beyond is not None:
            self._debt = seconds
            return
        self._floor -= seconds
        if self._base is not None:
            self._base -= seconds
        if self._ceiling is not None:
            self._ceiling -= seconds
