"""What instances that share limits should not have in common, or should: said once in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import product
from time import monotonic

from kptv.web.page.public import Json

log = logging.getLogger(__name__)

EVERY = 15.0  # seconds; one that has just stopped still shows that it leads


class Unlike:
    """Looks at what all instances show; a fault that is seen at two looks in a row is told."""

    def __init__(self, instances: Callable[[], Json]) -> None:
        """``instances``: all, as they are listed."""
        self._instances = instances
        self._seen: set[str] = set()  # at the last look
        self._told: set[str] = set()
        self._next_at = 0.0  # monotonic

    def __repr__(self) -> str:
        return f"<Unlike told={len(self._told)}>"

    def look(self) -> None:
        """Look, if it is time; never waits."""
        if (now := monotonic()) >= self._next_at:
            self._next_at = now + EVERY
            self._look()

    def _look(self) -> None:
        found = set(faults(self._instances()))
        for fault in sorted((found & self._seen) - self._told):
            log.warning("%s", fault)
            self._told.add(fault)
        self._told &= found | self._seen
        self._seen = found


def faults(instances: Json) -> Iterator[str]:
    """What is wrong between this instance and others, as they are listed."""
    own: list[Json] = [each for each in instances["instances"] if each["is_this"]]
    others = [each for each in instances["instances"] if not (each["is_this"] or each["stale"])]
    for this, other in product(own, others):
        name = other["name"]
        if name == this["name"]:
            yield f"another instance is called {name}, too: give each an INSTANCE of its own"
        if this["leads"] and other["leads"]:
            yield (
                f"{name} imports, too, so its DATA_DIR is another one: numbers, users and ids are"
                " not the same. docs/scale.md says how instances share one"
            )
