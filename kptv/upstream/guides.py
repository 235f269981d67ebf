"""Guides, fetched as documents and kept as they came: nothing of them is read here but its begin.

Theory of operation. A guide may have 200 MB, and only the child that builds a generation can tell
whether it is one. So a new file lies beside the last good one, and the child is given both; it
says which it has used (see ``FetchedGuide.settle``). Files hold secrets: only their owner may read
them. They are named by a digest of the address and how it is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import time
from typing import IO, Any

import gevent

from kptv.channels.guide.addresses import KnownGuide
from kptv.errors import ImportFailed
from kptv.pace import Pace
from kptv.upstream.documents import Document, DocumentClient, DocumentKind, Edition, open_document
from kptv.upstream.importer import retry_delay

log = logging.getLogger(__name__)

MB = 1024**2
LONGEST = 200 * MB  # of one guide, as it comes
LONGEST_OF_A_LIST = 1024 * MB  # of all guides that one list names, in one round
DEADLINE = 1800.0  # seconds for all of a guide: 200 MB at 1 Mbit/s take as long
WEEK = 7 * 86400.0
_UNFINISHED = ".fetching-"
_HTML = (b"<!doctype html", b"<html")


def _never_read(*_: object) -> Any:
    raise AssertionError("guides are read by the child")


GUIDE: DocumentKind[Any] = DocumentKind(
    "guide", "shows", (".guide", ".json"), LONGEST, _never_read, DEADLINE
)


@dataclass(frozen=True, slots=True)
class KeptGuide:
    """What is known of a guide over a restart."""

    etag: str = ""
    last_modified: str = ""
    base: str = ""
    digest: str = ""  # of the newest file, also if it was refused
    fetched: float = 0.0  # Unix time of the last success
    reaches: int = 0  # the last stop of the good file; see GuideReport
    used: str = ""  # the digest of the good file
    fruitless: str = ""  # by these channels nothing of it was wanted: what ``Job`` was made of

    @property
    def edition(self) -> Edition:
        """For conditional requests."""
        return Edition(self.base, self.etag, self.last_modified)


class GuideBudget:
    """The bytes that the guides of one list may still have in this round."""

    def __init__(self) -> None:
        self.left = LONGEST_OF_A_LIST


class FetchedGuide:
    """One guide on disk, and how the attempts to fetch it go."""

    def __init__(self, known: KnownGuide, folder: Path) -> None:
        self.known = known
        self.failures = 0  # in a row
        self.error = ""  # of the last attempt
        self.again_at = 0.0  # Unix time
        name = _name_of(known)
        self.good, self.newest = folder / f"{name}.guide", folder / f"{name}.new.guide"
        self.about = folder / f"{name}.json"
        self.kept = _read_kept(self.about)

    def __repr__(self) -> str:
        return f"<FetchedGuide {self.known.tag!r} failures={self.failures}>"

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files, the newest first; none before the first fetch."""
        return tuple(path for path in (self.newest, self.good) if path.exists())

    def fetch(self, client: DocumentClient, budget: GuideBudget) -> bool:
        """Fetch it if it changed; whether there is a new file. Never raises."""
        try:
            with gevent.Timeout(DEADLINE, ImportFailed(f"not complete after {DEADLINE:.0f} s")):
                is_new = self._fetch(client, budget)
        except ImportFailed as failed:
            self.failed(str(failed), failed.retry_after)
            return False
        except OSError as error:
            self.failed(f"cannot be kept: {error.strerror}")
            return False
        except Exception as error:
            log.exception("%s: not fetched, by a fault of the proxy", self.known.tag)
            self.failed(type(error).__name__)
            return False
        self._keep(replace(self.kept, fetched=time()))
        if self._is_refused:  # the same once more
            self.failed(self.error or "of no use")
        elif self.failures:
            log.info("%s: is fetched again", self.known.tag)
            self.failures, self.error = 0, ""
        return is_new

    @property
    def _is_refused(self) -> bool:
        """Whether the newest that was fetched was of no use, so that an older one is used."""
        return self.kept.digest != self.kept.used and not self.newest.exists()

    def failed(self, why: str, retry_after: float | None = None) -> None:
        """It cannot be had or used: ask again in a while; the log has it once."""
        delay = retry_delay(self.failures, retry_after)
        if why != self.error:
            rest = "the one before stays" if self.good.exists() else "there is none yet"
            log.warning("%s: not fetched: %s; %s", self.known.tag, why, rest)
        self.failures += 1
        self.error, self.again_at = why, time() + delay

    def is_due(self, now: float, interval: float) -> bool:
        """Whether it should be asked for; ``now``: Unix time."""
        if self.failures:
            return now >= self.again_at
        return now >= self.kept.fetched + self._interval(interval) or now < self.kept.fetched - 60

    def due_at(self, interval: float) -> float:
        """Unix time."""
        return self.again_at if self.failures else self.kept.fetched + self._interval(interval)

    def _interval(self, interval: float) -> float:
        if not self.paths:
            return 0.0
        return max(WEEK, interval) if self.kept.fruitless else interval

    def _fetch(self, client: DocumentClient, budget: GuideBudget) -> bool:
        known, tag = self.known, self.known.tag
        if budget.left <= 0:
            raise ImportFailed(f"its list names guides of more than {LONGEST_OF_A_LIST // MB} MB")
        document = Document(GUIDE, known.source, known.address.url)
        edition = self.kept.edition if self.paths else Edition()
        with open_document(client, document, edition) as opened:
            if opened is None:
                return False
            edition, pieces = opened
            self.good.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self.good.parent)
            try:
                with open(descriptor, "wb") as file:
                    digest = _copy(pieces, file, min(LONGEST, budget.left), tag, budget)
                is_lost = not self.paths and not self._is_refused  # somebody has removed them
                is_new = is_lost or digest != self.kept.digest
                if is_new:
                    os.replace(name, self.newest)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)
        about = replace(self.kept, base=edition.base, etag=edition.etag, digest=digest)
        self._keep(replace(about, last_modified=edition.last_modified))
        return is_new

    def settle(self, used: str, refused: str, reaches: int, fruitless: str) -> None:
        """What the child says: the name of the file that it ``used``, why it refused the newest."""
        about = replace(self.kept, fruitless=fruitless)
        try:
            if used == self.newest.name:
                os.replace(self.newest, self.good)
                about = replace(about, reaches=reaches, used=about.digest)
            elif refused:
                self.newest.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: cannot be kept: %s", self.known.tag, error.strerror)
        self._keep(about)
        if refused:
            self.failed(refused)

    def _keep(self, about: KeptGuide) -> None:
        self.kept = about
        new = self.about.with_suffix(".json.new")
        try:
            new.touch(mode=0o600)
            new.write_text(json.dumps(asdict(about)))
            os.replace(new, self.about)
        except OSError as error:  # it is fetched again after a restart
            log.debug("%s: %s", self.known.tag, error.strerror)


