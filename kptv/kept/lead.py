"""Who imports and writes, where several instances share DATA_DIR: whoever locked a file there.

The lock is the kernel's: it ends with its process, however that ends, and never before. So nobody
takes over from one that is only slow, and who is alone in a folder leads there, whatever else is
away. Where the folder cannot be written, as in a copy for reading, nobody leads. Nor where files
cannot be locked, as on some network drives: two would write at once there.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "leader"  # an empty file; whether it is there means nothing


class _NoLocks(OSError):
    """The file is there, and its file system has no lock for it."""


class Lead:
    """The lead in one folder; ``leads`` tries to get it, as long as another process has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._held: int | None = None  # the descriptor of the file that is locked
        self._told = ""  # how it is, as the log has it

    def __repr__(self) -> str:
        return f"<Lead {self._path.name!r} held={self._held is not None}>"

    def leads(self) -> bool:
        """Whether this process leads. Asks the kernel, and does not wait for others."""
        try:
            if self._held is not None and not self._is_in_place(self._held):
                self.close()  # somebody removed the file, so another may have locked a new one
            if self._held is None:
                self._held = self._locked()
        except _NoLocks as error:
            self.close()
            how = f"DATA_DIR cannot be locked ({error.strerror}): this instance imports nothing"
            self._tell(f"{how}, and if all are told so, none does", logging.ERROR)
            return False
        except OSError as error:
            self.close()
            self._tell(f"DATA_DIR cannot be written ({error.strerror}): what others keep is read")
            return False
        if self._held is None:
            self._tell("another instance imports into DATA_DIR: what it keeps is read")
        else:
            self._tell("this instance imports, for all that share DATA_DIR")
        return self._held is not None

    def close(self) -> None:
        """Give it up; may come twice."""
        if self._held is not None:
            os.close(self._held)
        self._held = None

    def _locked(self) -> int | None:
        """The file, locked; None if another has locked it. Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_in_place(descriptor):
                return descriptor
        except BlockingIOError:
            pass
        except OSError as error:
            os.close(descriptor)
            raise _NoLocks(error.errno, error.strerror) from None
        os.close(descriptor)
        return None

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _tell(self, how: str, level: int = logging.INFO) -> None:
        if how != self._told:
            log.log(level, "%s", how)
        self._told = how
