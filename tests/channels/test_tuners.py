"""How many tuners applications are told of."""

from __future__ import annotations

import pytest

from kptv.channels.model import Source
from kptv.channels.tuners import tuner_count

COUNTS = [  # limits of the sources, what is wanted, what is told
    ((3, 2), 0, 5),
    ((1,), 0, 2),
    ((0,), 0, 4),
    ((0, 1, 0), 0, 9),
    ((20, 20), 0, 32),
    ((), 0, 2),
    ((3, 2), 1, 1),
    ((1,), 32, 32),
]


@pytest.mark.parametrize(("limits", "wanted", "told"), COUNTS, ids=range(len(COUNTS)))
def test_tuners_are_the_connections_that_sources_allow_unless_one_wants_another_number(
    limits: tuple[int, ...], wanted: int, told: int
) -> None:
    sources = [Source(n, f"http://{n}.example/", limit) for n, limit in enumerate(limits, 1)]
    assert tuner_count(sources, wanted) == told
