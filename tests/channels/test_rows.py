"""Rows while they grow: few records of one name, and many."""

from __future__ import annotations

import pytest

from kptv.channels.rows import MOST_OF_ONE, Rows
from tests.channels.test_catalog import run


def record(source: int, n: int, more: str = "") -> bytes:
    return f"{source}\x1ehttp://{source}.example/{n}\x1eName\x1e\x1e\x1e{more}".encode()


@pytest.mark.parametrize("many", [1, 2, 8, 9, 10, MOST_OF_ONE])
def test_a_row_has_all_its_records_in_order_whenever_it_is_asked(many: int) -> None:
    rows, records = Rows(), [record(1, n) for n in range(many)]
    for one in records:
        assert rows.put("name", one) == 0
    rows.put("name", records[0])  # it is there already
    expected = records[0] if many == 1 else tuple(records)
    assert rows[0] == expected
    (block,) = run(rows.finish())
    assert block.records == [expected]
    assert rows.left_out == 0


@pytest.mark.parametrize("many", [2, 12])
def test_a_row_that_was_replaced_stays_so(many: int) -> None:
    rows = Rows()
    for n in range(many):
        rows.put("name", record(1, n))
    rows[0] = tuple(reversed(rows[0]))
    (block,) = run(rows.finish())
    assert block.records == [tuple(record(1, n) for n in reversed(range(many)))]


def test_what_is_listed_twice_is_united_in_its_place_and_a_source_gives_so_many() -> None:
    rows = Rows()
    for n in range(MOST_OF_ONE + 3):
        rows.put("name", record(1, n))
    rows.put("name", record(1, 7, ' tvg-id="seven"'))
    rows.put("name", record(2, 0))
    assert rows.left_out == 3
    assert len(rows[0]) == MOST_OF_ONE + 1
    assert rows[0][7] == record(1, 7, ' tvg-id="seven"')
    assert rows[0][-1] == record(2, 0)
