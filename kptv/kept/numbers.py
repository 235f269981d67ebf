"""The numbers that channels were given, over restarts: read once, written as they are given.

No trouble with the file costs more than the numbers: the lists are served all the same.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from time import time
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Group
from gevent.threadpool import ThreadPool

from kptv.channels.given import Given, Numbered, learned
from kptv.kept.database import (
    LOST,
    MOST_KEPT,
    NAME,
    SEEN_EVERY,
    Change,
    Database,
    KeptList,
    Refused,
)
from kptv.kept.stamps import Stamp, stamp_of
from kptv.kept.threads import caught, reason_of
from kptv.pace import drive

log = logging.getLogger(__name__)

T = TypeVar("T")
_DAY = 86_400.0  # seconds
_READ_WITHIN = 10.0  # seconds; a disk that sleeps needs some
_WRITTEN_WITHIN = 60.0
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class KeptNumbers:
    """The numbers of each list: that of all channels is "", a profile's is called as it is."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float] = time,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """``leads``: whether this process is the one that writes; else it reads (see ``look``)."""
        self._leads = leads
        self._stamp: Stamp | None = None  # of what was read
        self._database: Database | None = Database(folder)  # None: it is not to be touched
        self._now = now
        self._lists: dict[str, Given] = {}
        self._is_read = False
        self._whole_on: dict[str, int] = {}  # by list: the day when all of it was written
        self._unwritten = 0  # changes that are on their way
        self._is_behind = False  # the file forgot what is here still
        self._told = ""  # the last trouble that the log has
        # One thread of its own: a disk that hangs holds up nothing else.
        self._thread = ThreadPool(1)
        self._reading, self._writing = BoundedSemaphore(), BoundedSemaphore()
        self._writes = Group()  # that run, or wait for their turn

    def __repr__(self) -> str:
        return f"<KeptNumbers {self._lists}>"

    def given(self, name: str = "") -> Given:
        """What the channels of a list were given so far; waits for the disk the first time."""
        with self._reading:
            if not self._is_read:
                self._read()
                self._is_read = True  # not before: who is ended here has read nothing
        return self._lists.setdefault(name, Given())

    def keep(self, numbered: Numbered, name: str = "") -> gevent.Greenlet | None:
        """Keep what a list was given; the greenlet, if there is one, is over when it is written."""
        given = self.given(name)
        is_full = sum(map(len, self._lists.values())) > MOST_KEPT
        is_anew = given.layout != numbered.layout or (is_full and self._database is None)
        today = int(self._now() // _DAY)
        is_due = not 0 <= today - self._whole_on.get(name, -SEEN_EVERY) < SEEN_EVERY
        is_whole = is_anew or is_full or is_due
        whole_on = self._whole_on.pop(name, None)  # whoever is ended here leaves it to the next
        self._lists[name] = drive(learned(None if is_anew else given, numbered))
        if not self._leads():  # all is written once this process does
            return None
        if self._database is None or not (is_whole or numbered.changed):
            if whole_on is not None:
                self._whole_on[name] = whole_on
            return None
        items = numbered.kept(all_of_it=is_whole)
        change = Change(name, numbered.layout, items, today, is_whole, is_anew=is_anew)
        self._whole_on[name] = today if is_whole or whole_on is None else whole_on
        self._unwritten += 1
        return self._writes.spawn(self._write, self._database, change)

    def settle(self) -> None:
        """Wait until all that was to be kept is written, or cannot be."""
        self._writes.join(timeout=_WRITTEN_WITHIN)

    def look(self) -> bool:
        """Read what another process has written since; whether numbers are other ones there.

        Those that were given here meanwhile are no more: the other process gives them.
        """
        with self._reading:
            database = self._database
            stamp = None if database is None else stamp_of(database.path)
            if database is None or not self._is_read or stamp is None or stamp == self._stamp:
                return False
            try:
                read, trouble = self._thread.spawn(caught, database.read).get(timeout=_READ_WITHIN)
            except gevent.Timeout:
                return False  # the next look may do better
            if trouble is not None or read is None:
                log.debug("%s: %s", database.path, trouble)
                return False
            self._stamp = stamp
            before, self._lists = self._lists, {name: given_of(read[name]) for name in read}
            self._whole_on.clear()
            return any(
                drive(_differ(given, self._lists.get(name))) for name, given in before.items()
            )

    # --- greenlets ---

    def _read(self) -> None:
        assert self._database is not None
        self._stamp = stamp_of(self._database.path)
        lists = self._in_thread(self._database.read, _READ_WITHIN)
        if lists is None:
            self._stamp = None  # the next look reads it, also if nobody has written
        for name, kept in (lists or {}).items():
            self._lists[name] = given_of(kept)
            self._whole_on[name] = kept.whole_on

    def _write(self, database: Database, change: Change) -> None:
        with self._writing:
            if self._database is None:
                return
            forgotten = self._in_thread(partial(database.write, change), _WRITTEN_WITHIN)
            if forgotten is None:
                self._whole_on.pop(change.name, None)  # all of it, the next time
            elif self._told:
                self._told = ""
                log.info("%s can be written again: numbers are kept", database.path)
            if forgotten == LOST:
                self._write_all(database, change.today)
            self._is_behind |= (forgotten or 0) > 0
            self._unwritten -= 1
            if self._is_behind and not self._unwritten:
                self._forget(database)

    def _write_all(self, database: Database, today: int) -> None:
        """Somebody took the file away: write all that it had."""
        log.warning("%s was gone: all numbers are written again", database.path)
        for name, given in list(self._lists.items()):
            every = Change(name, given.layout, given.portions(), today, True, is_anew=True)
            if self._in_thread(partial(database.write, every), _WRITTEN_WITHIN) is None:
                self._whole_on.clear()
                return

    def _forget(self, database: Database) -> None:
        """Have in memory only what is in the file, unless something is on its way there."""
        lists = self._in_thread(database.read, _READ_WITHIN) or {}
        read = {name: given_of(kept) for name, kept in lists.items()}
        if not self._unwritten:
            self._is_behind = False
            self._lists |= {name: read[name] for name in self._whole_on if name in read}

    def _in_thread(self, work: Callable[[], T], within: float) -> T | None:
        """What ``work`` gives; None: it failed, and the log says so."""
        assert self._database is not None
        try:
            done: T | None
            done, error = self._thread.spawn(caught, work).get(timeout=within)
        except gevent.Timeout:
            # What is there is not known, and must not be written over.
            self._give_up(f"the disk gave no answer within {within:.0f} s")
            return None
        if isinstance(error, Refused):
            self._give_up(str(error))
        elif (
            error is not None
            and getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN
            and self._leads()
        ):
            self._set_aside(error)
        elif error is not None:
            self._complain(f"{reason_of(error)}; see that the folder can be written and has room")
        return done

    def _give_up(self, why: str) -> None:
        self._complain(f"{why}; it is left as it is")
        self._database = None

    def _set_aside(self, error: BaseException) -> None:
        assert self._database is not None
        aside, why = caught(self._database.set_aside)
        if aside is None:
            self._give_up(f"it is broken ({reason_of(error)}), and cannot be moved ({why})")
            return
        self._whole_on.clear()
        log.warning(
            "%s is broken (%s), and is %s now: the channels of before get new numbers",
            self._database.path,
            reason_of(error),
            aside.name,
        )

    def _complain(self, why: str) -> None:
        if why != self._told:
            self._told = why
            path = self._database.path if self._database else NAME
            log.warning(
                "%s: %s. Until then the numbers of channels are kept in memory only,"
                " and may be others after a restart",
                path,
                why,
            )


def _differ(given: Given, other: Given | None) -> Generator[None, None, bool]:
    """Whether what ``given`` has is not so in ``other``; yields often."""
    for keys, numbers in given.portions():
        if other is None or other.numbers_of(keys) != numbers.tolist():
            return bool(keys)
        yield
    return False


def given_of(kept: KeptList) -> Given:
    """What the channels of a list were given, of what the file has."""
    given = Given(kept.layout)
    drive(given.add(kept.portions(), len(kept.keys)))
    return given
