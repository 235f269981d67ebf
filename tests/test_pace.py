"""Long work in slices: it also sends the garbage collector, before there is much for it to do."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from kptv.pace import Pace


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """The generations that were collected since."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_long_work_has_what_is_new_collected_though_it_makes_no_containers(
    collected: list[int],
) -> None:
    pace, deadline = Pace(), time.monotonic() + 10
    while 1 not in collected and time.monotonic() < deadline:
        pace()
    assert 1 in collected
