"""What is built, and for whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kptv.app import build_web
from tests.parts import CONFIG, built


def test_without_a_status_page_nothing_listens_to_events(tmp_path: Path) -> None:
    with built(replace(CONFIG, status_page=False), tmp_path) as parts:
        app = build_web(parts)
        assert parts.shared.journal.listeners == []
        assert len(app.extensions["when_stopping"]) == 4
        assert not [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]


def test_the_status_page_listens_and_ends_with_the_worker(tmp_path: Path) -> None:
    with built(CONFIG, tmp_path) as parts:
        app = build_web(parts)
        assert len(parts.shared.journal.listeners) == 1
        answer = app.test_client().get("/api/events")
        for end in app.extensions["when_stopping"]:
            end()
        assert b"event: status" not in answer.data, "it was let go with all that it had waiting"
        assert app.test_client().get("/api/events").status_code == 503
