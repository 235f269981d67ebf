"""The rules file: read at the start, and again when it changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time

from kptv.channels.rules.model import Rules
from kptv.channels.rules.reading import LARGEST, RulesError, read_rules
from kptv.channels.rules.tables import Complaint
from kptv.errors import ConfigError

NO_ANSWER = Complaint(1, "cannot be read: the disk gives no answer")
_Stamp = tuple[int, int, int] | None  # what tells that a file was written; None: there is none


def load_rules(path: Path, environ: Mapping[str, str]) -> Rules | None:
    """The rules in the file; None if there is none. Raises RulesError."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise RulesError([Complaint(1, "is a pipe, which cannot be read again")])
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RulesError([Complaint(1, f"cannot be read: {error.strerror}")]) from None
    return read_rules(data, environ)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe, too, that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


@dataclass(frozen=True, slots=True)
class Contents:
    """What the file says."""

    stamp: _Stamp
    rules: Rules | None = None
    complaints: tuple[Complaint, ...] = ()  # why it cannot be used


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the file gave."""

    rules: Rules | None  # that hold now
    has_changed: bool = False  # they are others than before
    complaints: tuple[Complaint, ...] = ()  # why the file, as it is now, cannot be used
    is_news: bool = False  # nobody was told of these complaints


def about_secrets(path: Path, rules: Rules | None) -> str:
    """A warning, if secrets stand in the file and every user can read it; else empty."""
    try:
        is_open = rules is not None and rules.has_secrets and path.stat().st_mode & stat.S_IROTH
    except OSError:
        return ""
    told = f"Every user of this machine can read your accounts' secrets in {path}: chmod 600 {path}"
    return told if is_open else ""


class RulesFile:
    """The rules that hold, and the file they come from."""

    def __init__(
        self,
        path: Path | None,
        rules: Rules | None,
        environ: Callable[[], Mapping[str, str]],
    ) -> None:
        """``rules`` are those that were read at the start. ``environ``: what ``${NAME}`` means."""
        self.path = path
        self.last = Look(rules)
        self.read_at = None if rules is None else time()  # Unix time of those that hold
        self.bad_since: float | None = None  # Unix time; None: the file can be used
        self._environ = environ
        self._stamp: _Stamp = (0, 0, 0)  # of no file: the first look reads it
        self._is_missed = False
        self._seen: _Stamp = (0, 0, 0)  # when ``is_settled`` was asked last

    def __repr__(self) -> str:
        return f"<RulesFile {self.path}>"

    @property
    def rules(self) -> Rules | None:
        """Those that hold; None: there is no file."""
        return self.last.rules

    def is_due(self) -> bool:
        """Whether the file was written since it was read last.

        One that is gone is missed at two looks: editors put another into its place.
        """
        if self.path is None:
            return False
        stamp = _stamp(self.path)
        was_missed, self._is_missed = self._is_missed, stamp is None
        return stamp != self._stamp and (stamp is not None or was_missed)

    def is_settled(self) -> bool:
        """Whether it is as it was when this was asked last: nobody writes it just now."""
        seen, self._seen = self._seen, _stamp(self.path) if self.path else None
        return seen == self._seen

    def look(self) -> Look:
        """Read it now. What cannot be used changes nothing."""
        return self.take(self.read())

    def read(self) -> Contents:
        """What the file says now. Nothing changes here, so that a thread may wait for the disk."""
        if self.path is None:
            return Contents(None)
        stamp = _stamp(self.path)
        try:
            return Contents(stamp, load_rules(self.path, self._environ()))
        except RulesError as error:
            return Contents(stamp, complaints=tuple(error.complaints))
        except ConfigError as error:  # what `${NAME}` means cannot be known
            return Contents(stamp, complaints=(Complaint(1, str(error)),))

    def take(self, contents: Contents) -> Look:
        """Have these rules hold from now on. What cannot be used changes nothing."""
        if self.path is None:
            return self.last
        before, rules, complaints = self.last, contents.rules, contents.complaints
        self._stamp = contents.stamp
        if complaints:
            self.last = Look(before.rules, False, complaints, complaints != before.complaints)
            self.bad_since = self.bad_since or time()
        else:
            self.read_at, self.bad_since = None if rules is None else time(), None
            is_same = rules == before.rules
            self.last = Look(before.rules if is_same else rules, not is_same)
        return self.last

    def miss(self) -> Look:
        """Have the file be one that cannot be read, as there was no answer."""
        return self.take(Contents(self._stamp, complaints=(NO_ANSWER,)))


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
