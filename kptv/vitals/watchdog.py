"""Finds the code that holds up the event loop: a thread looks, since no greenlet runs meanwhile.

All streams share one thread. Code that keeps it for longer than a second is a fault, and the one
thing to know about it is where it stands. So a thread of the system, which gevent knows nothing
about, looks at the main thread's stack if the loop is late. The thread only remembers what it saw:
the loop logs that later, because the log's locks belong to greenlets. If the loop does not come
back, the thread itself writes one line to standard error before gunicorn ends the process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from gevent.monkey import get_original

LATE = 1.0  # seconds
DESPERATE = 10.0  # seconds; gunicorn's `timeout` is 60
_LOOK_EVERY = 0.25  # seconds
_FRAMES = 8  # the innermost: deeper ones are the server's
_HERE = Path(__file__).resolve().parents[2]

_start_thread = get_original("_thread", "start_new_thread")
_thread_id = get_original("_thread", "get_ident")
_sleep = get_original("time", "sleep")


class Watchdog:
    """Looks at the thread that makes it, until ``close``."""

    def __init__(self, lateness: Callable[[], float], shout: Callable[[str], object]) -> None:
        """``lateness``: how late the event loop is now, in seconds; asked in another thread.

        ``shout`` is called there too, if the loop is so late that nothing else can tell.
        """
        self._lateness = lateness
        self._shout = shout
        self._watched = _thread_id()
        self._seen: tuple[float, str] | None = None
        self._shouted = False
        self._closed = False
        _start_thread(self._run, ())

    def __repr__(self) -> str:
        return f"<Watchdog seen={self._seen}>"

    def take(self) -> tuple[float, str] | None:
        """How late the loop was at the last look, and where it stood; told once."""
        seen, self._seen = self._seen, None
        self._shouted = False
        return seen

    def close(self) -> None:
        """Look no more; may come twice."""
        self._closed = True

    def _run(self) -> None:
        while not self._closed:
            _sleep(_LOOK_EVERY)
            late = self._lateness()
            frame = sys._current_frames().get(self._watched) if late > LATE else None
            if frame is None:
                continue
            stack = where(frame)
            self._seen = (late, stack)
            if late > DESPERATE and not self._shouted:
                self._shouted = True
                self._shout(f"the event loop stands still for {late:.0f} s at {stack}")


def where(frame: FrameType | None) -> str:
    """The innermost functions of a stack, from the inside out, as ``name (file:line)``."""
    found: list[str] = []
    while frame is not None and len(found) < _FRAMES:
        code = frame.f_code
        path = Path(code.co_filename)
        name = path.relative_to(_HERE) if path.is_relative_to(_HERE / "kptv") else path.name
        found.append(f"{code.co_name} ({name}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(found)


def to_stderr(log_format: str) -> Callable[[str], object]:
    """Writes a line to standard error without any lock; ``log_format`` as in LOG_FORMAT."""

    def write(message: str) -> None:
        now = datetime.now(UTC)
        if log_format == "json":
            fields = {"time": now.isoformat(), "level": "CRITICAL", "logger": __name__}
            line = json.dumps({**fields, "message": message})
        else:
            line = f"{now:%Y-%m-%d %H:%M:%S},000 CRITICAL {__name__}: {message}"
        os.write(2, f"{line}\n".encode())

    return write
