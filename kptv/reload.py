"""Rules that are read again while all goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from kptv.channels.rules.model import Rules
from kptv.config.rules_file import Contents, Look, RulesFile, about_secrets
from kptv.vitals.repeating import Repeating

log = logging.getLogger(__name__)

EVERY = 4.0  # seconds between two looks at the file
_SETTLES = 0.25  # seconds in which nobody writes it
_MOST_WAITS = 4  # for that
READ_WITHIN = 10.0  # seconds; a disk that sleeps needs some
_MOST_TOLD = 10  # complaints


class Reload:
    """Looks at the rules file every few seconds, until ``close``."""

    def __init__(
        self,
        file: RulesFile,
        use: Callable[[Rules | None], object],
        every: float = EVERY,
        within: float = READ_WITHIN,
    ) -> None:
        """``use`` is given other rules as soon as they can be read, and may wait."""
        self.file = file
        self._use = use
        self._within = within
        # One thread of its own: a file as long as may be would hold up all streams, and a disk
        # that hangs holds up nothing else.
        self._thread = ThreadPool(1)
        self._reading: AsyncResult | None = None  # that was waited for in vain
        self._one_at_a_time = BoundedSemaphore(1)
        self._repeating = Repeating(self._look, every)

    def __repr__(self) -> str:
        return f"<Reload {self.file}>"

    @property
    def alive(self) -> bool:
        """Whether it still looks."""
        return self._repeating.alive

    def close(self) -> None:
        """Stop; may come twice."""
        self._repeating.close()

    def now(self) -> Look | None:
        """Read the file now, and use what it says, if that can be used. None: that goes on now."""
        if not self._one_at_a_time.acquire(blocking=False):
            return None
        try:
            return self._now()
        finally:
            self._one_at_a_time.release()

    def _now(self) -> Look:
        was_bad = self.file.bad_since is not None
        look = self._look_in_thread()
        if was_bad and not (look.complaints or look.has_changed):
            log.info("rules: the file can be used again, and says what it said before")
        if look.is_news:
            told = "; ".join(map(str, look.complaints[:_MOST_TOLD]))
            log.error("the rules cannot be used, and those from before hold: %s", told)
        if look.has_changed:
            log.info("rules: %s", "read again" if look.rules else "none any more")
            if self.file.path and (told := about_secrets(self.file.path, look.rules)):
                log.warning("%s", told)
            self._use(look.rules)
        return look

    def _look_in_thread(self) -> Look:
        reading, self._reading = self._reading or self._thread.spawn(self.file.read), None
        try:
            contents: Contents = reading.get(timeout=self._within)
        except gevent.Timeout:
            self._reading = reading  # the next look waits for the same answer
            return self.file.miss()
        return self.file.take(contents)

    def _look(self) -> None:
        if not self.file.is_due():
            return
        for _ in range(_MOST_WAITS):  # half of a file may be a good one, which says other things
            if self.file.is_settled():
                break
            gevent.sleep(_SETTLES)
        self.now()
