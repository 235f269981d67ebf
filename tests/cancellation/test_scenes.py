"""Nothing is left behind by what is ended, at whichever turn of the event loop that happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cancellation.scenes import SCENES

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0  # seconds; each takes a few


SCRIPT = """
import sys
from gevent import monkey; monkey.patch_all()
from tests.cancellation.scenes import main
main(sys.argv[1])
"""


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_left_at_whichever_turn_it_is_ended(scene: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, scene],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3  # turns: it was more than begun
