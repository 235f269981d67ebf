"""The ids of the current catalog's channels and groups, made when somebody asks for them."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple, Protocol

import gevent

from kptv.channels.catalog import Catalog
from kptv.channels.xtream.ids import Odd, XtreamIds
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating

DEADLINE = 20.0  # seconds that a client waits; those of 500,000 channels take three


class OddIds(Protocol):
    """Keeps the ids that are no digests."""

    def given(self) -> Odd:
        """All that were ever given; may wait."""
        ...

    def keep(self, new: Odd) -> object:
        """Keep these, too; does not wait for the disk."""
        ...


class _Making(NamedTuple):
    """Ids that are being made."""

    catalog: Catalog
    greenlet: gevent.Greenlet
    heartbeat: Heartbeat


class CurrentIds:
    """Makes the ids of a catalog once; give it each new one."""

    def __init__(self, kept: OddIds) -> None:
        self._kept = kept
        self._catalog: Catalog | None = None
        self._made: XtreamIds | None = None  # of this catalog, or of one before
        self._making: _Making | None = None

    def __repr__(self) -> str:
        return f"<CurrentIds {self._made}>"

    @property
    def alive(self) -> bool:
        """Whether none hang that are being made."""
        return self._making is None or self._making.heartbeat.alive(monotonic())

    def replace(self, catalog: Catalog) -> None:
        """From now on they are those of ``catalog``; made at once if anybody has asked before."""
        self._catalog = catalog
        if self._making is not None:
            self._making.greenlet.kill(block=False)
            self._making = None
        if self._made is not None:
            self._start(catalog)

    def get(self) -> XtreamIds | None:
        """Those of the newest catalog; waits while they are made.

        None if there is no catalog yet, or they are not ready in DEADLINE.
        """
        with gevent.Timeout(DEADLINE, False):
            while (catalog := self._catalog) is not None:
                if self._made is not None and self._made.catalog is catalog:
                    return self._made
                making = self._making or self._start(catalog)
                making.greenlet.join()
                if catalog is self._catalog and not making.greenlet.successful():
                    return None
        return None

    def _start(self, catalog: Catalog) -> _Making:
        heartbeat = Heartbeat(monotonic())
        greenlet = gevent.spawn(self._make, catalog, heartbeat)
        making = self._making = _Making(catalog, greenlet, heartbeat)
        return making

    def _make(self, catalog: Catalog, heartbeat: Heartbeat) -> None:
        try:
            steps = XtreamIds.made(catalog, self._kept.given(), self._made)
            made: XtreamIds = drive(beating(steps, heartbeat))
            if catalog is self._catalog:
                self._made = made
                self._kept.keep(made.new)
        finally:
            if self._making is not None and self._making.greenlet is gevent.getcurrent():
                self._making = None
