"""The last good import of each source, kept in DATA_DIR over a restart."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import IO

from kptv.channels.model import Source
from kptv.formats.gzipped import PIECE
from kptv.upstream.lists import Version

log = logging.getLogger(__name__)

_UNFINISHED = ".import-"
_LEFT_AFTER = 3600.0  # seconds; a file this old is of no import that still runs, in any process


class Store:
    """Files of one folder: for each source its list as it came, gzipped, and its version.

    They are named by a digest of the list's URL, so that a source keeps them when SOURCES is put
    into another order. They hold secrets: only their owner may read them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._complained = False

    def __repr__(self) -> str:
        return f"<Store {self._folder.name!r}>"

    @contextmanager
    def load(self, source: Source) -> Iterator[tuple[Version, Iterator[bytes]] | None]:
        """The version and the bytes (gzip) of what is kept of ``source``; None if nothing is."""
        body, about = self._paths(source)
        try:
            file = body.open("rb")
        except OSError:
            yield None
            return
        with file:
            yield _read_version(about), iter(lambda: file.read(PIECE), b"")

    def begin(self, source: Source) -> Copy:
        """A copy to be filled; what is kept stays until it is committed."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)  # mode 0600
        except OSError as error:
            self._complain(error)
            return Copy(self, source, None)
        return Copy(self, source, open(descriptor, "wb"), Path(name))

    def sweep(self) -> None:
        """Remove what an import left that was killed; not what another process imports now."""
        with suppress(OSError):
            for path in self._folder.glob(f"{_UNFINISHED}*"):
                if time() - path.stat().st_mtime > _LEFT_AFTER:
                    path.unlink(missing_ok=True)

    def _paths(self, source: Source) -> tuple[Path, Path]:
        name = hashlib.sha256(source.url.encode()).hexdigest()[:32]
        return self._folder / f"{name}.m3u.gz", self._folder / f"{name}.json"

    def _replace(self, source: Source, body: Path, version: Version) -> None:
        body_path, version_path = self._paths(source)
        version_file = body.with_suffix(".json")
        version_file.touch(mode=0o600)
        version_file.write_text(json.dumps(asdict(version)))
        # The body first: a crash between the two leaves an old version, and the list is fetched
        # again. No fsync, which may stop all streams for a second on a slow disk: a power cut at
        # this moment can cost the copy, which is found broken then.
        os.replace(body, body_path)
        os.replace(version_file, version_path)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning(
                "DATA_DIR cannot be written (%s): a restart will not know the lists of today",
                error.strerror,
            )
        self._complained = True


class Copy:
    """A list being kept: write all of it, then commit; close in any case, it may come twice."""

    def __init__(
        self, store: Store, source: Source, file: IO[bytes] | None, path: Path | None = None
    ) -> None:
        self._store = store
        self._source = source
        self._file = file
        self._path = path
        self._gzip = zlib.compressobj(1, wbits=31)  # level 1: a fifth of the time for the same good

    def write(self, piece: bytes) -> None:
        """Add ``piece``; a full disk is told of once, and costs the copy only."""
        self._write(self._gzip.compress(piece))

    def commit(self, version: Version) -> None:
        """Put it in the place of what is kept."""
        self._write(self._gzip.flush())
        if self._file is None or self._path is None:
            return
        try:
            self._file.close()
            self._store._replace(self._source, self._path, version)
        except OSError as error:
            self._store._complain(error)

    def close(self) -> None:
        """Drop it unless it is committed."""
        if self._file is not None and self._path is not None:
            with suppress(OSError):
                self._file.close()
            for path in (self._path, self._path.with_suffix(".json")):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        self._file = None

    def _write(self, data: bytes) -> None:
        if self._file is None or not data:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self._store._complain(error)
            self.close()


def _read_version(path: Path) -> Version:
    """What was written of the version; an empty one if it cannot be read."""
    try:
        values = json.loads(path.read_text())
        # An earlier release wrote less.
        return Version(**{name: str(values[name]) for name in asdict(Version()) if name in values})
    except (OSError, ValueError, TypeError):
        return Version()
