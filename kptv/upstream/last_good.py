"""The last good content of a document: fetched anew when asked, and over a restart from DATA_DIR.

A document that cannot be had, or is no such document, replaces nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from time import monotonic, time
from typing import Generic

import gevent

from kptv.errors import ImportFailed
from kptv.pace import drive
from kptv.upstream.documents import (
    ContentT,
    Document,
    DocumentClient,
    Edition,
    open_document,
    read_document,
)
from kptv.upstream.store import Store

log = logging.getLogger(__name__)

_MOST_LOOKS = 20  # a minute; whoever was to publish it may have ended, or be of another version


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How the attempts to get a document go."""

    failures: int = 0  # in a row
    error: str = ""  # of the last attempt; empty if it was good
    last_success: float | None = None  # Unix time
    successes: int = 0
    duration: float = 0.0  # seconds that the last attempt took
    again_at: float | None = None  # Unix time of the next attempt, after a failure


class LastGood(Generic[ContentT]):
    """Holds what is known of one document; ``content`` is None until something was read."""

    def __init__(self, document: Document[ContentT], client: DocumentClient, store: Store) -> None:
        self.document = document
        self.content: ContentT | None = None
        self.progress = FetchProgress()
        self._client = client
        self._store = store
        self._edition = Edition()  # of the content, or empty if that is not known
        self._seen: object = None  # the stamp of what DATA_DIR had when somebody looked last
        self._loaded: object = None  # of what was loaded
        self._looks = 0  # at what is not published there

    def __repr__(self) -> str:
        return f"<LastGood {self.document.label!r} failures={self.progress.failures}>"

    @property
    def summary(self) -> str:
        """What it holds, in words."""
        content, items = self.content, self.document.kind.items
        return f"no {items}" if content is None else f"{content.count} {items}{content.losses}"

    @property
    def rest(self) -> str:
        """What is left of it after a failure, in words."""
        count, items = self.content.count if self.content else 0, self.document.kind.items
        return f"its {count} {items} stay" if count else f"it has no {items} yet"

    def tried_again_at(self, at: float) -> None:
        """After a failure: the next attempt is at ``at`` (Unix time)."""
        self.progress = replace(self.progress, again_at=at)

    def load(self) -> bool:
        """Begin with what DATA_DIR keeps; whether there is something of use. Never raises."""
        self._seen = self._loaded = self._store.stamp(self.document)
        if (kept := self._read_kept()) is None:
            return False
        edition, content = kept
        # Conditional requests only if the edition is that of this very content.
        known = edition if content.digest == edition.digest else Edition()
        self._take(content, known, "from disk")
        return True

    def look(self, is_published: Callable[[str], bool] = lambda _: True) -> bool:
        """Take what another process has imported into DATA_DIR since; whether it has. Never raises.

        It is taken at the second look that finds it, as half of it may be there before, and when
        the other process has published it: then the numbers are there that its channels were given.
        """
        before, stamp = self._seen, self._store.stamp(self.document)
        self._seen = stamp
        if stamp is None or stamp != before:
            return False
        if stamp == self._loaded and self.progress.successes:
            return False
        had, edition = self.content, self._store.edition(self.document)
        if had is not None and not self._is_to_be_taken(is_published(edition.digest)):
            return False
        self._loaded = stamp
        if had is not None and edition.digest == had.digest:
            self._edition = edition
        else:
            if (kept := self._read_kept()) is None:
                return False
            edition, content = kept
            if content.digest != edition.digest and had is not None:
                return False  # half of it: the rest comes, and is seen
            self._take(content, edition, "from disk")
        imported_at = self._store.imported_at(self.document)
        self.progress = FetchProgress(0, "", imported_at, self.progress.successes + 1)
        if had is not None and had is not self.content:
            drive(had.take_apart())
        return True

    def _is_to_be_taken(self, is_published: bool) -> bool:
        self._looks = 0 if is_published or self._looks >= _MOST_LOOKS else self._looks + 1
        return not self._looks

    def _read_kept(self) -> tuple[Edition, ContentT] | None:
        document = self.document
        try:
            with self._store.load(document) as kept:
                if kept is None:
                    return None
                edition, pieces = kept
                return edition, read_document(document, edition, pieces)
        except (ImportFailed, OSError) as error:
            log.warning("%s: what DATA_DIR keeps cannot be used: %s", document.label, error)
        except Exception:  # a fault of ours must not keep the others from being loaded
            log.exception("%s: what DATA_DIR keeps cannot be used", document.label)
        return None

    def refresh(self, worker: AbstractContextManager[object]) -> ImportFailed | None:
        """Fetch it if it changed; what failed, or None. Never raises.

        ``worker`` is held while a piece is read.
        """
        begun, before = monotonic(), self.content
        failed = self._try(worker)
        duration = monotonic() - begun
        if failed is None:
            self._succeeded(duration)
            if before is self.content:
                self._store.found_same(self.document)
            if before is self.content and self.progress.successes == 1:  # only DATA_DIR had it
                log.info("%s: %s (fetched, as on disk)", self.document.label, self.summary)
        else:
            self._failed(str(failed), duration)
        if before is not None and before is not self.content:
            drive(before.take_apart())
        return failed

    def _try(self, worker: AbstractContextManager[object]) -> ImportFailed | None:
        deadline = self.document.kind.deadline
        late = ImportFailed(f"not complete after {deadline:.0f} s")
        try:
            with gevent.Timeout(deadline, late):
                self._fetch(worker)
        except ImportFailed as failed:
            return failed
        except Exception as error:  # a fault of ours in one document must not stop the others
            log.exception("%s: import failed by a fault of the proxy", self.document.label)
            return ImportFailed(type(error).__name__)
        return None

    def _fetch(self, worker: AbstractContextManager[object]) -> None:
        document, had = self.document, self.content
        known = self._edition if had is not None else Edition()
        with open_document(self._client, document, known) as opened:
            if opened is None:
                return
            edition, pieces = opened
            copy = self._store.begin(document)
            try:
                content = read_document(document, edition, pieces, copy.write, worker)
                if had is not None and had.count and not content.count:
                    raise ImportFailed(f"a {document.kind.name} without {document.kind.items}")
                edition = replace(edition, digest=content.digest)
                if not self._store.may_write:
                    raise ImportFailed("another instance imports now")
                if had is None or content.digest != known.digest:
                    copy.commit(edition)
                    self._take(content, edition, "fetched")
                self._edition = edition
            finally:
                copy.close()

    def _take(self, content: ContentT, edition: Edition, origin: str) -> None:
        """Hold ``content`` as the newest good one; ``origin``: where it came from, in words."""
        self.content, self._edition = content, edition
        kind, label = self.document.kind, self.document.label
        log.info("%s: %s (%s)", label, self.summary, origin)
        if content.is_full:
            log.warning(
                "%s: the %s has more than %d %s: those behind are left out",
                label,
                kind.name,
                content.count,
                kind.items,
            )

    def _succeeded(self, duration: float) -> None:
        if self.progress.failures:
            log.info("%s: imports again", self.document.label)
        successes = self.progress.successes + 1
        self.progress = FetchProgress(0, "", time(), successes, duration)

    def _failed(self, error: str, duration: float) -> None:
        failures = self.progress.failures + 1
        self.progress = replace(
            self.progress, failures=failures, error=error, duration=duration, again_at=None
        )
