"""The figures of HLS: its windows, and what was asked of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class AnswerKind(StrEnum):
    """What came of a request for a list or a segment: the label of the metric."""

    ANSWERED = "answered"  # at once
    WAITED = "waited"  # answered when the next segment was there
    REFUSED = "refused"  # a limit, or the channel cannot be played now
    GONE = "gone"  # there is no such segment or channel (any more)


@dataclass(slots=True)
class HlsFigures:
    """Of all channels."""

    windows: int = 0  # now
    window_bytes: int = 0  # that they hold now and no buffer does
    segments: int = 0  # that were cut
    lists_asked: Counter[str] = field(default_factory=Counter)  # by Outcome
    segments_asked: Counter[str] = field(default_factory=Counter)
