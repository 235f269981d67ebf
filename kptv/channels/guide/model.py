"""What is told of channels and guides to join them, and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class MatchRule(IntEnum):
    """How an id was found; the strictest first."""

    FIXED = 0  # the rules file names it
    ID = 1
    ID_ANY_CASE = 2
    ID_WITHOUT_FEED = 3  # what follows an @ left out
    ID_SQUASHED = 4
    ID_PLAIN = 5  # squashed, without words of quality
    NAME = 6  # in a guide of the entry's own list, or of its country


@dataclass(frozen=True, slots=True)
class Offer:
    """What one candidate of a channel says of itself."""

    source: int
    tvg_id: str = ""
    names: tuple[str, ...] = ()
    country: str = ""  # two letters


@dataclass(frozen=True, slots=True)
class WantedChannel:
    """A served channel, its candidates in their order."""

    slug: str
    name: str
    offers: tuple[Offer, ...]
    fixed: str | None = None  # the id that the rules file gives it; empty: it shall have none


@dataclass(frozen=True, slots=True)
class GuideOf:
    """A guide, and the sources whose lists name it; none: the user does."""

    number: int
    sources: frozenset[int] = frozenset()


class Match(NamedTuple):
    """An id of a guide, and why it is this channel's."""

    guide: int
    id: str
    rule: MatchRule
    key: str  # that was compared


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a channel."""

    slug: str
    name: str
    match: Match | None
    fills: tuple[Match, ...] = ()  # for what the first does not tell; never by a name
    suggestions: tuple[Match, ...] = ()  # by name, from other lists or countries
    why: str = ""  # there is no match, or nothing to show
