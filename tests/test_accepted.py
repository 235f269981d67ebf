"""The settings that run: others replace them only if they can be used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kptv.config import Config, load_config
from kptv.config.accepted import Accepted
from kptv.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


class EnvFile:
    """What a `.env` holds, below an environment that says nothing but what it is asked to."""

    def __init__(self, **settings: str) -> None:
        self.settings = settings
        self.reads = 0

    def load(self, environ: Mapping[str, str]) -> Config:
        self.reads += 1
        over = {name: environ[name] for name in ("HOST", "PORT") if name in environ}
        texts = {"SOURCES": "http://a.example/l.m3u|1", **self.settings, **over}
        return load_config(texts, env_file=None)


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_settings_are_read_once() -> None:
    file = EnvFile(MAX_RETRIES="7")
    accepted = Accepted(file.load)
    file.settings = {"MAX_RETRIES": "x"}
    with pytest.raises(ConfigError):
        accepted.get()
    file.settings = {"MAX_RETRIES": "7"}
    assert accepted.get().max_retries == 7
    file.settings = {"MAX_RETRIES": "8"}
    assert accepted.get().max_retries == 7
    assert file.reads == 2


def test_good_settings_replace_those_that_run() -> None:
    file = EnvFile(MAX_RETRIES="7")
    accepted = Accepted(file.load)
    accepted.get()
    file.settings = {"MAX_RETRIES": "8"}
    accepted.renew()
    assert accepted.get().max_retries == 8
    assert accepted.get().warnings == ()


def test_bad_settings_leave_those_that_run() -> None:
    file = EnvFile(MAX_RETRIES="7")
    accepted = Accepted(file.load)
    accepted.get()
    file.settings = {"MAX_RETRIES": "many", "DEBUG": "maybe"}
    with pytest.raises(ConfigError, match=r"(?s)MAX_RETRIES: read .*DEBUG: read") as caught:
        accepted.renew()
    assert "Cannot start" not in str(caught.value)
    assert accepted.get().max_retries == 7


def test_where_it_listens_stays_and_what_would_change_is_named() -> None:
    file = EnvFile(PORT="8081")
    accepted = Accepted(file.load)
    accepted.get()
    file.settings = {"PORT": "9000", "MAX_RETRIES": "8"}
    accepted.renew()
    config = accepted.get()
    assert (config.port, config.base_url, config.max_retries) == (8081, "http://localhost:8081", 8)
    (warning,) = config.warnings
    assert warning.startswith("PORT=9000: counts after a restart")
    file.settings = {"HOST": "127.0.0.1", "PORT": "9001"}
    accepted.renew()
    assert accepted.get().host == "::"
    assert accepted.get().warnings[0].startswith("HOST=127.0.0.1, PORT=9001: ")


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({"SOURCES": "http://a.example/l.m3u|1"}, 0, ""),
        ({"SOURCES": "http://a.example/l.m3u"}, 0, "source 1 names no limit"),
        ({"SOURCES": "", "PORT": "x"}, 1, "PORT: read 'x'"),
    ],
)
def test_the_command_says_whether_the_settings_can_be_used(
    settings: dict[str, str], status: int, said: str
) -> None:
    environment = {"PATH": os.environ["PATH"], **settings}
    done = subprocess.run(
        (sys.executable, "-m", "kptv.config"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == status
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)
