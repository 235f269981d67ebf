"""What is done in a thread: its errors are values, as gevent prints those that a thread raises."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from kptv.kept.database import Refused

T = TypeVar("T")


def caught(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What ``work`` gives, and what went wrong with the disk or the file."""
    try:
        return work(), None
    except (OSError, sqlite3.Error, Refused, ValueError) as error:
        return None, error.with_traceback(None)


def reason_of(error: BaseException) -> str:
    """What went wrong, without the file's name."""
    return getattr(error, "strerror", None) or str(error)
