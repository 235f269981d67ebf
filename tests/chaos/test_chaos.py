"""One seed of a minute; `make soak` runs any number for any time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.faults import Fault, draw, is_good
from tests.chaos.run import run

SEED = int(os.environ.get("KPTV_TEST_SEED", "1"))
SECONDS = float(os.environ.get("KPTV_TEST_CHAOS", "60"))


@pytest.mark.timeout(SECONDS * 2 + 120)
def test_whatever_goes_wrong_limits_hold_and_who_is_owed_media_has_it(tmp_path: Path) -> None:
    outcome = run(SEED, SECONDS, tmp_path)
    print(outcome)  # noqa: T201  # the seed, beside a failure
    assert not outcome.wrong, "\n".join((str(outcome), *outcome.wrong[:20]))
    assert outcome.watched > 50  # they did see something


def test_a_seed_draws_the_same_faults_each_time() -> None:
    assert draw(7, 60, 3, 20) == draw(7, 60, 3, 20) != draw(8, 60, 3, 20)


def test_a_fault_counts_a_while_beyond_its_end() -> None:
    faults = [Fault(10, 4, 0, None, "die"), Fault(30, 4, 1, 5, "404")]
    assert is_good(faults, 0, 3, 0, 10)
    assert not is_good(faults, 0, 3, 15, 25)
    assert is_good(faults, 0, 3, 23, 33)
    assert not is_good(faults, 1, 5, 32, 42)
    assert is_good(faults, 1, 6, 32, 42)
