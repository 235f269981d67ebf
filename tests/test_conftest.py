"""What happens to all tests: missing programs, the loop's clock, which process runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gevent.hub import get_hub

from tests import conftest, lanes

ROOT = Path(__file__).resolve().parents[1]

_TEST = """
import pytest

@pytest.mark.requires("sh", "no-such-program-as-this")
def test_it(): ...
"""


def run(folder: Path, *options: str, **environment: str) -> str:
    """What pytest writes of the tests of a folder, run as these are."""
    command = (sys.executable, "-m", "pytest", "-rs", "-p", "tests.conftest", str(folder))
    result = subprocess.run(
        (*command, "--rootdir", str(folder), "-c", os.devnull, *options),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.stdout


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_a_missing_program(ci: str, outcome: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_TEST)
    told = run(tmp_path, CI=ci)
    assert outcome in told
    assert "not installed: no-such-program-as-this" in told


def test_the_clock_of_the_loop_is_right_when_a_test_begins(request: pytest.FixtureRequest) -> None:
    clock = get_hub().loop.now
    before = clock()
    time.sleep(0.01)  # without the loop
    assert clock() == before
    conftest.pytest_runtest_setup(request.node)
    assert clock() > before


def test_what_computes_is_run_by_one_process_and_what_waits_by_others(tmp_path: Path) -> None:
    for name in ("channels/test_a.py", "channels/test_b.py", "test_c.py", "restream/test_d.py"):
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"def test_{n}(): ...\n" for n in range(3)))
    told = run(tmp_path, "-n", "2", "--dist", "loadfile", "-v")
    assert "12 passed" in told
    pairs = set(re.findall(r"\[(gw\d)\].* PASSED \S*/tests/(\S+)::", told))
    computing = {process for process, file in pairs if not file.startswith("restream")}
    waiting = {process for process, file in pairs if file.startswith("restream")}
    assert [len(computing), len(waiting), len(computing & waiting)] == [1, 1, 0]


def test_the_files_that_are_dealt_out_by_name_are_there() -> None:
    named = {*lanes.WAITING, *lanes.WORKING, *lanes.FIRST} - {lanes.COMPUTING}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
