"""Imports: all sources' channel lists, again and again, into one new catalog.

Theory of operation. One greenlet makes rounds: at start, every IMPORT_REFRESH_INTERVAL, and when
asked. A round fetches all lists side by side, each in a greenlet of its own; then the catalog is
built anew from the newest good listing of every source, if any changed. A round waits a few
seconds at most: a source that takes longer joins the catalog when it is done, and is not asked
again before. A source that fails keeps the listing it had, also over a restart: before the first
round, what DATA_DIR keeps is loaded, and served at once.

All lists are fetched at once, however slow they come; a worker is taken by a piece that is there
and must be parsed. So no list waits for another that drips.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic, time

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Group

from kptv.channels.catalog import MOST_OF_ONE, Catalog, Listing, build_catalog
from kptv.config import Config
from kptv.errors import ImportFailed
from kptv.metrics.sources import ImportState
from kptv.pace import drive
from kptv.upstream.lists import Imported, ListClient, Version, open_list, read_list
from kptv.upstream.store import Store
from kptv.vitals.heartbeat import Heartbeat

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a round's catalog, also the first one, waits for slow sources
DEADLINE = 600.0  # seconds for all of a list: 50 MB at 1 Mbit/s take 400
# Seconds until a source that failed is asked again, doubling, if that is before the next round.
FIRST_RETRY, LONGEST_RETRY = 60.0, 1800.0
SHORTEST_RETRY = 5.0  # where it says itself when to come again
_BEAT = 60.0  # seconds between two signs of life while nothing is due


@dataclass(slots=True)
class _SourceImport:
    """What is held of a source between imports."""

    state: ImportState
    listing: Listing | None = None  # of the last good import
    version: Version = field(default_factory=Version)
    job: gevent.Greenlet | None = None  # the import that runs, or the last one
    retry_at: float = inf  # monotonic; after a failure


class Importer:
    """Imports in the background from ``start`` to ``close``."""

    def __init__(
        self,
        config: Config,
        client: ListClient,
        on_catalog: Callable[[Catalog], object],
        on_import: Callable[[], object] = lambda: None,
    ) -> None:
        """``on_catalog`` is given every new catalog.

        ``on_import`` is called when a round's imports are over, and again after each late one.
        """
        self._client = client
        self._on_catalog = on_catalog
        self._on_import = on_import
        self._interval = config.import_refresh_interval
        self._order = (config.sort_field, config.sort_descending)
        self._store = Store(config.data_dir)
        self._sources = [_SourceImport(ImportState(source)) for source in config.sources]
        self._workers = BoundedSemaphore(config.worker_threads)
        self._jobs = Group()  # imports, waits for late ones, listings that are taken apart
        self._publishing = BoundedSemaphore(1)
        self._catalog: Catalog | None = None
        self._changed = False  # since the catalog was built
        self._imported: set[int] = set()  # sources whose import was good, since somebody asked
        self._asked = False  # for a round
        self._stir = Event()  # there is something to look at: asked for, or failed
        self._done = Event()  # with all of the round that was asked for last
        self._heartbeat = Heartbeat(monotonic(), longest=DEADLINE)
        self._greenlet: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<Importer sources={len(self._sources)} catalog={self._catalog}>"

    @property
    def states(self) -> list[ImportState]:
        """One a source, in their order."""
        return [item.state for item in self._sources]

    def take_imported(self) -> set[int]:
        """Numbers of the sources whose import was good since this was asked last."""
        imported, self._imported = self._imported, set()
        return imported

    @property
    def alive(self) -> bool:
        """Whether it still makes rounds, and is not stuck in one."""
        runs = self._greenlet is not None and not self._greenlet.ready()
        return runs and self._heartbeat.alive(monotonic())

    def start(self) -> None:
        """Begin with what DATA_DIR keeps, then make rounds."""
        self._heartbeat.beat(monotonic())
        self._greenlet = self._greenlet or gevent.spawn(self._run)

    def close(self) -> None:
        """Stop, also in mid-import; may come twice."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._jobs.kill()

    def import_now(self) -> Event:
        """Ask for a round now; one that begins just now is joined. The event is set at its end."""
        if not self._asked:
            self._asked, self._done = True, Event()
            self._stir.set()
        return self._done

    def _run(self) -> None:
        self._load_kept()
        while True:
            end = monotonic() + self._interval
            self._round(self._sources, self.import_now())
            self._asked = False
            self._rest(end)

    def _rest(self, end: float) -> None:
        """Until ``end``, or a round is asked for; meanwhile, ask again those that failed."""
        while not self._asked and (now := monotonic()) < end:
            self._heartbeat.beat(now)
            if failed := [item for item in self._sources if item.retry_at <= now]:
                self._round(failed, Event())
                continue
            self._stir.clear()
            until = min(end, now + _BEAT, *(item.retry_at for item in self._sources))
            self._stir.wait(until - now)

    def _round(self, items: list[_SourceImport], done: Event) -> None:
        """Import ``items``; ``done`` is set when the last is over, which may be much later."""
        jobs = [self._job(item) for item in items]
        gevent.joinall(jobs, timeout=PATIENCE)
        self._publish()
        if late := [job for job in jobs if not job.ready()]:
            self._jobs.spawn(self._wait_for, late, done)
        else:
            done.set()

    def _wait_for(self, late: list[gevent.Greenlet], done: Event) -> None:
        for _ in gevent.iwait(late):
            self._publish()
        done.set()

    def _job(self, item: _SourceImport) -> gevent.Greenlet:
        """The import of a source: the one that runs still, or a new one."""
        if item.job is None or item.job.ready():
            item.retry_at = inf
            item.job = self._jobs.spawn(self._import, item)
        return item.job

    def _load_kept(self) -> None:
        self._store.sweep()
        for item in self._sources:
            source = item.state.source
            try:
                with self._store.load(source) as kept:
                    if kept is None:
                        continue
                    version, pieces = kept
                    imported = read_list(
                        source, version.base, pieces, lambda _: None, version.charset
                    )
            except (ImportFailed, OSError) as error:
                log.warning("%s: what DATA_DIR keeps cannot be used: %s", source.tag, error)
                continue
            except Exception:  # a fault of ours must not stop the first round
                log.exception("%s: what DATA_DIR keeps cannot be used", source.tag)
                continue
            # Conditional requests only if the version is that of this very body.
            same = imported.digest == version.digest
            self._take(item, imported, version if same else Version(), last_success=None)
        self._replace_catalog()

    def _import(self, item: _SourceImport) -> None:
        """Import one source; never raises."""
        begun = monotonic()
        late = ImportFailed(f"not complete after {DEADLINE:.0f} s")
        try:
            with gevent.Timeout(DEADLINE, late):
                self._fetch(item)
        except ImportFailed as failed:
            self._failed(item, str(failed), failed.retry_after)
        except Exception as error:  # a fault of ours in one list must not stop the others
            log.exception("%s: import failed by a fault of the proxy", item.state.source.tag)
            self._failed(item, type(error).__name__)
        item.state = replace(item.state, duration=monotonic() - begun)

    def _fetch(self, item: _SourceImport) -> None:
        source, had = item.state.source, item.listing
        known = item.version if had is not None else Version()
        with open_list(self._client, source, known) as opened:
            if opened is None:
                self._succeeded(item)
                return
            version, pieces = opened
            copy = self._store.begin(source)
            try:
                imported = read_list(
                    source, version.base, pieces, copy.write, version.charset, self._workers
                )
                if had is not None and len(had) and not len(imported.listing):
                    raise ImportFailed("a list without entries")
                version = replace(version, digest=imported.digest)
                if had is None or imported.digest != known.digest:
                    copy.commit(version)
                    self._take(item, imported, version, last_success=time())
                item.version = version
            finally:
                copy.close()
        self._succeeded(item)

    def _take(
        self, item: _SourceImport, imported: Imported, version: Version, last_success: float | None
    ) -> None:
        """Hold ``imported`` as the newest good listing."""
        old, item.listing, item.version = item.listing, imported.listing, version
        self._changed = True
        item.state = replace(
            item.state,
            entries=len(imported.listing),
            skipped=imported.skipped,
            cut=imported.cut,
            is_full=imported.is_full,
            last_success=last_success,
        )
        log.info("%s: %d entries%s", item.state.source.tag, item.state.entries, _losses(imported))
        if imported.is_full:
            log.warning(
                "%s: the list has more than %d entries: those behind are left out",
                item.state.source.tag,
                item.state.entries,
            )
        if old is not None:
            self._jobs.spawn(drive, old.take_apart())

    def _succeeded(self, item: _SourceImport) -> None:
        if item.state.failures:
            log.info("%s: imports again", item.state.source.tag)
        item.state = replace(item.state, failures=0, error="", last_success=time())
        self._imported.add(item.state.source.number)

    def _failed(self, item: _SourceImport, error: str, asked: float | None = None) -> None:
        state = item.state
        if error != state.error:  # once, not every interval
            log.warning(
                "%s: import failed: %s; %s",
                state.source.tag,
                error,
                f"its {state.entries} entries stay" if item.listing else "it has no entries yet",
            )
        item.state = replace(state, failures=state.failures + 1, error=error)
        item.retry_at = monotonic() + retry_delay(state.failures, asked)
        self._stir.set()

    def _publish(self) -> None:
        """Imports are over: a new catalog, if they changed anything."""
        try:
            with self._publishing:  # who is late waits for those before it
                self._replace_catalog()
            self._on_import()
        except Exception:  # the greenlet must live on: the next round tries again
            log.exception("import failed by a fault of the proxy")

    def _replace_catalog(self) -> None:
        """Build and hand out a new catalog, if a listing changed; then free the old one."""
        listings = [item.listing for item in self._sources if item.listing is not None]
        if not self._changed or not listings:
            return
        self._changed = False  # now: an import may end while this one builds
        try:
            catalog = drive(self._build(listings))
        except BaseException:
            self._changed = True  # the next round builds what this one did not
            raise
        old, self._catalog = self._catalog, catalog
        log.info("catalog: %d channels of %d sources", len(catalog), len(listings))
        if catalog.left_out:
            log.warning(
                "catalog: %d entries left out: more than %d of one source have the same name",
                catalog.left_out,
                MOST_OF_ONE,
            )
        self._on_catalog(catalog)
        if old is not None:
            drive(old.take_apart())

    def _build(self, listings: list[Listing]) -> Generator[None, None, Catalog]:
        # A copy of the blocks: a listing may be replaced and taken apart meanwhile.
        copies = [replace(listing, blocks=list(listing.blocks)) for listing in listings]
        sort_field, descending = self._order
        return build_catalog(copies, sort_field=sort_field, descending=descending)


def _losses(imported: Imported) -> str:
    """What the log says of what is not as the list has it."""
    skipped = f", {imported.skipped} lines skipped" if imported.skipped else ""
    cut = f", {imported.cut} texts cut that were too long" if imported.cut else ""
    return skipped + cut


def retry_delay(failures: int, asked: float | None) -> float:
    """Seconds until a list is asked for again that failed once more after ``failures``.

    ``asked`` is what the provider asked for, which may be sooner: it is there in a moment.
    """
    first = FIRST_RETRY if asked is None else SHORTEST_RETRY
    return min(max(first * 2.0 ** min(failures, 16), asked or 0.0), LONGEST_RETRY)
