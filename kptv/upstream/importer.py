"""Imports: all documents, again and again, and what is made of them published.

Theory of operation. One greenlet makes rounds: at start, every IMPORT_REFRESH_INTERVAL, and when
asked. A round fetches all documents side by side, each in a greenlet of its own; then what they
gave is published. A round waits a few seconds at most: a document that takes longer is published
when it is done, and is not asked for again before. A document that fails stays what it was, also
over a restart: before the first round, what DATA_DIR keeps is loaded, and published at once.

All documents are fetched at once, however slow they come; a worker is taken by a piece that is
there and must be read. So no document waits for another that drips.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
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
_BEAT = 60.0  # seconds between two signs of life while nothing is due


@dataclass(slots=True)
class _Task:
    """A document, and when it is imported."""

    document: LastGood[Any]
    job: gevent.Greenlet | None = None  # the import that runs, or the last one
    retry_at: float = inf  # monotonic; after a failure


class Importer:
    """Imports in the background from ``start`` to ``close``."""

    def __init__(
        self,
        documents: Iterable[LastGood[Any]],
        publish: Callable[[], object],
        interval: float,
        workers: int,
    ) -> None:
        """``publish`` is called when DATA_DIR was read, and after each round and late document.

        It may wait, and is never called twice at once. ``interval`` is in seconds; ``workers`` is
        how many documents are read side by side.
        """
        self._publish = publish
        self._interval = interval
        self._tasks = [_Task(document) for document in documents]
        self._workers = BoundedSemaphore(workers)
        self._jobs = Group()  # imports, and waits for late ones
        self._publishing = BoundedSemaphore(1)
        self._asked = False  # for a round
        self._stir = Event()  # there is something to look at: asked for, or failed
        self._done = Event()  # with all of the round that was asked for last
        self._heartbeat = Heartbeat(monotonic(), longest=DEADLINE)
        self._greenlet: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<Importer documents={len(self._tasks)}>"

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
        loaded = [task.document.load() for task in self._tasks]
        if any(loaded):
            self._tell()
        while True:
            end = monotonic() + self._interval
            self._round(self._tasks, self.import_now())
            self._asked = False
            self._rest(end)

    def _rest(self, end: float) -> None:
        """Until ``end``, or a round is asked for; meanwhile, ask again for those that failed."""
        while not self._asked and (now := monotonic()) < end:
            self._heartbeat.beat(now)
            if failed := [task for task in self._tasks if task.retry_at <= now]:
                self._round(failed, Event())
                continue
            self._stir.clear()
            until = min(end, now + _BEAT, *(task.retry_at for task in self._tasks))
            self._stir.wait(until - now)

    def _round(self, tasks: Sequence[_Task], done: Event) -> None:
        """Import ``tasks``; ``done`` is set when the last is over, which may be much later."""
        jobs = [self._job(task) for task in tasks]
        gevent.joinall(jobs, timeout=PATIENCE)
        self._tell()
        if late := [job for job in jobs if not job.ready()]:
            self._jobs.spawn(self._wait_for, late, done)
        else:
            done.set()

    def _wait_for(self, late: list[gevent.Greenlet], done: Event) -> None:
        for _ in gevent.iwait(late):
            self._tell()
        done.set()

    def _job(self, task: _Task) -> gevent.Greenlet:
        """The import of a document: the one that runs still, or a new one."""
        if task.job is None or task.job.ready():
            task.retry_at = inf
            task.job = self._jobs.spawn(self._import, task)
        return task.job

    def _import(self, task: _Task) -> None:
        failures = task.document.progress.failures
        if (failed := task.document.refresh(self._workers)) is not None:
            task.retry_at = monotonic() + retry_delay(failures, failed.retry_after)
            self._stir.set()

    def _tell(self) -> None:
        """Publish what there is; the greenlet must live on, for the next round tries again."""
        try:
            with self._publishing:  # one at a time, in order
                self._publish()
        except Exception:
            log.exception("import failed by a fault of the proxy")


def retry_delay(failures: int, asked: float | None) -> float:
    """Seconds until a document is asked for again that failed once more after ``failures``.

    ``asked`` is what the provider asked for, which may be sooner: it is there in a moment.
    """
    first = FIRST_RETRY if asked is None else SHORTEST_RETRY
    return min(max(first * 2.0 ** min(failures, 16), asked or 0.0), LONGEST_RETRY)
