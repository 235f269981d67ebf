"""The application's parts as parts.py builds them, ended after the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kptv.channels.model import Source
from kptv.config import Config
from kptv.logs import Log
from kptv.logs.filters import RecentLines, RepeatFilter
from kptv.logs.redaction import Redactor
from kptv.parts import AppParts, build_parts

CONFIG = Config(sources=(Source(1, "file:///nowhere", 1),), base_url="http://tv.example")


@contextmanager
def built(config: Config, folder: Path) -> Iterator[AppParts]:
    """The parts for ``config``; ``folder`` is their DATA_DIR."""
    redactor = Redactor(config.sources, config.base_url)
    log = Log(redactor, RecentLines(redactor.redact), RepeatFilter())
    parts = build_parts(replace(config, data_dir=folder), log)
    try:
        yield parts
    finally:
        parts.hubs.close()
        parts.importer.close()
        parts.vitals.close()
        parts.teller.close()
        parts.reload.close()
        parts.users.close()
