"""The last good edition of each document, kept in DATA_DIR over a restart."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import IO

from kptv.formats.gzipped import PIECE
from kptv.kept.stamps import Stamp, stamp_of
from kptv.upstream.documents import ContentT, Document, Edition, OpenedDocument

log = logging.getLogger(__name__)

_UNFINISHED = ".import-"
_LEFT_AFTER = 3600.0  # seconds; no import that still runs, in any process, has a file this old


class Store:
    """Files of one folder: for each document its text as it came, gzipped, and its edition.

    They are named by kind and a digest of the URL, so that a source keeps them if SOURCES is put
    into another order. They hold secrets: only their owner may read them.
    """

    def __init__(self, folder: Path, leads: Callable[[], bool] | None = None) -> None:
        """``leads``: whether this process may write now; None: it has the folder for itself."""
        self._folder = folder
        self._leads = leads
        self._complained = False

    def __repr__(self) -> str:
        return f"<Store {self._folder.name!r}>"

    @contextmanager
    def load(self, document: Document[ContentT]) -> Iterator[OpenedDocument]:
        """The edition and the bytes (gzip) of what is kept; None if nothing is."""
        body, about = self._paths(document)
        try:
            file = body.open("rb")
        except OSError:
            yield None
            return
        with file:
            yield _read_edition(about), iter(lambda: file.read(PIECE), b"")

    def edition(self, document: Document[ContentT]) -> Edition:
        """Of what is kept; an empty one if nothing is."""
        return _read_edition(self._paths(document)[1])

    @property
    def may_write(self) -> bool:
        """Whether nobody else writes here."""
        return self._leads is None or self._leads()

    def stamp(self, document: Document[ContentT]) -> tuple[Stamp, Stamp | None] | None:
        """Another one once something else is kept; None: nothing is."""
        body, about = map(stamp_of, self._paths(document))
        return None if body is None else (body, about)

    def imported_at(self, document: Document[ContentT]) -> float | None:
        """When it was kept, or found to be as it is kept (see ``found_same``); Unix time."""
        with suppress(OSError):
            return self._paths(document)[1].stat().st_mtime
        return None

    def found_same(self, document: Document[ContentT]) -> None:
        """Let those who share the folder know that what is kept is what there is."""
        if self._leads is not None:
            with suppress(OSError):
                os.utime(self._paths(document)[1])

    def begin(self, document: Document[ContentT]) -> UnfinishedCopy:
        """A copy to be filled; what is kept stays until the copy is committed."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)  # mode 0600
        except OSError as error:
            self._complain(error)
            return UnfinishedCopy(self._paths(document), self._complain, None)
        kept, path = self._paths(document), Path(name)
        return UnfinishedCopy(kept, self._complain, open(descriptor, "wb"), path)

    def sweep(self) -> None:
        """Remove what a killed import left; not the files of another process that imports now."""
        with suppress(OSError):
            for path in self._folder.glob(f"{_UNFINISHED}*"):
                if time() - path.stat().st_mtime > _LEFT_AFTER:
                    path.unlink(missing_ok=True)

    def _paths(self, document: Document[ContentT]) -> tuple[Path, Path]:
        name = hashlib.sha256(document.url.encode()).hexdigest()[:32]
        body, about = document.kind.endings
        return self._folder / f"{name}{body}", self._folder / f"{name}{about}"

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning(
                "DATA_DIR cannot be written (%s): a restart will not know the lists of today",
                error.strerror,
            )
        self._complained = True


class UnfinishedCopy:
    """A copy of a document while it comes: write all of it, then commit. ``close`` may come twice.

    A disk that is full costs the copy only, and is told of once.
    """

    def __init__(
        self,
        kept: tuple[Path, Path],
        complain: Callable[[OSError], object],
        file: IO[bytes] | None,
        path: Path = Path(),
    ) -> None:
        """``kept`` is where document and edition are to be; ``file`` is at ``path`` until then."""
        self._kept = kept
        self._complain = complain
        self._file = file
        self._path = path
        self._gzip = zlib.compressobj(1, wbits=31)  # level 1: a fifth of the time for the same good

    def write(self, piece: bytes) -> None:
        """Add ``piece``."""
        self._write(self._gzip.compress(piece))

    def commit(self, edition: Edition) -> None:
        """Put it in the place of what is kept."""
        self._write(self._gzip.flush())
        if self._file is None:
            return
        body, about = self._kept
        new_about = self._path.with_suffix(".json")
        try:
            self._file.close()
            new_about.touch(mode=0o600)
            new_about.write_text(json.dumps(asdict(edition)))
            # The body first: a crash between the two leaves an old edition, and the document is
            # fetched again. No fsync, which may stop all streams for a second on a slow disk: a
            # power cut at this moment can cost the copy, which is found broken then.
            os.replace(self._path, body)
            os.replace(new_about, about)
        except OSError as error:
            self._complain(error)

    def close(self) -> None:
        """Drop it unless it is committed."""
        if self._file is not None:
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
            self._complain(error)
            self.close()


def _read_edition(path: Path) -> Edition:
    """What was written of the edition; an empty one if it cannot be read."""
    try:
        values = json.loads(path.read_text())
        # An earlier release wrote less.
        return Edition(**{name: str(values[name]) for name in asdict(Edition()) if name in values})
    except (OSError, ValueError, TypeError):
        return Edition()
