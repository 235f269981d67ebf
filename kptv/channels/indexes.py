"""Where in a catalog a channel is: by its slug, and by the groups it is in."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping

from kptv.channels.grouping import slug_of
from kptv.channels.packing import group_names, groups_of

MOST_GROUPS = 10_000  # of a catalog; the longest real lists have some hundred
_REMEMBERED = 20_000  # packed groups
_LEARNED_AT_ONCE = 50  # slugs of groups, 0.1 ms


class SlugIndex:
    """Finds the position of a slug, in 8 bytes per channel; a dict would take 160.

    An open-addressed hash table of positions. It keeps no slugs: the caller compares.
    """

    def __init__(self, channels: int) -> None:
        size = 1 << (2 * channels).bit_length()
        self._mask = size - 1
        self._slots = array("I", bytes(4 * size))  # position + 1; 0: free

    def add(self, slugs: Iterable[str], start: int) -> None:
        """Add channels at positions from ``start`` on; at most as many as were announced."""
        slots, mask = self._slots, self._mask
        for place, slug in enumerate(slugs, start + 1):
            slot = hash(slug) & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = place

    def candidates(self, slug: str) -> Iterator[int]:
        """Positions that ``slug`` may have: one or two."""
        slot = hash(slug) & self._mask
        while self._slots[slot]:
            yield self._slots[slot] - 1
            slot = (slot + 1) & self._mask


class OtherNames:
    """Finds the position of a channel by names that its entries had, in 24 bytes for each.

    It keeps digests (``hash``) of their slugs: names may have thousands of letters.
    """

    def __init__(self, names: int) -> None:
        size = 1 << (2 * names).bit_length()
        self._mask = size - 1
        self._digests = array("q", bytes(8 * size))
        self._slots = array("I", bytes(4 * size))  # position + 1; 0: free

    def add(self, digest: int, position: int) -> bool:
        """Add a name; the first position of several counts. Whether it was not there yet."""
        slots, digests, slot = self._slots, self._digests, digest & self._mask
        while slots[slot]:
            if digests[slot] == digest:
                slots[slot] = min(slots[slot], position + 1)
                return False
            slot = (slot + 1) & self._mask
        slots[slot], digests[slot] = position + 1, digest
        return True

    def get(self, slug: str) -> int | None:
        """The position that was added with the digest of ``slug``."""
        digest = hash(slug)
        slot = digest & self._mask
        while self._slots[slot]:
            if self._digests[slot] == digest:
                return self._slots[slot] - 1
            slot = (slot + 1) & self._mask
        return None


def group_slug_in(groups: Mapping[str, object], identifier: str) -> str | None:
    """The slug of the group with this name or slug; None if it is none of ``groups``, by slug."""
    slugs = (identifier, slug_of(identifier))
    return next((slug for slug in slugs if slug in groups), None)


class GroupIndex:
    """Collects positions of channels by the slug of their groups: each that an entry names.

    Only the first MOST_GROUPS groups count: people choose from them, and a page shows them all.
    """

    def __init__(self) -> None:
        self.positions: dict[str, array[int]] = {}
        self._learned = 0  # slugs that had to be computed
        self._known: dict[bytes, list[array[int]]] = {}  # by packed groups, which many rows share

    def add(self, rows: Iterable[tuple[int, bytes | tuple[bytes, ...]]]) -> Generator[None]:
        """Add rows, each with its position; yields often."""
        known = self._known
        for position, row in rows:
            is_one = isinstance(row, bytes)
            for record in (row,) if isinstance(row, bytes) else row:
                packed = groups_of(record)
                members = known.get(packed)
                if members is None:
                    members = self._learn(packed)
                    if self._learned >= _LEARNED_AT_ONCE:
                        self._learned = 0
                        yield
                for group in members:
                    if is_one or not group or group[-1] != position:
                        group.append(position)

    def _learn(self, packed: bytes) -> list[array[int]]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        members = self._known[packed] = self._members(packed)
        return members

    def _members(self, packed: bytes) -> list[array[int]]:
        slugs = dict.fromkeys(map(slug_of, group_names(packed)))
        self._learned += len(slugs)
        left = MOST_GROUPS - len(self.positions)
        new = [slug for slug in slugs if slug not in self.positions][:left]
        self.positions.update((slug, array("I")) for slug in new)
        return [self.positions[slug] for slug in slugs if slug in self.positions]
