"""The holder of the current catalog: what is told to whom, and in which order."""

from __future__ import annotations

from kptv.channels.catalog import Catalog
from kptv.channels.current import CurrentCatalog


def test_there_is_no_catalog_before_the_first() -> None:
    assert CurrentCatalog().get() is None


def test_listeners_are_told_in_their_order_before_anybody_can_have_the_catalog() -> None:
    told: list[tuple[str, Catalog, Catalog | None]] = []
    current = CurrentCatalog(
        lambda catalog: told.append(("first", catalog, current.get())),
        lambda catalog: told.append(("second", catalog, current.get())),
    )
    one, other = Catalog(), Catalog()
    current.replace(one)
    current.replace(other)
    assert told == [
        ("first", one, None),
        ("second", one, None),
        ("first", other, one),
        ("second", other, one),
    ]
    assert current.get() is other
