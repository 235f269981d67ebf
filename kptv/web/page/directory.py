"""The channels that the page scrolls through and searches, of the current catalog.

An index is built in slices when it is first asked for, and goes with its catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import gevent
from cachetools import LRUCache
from gevent.greenlet import Greenlet

from kptv.channels.catalog import Catalog
from kptv.channels.grouping import normalised
from kptv.channels.search import Index, both, index_of
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating

PAGE = 200  # channels
_DEADLINE = 20.0  # seconds that a request waits for the index; 200,000 channels take one
_KEPT_SEARCHES = 32


@dataclass(frozen=True, slots=True)
class FoundChannels:
    """The result of a search: positions in the catalog, in served order."""

    catalog: Catalog
    positions: Sequence[int]


class _Building:
    """The index of a catalog, being built, or built."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._heartbeat = Heartbeat(monotonic())
        self._greenlet: Greenlet = gevent.spawn(self._build)

    def wait(self) -> Index | None:
        """The index; None: it is not ready in time, or cannot be built (see ``failed``)."""
        self._greenlet.join(timeout=_DEADLINE)
        return self._greenlet.value if isinstance(self._greenlet.value, Index) else None

    @property
    def failed(self) -> bool:
        """Whether there will be no index."""
        return self._greenlet.ready() and not isinstance(self._greenlet.value, Index)

    @property
    def is_stuck(self) -> bool:
        """Whether it neither ends nor gets on."""
        return not self._greenlet.ready() and not self._heartbeat.alive(monotonic())

    def _build(self) -> Index:
        index: Index = drive(beating(index_of(self.catalog), self._heartbeat))
        return index


class Directory:
    """Searches the current catalog."""

    def __init__(self, current_catalog: Callable[[], Catalog | None]) -> None:
        self._current = current_catalog
        self._building: _Building | None = None
        self._searches: LRUCache[tuple[int, str, str], FoundChannels] = LRUCache(_KEPT_SEARCHES)

    def __repr__(self) -> str:
        return f"<Directory of {self._current()}>"

    @property
    def alive(self) -> bool:
        """Whether no index hangs that is being built."""
        return self._building is None or not self._building.is_stuck

    @property
    def catalog(self) -> Catalog | None:
        """The current catalog."""
        return self._current()

    def find(self, query: str, group: str) -> FoundChannels | None:
        """All channels whose names hold each word of ``query``, of a group if one is named.

        None: there is no catalog, no such group, or the index was not ready in time.
        """
        catalog = self._current()
        if catalog is None:
            return None
        members = catalog.group(group) if group else range(len(catalog))
        words = normalised(query).split()
        if members is None or not words:
            return None if members is None else FoundChannels(catalog, members)
        key = (id(catalog), " ".join(words), group)
        found = self._searches.get(key)
        if found is None or found.catalog is not catalog:
            index = self._index(catalog)
            if index is None:
                return None
            hits = drive(index.search(words))
            if group:
                hits = drive(both(hits, members))
            found = self._searches[key] = FoundChannels(catalog, hits)
        return found

    def groups(self) -> tuple[tuple[str, str, int], ...]:
        """Slug, name and number of channels of each group, by name."""
        catalog = self._current()
        index = self._index(catalog) if catalog is not None else None
        return index.groups if index else ()

    def _index(self, catalog: Catalog) -> Index | None:
        building = self._building
        if building is None or building.catalog is not catalog or building.failed:
            building = self._building = _Building(catalog)
            self._searches.clear()
        return building.wait()
