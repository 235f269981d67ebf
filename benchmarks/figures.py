"""A benchmark's figures: what was measured, in numbers, and whether each target is met.

Figure("a join: first byte, p99", 43.1, "ms", at_most(50), "median 12")
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

HEAD = ("what", "measured", "target", "")


class Side(StrEnum):
    """On which side of its bound a figure should be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach; in the figure's unit."""

    side: Side
    bound: float

    def __post_init__(self) -> None:
        assert math.isfinite(self.bound), "a target that nothing or everything reaches"

    def is_met(self, value: float) -> bool:
        """Whether this value reaches it."""
        return value <= self.bound if self.side is Side.AT_MOST else value >= self.bound


def at_most(bound: float) -> Target:
    """The target of what should be small."""
    return Target(Side.AT_MOST, bound)


def at_least(bound: float) -> Target:
    """The target of what should be large."""
    return Target(Side.AT_LEAST, bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; without a target it is only told. A share has the unit "%"."""

    what: str
    value: float
    unit: str  # "" for a ratio
    target: Target | None = None
    note: str = ""  # for people, in brackets: a median, a range, the parts of a ratio
    headline: bool = False  # is in README's table too

    @property
    def is_missed(self) -> bool:
        """Whether it has a target and does not reach it; what is not a number misses any."""
        return self.target is not None and not self.target.is_met(self.value)

    @property
    def number(self) -> str:
        """The number with its unit."""
        return _with_unit(self.value, self.unit)

    @property
    def measured(self) -> str:
        """The number with its unit and the note."""
        return f"{self.number} ({self.note})" if self.note else self.number

    @property
    def aimed_at(self) -> str:
        """The target in words."""
        if self.target is None:
            return ""
        return f"{self.target.side} {_with_unit(self.target.bound, self.unit)}"

    @property
    def verdict(self) -> str:
        """One word on the target."""
        if self.target is None:
            return ""
        return "MISSED" if self.is_missed else "met"

    @property
    def row(self) -> tuple[str, str, str, str]:
        """For the columns of HEAD."""
        return (self.what, self.measured, self.aimed_at, self.verdict)


def _with_unit(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return number + unit if unit in ("", "%") else f"{number} {unit}"


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """The rows in columns below HEAD."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
    rule = tuple("-" * width for width in widths)
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, rule, *rows)
    )
    return "\n".join(lines)
