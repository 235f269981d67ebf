"""The numbers that channels were given: what is kept of them, and what a catalog gives anew.

A channel is known here by a key, a digest of its slug: it is the same in every process, and takes
8 bytes whatever the name.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

HIGHEST_KEPT = 4_000_000  # a number that is kept; a spoilt file may hold any
_PRIME = 0x2F1B7C93E5A84D89
_SPREAD = b" channel"  # behind each slug: short ones, too, make keys of all sizes
_SMALLEST = 1 << 10  # slots
_AT_ONCE = 500  # 0.2 ms


def key_of(slug: bytes) -> int:
    """The key of a channel: below 2**62, never 0. One in a million catalogs has a collision."""
    return keys_of(slug)[0]


def keys_of(slugs: bytes) -> list[int]:
    """The keys of slugs that stand one per line."""
    whole = slugs.replace(b"\n", _SPREAD + b"\n") + _SPREAD
    number_of = int.from_bytes
    return [number_of(slug, "big") % _PRIME or 1 for slug in whole.split(b"\n")]


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

    def kept(self, *, all_of_it: bool) -> Iterator[tuple[array[int], array[int]]]:
        """Keys and numbers to be kept, in portions: all of them, or those that have changed."""
        if len(self.changed) == len(self.keys) or (all_of_it and not self.fixed):
            for start in range(0, len(self.keys), _AT_ONCE):
                yield self.keys[start : start + _AT_ONCE], self.numbers[start : start + _AT_ONCE]
            return
        places = range(len(self.keys)) if all_of_it else self.changed
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            numbers = [self.fixed.get(place, self.numbers[place]) for place in some]
            yield array("q", [self.keys[place] for place in some]), array("I", numbers)


class Given:
    """What channels were given before, also those that are gone, in 24 bytes for each.

    An open-addressed hash table; ``numbers_of`` asks it for many at once.
    """

    def __init__(self, layout: tuple[int, ...] = ()) -> None:
        """``layout`` is that of the blocks by which it was given."""
        self.layout = layout
        self.used = bytearray()  # 1 at each number that was given
        self._count = 0
        self._keys = array("q", [0]) * _SMALLEST  # 0: free
        self._numbers = array("I", [0]) * _SMALLEST

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

    def portions(self) -> Iterator[tuple[array[int], array[int]]]:
        """All keys and numbers of now, to be kept; what is added later is not among them."""
        return _portions(self._keys[:], self._numbers[:])

    def add(
        self, portions: Iterable[tuple[Sequence[int], Sequence[int]]], most: int
    ) -> Generator[None]:
        """Keep keys and their numbers, ``most`` at most; yields after each portion."""
        yield from self._make_room(self._count + most)
        table, kept, mask, used = self._keys, self._numbers, len(self._keys) - 1, self.used
        for keys, numbers in portions:
            highest = min(max(numbers, default=0), HIGHEST_KEPT)
            used.extend(bytes(max(highest + 1 - len(used), 0)))
            for key, number in zip(keys, numbers, strict=True):
                if not 0 < number <= HIGHEST_KEPT:
                    continue
                slot = key & mask
                while (there := table[slot]) != key and there:
                    slot = (slot + 1) & mask
                if not there:
                    table[slot] = key
                    self._count += 1
                kept[slot] = number
                used[number] = 1
            yield

    def _make_room(self, most: int) -> Generator[None]:
        """Let there be slots for so many; one of two is free at least."""
        if 2 * most <= len(self._keys):
            return
        keys, numbers = self._keys, self._numbers
        size = 1 << (2 * most).bit_length()
        self._keys, self._numbers = array("q", [0]) * size, array("I", [0]) * size
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


def _portions(keys: array[int], numbers: array[int]) -> Iterator[tuple[array[int], array[int]]]:
    for start in range(0, len(keys), _AT_ONCE):
        places = [place for place in range(start, min(start + _AT_ONCE, len(keys))) if keys[place]]
        yield (
            array("q", [keys[place] for place in places]),
            array("I", [numbers[place] for place in places]),
        )


def learned(given: Given | None, numbered: Numbered) -> Generator[None, None, Given]:
    """What was given, with what ``numbered`` gives; yields often.

    Channels that are gone keep nothing if ``given`` is None, or the blocks are others than before:
    their numbers may lie in the block of others now.
    """
    if given is not None and numbered.layout == given.layout:
        yield from given.add(numbered.kept(all_of_it=False), len(numbered.changed))
        return given
    anew = Given(numbered.layout)
    yield from anew.add(numbered.kept(all_of_it=True), len(numbered.keys))
    return anew
