"""The ids that are no digests (see ``channels.ids``), over restarts: read once, written when new.

Trouble with the file costs no more than that such an id, of which there are hardly any, may be
another one after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Group
from gevent.threadpool import ThreadPool

from kptv.channels.xtream.ids import Odd
from kptv.kept.database import CHANNELS, GROUPS, MOST_ODD, NAME, Database
from kptv.kept.stamps import Stamp, stamp_of
from kptv.kept.threads import caught, reason_of

log = logging.getLogger(__name__)

T = TypeVar("T")
_READ_WITHIN = 10.0  # seconds; a disk that sleeps needs some
_WRITTEN_WITHIN = 60.0


class KeptOddIds:
    """The odd ids of channels and of groups."""

    def __init__(self, folder: Path, leads: Callable[[], bool] = lambda: True) -> None:
        """``leads``: whether this process is the one that writes; else it reads (see ``look``)."""
        self._leads = leads
        self._stamp: Stamp | None = None  # of what was read
        self._database: Database | None = Database(folder)  # None: it is not to be touched
        self._given: Odd | None = None
        self._unwritten = Odd()
        self._thread = ThreadPool(1)  # a disk that hangs holds up nothing else
        self._turn = BoundedSemaphore()
        self._writes = Group()

    def __repr__(self) -> str:
        return f"<KeptOddIds {self._given}>"

    def given(self) -> Odd:
        """All that were given; waits for the disk the first time."""
        with self._turn:
            if self._given is None:
                self._stamp = stamp_of(self._database.path) if self._database else None
                read = self._in_thread(self._read, _READ_WITHIN)
                self._given = read or Odd()
                if read is None:
                    self._stamp = None  # the next look reads it, also if nobody has written
            return self._given

    def look(self) -> bool:
        """Read what another process has written since; whether ids are other ones there."""
        with self._turn:
            database, before = self._database, self._given
            stamp = None if database is None else stamp_of(database.path)
            if before is None or stamp is None or stamp == self._stamp:
                return False
            try:
                read, trouble = self._thread.spawn(caught, self._read).get(timeout=_READ_WITHIN)
            except gevent.Timeout:
                return False  # the next look may do better
            if trouble is not None or read is None:
                log.debug("%s: %s", NAME, trouble)
                return False
            self._stamp, self._given, self._unwritten = stamp, read, Odd()
            return not (
                before.channels.items() <= read.channels.items()
                and before.groups.items() <= read.groups.items()
            )

    def keep(self, new: Odd) -> gevent.Greenlet | None:
        """Keep these, too; the greenlet, if there is one, is over when they are written."""
        if not new.channels and not new.groups:
            return None
        self._given = _both(self._given or Odd(), new)
        self._unwritten = _both(self._unwritten, new)
        return self._writes.spawn(self._write) if self._leads() else None

    def settle(self) -> None:
        """Wait until all that was to be kept is written, or cannot be."""
        self._writes.join(timeout=_WRITTEN_WITHIN)

    def _write(self) -> None:
        with self._turn:
            odd, self._unwritten = self._unwritten, Odd()
            if self._in_thread(partial(self._write_in_thread, odd), _WRITTEN_WITHIN) is None:
                self._unwritten = _both(odd, self._unwritten)  # with the next ones

    # --- in the thread ---

    def _read(self) -> Odd:
        assert self._database is not None
        return Odd(self._database.read_odd_ids(CHANNELS), self._database.read_odd_ids(GROUPS))

    def _write_in_thread(self, odd: Odd) -> bool:
        assert self._database is not None
        for whose, ids in ((CHANNELS, odd.channels), (GROUPS, odd.groups)):
            if ids:
                self._database.write_odd_ids(ids, whose)
        return True

    def _in_thread(self, work: Callable[[], T], within: float) -> T | None:
        """What ``work`` gives; None: it failed, the log says so, and the file is left alone."""
        if self._database is None:
            return None
        done: T | None
        try:
            done, error = self._thread.spawn(caught, work).get(timeout=within)
            why = "" if error is None else reason_of(error)
        except gevent.Timeout:
            done, why = None, f"the disk gave no answer within {within:.0f} s"
        if why:
            log.warning("%s: ids of channels are kept in memory only: %s", NAME, why)
            if self._leads():
                self._database = None
        return done


def _both(some: Odd, more: Odd) -> Odd:
    return Odd(_joined(some.channels, more.channels), _joined(some.groups, more.groups))


def _joined(some: Mapping[str, int], more: Mapping[str, int]) -> Mapping[str, int]:
    """The newest of both, as many as the file has."""
    both = {**some, **more}
    return both if len(both) <= MOST_ODD else dict(list(both.items())[-MOST_ODD:])
