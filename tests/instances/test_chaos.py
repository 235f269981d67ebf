"""Never one connection too many, whatever goes wrong; and a canary that this would be seen."""

from __future__ import annotations

import pytest

from kptv.instances.term import Times
from tests.instances.chaos import World, run

pytestmark = pytest.mark.requires("redis-server")

SECONDS = 45.0
RECKLESS = Times(lease=1.0, renewal=0.2, margin=-4.0, call=0.2)


@pytest.mark.timeout(SECONDS * 2 + 60)
def test_no_provider_sees_one_connection_too_many() -> None:
    outcome = run(1, SECONDS)
    print(outcome)
    assert not outcome.over, "\n".join((str(outcome), *outcome.over[:20]))
    assert outcome.opened > 30  # it was no idle time


def test_an_instance_that_hangs_up_behind_its_lease_is_seen() -> None:
    outcome = run(1, 12.0, RECKLESS, (World.hold, World.cut))
    assert outcome.over, str(outcome)
