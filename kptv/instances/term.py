"""Until when this instance may hold what it was given. Pure: told the time."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; docs/decisions.md says why these."""

    lease: float = 15.0  # after that without a renewal, others get what this instance has
    renewal: float = 2.0  # between two
    margin: float = 3.0  # so much before the end of its lease an instance hangs up by itself
    call: float = 1.0  # within which the server must have answered


def times_of(lease: float) -> Times:
    """The times that go with a lease of so many seconds."""
    part = lease / Times().lease
    times = Times()
    return Times(lease, times.renewal * part, times.margin * part, times.call * part)


class Term:
    """The time for which the lease of this instance is sure.

    A renewal counts from the moment before it was sent: the server's lease begins after that. So
    neither the way there nor a reply that is late makes it longer than the server's.
    """

    def __init__(self, times: Times) -> None:
        self._times = times
        self.good_until = -inf
        self.renew_at = -inf

    def __repr__(self) -> str:
        return f"<Term good_until={self.good_until:.3f}>"

    def is_good(self, now: float) -> bool:
        """Whether what this instance holds is its own."""
        return now < self.good_until

    def renewed(self, sent_at: float) -> None:
        """The server has answered what was sent at that time."""
        times = self._times
        self.good_until = max(self.good_until, sent_at + times.lease - times.margin)
        self.renew_at = sent_at + times.renewal

    def renew_by(self, when: float) -> None:
        """Renew then, if it would be later otherwise."""
        self.renew_at = min(self.renew_at, when)

    def over(self) -> None:
        """It was not renewed in time."""
        self.good_until = self.renew_at = -inf
