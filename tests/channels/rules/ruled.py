"""Catalogs that rules make of small lists."""

from __future__ import annotations

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.rules.outcome import Outcome
from kptv.channels.rules.reading import read_rules
from kptv.channels.served import render
from tests.channels.test_catalog import listing, run


def ruled(rules: str, *listings: Listing, **options: object) -> Catalog:
    """The catalog of ``listings`` by these rules."""
    read = read_rules(rules.encode())
    return run(build_catalog(listings, rules=read, **options))  # type: ignore[arg-type]


def of_names(rules: str, *names: str) -> Catalog:
    """The catalog of one list with these names."""
    return ruled(rules, listing("\n".join(f",{name}" for name in names)))


def outcome(catalog: Catalog) -> Outcome:
    """What the rules did."""
    assert catalog.ruled is not None
    return catalog.ruled.outcome


def served(catalog: Catalog) -> str:
    """The list that clients get."""
    return b"".join(render(catalog, "http://here")).decode()
