"""The number of each channel: the operator's, the list's, or one that is given once and kept.

Theory of operation. A number is, in this order: fixed for the channel; of its group's block; the
list's own, where no other channel wants or has it; any that is free. A block goes from its first
number to that of the next block, the last one for ROOM numbers; behind that is room for all.

What a channel was given before it keeps while it is still valid: a number of its block, or, without
a block, one that is in none. So a channel that comes into another group's block gets one of that.
A block that is full goes on behind all blocks, and its channels there move into it when it has room
again. A number of a channel that is gone is given to no other, unless it is fixed or a list's own.
Where the blocks themselves change, numbers of channels that are gone are free at once.

Nothing here knows of rules: a list of its own (a profile) has a plan and numbers of its own, and
without a plan all channels have the lists' numbers or free ones.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Sequence

from kptv.channels.catalog import Block, Row
from kptv.channels.given import Given, Numbered, keys_of
from kptv.channels.number_blocks import NO_BLOCK, Homes, Plan
from kptv.channels.packing import attribute_mark, attribute_of

ROOM = 10_000  # numbers of the last block
_MOST_OWN = 999_999  # the highest number of a list that counts
_AT_ONCE = 256
_OWN = attribute_mark("tvg-chno")


def numbered(
    channels: Iterable[Block], plan: Plan, given: Given
) -> Generator[None, None, Numbered]:
    """The numbers of ``channels``, which fill their blocks in this order; yields often.

    Two channels never have the same. ``given`` is only read (see ``given.learned``).
    """
    numbering = _Numbering(plan, given)
    for block in channels:
        numbering.add(block)
        yield
    return (yield from numbering.finish())


class _Waiting:
    """Channels that have no number yet, in arrays: many tuples would hold the collector up."""

    def __init__(self) -> None:
        self.places = array("I")
        self.kept = array("I")  # what they had
        self.asked = array("I")  # a block by its place, or the list's own number; 0: none

    def append(self, place: int, kept: int, asked: int) -> None:
        self.places.append(place)
        self.kept.append(kept)
        self.asked.append(asked)

    def extend(self, places: Iterable[int], kept: array[int], asked: array[int]) -> None:
        self.places.extend(places)
        self.kept.extend(kept)
        self.asked.extend(asked)

    def slices(self) -> Iterable[tuple[array[int], array[int], array[int]]]:
        for start in range(0, len(self.places), _AT_ONCE):
            end = start + _AT_ONCE
            yield self.places[start:end], self.kept[start:end], self.asked[start:end]


class _Numbering:
    def __init__(self, plan: Plan, given: Given) -> None:
        self._fixed = {slug.encode(): number for slug, number in plan.fixed.items()}
        self._given = given
        self._layout = plan.layout
        self._is_as_before = plan.layout == given.layout
        self._homes = Homes(plan)
        self._first = self._layout[0] if self._layout else 0  # of all blocks
        self._behind = self._layout[-1] + ROOM if self._layout else 0  # all blocks
        self._ends = (*self._layout[1:], self._behind)
        self._numbers = array("I")
        self._keys = array("q")
        self._changed = array("I")
        self._of_fixed: dict[int, int] = {}
        self._for_blocks, self._others = _Waiting(), _Waiting()
        self._wanted = bytearray()  # by number: how many lists' channels want it; 2: several
        self._taken = bytearray(self._top(0))  # 1: a channel has it
        self._barred = bytearray(self._top(0))  # 1: no other channel may be given it
        if self._is_as_before:
            self._barred[: len(given.used)] = given.used
        for number in plan.fixed.values():
            self._taken[number] = self._barred[number] = 1
        self._full: Counter[int] = Counter()  # by block: channels that went on behind
        self._went_on: dict[int, int] = {}  # by block: where the first of them went
        self._refused = array("I")  # lists' numbers that could not be had

    def __repr__(self) -> str:
        return f"<Numbering {len(self._numbers)}>"

    def _top(self, channels: int) -> int:
        """More than any number of so many channels."""
        highest = max(_MOST_OWN + 1, self._behind, len(self._given.used))
        return highest + channels + 1

    # --- the first look: what holds still ---

    def add(self, block: Block) -> None:
        start, keys = len(self._numbers), keys_of(block.slugs)
        self._keys.extend(keys)
        kept = self._given.numbers_of(keys)
        homes = self._homes.of(block.rows)
        rows = zip(block.rows, homes, strict=True)
        own = [own_number(row) if home == NO_BLOCK else 0 for row, home in rows]
        places = range(start, start + len(keys))
        if not (self._fixed or any(kept) or any(own)) and (
            min(homes) == NO_BLOCK == max(homes) or min(homes) != NO_BLOCK
        ):  # all are new
            nothing = array("I", bytes(4 * len(keys)))
            self._numbers.extend(nothing)
            if homes[0] == NO_BLOCK:
                self._others.extend(places, nothing, nothing)
            else:
                self._for_blocks.extend(places, nothing, array("I", homes))
            return
        if any(own) and not self._wanted:
            self._wanted = bytearray(_MOST_OWN + 1)
        fixed = block.slugs.split(b"\n") if self._fixed else [b""] * len(keys)
        self._look(places, fixed, kept, own, homes)

    def _look(
        self,
        places: range,
        slugs: Sequence[bytes],
        kept: Sequence[int],
        own: Sequence[int],
        homes: Sequence[int],
    ) -> None:
        taken, barred, append = self._taken, self._barred, self._numbers.append
        lows, ends, first, behind = self._layout, self._ends, self._first, self._behind
        for place, slug, was, mine, home in zip(places, slugs, kept, own, homes, strict=True):
            if slug and (number := self._fixed.get(slug, 0)):
                self._of_fixed[place] = was
                append(number)
            elif home != NO_BLOCK:
                if lows[home] <= was < ends[home] and not taken[was]:
                    taken[was] = barred[was] = 1
                    append(was)
                else:
                    append(self._in_block(place, was, home))
            elif was and not (mine or first <= was < behind or taken[was]):
                taken[was] = barred[was] = 1
                append(was)
            else:
                append(self._in_none(place, was, mine))

    def _in_block(self, place: int, was: int, home: int) -> int:
        if was < self._behind:
            self._release(was)
        self._for_blocks.append(place, was, home)
        return 0

    def _in_none(self, place: int, was: int, mine: int) -> int:
        if mine and self._wanted[mine] < 2:
            self._wanted[mine] += 1
        is_outside = was < self._first or was >= self._behind
        if was and not self._taken[was]:
            if (is_outside and mine in (0, was)) or (mine == was and self._is_as_before):
                self._taken[was] = self._barred[was] = 1
                return was
            if not is_outside:
                self._release(was)
        self._others.append(place, was if is_outside else 0, mine)
        return 0

    def _release(self, number: int) -> None:
        if not self._taken[number]:
            self._barred[number] = 0

    # --- the second: numbers for the others ---

    def finish(self) -> Generator[None, None, Numbered]:
        more = bytes(self._top(len(self._numbers)) - len(self._barred))
        self._taken += more
        self._barred += more
        yield from self._fill_blocks()
        yield from self._give_own()
        yield from self._give_free()
        return Numbered(
            self._numbers,
            self._keys,
            self._layout,
            self._changed,
            self._of_fixed,
            (*self._told_of_blocks(), *self._told_of_lists()),
            self._homes.unused,
        )

    def _take(self, place: int, number: int, was: int) -> None:
        self._taken[number] = self._barred[number] = 1
        self._numbers[place] = number
        if number != was:
            self._changed.append(place)

    def _fill_blocks(self) -> Generator[None]:
        cursors, ends, behind = list(self._layout), self._ends, self._behind
        find, take = self._barred.find, self._take
        for waiting in self._for_blocks.slices():
            for place, was, home in zip(*waiting, strict=True):
                number = find(0, cursors[home], ends[home])
                if number >= 0:
                    cursors[home] = number + 1
                else:
                    cursors[home] = ends[home]
                    if was >= self._behind and not self._taken[was]:
                        number = was
                    else:
                        number = behind = find(0, behind)
                    self._full[home] += 1
                    self._went_on.setdefault(home, number)
                take(place, number, was)
            yield

    def _give_own(self) -> Generator[None]:
        for waiting in self._others.slices():
            if any(waiting[2]):
                for place, was, mine in zip(*waiting, strict=True):
                    if mine and self._wanted[mine] == 1 and not self._taken[mine]:
                        self._take(place, mine, was)
                    elif mine:
                        self._refused.append(mine)
            yield

    def _give_free(self) -> Generator[None]:
        """Numbers in front of all blocks, then behind."""
        cursor = 1
        for places, kept, asked in self._others.slices():
            if not any(kept) and not any(asked):
                cursor = self._give_row(places, cursor)
                yield
                continue
            for place, was, _ in zip(places, kept, asked, strict=True):
                if self._numbers[place]:
                    continue
                if was and not self._taken[was]:
                    number = was
                else:
                    number = cursor = self._next_free(cursor)
                self._take(place, number, was)
            yield

    def _give_row(self, places: array[int], cursor: int) -> int:
        """Numbers for channels that had none; mostly a row of them is free. Gives the last."""
        first = self._next_free(cursor)
        end = first + len(places)
        if (first >= self._first and first < self._behind) or first < self._first < end:
            end = 0
        if not end or self._barred.find(1, first, end) >= 0:
            for place in places:
                first = self._next_free(first)
                self._take(place, first, 0)
            return first
        self._barred[first:end] = self._taken[first:end] = b"\1" * len(places)
        self._changed.extend(places)
        if places[-1] - places[0] == len(places) - 1:
            self._numbers[places[0] : places[-1] + 1] = array("I", range(first, end))
        else:
            for number, place in enumerate(places, first):
                self._numbers[place] = number
        return end

    def _next_free(self, cursor: int) -> int:
        if cursor < self._first or not self._layout:
            number = self._barred.find(0, cursor, self._first or len(self._barred))
            if number >= 0:
                return number
        return self._barred.find(0, max(cursor, self._behind))

    # --- what to say ---

    def _told_of_blocks(self) -> Iterable[str]:
        for home, count in sorted(self._full.items()):
            if home < len(self._layout) - 1:  # the last one just goes on
                yield (
                    f"the block of {self._homes.name(home)} ({self._layout[home]} to"
                    f" {self._ends[home] - 1}) is full: {count} of its channels have numbers"
                    f" from {self._went_on[home]} on, behind all blocks"
                )

    def _told_of_lists(self) -> Iterable[str]:
        if self._refused:
            some = ", ".join(map(str, sorted(set(self._refused))[:3]))
            yield (
                f"{len(self._refused)} channels cannot have the number that their list gives them,"
                f" as another has or wants it ({some}): they have others"
            )


def own_number(row: Row) -> int:
    """The list's own number for a channel; 0: none, or one that is no whole number (5.1)."""
    if isinstance(row, bytes):
        # By `find`: most lists have no numbers, and it takes a tenth of the time.
        return _whole(attribute_of(row, _OWN)) if row.find(_OWN) >= 0 else 0
    if _OWN not in b"\n".join(row):  # in a third of the time that one after the other takes
        return 0
    values = (attribute_of(record, _OWN) for record in row if _OWN in record)
    return _whole(next(filter(None, values), ""))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
