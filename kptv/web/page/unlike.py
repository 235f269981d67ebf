"""What instances that share limits should not have in common, or should: said once in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import product
from time import monotonic

from kptv.web.page.public import Json

log = logging.getLogger(__name__)

EVERY = 15.0  # seconds; one that has just stopped still shows that it leads
TOLERATED = 900.0  # seconds; a copy of DATA_DIR for reading is refreshed from time to time


class Unlike:
    """Looks at what all instances show; a fault is told that is seen for as long as it may last."""

    def __init__(self, instances: Callable[[], Json]) -> None:
        """``instances``: all, as they are listed."""
        self._instances = instances
        self._since: dict[str, float] = {}  # of each fault that was seen at the last look
        self._told: set[str] = set()
        self._next_at = 0.0  # monotonic

    def __repr__(self) -> str:
        return f"<Unlike told={len(self._told)}>"

    def look(self) -> None:
        """Look, if it is time; never waits."""
        if (now := monotonic()) >= self._next_at:
            self._next_at = now + EVERY
            self._look(now)

    def _look(self, now: float) -> None:
        instances = self._instances()
        found = dict.fromkeys(faults(instances), EVERY)
        found |= dict.fromkeys(other_lists(instances), TOLERATED)
        self._since = {fault: self._since.get(fault, now) for fault in found}
        late = {fault for fault, long in found.items() if now - self._since[fault] >= long}
        for fault in sorted(late - self._told):
            log.warning("%s", fault)
        self._told = late


def faults(instances: Json) -> Iterator[str]:
    """What is wrong between this instance and others, as they are listed."""
    for this, other in _pairs(instances):
        name = other["name"]
        if name == this["name"]:
            yield f"another instance is called {name}, too: give each an INSTANCE of its own"
        if this["leads"] and other["leads"]:
            yield (
                f"{name} imports, too, so its DATA_DIR is another one: numbers, users and ids are"
                " not the same. docs/scale.md says how instances share one"
            )


def other_lists(instances: Json) -> Iterator[str]:
    """Who has another channel list than this one, which may be so for a while."""
    for _, other in _pairs(instances):
        if not other["same_list"]:
            yield (
                f"{other['name']} has had another channel list for long: SOURCES, BASE_URL,"
                " SORT_FIELD, SORT_DIRECTION, RULES and DATA_DIR are to be the same for all"
            )


def _pairs(instances: Json) -> Iterator[tuple[Json, Json]]:
    """This instance, and each other that is not silent."""
    own: list[Json] = [each for each in instances["instances"] if each["is_this"]]
    others = [each for each in instances["instances"] if not (each["is_this"] or each["stale"])]
    return product(own, others)
