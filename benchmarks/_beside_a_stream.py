"""A stream that plays through gunicorn, and what its viewer feels of all that goes on beside it.

The viewer's gaps (the time between two reads that give media) and delays (from the provider's
sending to the reading) are compared with those of the seconds before, when nothing went on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, Report
from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, eventually

BITRATE = 8_000_000
MOST = 20.0  # ms
_SETTLE, _REST = 2.0, 10.0  # seconds: until a viewer has its first burst; of the measure at rest


@dataclass(frozen=True, slots=True)
class Beside:
    """A viewer, and what he felt at rest."""

    crowd: Crowd
    rest: Report

    def felt(self, what: str) -> list[Figure]:
        """The figures since the last ones, or since the rest."""
        rest, busy = self.rest, self.crowd.report()
        assert not busy.ended, "the stream ended"
        gaps = f"at rest {rest.gap:.1f}; longest {busy.longest_gap:.0f}, {rest.longest_gap:.0f}"
        delay = f"at rest {rest.p99:.1f}; longest {busy.longest:.0f}, {rest.longest:.0f}"
        of_stream = f"{what}: p99 of a running stream's"
        return [
            Figure(
                f"{of_stream} gaps, beyond rest", busy.gap - rest.gap, "ms", at_most(MOST), gaps
            ),
            Figure(
                f"{of_stream} delay, beyond rest", busy.p99 - rest.p99, "ms", at_most(MOST), delay
            ),
        ]


@contextmanager
def watched(program: Path, proxy: Proxy, path: str) -> Iterator[Beside]:
    """Somebody watches ``path``, and has been at rest for a while."""
    with Crowd(program, proxy.port, path, 1, marks=True) as crowd:
        time.sleep(_SETTLE)
        crowd.report()
        time.sleep(_REST)
        yield Beside(crowd, crowd.report())


def add_users(proxy: Proxy, wanted: Iterable[User], typed: str | None = None) -> dict[str, str]:
    """Secrets by the names of new users, once the proxy lets them in.

    For those who have a ``typed`` one nothing waits: the proxy knows them when it knows the next.
    """
    file = UsersFile(Path(proxy.settings["DATA_DIR"]))
    secrets = {user.name: file.add(user, typed=typed).text for user in wanted}
    if typed is None:
        path = f"/u/{list(secrets.values())[-1]}/playlist.m3u8"
        eventually(lambda: proxy.get("/playlist.m3u8", method="HEAD").status == 401, 5)
        eventually(lambda: proxy.get(path, method="HEAD").status == 200, 15)
    return secrets