def _name_of(known: KnownGuide) -> str:
    """Another one for each guide: the user and a list may name one address, also in two zones."""
    address, is_users = known.address, not known.sources
    told = f"{address.url} {address.offset} {address.zone} {is_users}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _copy(
    pieces: Iterator[bytes], file: IO[bytes], most: int, tag: str, budget: GuideBudget
) -> str:
    """Write at most so much; the digest of it. Raises ImportFailed for what is surely no guide."""
    digest, size, pace = hashlib.sha256(), 0, Pace()
    for piece in pieces:
        if not size and piece[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
            raise ImportFailed("a page, not a guide")
        part = piece[: most - size]
        size += len(part)
        budget.left -= len(part)
        file.write(part)
        digest.update(part)
        if len(part) < len(piece):
            log.warning("%s: longer than %d MB: what is behind is left out", tag, most // MB)
            break
        pace()
    if not size:
        raise ImportFailed("an empty answer")
    return digest.hexdigest()


def _read_kept(path: Path) -> KeptGuide:
    try:
        told = json.loads(path.read_text())
        return KeptGuide(
            **{name: type(getattr(KeptGuide(), name))(told[name]) for name in asdict(KeptGuide())}
        )
    except (OSError, ValueError, TypeError, KeyError):
        return KeptGuide()


def sweep(folder: Path, known: frozenset[Path] | None = None) -> None:
    """Remove what a killed fetch left, and the files of guides that nobody names any more."""
    with suppress(OSError):
        for path in folder.iterdir():
            is_file = path.name.endswith((".guide", ".json"))
            is_left = path.name.startswith(_UNFINISHED)
            if is_left or (known is not None and is_file and path not in known):
                path.unlink(missing_ok=True)


def files_of(guides: list[FetchedGuide]) -> frozenset[Path]:
    """Those that ``sweep`` leaves."""
    return frozenset(path for guide in guides for path in (guide.good, guide.newest, guide.about))
