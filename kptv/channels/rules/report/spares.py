"""Entries that rules drop, though the channel that they would join is served."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.packing import name_of
from kptv.channels.rules.naming import Naming

MOST = 1000
_AT_ONCE = 20  # names between two yields


@dataclass(frozen=True, slots=True)
class Spare:
    """An entry that could stand in for others of its channel."""

    name: str  # as its list has it
    source: str  # its tag
    line: int  # of the rule that drops it
    channel: str


def spares_in(catalog: Catalog) -> Generator[None, None, tuple[Spare, ...]]:
    """Dropped entries of channels that are served; yields often."""
    if catalog.ruled is None:
        return ()
    naming, spares = Naming(catalog.ruled.rules), []
    for number, dropped in enumerate(catalog.ruled.outcome.dropped_entries):
        key = naming.named(dropped.name).key
        position = catalog.position(key) if key else None
        if position is not None:
            tag = catalog.sources[dropped.source].tag
            channel = name_of(records_of(catalog.row(position))[0])
            spares.append(Spare(dropped.name, tag, dropped.line, channel))
        if number % _AT_ONCE == 0:
            yield
        if len(spares) >= MOST:
            break
    return tuple(spares)
