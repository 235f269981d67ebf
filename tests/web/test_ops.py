"""Health: dead parts and a late loop are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from kptv.metrics.counters import Metrics
from kptv.vitals.process import Vitals
from kptv.web import ops
from kptv.web.ops import ops_blueprint


@dataclass
class Part:
    alive: bool


@pytest.fixture
def vitals() -> Iterator[Vitals]:
    vitals = Vitals(Metrics())
    yield vitals
    vitals.close()


def ask(vitals: Vitals, *, importing: bool = True) -> tuple[int, str]:
    app = Flask("test")
    app.register_blueprint(ops_blueprint(lambda: None, vitals, {"import": Part(alive=importing)}))
    answer = app.test_client().get("/healthz")
    return answer.status_code, answer.text


def test_all_is_well(vitals: Vitals) -> None:
    status, text = ask(vitals)
    assert status == 200
    assert text.startswith("ok, event loop ")


def test_a_dead_import_is_no_health(vitals: Vitals) -> None:
    assert ask(vitals, importing=False) == (503, "dead: import\n")


def test_a_loop_that_is_seconds_late_is_no_health(
    vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "WORST_LAG", -1.0)
    status, text = ask(vitals)
    assert status == 503
    assert text.endswith("s late\n")


def test_readiness_says_why_no_user_is_let_in(vitals: Vitals) -> None:
    app = Flask("test")
    trouble = "users.db: it is gone"
    app.register_blueprint(ops_blueprint(lambda: (), vitals, {}, lambda: trouble))  # type: ignore[arg-type, return-value]
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, f"No user is let in. {trouble}\n")
    assert answer.headers["Retry-After"] == "10"
    trouble = ""
    assert app.test_client().get("/readyz").text == "ok, 0 channels\n"
