"""The merger numbers channels by what was given before, and hands on what is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.given import Given, Numbered, learned
from kptv.channels.rules.reading import read_rules
from kptv.pace import drive
from kptv.upstream.merger import Merger
from tests.channels.test_catalog import listing


class Remembered:
    """Numbers in memory."""

    def __init__(self) -> None:
        self.numbers = Given()
        self.asked = 0

    def given(self) -> Given:
        self.asked += 1
        return self.numbers

    def keep(self, numbered: Numbered, /) -> None:
        self.numbers = drive(learned(self.numbers, numbered))


def merged(merger: Merger, *listings: Listing) -> list[tuple[str, int]]:
    """Names and numbers of what is made of these."""
    merger.lists = [SimpleNamespace(content=SimpleNamespace(listing=each)) for each in listings]  # type: ignore[misc]
    merger.merge()
    catalog = merger._catalog
    assert catalog is not None
    return list(zip([c.name for c in catalog.channels], catalog.numbers or (), strict=False))


def made(numbers: Any, rules: bytes | None, **options: Any) -> Merger:
    catalogs: list[Catalog] = []
    read = None if rules is None else read_rules(rules)
    return Merger([], catalogs.append, rules=read, numbers=numbers, **options)


def test_numbers_stay_over_imports_and_restarts_in_another_order() -> None:
    numbers = Remembered()
    assert merged(made(numbers, b""), listing(",B\n,C")) == [("B", 1), ("C", 2)]
    again = made(numbers, b"", descending=True)
    assert merged(again, listing(",A\n,C\n,B")) == [("C", 2), ("B", 1), ("A", 3)]
    assert merged(again, listing(",C\n,D")) == [("D", 4), ("C", 2)]


def test_without_rules_nobody_is_asked() -> None:
    numbers = Remembered()
    assert merged(made(numbers, None), listing(",A")) == []
    assert numbers.asked == 0
    assert merged(made(None, b""), listing(",A")) == [("A", 1)]


def test_what_is_strange_about_numbers_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    merger = made(Remembered(), b"[numbers]\nNews = 1\nSports = 2\n")
    for _ in range(2):
        merged(merger, listing('group-title="News",A\ngroup-title="News",B'))
    assert caplog.text.count("numbers: the block of News (1 to 1) is full") == 1
