"""The ids under which applications know the proxy as an HDHomeRun, over restarts.

They are made of a random value that ``hdhomerun.id`` in DATA_DIR keeps. Two devices of one id in a
network hide each other, so none is fixed. Instances that share the folder have the value in common,
and what else must be the same for all and is nobody else's business is made of it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import gevent
from gevent.lock import BoundedSemaphore

from kptv.formats.hdhomerun import device_id

log = logging.getLogger(__name__)

NAME = "hdhomerun.id"
_BYTES = 16
_DIGITS = frozenset("0123456789abcdef")
_WITHIN = 10.0  # seconds; a disk that sleeps needs some


class KeptSeed:
    """The random value that is kept in a folder."""

    def __init__(self, folder: Path, may_write: Callable[[], bool] = lambda: True) -> None:
        """``may_write``: whether a new one may be kept now, where there is none."""
        self._path = folder / NAME
        self._may_write = may_write
        self._seed = secrets.token_bytes(_BYTES)
        self._is_final = False
        self._turn = BoundedSemaphore()

    def __repr__(self) -> str:
        return f"<KeptSeed {self._path.name!r} final={self._is_final}>"

    def get(self) -> bytes:
        """The value; waits for the disk the first time.

        If there is none, or none of use, it is a new one from now on. But whoever may not write
        has that only until another process keeps one.
        """
        with self._turn:
            if not self._is_final:
                self._ask()
        return self._seed

    def key_for(self, use: str, word: str) -> bytes:
        """A secret for this ``use``, of the value and of ``word``: both are needed to make it."""
        return hmac.new(self.get(), f"{use}\n{word}".encode(), hashlib.sha256).digest()

    def _ask(self) -> None:
        may_write = self._may_write()
        work = partial(_read_or_keep, self._path, self._seed, may_write)
        thread = gevent.get_hub().threadpool.spawn(work)
        try:
            self._seed, self._is_final, trouble = thread.get(timeout=_WITHIN)
        except gevent.Timeout:
            trouble = f"the disk gave no answer within {_WITHIN:.0f} s"
            self._is_final = may_write
        if trouble:
            log.warning(
                "%s: %s. Applications that know the proxy as an HDHomeRun find a new one",
                self._path,
                trouble,
            )


class DeviceIds:
    """The id of each device that the proxy is: one for each of its lists."""

    def __init__(self, seed: Callable[[], bytes]) -> None:
        """``seed``: what they are made of."""
        self._seed = seed

    def __repr__(self) -> str:
        return f"<DeviceIds {self._seed}>"

    def of(self, name: str = "") -> int:
        """The id of the device with the list of this name; "": of the one with all channels.

        It is the same as long as the seed is. Waits for the disk the first time.
        """
        return device_id(int.from_bytes(hashlib.sha256(self._seed() + name.encode()).digest()))


# --- in the thread: errors are values, as gevent prints those that are raised ---


def _read_or_keep(path: Path, new: bytes, may_write: bool) -> tuple[bytes, bool, str]:
    """What is kept; else ``new``, which is kept if it may and can be.

    Also whether it stays that, and what is wrong.
    """
    trouble = ""
    try:
        kept = _seed_in(_read(path))
        if kept:
            return kept, True, ""
        trouble = "it holds something else, and is replaced"
    except FileNotFoundError:
        pass
    except OSError as error:
        trouble = f"it cannot be read ({error.strerror})"
    if not may_write:
        return new, False, ""
    try:
        _write(path, f"{new.hex()}\n".encode(), is_first=not trouble)
    except FileExistsError:  # another instance was faster
        return _seed_in(_read(path)) or new, True, ""
    except OSError as error:
        also = f"{trouble}; " if trouble else ""
        trouble = f"{also}it cannot be written ({error.strerror}), and is another after a restart"
    return new, True, trouble


def _seed_in(text: bytes) -> bytes:
    """The value that the file's text is; nothing if it is none."""
    digits = text.decode("latin-1").strip()
    return bytes.fromhex(digits) if len(digits) == 2 * _BYTES and set(digits) <= _DIGITS else b""


def _read(path: Path) -> bytes:
    """The beginning of a file; of a pipe, which may say nothing for ever, none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        return file.read(100) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _write(path: Path, text: bytes, is_first: bool) -> None:
    """All or nothing; only its owner may read it. ``is_first``: FileExistsError if it is not."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)  # an empty file after a power cut would be another device
        if is_first:
            _put_first(name, path)
        else:
            os.replace(name, path)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise


def _put_first(name: str, path: Path) -> None:
    """Let the file be there, unless there is one. Raises FileExistsError."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.replace(name, path)
    else:
        os.unlink(name)
