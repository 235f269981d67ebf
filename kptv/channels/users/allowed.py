"""What somebody's rights allow of a catalog. Pure.

Theory of operation. Rights name groups, a profile, or both. A channel is in each group that an
entry of it names, as in the lists of groups. What is allowed is a list like that of a profile: in
an order, with numbers, and with groups of its own, which are the allowed ones.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import compress

from kptv.channels.catalog import Catalog, Row, records_of
from kptv.channels.grouping import slug_of
from kptv.channels.indexes import group_slug_in
from kptv.channels.model import Channel
from kptv.channels.packing import group_names, groups_of
from kptv.channels.profiles import MadeProfile
from kptv.channels.users.model import Rights

_AT_ONCE = 5000  # positions looked at between two yields: 0.3 ms
_REMEMBERED = 4096  # packed groups, which many rows share


@dataclass(frozen=True, slots=True)
class Allowed:
    """The channels that rights allow, by their positions in the catalog; see ``make_allowed``."""

    catalog: Catalog
    positions: Sequence[int] = field(repr=False)  # in the order of the list
    numbers: Sequence[int] | None = field(repr=False)  # by position; None: those of the lists
    by_group: Mapping[str, Sequence[int]] = field(repr=False)  # by slug, in the same order
    _members: Sequence[int] | None = field(default=None, repr=False)  # by position; None: all

    def has(self, position: int) -> bool:
        """Whether the channel at ``position`` is among them."""
        return self._members is None or bool(self._members[position])

    def group_slug(self, identifier: str) -> str | None:
        """The slug of the group with this name or slug; None if there is no such allowed group."""
        return group_slug_in(self.by_group, identifier)

    def find(self, identifier: str) -> Channel | None:
        """As the catalog's ``find``; None also for a channel that is not allowed."""
        position = self.catalog.position(identifier)
        if position is None or not self.has(position):
            return None
        return self.catalog.channel(position)


def make_allowed(
    catalog: Catalog, groups: Collection[str] | None, profile: MadeProfile | None = None
) -> Generator[None, None, Allowed]:
    """The channels in one of ``groups`` (slugs; None: in any or none), or in a profile and these.

    It yields often.
    """
    found = catalog if profile is None else profile
    numbers = catalog.numbers if profile is None else profile.numbers
    if groups is None and profile is None:
        return Allowed(catalog, range(len(catalog)), numbers, found.by_group)
    if groups is None:
        assert profile is not None
        members = yield from _marked(len(catalog), [profile.positions])
        return Allowed(catalog, profile.positions, numbers, found.by_group, members)
    by_group = {slug: where for slug, where in found.by_group.items() if slug in groups}
    members = yield from _marked(len(catalog), by_group.values())
    every = range(len(catalog)) if profile is None else profile.positions
    positions = array("I")
    for start in range(0, len(every), _AT_ONCE):
        some = every[start : start + _AT_ONCE]
        positions.extend(compress(some, map(members.__getitem__, some)))
        yield
    return Allowed(catalog, positions, numbers, by_group, members)


def nothing_allowed(catalog: Catalog) -> Allowed:
    """What rights allow that name a profile which is not there."""
    return Allowed(catalog, (), catalog.numbers, {}, bytes(len(catalog)))


def _marked(
    channels: int, groups: Collection[Sequence[int]]
) -> Generator[None, None, Sequence[int]]:
    """For each position whether it is in one of ``groups``."""
    members = bytearray(channels)
    for positions in groups:
        for start in range(0, len(positions), _AT_ONCE):
            for position in positions[start : start + _AT_ONCE]:
                members[position] = 1
            yield
    return members


def is_in(row: Row, groups: Collection[str]) -> bool:
    """Whether a channel is in one of ``groups`` (slugs)."""
    return any(slug in groups for record in records_of(row) for slug in _slugs(groups_of(record)))


def was_in(channel: Channel, groups: Collection[str]) -> bool:
    """The same of a channel that the catalog does not have any more."""
    told = (stream.attributes.get("group-title", "") for stream in channel.streams)
    return any(slug_of(name) in groups for text in told for name in text.split(";") if name.strip())


@lru_cache(_REMEMBERED)
def _slugs(packed: bytes) -> tuple[str, ...]:
    return tuple(map(slug_of, group_names(packed)))


def in_profile(rights: Rights, name: str) -> Rights | None:
    """``rights`` for the list of the profile ``name``; None if it is not theirs."""
    return replace(rights, profile=name) if rights.profile in ("", name) else None


def tag_of(rights: Rights) -> str:
    """A short name of ``rights``, for files and ETags, that tells no group's name."""
    told = (None if rights.groups is None else sorted(rights.groups), rights.profile)
    return sha256(repr(told).encode()).hexdigest()[:24]
