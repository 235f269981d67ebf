"""`.ci/run` installs on a bare Debian what the tests need."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = (ROOT / ".ci/run").read_text()
LOOKED_FOR = set(re.findall(r"^command -v ([\w-]+)", SCRIPT, re.MULTILINE))
COMES_WITH = {"ffprobe": "ffmpeg"}  # in the same package
NO_PROGRAMS = {"sh", "no-such-program-as-this"}  # of the test of the marker itself
# In each Debian, or what Chromium needs too.
COMMON = re.compile(r"linux-vdso|(/lib64/)?ld-linux|lib(c|dl|m|pthread|rt|stdc\+\+|gcc_s)\.so")


def _required() -> set[str]:
    """Every program that a test is marked with."""
    marks = [
        programs
        for file in (ROOT / "tests").rglob("*.py")
        for programs in re.findall(r"mark\.requires\(([^)*]*)\)", file.read_text())
    ]
    return {name for programs in marks for name in re.findall(r'"([\w-]+)"', programs)}


def test_every_program_that_a_test_requires_is_looked_for() -> None:
    required = _required() - NO_PROGRAMS
    assert {"nginx", "chromium", "mpv"} <= required
    assert {COMES_WITH.get(name, name) for name in required} <= LOOKED_FOR


@pytest.mark.skipif(shutil.which("ldd") is None, reason="not a Linux with ldd")
def test_every_library_of_playwrights_driver_is_looked_for() -> None:
    """What it lacks shows only where a browser is to be started: 13 errors on a bare Debian."""
    package = importlib.util.find_spec("playwright")
    assert package is not None
    assert package.origin is not None
    node = Path(package.origin).parent / "driver/node"
    listed = subprocess.run(["ldd", str(node)], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[0] for line in listed.splitlines()}
    assert [name for name in sorted(needed) if not COMMON.match(name) and name not in SCRIPT] == []
