"""One seed of a minute; `make soak` runs any number for any time."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.faults import Fault, draw, is_good
from tests.chaos.judge import Judge
from tests.chaos.people import Viewing
from tests.chaos.run import run

SEED = int(os.environ.get("KPTV_TEST_SEED", "1"))
SECONDS = float(os.environ.get("KPTV_TEST_CHAOS", "60"))


@pytest.mark.timeout(SECONDS * 2 + 120)
def test_whatever_goes_wrong_limits_hold_and_who_is_owed_media_has_it(tmp_path: Path) -> None:
    outcome = run(SEED, SECONDS, tmp_path)
    print(outcome)  # noqa: T201  # the seed, beside a failure
    assert not outcome.wrong, "\n".join((str(outcome), *outcome.wrong[:20]))
    assert outcome.watched > 50  # they did see something
    assert outcome.owed  # and the judge had something to judge


def test_a_seed_draws_the_same_faults_each_time() -> None:
    assert draw(7, 60, 3, 20) == draw(7, 60, 3, 20) != draw(8, 60, 3, 20)


def test_a_fault_counts_a_while_beyond_its_end() -> None:
    faults = [Fault(10, 4, 0, None, "die"), Fault(30, 4, 1, 5, "404")]
    assert is_good(faults, 0, 3, 0, 10)
    assert not is_good(faults, 0, 3, 15, 25)
    assert is_good(faults, 0, 3, 23, 33)
    assert not is_good(faults, 1, 5, 32, 42)
    assert is_good(faults, 1, 6, 32, 42)


class Court:
    """A judge over a world in which the first provider has channel 1 and one connection."""

    def __init__(self) -> None:
        provider = SimpleNamespace(name="p1", turned_away=0, max_connections_seen=1, history=[])
        free = SimpleNamespace(name="p2", turned_away=0, max_connections_seen=0, history=[])
        self.provider = provider
        self.world: Any = SimpleNamespace(
            providers=[provider, free, free], offers={(0, 1): None}, trouble=[]
        )
        self.proxy: Any = SimpleNamespace(log="all is well")

    def verdicts(self, viewing: Viewing, *faults: Fault) -> list[str]:
        return list(Judge(self.world, list(faults), 0.0).verdicts([viewing], self.proxy))


def viewing(*media_at: float, status: int = 200, left_at: float = 30.0) -> Viewing:
    packet = b"\x47\x01\x00\x10".ljust(188, b"\xff")
    arrivals = [(at, 188) for at in media_at]
    return Viewing(1, 1, 0.0, left_at, status, packet * len(media_at), arrivals)


def test_the_judge_sees_what_was_owed_and_did_not_come() -> None:
    court = Court()
    (wrong,) = [v for v in court.verdicts(viewing(1.0, 2.0)) if "owed" in v]
    assert "no media for 28.0 s" in wrong
    assert any("owed" in v for v in court.verdicts(viewing(1.0, 15.0)))
    assert not any("owed" in v for v in court.verdicts(viewing(1, 9, 18, 27)))


def test_nothing_is_owed_where_nothing_can_be_had() -> None:
    court = Court()
    broken = Fault(0.0, 30.0, 0, 1, "404")
    assert not any("owed" in v for v in court.verdicts(viewing(1.0), broken))
    court.provider.history = [(0.5, "+ /x", 1)]
    assert not any("owed" in v for v in court.verdicts(viewing(1.0)))


def test_the_judge_sees_one_connection_too_many_a_broken_stream_and_a_traceback() -> None:
    court = Court()
    court.provider.turned_away = 1
    court.proxy.log = "Traceback (most recent call last)"
    verdicts = court.verdicts(viewing(1.0, left_at=2.0))
    assert any("connections" in v for v in verdicts)
    assert any("before the tables" in v for v in verdicts)
    assert "a traceback in the log" in verdicts
