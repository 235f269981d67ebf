"""What a rules file says, as values.

An entry goes this way: its source's prefix and suffix, the rules from top to bottom, groups,
aliases, cleaning, and then it joins the entries of the same name. ``channels`` holds what is said
of a channel that was made so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kptv.channels.rules.patterns import Pattern
from kptv.formats.tunnel import ProxyAddress

LIST = "list"  # of numbers: those that the lists themselves give


class Step(StrEnum):
    """The steps of cleaning a name, in the order in which they are taken."""

    MARKS = "marks"
    TAGS = "tags"
    QUALITY = "quality"
    PREFIXES = "prefixes"


class ShownName(StrEnum):
    """Which name of a channel is shown."""

    CLEANED = "cleaned"
    FIRST = "first"  # that of the first candidate, as its list has it


@dataclass(frozen=True, slots=True)
class Names:
    """Which names mean one channel."""

    clean: frozenset[Step] = frozenset()
    prefixes: tuple[str, ...] = ()  # besides the codes of countries
    apart: tuple[Pattern, ...] = ()  # names that are not cleaned
    split_by_country: bool = False
    show: ShownName = ShownName.CLEANED


@dataclass(frozen=True, slots=True)
class Condition:
    """One field of an entry; it holds if any of the patterns matches."""

    field: str  # name, group, source, url, or an attribute
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to the entries for which all of ``when`` holds, and nothing of ``unless``."""

    line: int  # where it begins in the file
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)  # fields that get another value
    drop: bool = False
    keep: bool = False
    rank: int | None = None  # candidates of a lower rank are tried first


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """What is said of one channel, by the name that is shown."""

    line: int
    number: int | None = None
    logo: str | None = None
    guide: str | bool | None = None  # an id in a guide; False: none
    order: tuple[str, ...] = ()  # sources to try first, by number or name


@dataclass(frozen=True, slots=True)
class SourceRule:
    """What is said of one source, by its number or name."""

    line: int
    priority: int | None = None  # lower ones are tried first; beats the limit's order
    prefix: str = ""  # of the names that its list has
    suffix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    user_agent: str | None = field(default=None, repr=False)
    proxy: ProxyAddress | None = None  # for all that goes to it
    timeout: float | None = None  # seconds, instead of STREAM_TIMEOUT
    tls_verify: bool = True
    guide: tuple[str, ...] | bool | None = field(default=None, repr=False)  # URLs; False: none


@dataclass(frozen=True, slots=True)
class Profile:
    """A further list: some of the channels, in an order and with numbers of its own."""

    name: str
    line: int
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    numbers: Mapping[str, int | str] = field(default_factory=dict)  # as ``Rules.numbers``
    sort: str = ""  # the attribute that orders it; empty: the order of the main list
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole file; without one all is as the lists say."""

    names: Names = Names()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # shown name: others
    rules: tuple[Rule, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)  # a group: what it is called here
    channels: Mapping[str, ChannelRule] = field(default_factory=dict)
    numbers: Mapping[str, int | str] = field(default_factory=dict)  # a group: its first, or LIST
    sources: Mapping[str, SourceRule] = field(default_factory=dict)  # by number or name
    profiles: tuple[Profile, ...] = ()
    variables: frozenset[str] = field(default=frozenset(), repr=False)  # what each ${NAME} means
    has_secrets: bool = False  # that stand in the file itself
    # Where a key stands in the file, by its table and name.
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict, repr=False, compare=False)

    def line_of(self, table: str, key: str) -> int:
        """Where the key of a table stands; 0 if that is not known."""
        return self.lines.get((table, key), 0)
