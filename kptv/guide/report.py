"""What the child tells of a generation, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideReport:
    """What became of one guide."""

    number: int
    tag: str  # as the log calls it
    used: str = ""  # which of its files was read, by name; empty: none could be
    refused: str = ""  # why the newest file was not used; empty: it was
    channels: int = 0  # that it describes
    shows: int = 0  # that it tells, wanted or not
    kept: int = 0  # of them: those of ids that a served channel may have
    joined: int = 0  # served channels that have its shows
    first: int = 0  # start of its first wanted show
    last: int = 0  # stop of its last wanted show
    is_whole: bool = False
    faults: Mapping[str, int] = field(default_factory=dict)  # by kind


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationReport:
    """A whole generation."""

    made: int
    until: int  # up to then half of the joined channels have shows; 0: none is joined
    channels: int = 0  # served
    shows: int = 0
    joined: Mapping[str, int] = field(default_factory=dict)  # channels, by rule
    guides: tuple[GuideReport, ...] = ()
    tidied: Mapping[str, int] = field(default_factory=dict)  # what was mended in schedules
    seconds: float = 0.0  # of CPU
    left_out: int = 0  # channels behind the last that a guide is made for
    rights_left_out: int = 0  # of users: they have no guide
    made_of: str = ""  # see Job

    def written(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def read_report(text: str) -> GenerationReport:
    """The report in ``text``. Raises ValueError if it is none."""
    try:
        told: dict[str, Any] = json.loads(text)
        guides = tuple(GuideReport(**guide) for guide in told.pop("guides"))
        return GenerationReport(**told, guides=guides)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a report: {type(error).__name__}") from None
