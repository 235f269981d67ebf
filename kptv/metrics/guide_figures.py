"""Figures of the programme guide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class GuideTold(Protocol):
    """What is needed of a guide's report (``kptv.guide.report``)."""

    @property
    def faults(self) -> Mapping[str, int]: ...


class Told(Protocol):
    """What is needed of a generation's report."""

    @property
    def made(self) -> int: ...
    @property
    def until(self) -> int: ...
    @property
    def shows(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def joined(self) -> Mapping[str, int]: ...
    @property
    def guides(self) -> tuple[GuideTold, ...]: ...
    @property
    def seconds(self) -> float: ...


@dataclass(slots=True)
class GuideFigures:
    """Of the generation in force, and of all that was tried."""

    report: Told | None = None  # None: there is no guide
    builds: Counter[str] = field(default_factory=Counter)  # by outcome
    fetches: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # of CPU, of all children

    def fetched(self, is_good: bool) -> None:
        """An attempt to fetch a guide has ended."""
        self.fetches["good" if is_good else "failed"] += 1

    def failed(self) -> None:
        """A child has failed."""
        self.builds["failed"] += 1

    def built(self, report: Told) -> None:
        """A child has made a generation."""
        self.builds["good"] += 1
        self.seconds += report.seconds

    def joined(self) -> dict[str, float]:
        """Channels by the rule that joined them, and those that none did."""
        if self.report is None:
            return {}
        joined = dict[str, float](self.report.joined)
        return {**joined, "none": self.report.channels - sum(joined.values())}

    def faults(self) -> dict[str, float]:
        """What was wrong in the guides that were read last, by kind."""
        faults: Counter[str] = Counter()
        for guide in self.report.guides if self.report is not None else ():
            faults.update(guide.faults)
        return dict(faults)
