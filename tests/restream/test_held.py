"""What segments keep beyond the buffer counts in the budget, once, and is given back."""

from __future__ import annotations

import pytest

from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.held import Held
from kptv.splice.joining import Chunk

MB = 1024 * 1024


def held(budget: Budget) -> Held:
    return Held(budget, lambda: False)


def test_what_the_buffer_has_counts_there_alone() -> None:
    budget = Budget(100 * MB)
    window = held(budget)
    for number in range(3):
        window.add(number, 10)
    window.follow(0)
    assert (window.size, budget.used) == (0, 0)


def test_what_the_buffer_let_go_of_counts_until_no_segment_refers_to_it() -> None:
    budget = Budget(100 * MB)
    window = held(budget)
    for number in range(5):
        window.add(number, 10)
    window.follow(2)
    window.follow(2)
    assert (window.size, budget.used) == (20, 20)
    window.let_go(1)
    assert (window.size, budget.used) == (10, 10)
    window.let_go(4)  # 2 and 3 are the buffer's
    assert (window.size, budget.used) == (0, 0)
    window.follow(5)
    assert (window.size, budget.used) == (10, 10)
    window.close()
    window.close()
    assert (window.size, budget.used) == (0, 0)


def test_chunks_that_were_never_seen_leave_nothing_behind() -> None:
    budget = Budget(100 * MB)
    window = held(budget)
    for number in 3, 4:
        window.add(number, 10)
    window.follow(4)
    assert budget.used == 10
    window.add(9, 7)
    assert budget.used == 0
    window.follow(20)
    assert budget.used == 7


@pytest.mark.parametrize("gone", [0, 2, 4, 9])
def test_the_order_of_the_two_does_not_matter(gone: int) -> None:
    budget = Budget(100 * MB)
    one, other = held(budget), held(budget)
    for number in range(6):
        one.add(number, number + 1)
        other.add(number, number + 1)
    one.follow(gone)
    one.let_go(3)
    other.let_go(3)
    other.follow(gone)
    assert one.size == other.size
    assert budget.used == one.size * 2


def test_a_full_budget_takes_from_the_window_that_holds_most() -> None:
    budget = Budget(2 * MB)
    gone = 0

    def drop_oldest() -> bool:
        nonlocal gone
        gone += 1
        window.let_go(gone)
        return gone < 6

    window = Held(budget, drop_oldest)
    buffer = ChunkBuffer(MB, budget)
    for number in range(6):
        window.add(number, MB // 2)
    window.follow(6)
    buffer.append(Chunk(bytes(MB // 4)))
    assert buffer.size == MB // 4
    assert budget.used <= budget.limit
    assert 0 < window.size < 2 * MB
