"""A test that lacks its program skips with the reason; under CI=true it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TEST = """
import pytest

@pytest.mark.requires("sh", "no-such-program-as-this")
def test_it(): ...
"""


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_a_missing_program(ci: str, outcome: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_TEST)
    command = (sys.executable, "-m", "pytest", "-rs", "-p", "tests.conftest", str(tmp_path))
    result = subprocess.run(
        (*command, "--rootdir", str(tmp_path), "-c", os.devnull),
        env={"PATH": os.environ["PATH"], "CI": ci, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome in result.stdout
    assert "not installed: no-such-program-as-this" in result.stdout
