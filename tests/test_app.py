"""What is built, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kptv.app import Parts, build_parts, build_web
from kptv.channels.model import Source
from kptv.config import Config
from kptv.logs import Log
from kptv.logs.filters import RecentLines, RepeatFilter
from kptv.logs.redaction import Redactor

CONFIG = Config(sources=(Source(1, "file:///nowhere", 1),), base_url="http://tv.example")

Build = Callable[[Config], Parts]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds the parts, and ends them after the test."""
    built: list[Parts] = []

    def build(config: Config) -> Parts:
        redactor = Redactor(config.sources, config.base_url)
        log = Log(redactor, RecentLines(redactor.redact), RepeatFilter())
        built.append(build_parts(replace(config, data_dir=tmp_path), log))
        return built[-1]

    yield build
    for parts in built:
        parts.hubs.close()
        parts.importer.close()
        parts.vitals.close()
        parts.teller.close()


def test_without_a_status_page_nothing_listens_to_events(build: Build) -> None:
    parts = build(replace(CONFIG, status_page=False))
    app = build_web(parts)
    assert parts.shared.journal.listeners == []
    assert len(app.extensions["when_stopping"]) == 1
    assert not [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]


def test_the_status_page_listens_and_ends_with_the_worker(build: Build) -> None:
    parts = build(CONFIG)
    app = build_web(parts)
    assert len(parts.shared.journal.listeners) == 1
    answer = app.test_client().get("/api/events")
    for end in app.extensions["when_stopping"]:
        end()
    assert b"event: status" not in answer.data, "it was let go with all that it had waiting"
    assert app.test_client().get("/api/events").status_code == 503
