"""Never one connection too many, whatever goes wrong; and a canary that this would be seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kptv.instances.term import Times
from tests.instances.chaos import MIXES, run
from tests.instances.network import way_in

pytestmark = pytest.mark.requires("redis-server")

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 45
RECKLESS = Times(lease=1.0, renewal=0.2, margin=-4.0, call=0.2)


@pytest.mark.timeout(SECONDS * 2 + 60)
def test_no_provider_sees_one_connection_too_many() -> None:
    chaos = (sys.executable, "-m", "tests.instances.chaos", "1", "1", str(SECONDS))
    done = subprocess.run(
        [*way_in(), *chaos], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS * 2 + 50
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    opened = done.stdout.partition(" connections;")[0].rpartition(" ")[2]
    assert int(opened) > 30  # it was no idle time


def test_an_instance_that_hangs_up_behind_its_lease_is_seen() -> None:
    outcome = run(1, 30.0, RECKLESS, MIXES[0], enough=lambda world: bool(world.excesses))
    assert outcome.over, str(outcome)
