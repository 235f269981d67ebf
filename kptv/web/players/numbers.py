"""The numbers by which applications know the channels of the current catalog.

With rules the catalog has them. Without rules the lists pass on what the sources say; applications
that need a number for each channel, and no number twice, get numbers that are given once and kept.
They are made when somebody asks first.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from time import monotonic

import gevent
from gevent.lock import BoundedSemaphore

from kptv.channels.catalog import Catalog
from kptv.channels.given import Numbered
from kptv.channels.number_blocks import Plan
from kptv.channels.numbering import numbered
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating
from kptv.web.players.profiles import Numbers

DEADLINE = 20.0  # seconds that a client waits; 500,000 channels take two


class ChannelNumbers:
    """Numbers the channels of a catalog once for all who ask; give it each new one."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._keeping = BoundedSemaphore(1)  # one who reads what is being kept would read half
        self._catalog: Catalog | None = None
        self._making: _Making | None = None

    def __repr__(self) -> str:
        return f"<ChannelNumbers of={self._catalog}>"

    @property
    def alive(self) -> bool:
        """Whether none hangs that is being numbered."""
        return self._making is None or not self._making.is_stuck

    def replace(self, catalog: Catalog) -> None:
        """From now on it is about ``catalog``; numbers of the one before are not made any more."""
        self._catalog = catalog
        if self._making is not None:
            self._making.close()
            self._making = None

    def of(self, catalog: Catalog) -> Sequence[int] | None:
        """The number of the channel at each position; waits.

        None: they are not ready in time, or ``catalog`` is not the newest one.
        """
        if catalog is not self._catalog:  # it may have been taken apart
            return None
        if catalog.numbers is not None:
            return catalog.numbers
        if self._making is None or self._making.has_failed:
            self._making = _Making(catalog, self._made)
        numbers = self._making.wait()
        return numbers if catalog is self._catalog else None  # it may have been replaced meanwhile

    def settle(self) -> None:
        """Wait until those that were made are on their way to where they are kept."""
        with self._keeping:
            pass

    def _made(self, catalog: Catalog, heartbeat: Heartbeat) -> array[int]:
        with self._keeping:
            given = self._numbers.given("")
        made: Numbered = drive(beating(numbered(catalog.blocks(), Plan(), given), heartbeat))
        self._keeping.acquire()
        gevent.spawn(self._keep, made)
        return made.numbers

    def _keep(self, made: Numbered) -> None:
        """In a greenlet of its own: nobody ends it halfway when the next catalog comes."""
        try:
            self._numbers.keep(made, "")
        finally:
            self._keeping.release()


class _Making:
    """The numbers of one catalog, being made, or made."""

    def __init__(self, catalog: Catalog, make: Callable[[Catalog, Heartbeat], array[int]]) -> None:
        self._heartbeat = Heartbeat(monotonic())
        self._greenlet = gevent.spawn(make, catalog, self._heartbeat)

    @property
    def is_stuck(self) -> bool:
        """Whether it neither ends nor gets on."""
        return not self._greenlet.ready() and not self._heartbeat.alive(monotonic())

    @property
    def has_failed(self) -> bool:
        """Whether there will be none."""
        return self._greenlet.ready() and not self._greenlet.successful()

    def wait(self) -> Sequence[int] | None:
        """The numbers; None: they are not ready in DEADLINE, or cannot be made."""
        self._greenlet.join(timeout=DEADLINE)
        value = self._greenlet.value
        return value if isinstance(value, array) else None

    def close(self) -> None:
        """Stop; who waits learns that there is nothing."""
        self._greenlet.kill(block=False)
