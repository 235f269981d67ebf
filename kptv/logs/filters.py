"""Filters of the log: the last lines are kept for the page, and lines that repeat are counted."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import localtime, monotonic, strftime, time

TOLD_EVERY = 60.0  # seconds
_REMEMBERED_LINES = 300
_MOST_REPEATED = 1000  # different lines that are counted at a time
# Seconds and sizes: they differ in lines that are otherwise the same.
_FIGURE = re.compile(r"(?<!\d)\d++\.\d++|\b\d++ bytes")


@dataclass(frozen=True, slots=True)
class CleanLine:
    """A line of the log without secrets."""

    number: int  # rises
    time: float  # Unix
    level: str
    logger: str
    text: str


class RecentLines(logging.Filter):
    """Keeps the last lines that pass, redacted, for the page."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.lines: deque[CleanLine] = deque(maxlen=_REMEMBERED_LINES)
        self._redact = redact
        self._number = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """True; keeps the message, and the type of an exception."""
        if record.levelno < logging.INFO:
            return True
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__})"
        self._number += 1
        line = CleanLine(
            self._number, record.created, record.levelname, record.name, self._redact(text)
        )
        self.lines.append(line)
        return True


@dataclass(slots=True)
class _Repeats:
    record: logging.LogRecord
    since: float
    count: int = 0


class RepeatFilter(logging.Filter):
    """Lets a warning pass once, and counts those that repeat it.

    Once a minute it tells how many there were, and when the last one was.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, int, str], _Repeats] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is to be written."""
        if record.levelno < logging.WARNING or hasattr(record, "repeats") or record.exc_info:
            return True
        key = record.name, record.levelno, _FIGURE.sub("#", record.getMessage())
        repeats = self._seen.get(key)
        if repeats is not None and self._now() - repeats.since < TOLD_EVERY:
            repeats.count += 1
            repeats.record = record
            return False
        if len(self._seen) < _MOST_REPEATED:
            self._seen[key] = _Repeats(record, self._now())
        return True

    def due(self) -> list[logging.LogRecord]:
        """The summaries that are due of lines that were held back; to be asked for now and then."""
        now, told = self._now(), []
        for key, repeats in list(self._seen.items()):
            if now - repeats.since < TOLD_EVERY:
                continue
            if not repeats.count:
                del self._seen[key]
                continue
            told.append(_summary(repeats.record, repeats.count, now - repeats.since))
            self._seen[key] = _Repeats(repeats.record, now)
        return told


def _summary(record: logging.LogRecord, count: int, seconds: float) -> logging.LogRecord:
    now, last = time(), strftime("%H:%M:%S", localtime(record.created))
    times = "once more" if count == 1 else f"{count} times more"
    fields = {
        **record.__dict__,
        "msg": f"{record.getMessage()} ({times} in {seconds:.0f} s, last at {last})",
        "args": (),
        "repeats": count,
        # Of its telling: lines stand in the log in their order.
        "created": now,
        "msecs": now % 1 * 1000,
    }
    return logging.makeLogRecord(fields)
