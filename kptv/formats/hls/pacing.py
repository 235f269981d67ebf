"""How fast media leaves: as fast as it plays, with a head start for the player's buffer."""

from __future__ import annotations

LONGEST_LEAD = 10.0  # seconds of media sent at once at the start; more chokes small players
SHORTEST_LEAD = 0.5  # seconds; less than one write would mean that nothing ever leaves
CATCH_UP = 1.25  # times the speed of play, while more waits than at the start
_FIRST_RETRY = 0.5  # seconds; doubles
RETRY_WINDOW = 1.5  # target durations in which a segment is asked for again
SHORTEST_WINDOW = 2.5  # seconds of it at least: a server is late by no less for short segments
LONGEST_RETRY = 3.0  # the same, if there is more media in hand than usual


class Pacer:
    """A bucket of seconds of media: filled by the clock, emptied by what is written.

    It starts full, with one target duration: the first picture comes at once, and two target
    durations stay in hand against an origin that is late. After a silence no more than that
    leaves in one burst.
    """

    def __init__(self, lead: float, now: float) -> None:
        self._lead = _bounded(lead)
        self._credit = self._lead
        self._time = now
        self._usual = 0.0  # the most that waits when all is well, in seconds of media

    def expect(self, backlog: float) -> None:
        """Note the usual backlog in seconds, inf for a film: only a larger one is worked off."""
        self._usual = max(self._usual, backlog)

    def retime(self, lead: float, backlog: float) -> None:
        """Segments turned out shorter or longer: set what leaves at once, and the usual backlog."""
        before, self._lead = self._lead, _bounded(lead)
        if self._lead < before:  # what has left has left: from now on as it plays, without a pause
            self._credit = min(self._credit, max(self._credit - (before - self._lead), 0.0))
        self._usual = backlog

    def allowance(self, now: float, backlog: float) -> float:
        """Seconds of media that may leave now; 0 or less: none, for at least that long."""
        speed = CATCH_UP if backlog > self._usual else 1.0
        self._credit = min(self._lead, self._credit + max(now - self._time, 0.0) * speed)
        self._time = now
        return self._credit

    def written(self, seconds: float) -> None:
        """So much media has left. The credit may fall below 0 by one piece."""
        self._credit -= seconds


def _bounded(lead: float) -> float:
    return min(max(lead, SHORTEST_LEAD), LONGEST_LEAD)


def retry_delay(
    attempt: int, elapsed: float, target_duration: float, in_hand: float = 0.0
) -> float | None:
    """Seconds to wait after the failure number ``attempt`` (from 0) of a segment; None: skip it.

    ``elapsed`` is since the first attempt. 0.5 s, 1 s, 2 s, …, while the media ``in_hand`` (in
    seconds) lasts; once in any case, even if a time-out took all of that time.
    """
    delay: float = _FIRST_RETRY * 2**attempt
    window = max(RETRY_WINDOW * target_duration, SHORTEST_WINDOW)
    if attempt == 0 or elapsed + delay <= window:
        return delay
    # The next segment needs some time too.
    spare = min(in_hand - max(target_duration / 2, _FIRST_RETRY), delay)
    late = elapsed + spare > max(LONGEST_RETRY * target_duration, window)
    return None if spare < _FIRST_RETRY or late else spare
