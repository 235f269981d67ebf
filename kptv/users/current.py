"""The users as they are now, for all who ask: read in a thread, again after each change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.threadpool import ThreadPool

from kptv.channels.users.names import Unfit
from kptv.channels.users.table import UserTable
from kptv.users.schema import MARKER, NAME, FileTrouble
from kptv.users.store import OWN_WAIT, Glance, NoSuchUser, Seen, UsersFile
from kptv.vitals.repeating import Repeating

log = logging.getLogger(__name__)

T = TypeVar("T")
EVERY = 1.0  # seconds between two looks at the file
READ_WITHIN = 10.0  # seconds; a disk that sleeps needs some
_STARTS_WAITING = 5.0  # for another process that holds the file
_REQUIRED = f"{NAME}: it is not there, and REQUIRE_LOGIN says that there is a login"
_LOST = (
    f"{NAME}: it is gone, and {MARKER} too: put the folder back, or make the users anew; a restart"
    " would let everybody in"
)
_UNREAD = "The users have not been read yet."


class CurrentUsers:
    """Who there is, and whether a login is needed at all. Until ``start`` nobody is let in."""

    def __init__(
        self,
        folder: Path,
        require_login: bool = False,
        every: float = EVERY,
        within: float = READ_WITHIN,
    ) -> None:
        self._file = UsersFile(folder, OWN_WAIT)
        self._requires = require_login
        self._every, self._within = every, within
        self._seen = Seen(is_on=True, trouble=_UNREAD)
        self._had_login = False  # as a file said that was read
        self._listeners: list[Callable[[], object]] = []
        # One thread of its own: a disk that hangs holds up nothing else, and what is seen last is
        # newest. What follows is the thread's.
        self._thread = ThreadPool(1)
        self._look: Glance | None = None
        self._is_sure = False  # two writes of one moment look the same: read twice
        self._turns = count(1)
        self._taken = 0  # the turn of what is seen here
        self._told = ""  # the last trouble that the log has
        self._repeating: Repeating | None = None

    def __repr__(self) -> str:
        return f"<CurrentUsers on={self.is_on} users={len(self.table)}>"

    @property
    def is_on(self) -> bool:
        """Whether a login is needed."""
        return self._requires or self._seen.is_on

    @property
    def trouble(self) -> str:
        """Why nobody can be let in; empty: all is well."""
        if self._requires and not (self._seen.trouble or self._seen.is_there):
            return _REQUIRED
        return self._seen.trouble

    @property
    def table(self) -> UserTable:
        """All users; none while there is trouble."""
        return self._seen.table

    @property
    def alive(self) -> bool:
        """Whether changes are seen."""
        return self._repeating is not None and self._repeating.alive

    def start(self) -> None:
        """Read the users, and look for changes from now on, until ``close``."""
        patient = UsersFile(self._file.path.parent, _STARTS_WAITING)
        try:
            self._take(*self._in_thread(lambda: self._read(patient)))
        except FileTrouble as trouble:
            self._take(next(self._turns), Seen(is_on=True, trouble=str(trouble)))
        self._repeating = Repeating(self.refresh, self._every)

    def close(self) -> None:
        """Stop; may come twice."""
        if self._repeating is not None:
            self._repeating.close()

    def watch(self, listener: Callable[[], object]) -> None:
        """Have ``listener`` called after each change, in the loop."""
        self._listeners.append(listener)

    def changed_by(self, change: Callable[[UsersFile], T]) -> T:
        """What ``change`` gives, which is done and seen then; raises what it raises."""

        def changed() -> tuple[T, tuple[int, Seen] | None]:
            done = change(self._file)
            return done, self._try_to_read()

        done, found = self._in_thread(changed)
        if found is not None:
            self._take(*found)
        return done

    def refresh(self) -> None:
        """Look whether there was a change."""
        try:
            found = self._in_thread(self._read_if_changed)
        except FileTrouble as trouble:  # it is held, or hangs: who was let in stays so
            self._tell(f"{trouble}; changes of users are not seen until then")
            return
        if found is not None:
            self._take(*found)
        elif not self.trouble:
            self._told = ""

    def _take(self, turn: int, seen: Seen) -> None:
        """Have this seen from now on, unless something newer is."""
        if turn < self._taken:
            return
        seen = self._unless_lost(seen)
        before, was_on, self._seen, self._taken = self._seen, self.is_on, seen, turn
        if self.trouble:
            self._tell(f"{self.trouble}. Nobody can be let in")
        elif self._told:
            self._told = ""
            log.warning("the users can be read again")
        if was_on != self.is_on and before.trouble != _UNREAD:
            log.warning("login: %s", "needed from now on" if self.is_on else "not needed any more")
        if (before, was_on) != (seen, self.is_on):
            for listener in self._listeners:
                listener()

    def _unless_lost(self, seen: Seen) -> Seen:
        """A login does not end because all that tells of it is gone at once, as with its folder."""
        if seen.is_there:
            self._had_login = seen.is_on
        elif self._had_login and not seen.is_on:
            return Seen(is_on=True, trouble=_LOST)
        return seen

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            self._told = trouble
            log.error("users: %s", trouble)

    def _in_thread(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises; raises FileTrouble if the disk gives no answer."""
        with gevent.Timeout(self._within, FileTrouble("the disk gives no answer", is_busy=True)):
            done, error = self._thread.spawn(_caught, work).get()
        if error is not None:
            raise error
        return done  # type: ignore[no-any-return]

    # --- in the thread ---

    def _read_if_changed(self) -> tuple[int, Seen] | None:
        if self._is_sure and self._look is not None and self._glance() == self._look:
            return None
        return self._read(self._file)

    def _try_to_read(self) -> tuple[int, Seen] | None:
        """None: another process holds the file, and the next look will tell."""
        try:
            return self._read(self._file)
        except FileTrouble:
            return None

    def _read(self, file: UsersFile) -> tuple[int, Seen]:
        before, self._look = self._look, None
        look = self._glance()  # before: a change meanwhile is seen the next time
        seen = file.read()
        # What cannot be read is tried each time: in a copy for reading, a journal may have come
        # along that goes without a trace.
        self._look, self._is_sure = look, look == before and not seen.trouble
        return next(self._turns), seen

    def _glance(self) -> Glance | None:
        try:
            return self._file.look()
        except FileTrouble:  # reading will tell
            return None


def _caught(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What ``work`` gives, and its error: gevent prints those that a thread raises."""
    try:
        return work(), None
    except (FileTrouble, NoSuchUser, Unfit) as error:
        return None, error.with_traceback(None)
