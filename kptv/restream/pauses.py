"""When the next standby may be opened. Pure: told the time."""

from __future__ import annotations

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds between two openings if the first one failed
STOOD = 10.0  # seconds that a standby has to stand for it not to count as one that failed


class Pauses:
    """One channel's. Providers that refuse are not asked in turn, nor those that kill for it.

    A stream that dies as a standby is opened may be killed by that: so it is where two sources are
    one account and the newest connection wins. One such death is chance, and costs no time.
    """

    def __init__(self) -> None:
        self._failures = 0  # of standbys in a row
        self._deaths = 0  # in a row, of streams that died as a standby was opened
        self._until = 0.0

    def __repr__(self) -> str:
        return f"<Pauses until={self._until:.1f} failures={self._failures} deaths={self._deaths}>"

    def over(self, now: float) -> bool:
        """A standby may be opened."""
        return now >= self._until

    def wait(self, until: float) -> None:
        """Open none before ``until``."""
        self._until = until

    def lost(self, now: float) -> None:
        """A standby has lost its slot."""
        self._until = now + FIRST_PAUSE

    def failed(self, now: float, opened_at: float) -> None:
        """A standby has failed that was opened at ``opened_at``."""
        self._failures = 0 if now - opened_at >= STOOD else self._failures + 1
        self._until = now + _pause(self._failures)

    def died(self, now: float) -> None:
        """The stream that played has died as a standby was opened."""
        self._deaths += 1
        self._until = max(self._until, now + _pause(self._deaths - 1))

    def outlived(self) -> None:
        """The stream that plays has gone on beside a standby."""
        self._deaths = 0


def _pause(failures: int) -> float:
    """Seconds behind so many in a row."""
    return min(FIRST_PAUSE * 2.0 ** (failures - 1), LONGEST_PAUSE) if failures else 0.0
