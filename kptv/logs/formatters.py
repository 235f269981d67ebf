"""How lines are written: for people, or as JSON for machines; redacted in either form."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pythonjsonlogger.json import JsonFormatter

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Formats a record whole, its traceback too, then takes the secrets out."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(FORMAT)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class JsonLines(JsonFormatter):
    """One JSON object per line: time, level, logger, message, and what else a record has."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )
        self._redact = redact

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redacts each text by itself: a whole line might be no JSON afterwards."""
        return {
            key: self._redact(value) if isinstance(value, str) else value
            for key, value in super().process_log_record(log_data).items()
        }
