"""What the rules did to the current catalog: found out when somebody asks, and kept for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.rules.report.summary import Report, report_on
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating


class Reports:
    """Makes a report in slices, so that streams flow on meanwhile."""

    def __init__(
        self,
        current_catalog: Callable[[], Catalog | None],
        listings: Callable[[], Sequence[Listing]],
    ) -> None:
        """``listings``: what the current catalog was made of."""
        self.current_catalog = current_catalog
        self.listings = listings
        self._catalog: Catalog | None = None
        self._greenlet: Greenlet | None = None
        self._heartbeat = Heartbeat(monotonic())

    def __repr__(self) -> str:
        return f"<Reports of {self._catalog}>"

    @property
    def alive(self) -> bool:
        """Whether no report hangs that is being made."""
        greenlet = self._greenlet
        return greenlet is None or greenlet.ready() or self._heartbeat.alive(monotonic())

    def get(self, timeout: float) -> Report | None:
        """The report; None: there are no rules, or it is not ready in ``timeout`` seconds."""
        catalog = self.current_catalog()
        if catalog is None or catalog.ruled is None:
            return None
        greenlet = self._greenlet
        if greenlet is None or catalog is not self._catalog:
            self._catalog = catalog
            self._heartbeat = Heartbeat(monotonic())
            greenlet = self._greenlet = gevent.spawn(self._make, catalog, self._heartbeat)
        greenlet.join(timeout=timeout)
        return greenlet.value if isinstance(greenlet.value, Report) else None

    def _make(self, catalog: Catalog, heartbeat: Heartbeat) -> Report | None:
        steps = report_on(catalog, listings=self.listings())
        report: Report | None = drive(beating(_while_whole(catalog, steps), heartbeat))
        return report


def _while_whole(
    catalog: Catalog, steps: Generator[None, None, Report]
) -> Generator[None, None, Report | None]:
    """The result of ``steps``; None if the catalog is taken apart before, as it was replaced."""
    while catalog.ruled is not None:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report
        yield
    steps.close()
    return None
