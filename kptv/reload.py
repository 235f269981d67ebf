"""Rules that are read again while all goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.lock import BoundedSemaphore

from kptv.channels.rules.model import Rules
from kptv.config.rules_file import Look, RulesFile, about_secrets
from kptv.vitals.repeating import Repeating

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two looks at the file
_MOST_TOLD = 10  # complaints


class Reload:
    """Looks at the rules file every few seconds, until ``close``."""

    def __init__(
        self, file: RulesFile, use: Callable[[Rules | None], object], every: float = EVERY
    ) -> None:
        """``use`` is given other rules as soon as they can be read, and may wait."""
        self.file = file
        self._use = use
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
        # In a thread: a file as long as may be would hold up all streams.
        look: Look = gevent.get_hub().threadpool.apply(self.file.look)
        if look.is_news:
            told = "; ".join(map(str, look.complaints[:_MOST_TOLD]))
            log.error("the rules cannot be used, and those from before hold: %s", told)
        if look.has_changed:
            log.info("rules: %s", "read again" if look.rules else "none any more")
            if self.file.path and (told := about_secrets(self.file.path, look.rules)):
                log.warning("%s", told)
            self._use(look.rules)
        return look

    def _look(self) -> None:
        if self.file.is_due():
            self.now()
