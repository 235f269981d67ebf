"""Does what the operator asks of one instance at all of them, as what it concerns may be anywhere.

Each instance is told, and does what it can; the answer says what the one knows that was asked. With
one instance all of it is here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

import gevent

from kptv.web.page.instances import Others, Shown, listed, notes_in
from kptv.web.page.json_answers import Refused
from kptv.web.page.notes import Notes
from kptv.web.page.public import Json

log = logging.getLogger(__name__)

HOLDS = 10.0  # seconds in which the others do it, or not at all
AWAY = "It is not at this instance, and Valkey (LEASES_URL) is away: the others cannot be told."
ELSEWHERE = "It is not at this instance; the others are told."

Do = Callable[[Json], str]  # gives what is done then; raises Refused


class Everywhere:
    """This instance and the others, as far as something is to be done."""

    def __init__(self, others: Others | None = None) -> None:
        """None: there is only this one."""
        self._others = others
        self._notes = Notes()
        self._does: dict[str, Do] = {}
        self._read: dict[str, str] = {}  # by place, the notes that it showed last

    def __repr__(self) -> str:
        return f"<Everywhere {self._notes}>"

    def on(self, what: str, do: Do) -> None:
        """Have ``do`` called here for ``what``, whichever instance is asked.

        It refuses with 404 what this one does not have.
        """
        self._does[what] = do

    def act(
        self, what: str, given: Json, may_be_at: Callable[[Json], bool] = lambda instance: True
    ) -> str:
        """Do it wherever it can be done. Raises Refused if that is surely nowhere.

        ``may_be_at``: whether another instance may have it, which shows this of itself.
        """
        try:
            done = self._does[what](given)
        except Refused as refused:
            if refused.status != 404 or self._others is None:
                raise
            if not self._reaches:
                raise Refused(503, AWAY) from None
            if not any(map(may_be_at, self.living())):
                raise
            done = ELSEWHERE
        self.tell(what, given)
        return done

    def tell(self, what: str, given: Json, seconds: float = HOLDS) -> None:
        """Have the others do it; those that are away for longer do not."""
        if self._others is not None:
            self._notes.write(what, given, seconds, monotonic())
            self._others.stir()

    def living(self) -> list[Json]:
        """What the other instances show of themselves, without those that are silent."""
        if self._others is None:
            return []
        found = listed(self._others)["instances"]
        return [each for each in found if not each["is_this"] and not each["stale"]]

    def shown(self) -> str:
        """What is passed on."""
        return self._notes.text(monotonic())

    def hear(self) -> None:
        """Do what the others tell, as they show it now; does not wait."""
        assert self._others is not None
        now, seen = monotonic(), self._others.seen()
        self._read = {
            shown.place: self._hear(shown, now)
            for shown in seen
            if shown.place != self._others.place
        }

    def _hear(self, shown: Shown, now: float) -> str:
        text = notes_in(shown.text)
        if text != self._read.get(shown.place, ""):
            for note in self._notes.read(text, shown.at, now):
                gevent.spawn(self._do, note.what, note.given)
        return text

    def _do(self, what: str, given: Json) -> None:
        try:
            if do := self._does.get(what):
                do(given)
        except Refused:
            pass  # it is elsewhere
        except Exception:
            log.exception("what another instance told cannot be done: %s", what)

    @property
    def _reaches(self) -> bool:
        """Whether what is shown here gets to the others."""
        found = listed(self._others)["instances"] if self._others is not None else ()
        return any(each["is_this"] and not each["stale"] for each in found)
