"""The numbers by which Xtream's clients know channels and groups: the same for good.

A channel's is its id (see ``channels.ids``), a group's is made likewise of its slug. Favourites and
recordings hang on them.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

from kptv.channels.catalog import Catalog, Row, records_of
from kptv.channels.grouping import slug_of
from kptv.channels.ids import ChannelIds, ids_of
from kptv.channels.packing import group_names, groups_of

OTHER = ""  # in place of a slug: the group of channels that are in none
_FIXED = {OTHER: 1, " ": 9999}  # clients have a catch-all of their own under the second
_AT_ONCE = 250  # channels in one step: 0.3 ms
_LOOKED_AT_ONCE = 5000  # 0.3 ms
_REMEMBERED = 20_000  # packed groups
_CHECK = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Odd:
    """The ids that are no digests, by slug: all that were ever given."""

    channels: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)


class XtreamIds:
    """The ids of one catalog's channels and groups, both ways; make it with ``made``."""

    def __init__(self, catalog: Catalog, channels: ChannelIds, groups: ChannelIds) -> None:
        self.catalog = catalog
        self.odd = Odd(channels.odd, _without_fixed(groups.odd))
        self.new = Odd(channels.new, _without_fixed(groups.new))  # to be kept
        self._channels, self._groups = channels, groups
        self._group_slugs = {groups.of(slug): slug for slug in (OTHER, *catalog.by_group)}
        self._slots = _Slots(len(catalog))
        self._checks = array("I")  # of slugs, by position
        self._are_others = bytearray(len(catalog))  # whether channels are in no group
        self._known: dict[bytes, tuple[int, ...]] = {}  # ids of groups, by packed groups

    def __repr__(self) -> str:
        return f"<XtreamIds channels={len(self._checks)} groups={len(self._group_slugs)}>"

    @classmethod
    def made(
        cls, catalog: Catalog, kept: Odd, before: XtreamIds | None = None
    ) -> Generator[None, None, XtreamIds]:
        """Those of ``catalog``; yields often. ``before``: of the catalog that was there."""

        def had_channel(slug: str) -> bool:
            return before is not None and before.had(slug)

        def had_group(slug: str) -> bool:
            return before is not None and before.of_group(slug) is not None

        slugs = list(catalog.by_group)
        groups = yield from ids_of(lambda: slugs, len(slugs), {**kept.groups, **_FIXED}, had_group)
        channels = yield from ids_of(
            lambda: (slug for slug, _ in catalog.rows()), len(catalog), kept.channels, had_channel
        )
        ids = cls(catalog, channels, groups)
        yield from ids._fill()
        return ids

    def _fill(self) -> Generator[None]:
        for position, (slug, row) in enumerate(self.catalog.rows()):
            if position >= self._slots.most:  # the catalog was taken apart when it began
                return
            self._slots.add(self._channels.of(slug), position)
            self._checks.append(hash(slug) & _CHECK)
            self._are_others[position] = self.groups_of(row) == (_FIXED[OTHER],)
            if position % _AT_ONCE == 0:
                yield

    # --- channels ---

    def of(self, slug: str) -> int:
        """The id of the channel with this slug."""
        return self._channels.of(slug)

    def position(self, channel_id: int) -> int | None:
        """Where in the catalog the channel with this id is."""
        return self._slots.position(channel_id)

    def had(self, slug: str) -> bool:
        """Whether the catalog has (or had, when these were made) this channel."""
        position = self.position(self.of(slug))
        return position is not None and self._checks[position] == hash(slug) & _CHECK

    # --- groups ---

    def others_among(self, positions: Sequence[int]) -> Generator[bytes, None, array[int]]:
        """Those of ``positions`` whose channels are in no group, in steps that give nothing."""
        others = array("I")
        for start in range(0, len(positions), _LOOKED_AT_ONCE):
            some = positions[start : start + _LOOKED_AT_ONCE]
            others.extend(compress(some, map(self._are_others.__getitem__, some)))
            yield b""
        return others

    def of_group(self, slug: str) -> int | None:
        """The id of the group with this slug (or of OTHER)."""
        group_id = self._groups.of(slug)
        return group_id if self._group_slugs.get(group_id) == slug else None

    def groups_called(self, slugs: Iterable[str]) -> Iterator[int]:
        """The ids of those of ``slugs`` that are groups here."""
        return (group_id for slug in slugs if (group_id := self.of_group(slug)) is not None)

    def group(self, group_id: int) -> str | None:
        """The slug of the group with this id, or OTHER."""
        return self._group_slugs.get(group_id)

    def groups_of(self, row: Row) -> tuple[int, ...]:
        """The ids of the groups that a channel is in, its first one first; at least one."""
        records = records_of(row)
        if len(records) == 1:
            found = self._groups_in(groups_of(records[0]))
        else:
            each = (self._groups_in(groups_of(record)) for record in records)
            found = tuple(dict.fromkeys(group for some in each for group in some))
        return found or (_FIXED[OTHER],)

    def _groups_in(self, packed: bytes) -> tuple[int, ...]:
        found = self._known.get(packed)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            ids = (self.of_group(slug_of(name)) for name in group_names(packed))
            found = self._known[packed] = tuple(dict.fromkeys(one for one in ids if one))
        return found


class _Slots:
    """Finds the position of an id, in 12 to 20 bytes for each channel; a dict takes 160."""

    def __init__(self, most: int) -> None:
        self.most = most
        size = 1 << (2 * most).bit_length()
        self._mask = size - 1
        self._slots = array("I", bytes(4 * size))  # position + 1; 0: free
        self._ids = array("I")  # by position

    def add(self, channel_id: int, position: int) -> None:
        """Positions come from 0 on; no id comes twice."""
        self._ids.append(channel_id)
        slot = channel_id & self._mask
        while self._slots[slot]:
            slot = (slot + 1) & self._mask
        self._slots[slot] = position + 1

    def position(self, channel_id: int) -> int | None:
        slot = channel_id & self._mask
        while position := self._slots[slot]:
            if self._ids[position - 1] == channel_id:
                return position - 1
            slot = (slot + 1) & self._mask
        return None


def _without_fixed(ids: Mapping[str, int]) -> Mapping[str, int]:
    return {slug: odd for slug, odd in ids.items() if slug not in _FIXED}
