"""When the guide is fetched and built, in the background.

Theory of operation. One greenlet fetches guides that are due, two at a time, and then has a child
build a generation, if a guide or the catalog has changed, or the window of time has moved on. The
worker opens the finished generation, and closes the one before a minute later, when nobody reads
it any more. Users who may see some groups only have a guide of these: one for all whose rights are
the same. A child that fails changes nothing: the same is tried again with the next change.

Where several instances share DATA_DIR, one of them does that. The others open what it has built.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time

import gevent
from gevent.event import Event

from kptv.channels.catalog import Catalog
from kptv.channels.guide.addresses import Wishes, known_guides
from kptv.channels.profiles import MadeProfile
from kptv.channels.secrets import Secrets
from kptv.channels.users.allowed import Allowed
from kptv.channels.users.model import Rights
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.guide.job_file import JOB
from kptv.guide.reading import Generation, GuideBroken
from kptv.guide.report import GuideReport
from kptv.guide.schema import UNFINISHED, finished_in
from kptv.guide_jobs import GuideJobs, folder_of
from kptv.metrics.guide_figures import GuideFigures
from kptv.upstream.documents import DocumentClient
from kptv.upstream.guide_child import BuildFailed, run_child
from kptv.upstream.guide_fetches import FetchParts, GuideFetches
from kptv.upstream.guides import FetchedGuide, files_of, sweep
from kptv.vitals.heartbeat import Heartbeat

log = logging.getLogger(__name__)

EVERY = 6 * 3600.0  # seconds after which it is built anew, as the window moves on
KEPT_FOR = 60.0  # seconds that a replaced generation stays open
PATIENCE = 60.0  # seconds that a build waits for guides that are still being fetched
LOOK_EVERY = 5.0  # seconds between two looks for what another instance has built; below KEPT_FOR
RETRY = 300.0  # seconds until a child is tried again that failed, doubling to EVERY


@dataclass(frozen=True, slots=True)
class GuideParts:
    """What the round needs of others."""

    config: Config
    client: DocumentClient
    current: CurrentGuide
    profile: Callable[[str], MadeProfile | None]  # of the newest catalog; may wait
    keep_secret: Callable[[Secrets], object]
    figures: GuideFigures
    rights: Callable[[], frozenset[Rights]] = frozenset  # of all users; none: there are no users
    allowed: Callable[[Rights], Allowed | None] = lambda _: None  # of the newest; may wait
    leads: Callable[[], bool] = lambda: True  # whether this process writes in DATA_DIR


class GuideRound:
    """Fetches and builds from the first catalog on that knows a guide, until ``close``."""

    def __init__(self, parts: GuideParts, run: Callable[[Path], str] = run_child) -> None:
        """``run`` the child with a job, a file."""
        self._parts, self._run_child = parts, run
        self._catalog: Catalog | None = None
        config = parts.config
        self._folder = folder_of(config)
        fetching = FetchParts(
            parts.client,
            self._folder,
            config.guide_refresh_interval,
            parts.keep_secret,
            parts.figures,
        )
        self._fetches = GuideFetches(fetching, self._fetched)
        self._jobs = GuideJobs(config, self._fetches, parts.profile, parts.allowed)
        self._stir = Event()
        self._renewed = Event()  # the catalog, or who may see it, is not the last build's
        self._is_stale = False  # something has changed since the last build
        self._made_of = ""  # the digest of the channels of the last build
        self._built_for: frozenset[Rights] = frozenset()
        self._build_at = 0.0  # monotonic; earliest
        self._again_at = 0.0  # Unix time: the window has moved on then
        self._told = ""  # why the last build failed
        self._failures = 0  # of builds, in a row
        self._heartbeat = Heartbeat(monotonic(), longest=4 * 3600.0)
        self._greenlet: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<GuideRound {self._fetches} {self._parts.current}>"

    @property
    def alive(self) -> bool:
        """Whether it goes on, if it has anything to do."""
        greenlet = self._greenlet
        return greenlet is None or (not greenlet.ready() and self._heartbeat.alive(monotonic()))

    def open_last(self) -> None:
        """Begin with the generation of the last run, if there is one."""
        for path in finished_in(self._folder):
            try:
                generation = Generation.open(path)
            except GuideBroken as error:
                if self._parts.leads():
                    log.warning("guide: %s cannot be read: %s", path.name, error)
                    shutil.rmtree(path, ignore_errors=True)
                continue  # else the rest of it may still come
            self._open(generation)
            return

    def _open(self, generation: Generation) -> None:
        """Use what this process has not built."""
        self._again_at = generation.report.made + EVERY
        self._made_of = generation.report.made_of
        self._use(generation)

    def replace(self, catalog: Catalog) -> None:
        """A new catalog: does not wait."""
        config = self._parts.config
        rules = catalog.ruled.rules if catalog.ruled is not None else None
        wishes = Wishes(config.guides, config.guide_from_lists, rules)
        if self._catalog is not None:  # the first one waits for guides
            self._renewed.set()
        self._catalog = catalog
        self._fetches.know(known_guides(wishes, config.sources, catalog.list_headers))
        is_wanted = self._is_wanted
        self._parts.current.expect(is_wanted)
        if not is_wanted and self._parts.current.get() is not None:
            self._drop(self._parts.current.get(), None)
        self._is_stale = True
        self._stir.set()
        if is_wanted and self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    @property
    def _is_wanted(self) -> bool:
        return bool(self._fetches.guides) or self._parts.config.guide_filler

    def users_changed(self) -> None:
        """Build for users who may see something else than all before; does not wait."""
        if self._parts.rights() - self._built_for:
            self._renewed.set()
            self._is_stale = True
            self._stir.set()

    def close(self) -> None:
        """Stop, also the child; may come twice."""
        self._fetches.close()
        if self._greenlet is not None:
            self._greenlet.kill()

    def _fetched(self, is_new: bool) -> None:
        if is_new:
            self._is_stale = True
        self._stir.set()

    # --- the loop ---

    def _run(self) -> None:
        self._heartbeat.beat(monotonic())
        if self._parts.leads():
            self._tidy()
        while True:
            self._follow()
            self._turn()
            self._heartbeat.beat(monotonic())
            self._stir.clear()
            self._stir.wait(self._wait())

    def _tidy(self) -> None:
        sweep(self._folder)
        self._sweep_builds()

    def _follow(self) -> None:
        """Open what the instance builds that leads, until this one does."""
        if self._parts.leads():
            return
        while not self._parts.leads():
            self._open_newest()
            self._heartbeat.beat(monotonic())
            gevent.sleep(LOOK_EVERY)
        self._open_newest()
        self._fetches.read_again()
        self._tidy()

    def _open_newest(self) -> None:
        """What there is now, if it is newer than what is open, and whole."""
        current = self._parts.current.get()
        for path in finished_in(self._folder):
            if current is not None and path == current.path:
                return
            with contextlib.suppress(GuideBroken):
                self._open(Generation.open(path))
                return

    def _turn(self) -> None:
        try:
            self._fetches.begin(time())
            self._wait_for_guides()
            if time() >= self._again_at or self._again_at > time() + EVERY + 60 or self._is_lost:
                self._is_stale = True
            if self._is_stale and monotonic() >= self._build_at and self._catalog is not None:
                self._build(self._catalog)
        except Exception:  # the next turn may do better
            log.exception("guide: failed by a fault of the proxy")
            self._build_at = monotonic() + RETRY

    def _wait_for_guides(self) -> None:
        """Until none is fetched any more, for PATIENCE; a new list does not wait for its ids."""
        until = monotonic() + PATIENCE
        while (left := until - monotonic()) > 0:
            ends: list[object] = [*self._fetches.running]
            if not ends or (self._renewed.is_set() and self._parts.current.get() is not None):
                return
            if self._parts.current.get() is not None:
                ends.append(self._renewed)
            gevent.wait(ends, timeout=left, count=1)

    def _wait(self) -> float:
        """Seconds until something may be due."""
        until = min([self._again_at, *self._fetches.due()]) - time()
        if self._is_stale:
            until = min(until, self._build_at - monotonic())
        return min(max(until, 0.1), 60.0)

    def _build(self, catalog: Catalog) -> None:
        self._is_stale = False
        self._renewed.clear()
        guides = self._fetches.guides
        if not any(guide.paths for guide in guides) and not self._parts.config.guide_filler:
            return  # the next fetch comes back here
        digests = [guide.kept.digest for guide in guides]
        job_file: Path | None = None
        try:
            self._built_for = self._parts.rights()
            job_file, channels = self._jobs.write(catalog, self._built_for)
            if not self._has_changed(channels):
                return
            generation = Generation.open(self._folder / self._run_child(job_file))
        except (BuildFailed, GuideBroken, OSError) as error:
            self._failed(str(error))
            return
        finally:
            if job_file is not None:
                job_file.unlink(missing_ok=True)
        self._made_of = channels
        self._again_at = generation.report.made + EVERY
        told = {one.number: one for one in generation.report.guides}
        for number, (guide, digest) in enumerate(zip(guides, digests, strict=True), start=1):
            if guide.kept.digest == digest:  # not another one since
                _settle(guide, told.get(number), channels)
        self._take(generation)
        sweep(self._folder, files_of(self._fetches.guides))

    def _take(self, generation: Generation) -> None:
        """Use what the child made, unless no guide was of use, or none is wanted any more."""
        if not self._is_wanted:
            self._end(generation)
            return
        are_used = any(one.used for one in generation.report.guides)
        if are_used or self._parts.config.guide_filler:
            self._told, self._failures = "", 0
            self._use(generation)
            self._parts.figures.built(generation.report)
        else:
            self._end(generation)
            failures = self._failures
            self._failed("no guide is of use")
            # Nothing is left to be tried again; another one that comes is read at once.
            self._failures, self._build_at, self._is_stale = failures, 0.0, False

    def _has_changed(self, channels: str) -> bool:
        """Whether a build would give something else than the last one."""
        is_new = channels != self._made_of or any(
            guide.newest.exists() for guide in self._fetches.guides
        )
        has_none = self._parts.current.get() is None or self._is_lost
        return is_new or has_none or time() >= self._again_at

    @property
    def _is_lost(self) -> bool:
        """Whether somebody has removed the files of the generation in force."""
        current = self._parts.current.get()
        return current is not None and not current.file().exists()

    def _failed(self, why: str) -> None:
        delay = min(RETRY * 2.0 ** min(self._failures, 16), EVERY)
        self._is_stale, self._build_at = True, monotonic() + delay
        self._failures += 1
        self._parts.figures.failed()
        self._sweep_unfinished()
        if why != self._told:
            has = self._parts.current.get() is not None
            rest = "the one before stays" if has else "there is none yet"
            log.warning("guide: it could not be built: %s; %s", why, rest)
        self._told = why

    def _use(self, generation: Generation) -> None:
        before = self._parts.current.get()
        report = generation.report
        self._parts.figures.report = report
        joined = sum(report.joined.values())
        log.info(
            "guide: %d shows, %d of %d channels joined (%s)",
            *(report.shows, joined, report.channels, generation.tag),
        )
        if report.left_out:
            log.warning("guide: only for the first %d channels", report.channels)
        if report.rights_left_out:
            log.warning(
                "guide: none for users of %d sets of groups: there are too many",
                report.rights_left_out,
            )
        self._drop(before, generation)

    def _drop(self, before: Generation | None, now: Generation | None) -> None:
        self._parts.current.replace(now)
        if now is None:
            self._parts.figures.report = None
        if before is not None:
            gevent.spawn_later(KEPT_FOR, self._end, before)

    def _end(self, generation: Generation) -> None:
        generation.close()
        if self._parts.leads():
            shutil.rmtree(generation.path, ignore_errors=True)

    def _sweep_builds(self) -> None:
        """Remove what runs before this one have left."""
        current = self._parts.current.get()
        self._sweep_unfinished()
        for path in finished_in(self._folder):
            if current is None or path != current.path:
                shutil.rmtree(path, ignore_errors=True)

    def _sweep_unfinished(self) -> None:
        """Remove what a killed child has left; none runs now."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name.startswith((UNFINISHED, JOB)):
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _settle(guide: FetchedGuide, told: GuideReport | None, channels: str) -> None:
    """Keep the file that was of use."""
    if told is not None:
        guide.settle(told.used, told.refused, told.last, "" if told.kept else channels)
