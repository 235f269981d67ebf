"""Users: what checks and lists cost, and what a running stream feels of them and of logins."""

from __future__ import annotations

from benchmarks import _checks_of_users, _lists_of_users, _wrong_logins, _xtream_lists
from benchmarks.figures import Figure

CHANNELS = 20_000


def run(quick: bool = False) -> list[Figure]:
    """The figures, and what they should be; ``quick``: of a fifth of the users and requests."""
    return [
        *_checks_of_users.run(),
        *_wrong_logins.run(3 if quick else 10),
        *_lists_of_users.run(100 if quick else 500),
        *_xtream_lists.run(CHANNELS, 60 if quick else 300),
    ]
