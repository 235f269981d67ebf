"""Fetches guides side by side, each when it is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.pool import Pool

from kptv.channels.guide.addresses import KnownGuide
from kptv.channels.secrets import NOTHING, Secrets, secrets_of_list
from kptv.metrics.guide_figures import GuideFigures
from kptv.upstream.documents import DocumentClient
from kptv.upstream.guides import FetchedGuide, GuideBudget

AT_ONCE = 2  # guides that are fetched side by side


@dataclass(frozen=True, slots=True)
class FetchParts:
    """What fetching needs of others."""

    client: DocumentClient
    folder: Path
    interval: float  # seconds between two fetches of a guide
    keep_secret: Callable[[Secrets], object]
    figures: GuideFigures


class GuideFetches:
    """The guides that are known, and those of them that are being fetched."""

    def __init__(self, parts: FetchParts, ended: Callable[[bool], object]) -> None:
        """``ended`` is told whenever a fetch has ended: whether there is a new file."""
        self._parts, self._ended = parts, ended
        self._guides: dict[KnownGuide, FetchedGuide] = {}
        self._running: dict[FetchedGuide, gevent.Greenlet] = {}
        self._pool = Pool(AT_ONCE)

    def __repr__(self) -> str:
        return f"<GuideFetches guides={len(self._guides)} running={len(self.running)}>"

    @property
    def guides(self) -> list[FetchedGuide]:
        """All that are known, in the order of the user."""
        return list(self._guides.values())

    @property
    def running(self) -> list[gevent.Greenlet]:
        """The fetches that go on."""
        return [job for job in self._running.values() if not job.ready()]

    @property
    def secrets(self) -> Secrets:
        """Those in the URLs of all guides."""
        secrets = NOTHING
        for guide in self._guides:
            secrets |= secrets_of_list(guide.address.url)
        return secrets

    def know(self, known: Sequence[KnownGuide]) -> None:
        """Fetch these from now on."""
        before = self._guides
        self._guides = {
            guide: before.get(guide) or FetchedGuide(guide, self._parts.folder) for guide in known
        }
        secrets = self.secrets
        if secrets != NOTHING and set(before) != set(known):
            self._parts.keep_secret(secrets)

    def read_again(self) -> None:
        """Begin anew with what is on disk: another process has fetched until now."""
        self._guides = {guide: FetchedGuide(guide, self._parts.folder) for guide in self._guides}

    def begin(self, now: float) -> None:
        """Fetch those that are due at ``now`` (Unix time); does not wait."""
        budgets: dict[int, GuideBudget] = {}
        for guide in self.guides:
            is_running = guide in self._running and not self._running[guide].ready()
            if guide.is_due(now, self._parts.interval) and not is_running:
                budget = budgets.setdefault(guide.known.source.number, GuideBudget())
                self._running[guide] = gevent.spawn(self._fetch, guide, budget)
        self._running = {g: job for g, job in self._running.items() if not job.ready()}

    def due(self) -> list[float]:
        """When the guides that are not being fetched are due; Unix times."""
        return [g.due_at(self._parts.interval) for g in self.guides if g not in self._running]

    def close(self) -> None:
        """Stop; may come twice."""
        self._pool.kill(block=False)

    def _fetch(self, guide: FetchedGuide, budget: GuideBudget) -> None:
        job, is_new = self._pool.spawn(guide.fetch, self._parts.client, budget), False
        try:
            is_new = bool(job.get())
        finally:
            self._parts.figures.fetched(guide.failures == 0)
            self._ended(is_new)
