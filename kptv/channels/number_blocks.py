"""Blocks of numbers: which there are, and which one a channel belongs to by its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kptv.channels.catalog import Row
from kptv.channels.grouping import normalised
from kptv.channels.packing import group_names, groups_of

OTHERS = "*"  # all groups that are not named
NO_BLOCK = -1
_REMEMBERED = 20_000  # packed groups


@dataclass(frozen=True, slots=True)
class Plan:
    """What the operator says about the numbers of one list."""

    fixed: Mapping[str, int] = field(default_factory=dict)  # by slug
    blocks: Mapping[str, int | str] = field(default_factory=dict)
    """A group, or OTHERS: the first number of its block; a text: it has none."""

    @property
    def layout(self) -> tuple[int, ...]:
        """The first numbers of all blocks, in order."""
        return tuple(sorted({first for first in self.blocks.values() if isinstance(first, int)}))


class Homes:
    """Finds the block of a channel, by its groups."""

    def __init__(self, plan: Plan) -> None:
        layout = plan.layout
        self._groups: dict[str, int] = {}  # normalised
        self._others = NO_BLOCK
        self._names: dict[int, list[str]] = {}
        self._unused = {normalised(name): name for name in plan.blocks if name != OTHERS}
        for name, first in plan.blocks.items():
            home = layout.index(first) if isinstance(first, int) else NO_BLOCK
            self._names.setdefault(home, []).append(name)
            if name == OTHERS:
                self._others = home
            else:
                self._groups[normalised(name)] = home
        self._known: dict[bytes, int] = {}  # by packed groups

    @property
    def unused(self) -> tuple[str, ...]:
        """Groups that no channel has."""
        return tuple(self._unused.values())

    def name(self, home: int) -> str:
        """What people call a block."""
        return ", ".join(self._names[home])

    def of(self, rows: Sequence[Row]) -> list[int]:
        """The place of each row's block; NO_BLOCK: it has none."""
        if not self._groups:
            return [self._others] * len(rows)
        return [self._home(_groups(row)) for row in rows]

    def _home(self, packed: bytes) -> int:
        home = self._known.get(packed)
        if home is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            home = self._known[packed] = self._learn(packed)
        return home

    def _learn(self, packed: bytes) -> int:
        names = [normalised(name) for name in group_names(packed)]
        for name in names:
            self._unused.pop(name, None)
        return next((self._groups[name] for name in names if name in self._groups), self._others)


def _groups(row: Row) -> bytes:
    """The groups of the first candidate that has any, as the served list says."""
    if isinstance(row, bytes):
        return groups_of(row)
    return next(filter(None, map(groups_of, row)), b"")
