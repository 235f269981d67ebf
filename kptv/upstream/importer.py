"""Imports: all documents, again and again, and what is made of them published.

Theory of operation. One greenlet makes rounds: at start, every IMPORT_REFRESH_INTERVAL, and when
asked. A round fetches all documents side by side, each in a greenlet of its own; then what they
gave is published. A round waits a few seconds at most: a document that takes longer is published
when it is done, and is not asked for again before. A document that fails stays what it was, also
over a restart: before the first round, what DATA_DIR keeps is loaded, and published at once.

Where several instances share DATA_DIR, one of them makes the rounds. The others look every few
seconds whether it has kept something new, and publish that; they fetch nothing.

All documents are fetched at once, however slow they come; a worker is taken by a piece that is
there and must be read. So no document waits for another that drips.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, time
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Group

from kptv.upstream.documents import DEADLINE
from kptv.upstream.last_good import LastGood
from kptv.vitals.heartbeat import Heartbeat

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a round, also the first one, waits for slow documents
# Seconds until a document that failed is asked for again, doubling, if the next round is later.
FIRST_RETRY, LONGEST_RETRY = 60.0, 1800.0
SHORTEST_RETRY = 5.0  # if the answer says itself when to come again
LOOK_EVERY = 3.0  # seconds between two looks at what the instance keeps that imports
_BEAT = 60.0  # seconds between two signs of life while nothing is due


@dataclass(frozen=True, slots=True)
class Sharing:
    """What an importer needs to know of those who share its DATA_DIR. Nothing here waits long."""

    leads: Callable[[], bool]  # whether this instance imports for all, now
    look: Callable[[], bool] = lambda: False  # whether else something is to be published anew
    is_published: Callable[[str], bool] = lambda _: True  # there, a document of this digest


@dataclass(slots=True)
class _Task:
    """A document, when it is imported, and how that was."""

    document: LastGood[Any]
    job: gevent.Greenlet | None = None  # the import that runs, or the last one
    retry_at: float = inf  # monotonic; after a failure
    found: str = ""  # by the last import: a sentence
    is_told: bool = False  # the log has it


class Round(Event):  # type: ignore[misc]  # gevent has no types
    """A round that was asked for; set when its last document is done."""

    def __init__(self) -> None:
        super().__init__()
        self.by_hand = False  # somebody wants to know what it finds, also if that is nothing new
        self.found: tuple[str, ...] = ()  # a sentence per document, once it is set


class Importer:
    """Imports in the background from ``start`` to ``close``."""

    def __init__(
        self,
        documents: Iterable[LastGood[Any]],
        publish: Callable[[], object],
        interval: float,
        workers: int,
        sharing: Sharing | None = None,
    ) -> None:
        """``publish`` is called when DATA_DIR was read, and after each round and late document.

        It may wait, and is never called twice at once. ``interval`` is in seconds; ``workers`` is
        how many documents are read side by side; ``sharing`` is None if nobody shares DATA_DIR.
        """
        self._publish = publish
        self._interval = interval
        self._tasks = [_Task(document) for document in documents]
        self._sharing = sharing
        self._workers = BoundedSemaphore(workers)
        self._jobs = Group()  # imports, and waits for late ones
        self._publishing = BoundedSemaphore(1)
        self._asked = False  # for a round
        self._stir = Event()  # there is something to look at: asked for, or failed
        self._asked_for = Round()  # the last
        self._next_round_at = inf  # monotonic
        self._heartbeat = Heartbeat(monotonic(), longest=DEADLINE)
        self._greenlet: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<Importer documents={len(self._tasks)}>"

    @property
    def alive(self) -> bool:
        """Whether it still makes rounds, and is not stuck in one."""
        runs = self._greenlet is not None and not self._greenlet.ready()
        return runs and self._heartbeat.alive(monotonic())

    @property
    def follows(self) -> bool:
        """Whether another instance imports, and this one takes what it keeps."""
        return self._sharing is not None and not self._sharing.leads()

    def start(self) -> None:
        """Begin with what DATA_DIR keeps, then make rounds."""
        self._heartbeat.beat(monotonic())
        self._greenlet = self._greenlet or gevent.spawn(self._run)

    def close(self) -> None:
        """Stop, also in mid-import; may come twice."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._jobs.kill()

    def import_now(self) -> Round:
        """Ask for a round now, of which people hear; one that begins just now is joined."""
        asked_for = self._ask()
        asked_for.by_hand = True
        return asked_for

    def publish(self) -> None:
        """Publish what there is now, after what is being published; never raises."""
        self._tell()

    def _ask(self) -> Round:
        if not self._asked:
            self._asked, self._asked_for = True, Round()
            self._stir.set()
        return self._asked_for

    def _run(self) -> None:
        loaded = [task.document.load() for task in self._tasks]
        if any(loaded):
            self._tell()
        while True:
            self._follow()
            self._next_round_at = monotonic() + self._interval
            self._round(self._tasks, self._ask())
            self._asked = False
            self._rest(self._next_round_at)

    def _follow(self) -> None:
        """Publish what the instance keeps that imports for all, until this one is to import."""
        if self._sharing is None or not self.follows:
            return
        self._jobs.kill()  # of the time when this one did
        while self.follows:
            self._heartbeat.beat(monotonic())
            self._stir.clear()
            asked, self._asked = self._asked, False
            if self._look(self._sharing.is_published):
                self._tell()
            if asked:
                _finish(self._tasks, self._asked_for)
            self._stir.wait(LOOK_EVERY)
        if self._look(lambda _: True):  # what the other one did last
            self._tell()

    def _look(self, is_published: Callable[[str], bool]) -> bool:
        """Take what is new; whether anything is."""
        assert self._sharing is not None
        new = [task.document.look(is_published) for task in self._tasks]
        for task in self._tasks:
            task.is_told, task.retry_at = False, inf
            task.found = f"{task.document.summary}, as kept by the instance that imports"
        return self._sharing.look() or any(new)

    def _rest(self, end: float) -> None:
        """Until ``end``, or a round is asked for; meanwhile, ask again for those that failed."""
        while not self._asked and (now := monotonic()) < end and not self.follows:
            self._heartbeat.beat(now)
            if failed := [task for task in self._tasks if task.retry_at <= now]:
                self._round(failed, Round())
                continue
            self._stir.clear()
            until = min(end, now + _BEAT, *(task.retry_at for task in self._tasks))
            self._stir.wait(until - now)

    def _round(self, tasks: Sequence[_Task], done: Round) -> None:
        """Import ``tasks``; ``done`` is set when the last is over, which may be much later."""
        jobs = [self._job(task) for task in tasks]
        gevent.joinall(jobs, timeout=PATIENCE)
        self._tell()
        if late := [job for job in jobs if not job.ready()]:
            self._jobs.spawn(self._wait_for, late, tasks, done)
        else:
            _finish(tasks, done)

    def _wait_for(self, late: list[gevent.Greenlet], tasks: Sequence[_Task], done: Round) -> None:
        for _ in gevent.iwait(late):
            self._tell()
        _finish(tasks, done)

    def _job(self, task: _Task) -> gevent.Greenlet:
        """The import of a document: the one that runs still, or a new one."""
        if task.job is None or task.job.ready():
            task.retry_at = inf
            task.job = self._jobs.spawn(self._import, task)
        return task.job

    def _import(self, task: _Task) -> None:
        document = task.document
        content, before = document.content, document.progress
        failed = document.refresh(self._workers)
        if failed is None:
            changed = document.content is not content
            task.is_told = changed  # by what has read it
            task.found = document.summary + ("" if changed else ", as before")
            return
        now, delay = monotonic(), retry_delay(before.failures, failed.retry_after)
        task.retry_at = now + delay
        wait = max(min(delay, self._next_round_at - now), 0.0)
        document.tried_again_at(time() + wait)
        task.found = f"import failed: {failed}; tried again in {_in_words(wait)}; {document.rest}"
        task.is_told = str(failed) != before.error  # once, not every interval
        if task.is_told:
            log.warning("%s: %s", document.document.label, task.found)
        self._stir.set()

    def _tell(self) -> None:
        """Publish what there is; the greenlet must live on, for the next round tries again."""
        try:
            with self._publishing:  # one at a time, in order
                self._publish()
        except Exception:
            log.exception("import failed by a fault of the proxy")


def _finish(tasks: Sequence[_Task], done: Round) -> None:
    """Its documents are done: tell what it found, if somebody has asked for it."""
    done.found = tuple(f"{task.document.document.label}: {task.found}" for task in tasks)
    if done.by_hand:
        for task in tasks:
            if not task.is_told:
                log.info("%s: %s", task.document.document.label, task.found)
    done.set()


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def retry_delay(failures: int, asked: float | None) -> float:
    """Seconds until a document is asked for again that failed once more after ``failures``.

    ``asked`` is what the provider asked for, which may be sooner: it is there in a moment.
    """
    first = FIRST_RETRY if asked is None else SHORTEST_RETRY
    return min(max(first * 2.0 ** min(failures, 16), asked or 0.0), LONGEST_RETRY)
