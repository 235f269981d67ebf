"""The version: one place for it, and everything that tells it tells the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

import kptv
from kptv.app import build_web
from tests.functional.harness import Proxy, eventually
from tests.parts import CONFIG, built

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
UPGRADING = (ROOT / "docs/upgrading.md").read_text()
NOW = Version(kptv.__version__)


def test_pyproject_reads_the_version_where_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "kptv.__version__"}


def released() -> list[Version]:
    """The releases of the changelog, newest first."""
    headings = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    return [Version(heading) for heading in headings]


def test_the_changelog_agrees() -> None:
    """A release has its section; what comes after a release is unreleased, and newer."""
    assert released() == sorted(released(), reverse=True)
    (first, *_) = re.findall(r"^## \[([^\]]+)\]", CHANGELOG, re.MULTILINE)
    if NOW.is_devrelease:
        assert first == "Unreleased"
        assert all(Version(NOW.base_version) > version for version in released())
    else:
        assert released()[0] == NOW


def test_the_page_on_upgrades_has_a_section_for_each_release_and_for_the_next() -> None:
    told = re.findall(r"^### (\d\S*)", UPGRADING, re.MULTILINE)
    expected = [str(version) for version in released()]
    if NOW.is_devrelease:
        expected.insert(0, NOW.base_version)
        assert f"### {NOW.base_version} (not released yet)" in UPGRADING
    assert told == expected


@pytest.mark.parametrize("module", ["kptv.config", "kptv.demo", "kptv.demo.run"])
def test_a_command_tells_the_version(module: str) -> None:
    command = (sys.executable, "-m", module, "--version")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == f"KPTV Proxy {kptv.__version__}\n"


def test_the_log_begins_with_the_version(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("http://127.0.0.1:9/list.m3u|1", wait=False)
    eventually(lambda: f"KPTV Proxy {kptv.__version__}" in proxy.log, 20)


def test_the_api_and_the_metrics_tell_the_version(tmp_path: Path) -> None:
    with built(CONFIG, tmp_path) as parts:
        client = build_web(parts).test_client()
        assert client.get("/api/status").get_json()["version"] == kptv.__version__
        (line,) = re.findall(r"^kptv_build_info\{.*$", client.get("/metrics").text, re.MULTILINE)
    assert f'version="{kptv.__version__}"' in line
    assert line.endswith(" 1.0")
