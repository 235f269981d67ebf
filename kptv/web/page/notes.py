"""What all instances are told, for as long as it holds. Pure: told the time.

Theory of operation. A note goes with what an instance shows of itself, and each that has heard of
it passes it on: so it reaches those that start later, and outlives the server and the instance that
wrote it. It says for how many more seconds it holds, as clocks differ. Whoever has heard of a note
knows its id for some time after it has ended, or the others would tell it anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from kptv.web.page.public import Json

MOST = 200  # notes; of more, those that end first are passed on no longer
MOST_KNOWN = 2000
REMEMBERED = 180.0  # seconds after it has ended; what instances show is taken down sooner
LONGEST = 14 * 3600.0  # seconds that a note may hold
_LONGEST_TEXT = 200_000  # of what an instance shows of them


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be done by whoever hears of it."""

    id: str
    until: float  # monotonic
    what: str
    given: Json


class Notes:
    """Those of this instance and those it has heard of."""

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def __repr__(self) -> str:
        return f"<Notes {len(self._notes)}>"

    def write(self, what: str, given: Json, seconds: float, now: float) -> None:
        """Tell all the others."""
        self._keep(Note(token_hex(8), now + seconds, what, given), now)

    def text(self, now: float) -> str:
        """What is shown of them; empty: there are none."""
        lasting = [note for note in self._notes.values() if note.until > now]
        told = sorted(lasting, key=lambda note: note.until)[-MOST:]
        return json.dumps([_shown(note, now) for note in told]) if told else ""

    def read(self, text: str, at: float, now: float) -> Sequence[Note]:
        """Those that are new in what another instance showed ``at`` that time, and still hold."""
        new = []
        for note in _read(text, at):
            if note.id not in self._notes and note.until > now:
                self._keep(note, now)
                new.append(note)
        return new

    def _keep(self, note: Note, now: float) -> None:
        for known in list(self._notes.values()):
            if known.until + REMEMBERED < now:
                del self._notes[known.id]
        if len(self._notes) >= MOST_KNOWN:
            del self._notes[min(self._notes.values(), key=lambda known: known.until).id]
        self._notes[note.id] = note


def _shown(note: Note, now: float) -> Json:
    left = round(note.until - now, 3)
    return {"id": note.id, "left": left, "what": note.what, "given": note.given}


def _read(text: str, at: float) -> list[Note]:
    """None if it is of another version, and not understood."""
    if len(text) > _LONGEST_TEXT:
        return []
    try:
        return [
            Note(
                str(each["id"]), at + min(float(each["left"]), LONGEST), each["what"], each["given"]
            )
            for each in json.loads(text)[:MOST]
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
