"""The numbers that channels were given: what is kept of them, and what a catalog gives anew.

A channel is known here by a key, a digest of its slug: it is the same in every process, and takes
8 bytes whatever the name.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

HIGHEST_KEPT = 4_000_000  # a number that is kept; a spoilt file may hold any
_PRIME = 0x2F1B7C93E5A84D89
_SPREAD = 0x1D4A9F0C6B37E583  # so that short slugs, too, make keys of all sizes
_SMALLEST = 1 << 10  # slots
_AT_ONCE = 500  # 0.2 ms


def key_of(slug: bytes) -> int:
    """The key of a channel: below 2**62, never 0. One in a million catalogs has a collision."""
    return int.from_bytes(slug) * _SPREAD % _PRIME or 1


def keys_of(slugs: bytes) -> list[int]:
    """The keys of slugs that stand one per line."""
    return [
        int.from_bytes(slug) * _SPREAD % _PRIME or 1 for slug in slugs.split(b"\n")
    ]  # as ``key_of``, in two thirds of the time


@dataclass(frozen=True, slots=True)
class Numbered:
    """The numbers of some channels, in the order in which they were given.

    ``layout``: the first numbers of the blocks that there were.
    """

    numbers: array[int] = field(repr=False)
    keys: array[int] = field(repr=False)
    layout: tuple[int, ...] = ()
    changed: array[int] = field(default_factory=lambda: array("I"), repr=False)  # places
    fixed: dict[int, int] = field(default_factory=dict, repr=False)
    """Places whose number the file says, and what is kept for them besides; 0: nothing."""
    warnings: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()  # groups that have a block, and no channel

    def kept(self, places: Iterable[int]) -> Generator[tuple[int, int]]:
        """Keys and numbers to be kept, of those at ``places``."""
        for place in places:
            number = self.fixed.get(place, self.numbers[place])
            if number:
                yield self.keys[place], number


class Given:
    """What channels were given before, also those that are gone, in 24 bytes for each.

    An open-addressed hash table; ``numbers_of`` asks it for many at once.
    """

    def __init__(self, layout: tuple[int, ...] = ()) -> None:
        """``layout`` is that of the blocks by which it was given."""
        self.layout = layout
        self.used = bytearray()  # 1 at each number that was given
        self._count = 0
        self._keys = array("q", bytes(8 * _SMALLEST))  # 0: free
        self._numbers = array("I", bytes(4 * _SMALLEST))

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Given {self._count}>"

    def numbers_of(self, keys: Sequence[int]) -> list[int]:
        """The number of each key; 0: none."""
        if not self._count:
            return [0] * len(keys)
        table, numbers, mask, found = self._keys, self._numbers, len(self._keys) - 1, []
        for key in keys:
            slot = key & mask
            while (there := table[slot]) != key and there:
                slot = (slot + 1) & mask
            found.append(numbers[slot])
        return found

    def add(self, items: Iterable[tuple[int, int]], most: int) -> Generator[None]:
        """Keep keys and numbers, ``most`` at most; yields often."""
        yield from self._make_room(self._count + most)
        table, numbers, mask = self._keys, self._numbers, len(self._keys) - 1
        highest = len(self.used)
        for done, (key, number) in enumerate(items):
            if done % _AT_ONCE == 0:
                yield
            if not 0 < number <= HIGHEST_KEPT:
                continue
            slot = key & mask
            while (there := table[slot]) != key and there:
                slot = (slot + 1) & mask
            if not there:
                table[slot] = key
                self._count += 1
            numbers[slot] = number
            if number >= highest:
                self.used.extend(bytes(number + _AT_ONCE - highest))
                highest = len(self.used)
            self.used[number] = 1

    def _make_room(self, most: int) -> Generator[None]:
        """Let there be slots for so many; one of two is free at least."""
        if 2 * most <= len(self._keys):
            return
        keys, numbers = self._keys, self._numbers
        size = 1 << (2 * most).bit_length()
        self._keys, self._numbers = array("q", bytes(8 * size)), array("I", bytes(4 * size))
        self._count, mask = 0, size - 1
        for start in range(0, len(keys), _AT_ONCE):
            yield
            for key, number in zip(
                keys[start : start + _AT_ONCE], numbers[start : start + _AT_ONCE], strict=True
            ):
                if key:
                    slot = key & mask
                    while self._keys[slot]:
                        slot = (slot + 1) & mask
                    self._keys[slot], self._numbers[slot] = key, number
                    self._count += 1


def learned(given: Given | None, numbered: Numbered) -> Generator[None, None, Given]:
    """What was given, with what ``numbered`` gives; yields often.

    Channels that are gone keep nothing if ``given`` is None, or the blocks are others than before:
    their numbers may lie in the block of others now.
    """
    if given is not None and numbered.layout == given.layout:
        yield from given.add(numbered.kept(numbered.changed), len(numbered.changed))
        return given
    anew = Given(numbered.layout)
    yield from anew.add(numbered.kept(range(len(numbered.keys))), len(numbered.keys))
    return anew
