"""A child's share of a core, and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from math import nan

import pytest

from kptv.upstream.appetite import Appetite, cpu_seconds, limit_memory


def first_complaint(share: float, seconds: float = 120.0, step: float = 0.5) -> float:
    """When a child that takes ``share`` of a core is found to take too much."""
    now = 1000.0
    appetite = Appetite(lambda pid: (now - 1000) * share)
    while now < 1000 + seconds:
        if appetite.is_too_large(7, now):
            return now - 1000
        now += step
    return nan


@pytest.mark.parametrize("step", [0.01, 0.5, 4.0])
def test_more_than_half_a_core_for_half_a_minute_is_too_much(step: float) -> None:
    assert first_complaint(0.6, step=step) == pytest.approx(30, abs=5)
    assert first_complaint(1.0, step=step) == pytest.approx(30, abs=5)


def test_less_is_not_however_long() -> None:
    assert first_complaint(0.4, seconds=1000) is nan


def test_a_burst_is_forgiven() -> None:
    second = 0
    appetite = Appetite(lambda pid: min(second, 12) + 0.05 * second)
    for second in range(200):
        assert not appetite.is_too_large(7, float(second))


def test_what_a_process_takes_is_read() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) <= before:
        sum(range(100_000))
    assert cpu_seconds(2**30) == 0.0


def test_a_child_has_so_much_memory_and_no_more() -> None:
    code = "import sys; sys.stdin.read(1); bytearray(3 << 29); print('had it')"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        limit_memory(child.pid)
        said, complaint = child.communicate(b"x", timeout=30)
    assert b"MemoryError" in complaint
    assert said == b""
    limit_memory(child.pid)  # it has ended: nothing to limit
