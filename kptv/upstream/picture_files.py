"""Pictures kept in a folder, within a bound: the oldest go first.

All work on the disk is done in a thread, one thing at a time: a disk that sleeps wakes for seconds.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import time
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore

from kptv.formats.pictures import LONGEST, Picture, picture_of

T = TypeVar("T")

MOST_BYTES = 200 * 1024**2
MOST_FILES = 20_000
_SHARE = 20  # the folder is looked through when a part of what it may hold has been added
_UNFINISHED = ".logo-"
_LEFT_AFTER = 3600.0  # seconds; no file that is still being written is this old
_BLOCK = 4096  # bytes that a file takes at least


class PictureFiles:
    """The pictures of one folder, which several processes may share."""

    def __init__(self, folder: Path, bytes_: int = MOST_BYTES, files: int = MOST_FILES) -> None:
        """At most so many ``bytes_`` and ``files`` are kept."""
        self._folder = folder
        self._bytes, self._files = bytes_, files
        self._turn = BoundedSemaphore()
        self._added = bytes_, files  # since the folder was looked through: at first, it is

    def __repr__(self) -> str:
        return f"<PictureFiles {self._folder.name!r}>"

    def read(self, url: str) -> Picture | None:
        """The picture of this address; None if it is not kept."""
        return self._in_thread(lambda: self._read(url))

    def keep(self, url: str, data: bytes) -> tuple[Picture | None, OSError | None]:
        """The picture that ``data`` is, and why it could not be kept, if it could not."""
        return self._in_thread(lambda: self._keep(url, data))

    def _in_thread(self, work: Callable[[], T]) -> T:
        with self._turn:
            done: T = gevent.get_hub().threadpool.spawn(work).get()
            return done

    # --- in the thread: errors are values, as gevent prints those that are raised ---

    def _read(self, url: str) -> Picture | None:
        try:
            with self._path(url).open("rb") as file:
                return picture_of(file.read(LONGEST))
        except OSError:
            return None

    def _keep(self, url: str, data: bytes) -> tuple[Picture | None, OSError | None]:
        picture = picture_of(data)
        if picture is None:
            return None, None
        try:
            self._write(self._path(url), data)
        except OSError as error:
            return picture, error.with_traceback(None)
        return picture, None

    def _write(self, path: Path, data: bytes) -> None:
        """All or nothing. No fsync: a picture that a power cut spoils is fetched again."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise
        self._added = self._added[0] + _size(len(data)), self._added[1] + 1
        if self._added[0] * _SHARE >= self._bytes or self._added[1] * _SHARE >= self._files:
            self._make_room()
            self._added = 0, 0

    def _make_room(self) -> None:
        """Remove the oldest, and what a killed process left, so that there is room for a while."""
        files = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):  # another process was faster
                    stat = entry.stat(follow_symlinks=False)
                    files.append((stat.st_mtime, _size(stat.st_size), entry.name))
        files.sort(reverse=True)
        size, now = 0, time()
        # Twice the share: what is added next fits, and a picture more.
        most_bytes, most_files = (most - 2 * most // _SHARE for most in (self._bytes, self._files))
        for count, (written, bytes_of_it, name) in enumerate(files, start=1):
            size += bytes_of_it
            is_left = name.startswith(_UNFINISHED) and now - written > _LEFT_AFTER
            if is_left or size > most_bytes or count > most_files:
                with suppress(OSError):
                    os.unlink(self._folder / name)

    def _path(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]


def _size(length: int) -> int:
    """Bytes that a file of this length takes."""
    return max(length, _BLOCK)
