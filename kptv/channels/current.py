"""The catalog in force, and the listeners that are told of each new one. Pure."""

from __future__ import annotations

from collections.abc import Callable

from kptv.channels.catalog import Catalog


class CurrentCatalog:
    """Holds the catalog that is served now."""

    def __init__(self, *listeners: Callable[[Catalog], object]) -> None:
        """``listeners`` are called with each new catalog, in this order; they must not wait."""
        self._listeners = listeners
        self._catalog: Catalog | None = None

    def __repr__(self) -> str:
        return f"<CurrentCatalog {self._catalog}>"

    def get(self) -> Catalog | None:
        """The current catalog; None until there is one."""
        return self._catalog

    def replace(self, catalog: Catalog) -> None:
        """Tell the listeners of ``catalog``, then let everybody have it.

        No switch here: the log hides a catalog's secrets before anything can name them, and
        nobody sees the lists of one catalog beside the channels of another.
        """
        for listener in self._listeners:
            listener(catalog)
        self._catalog = catalog
