"""What is built, and for whom."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kptv.app import build_web
from kptv.instances.term import Times
from kptv.web import discovery
from tests.parts import CONFIG, built

ROOT = Path(__file__).resolve().parents[1]


def test_without_a_status_page_nothing_listens_to_events(tmp_path: Path) -> None:
    with built(replace(CONFIG, status_page=False), tmp_path) as parts:
        app = build_web(parts)
        assert parts.shared.journal.listeners == []
        assert len(app.extensions["when_stopping"]) == 6
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


def test_a_device_is_looked_for_in_vain_unless_one_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[discovery.Discovery] = []

    class OnAnyPort(discovery.Discovery):
        def __init__(self, told: discovery.Announced) -> None:
            super().__init__(told, port=0)
            made.append(self)

    monkeypatch.setattr(discovery, "Discovery", OnAnyPort)
    for hdhomerun in ("off", "http", "on"):
        assert made == []
        with built(replace(CONFIG, hdhomerun=hdhomerun, hdhomerun_tuners=7), tmp_path) as parts:
            app = build_web(parts)
            if made:
                assert f"port={made[0].port} tuners=7" in repr(made[0])
                assert "discovery" not in app.test_client().get("/healthz").text
                assert made[0]._greenlet is not None
                made[0]._greenlet.kill()
                assert "discovery" in app.test_client().get("/healthz").text
            for end in app.extensions["when_stopping"]:
                end()
    assert made[0].port == 0, "it ended with the worker"


def test_who_wants_no_device_imports_nothing_for_it() -> None:
    code = "import sys, kptv.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = told.stdout.split()
    assert "kptv.app" in names
    assert not {"kptv.web.discovery", "kptv.formats.hdhomerun_control"} & set(names)


def test_who_has_one_instance_imports_nothing_for_several() -> None:
    code = "import sys, kptv.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = told.stdout.split()
    assert "kptv.restream.slots" in names
    assert not [name for name in names if name.startswith(("redis", "kptv.instances"))]
    several = {"kptv.shared_slots", "kptv.restream.leased_slots", "kptv.restream.shared_rests"}
    assert not several & set(names)


@pytest.mark.parametrize(("url", "seconds"), [("", 60), ("redis://127.0.0.1", 8)])
def test_a_worker_that_hangs_is_killed_before_its_lease_ends(url: str, seconds: int) -> None:
    code = "import runpy; print(runpy.run_path('gunicorn.conf.py')['timeout'])"
    given = {**os.environ, "SOURCES": "http://127.0.0.1/list|1", "LEASES_URL": url}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=given, cwd=ROOT
    )
    assert told.stdout == f"{seconds}\n", told.stderr
    killed = seconds + 3  # gunicorn looks each second, aborts, then kills
    last = Times().renewal + Times().call  # so long ago it was renewed
    assert not url or last + killed < Times().lease
