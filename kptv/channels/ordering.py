"""The order of the served list, sorted in small steps so that streams go on meanwhile."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence

from kptv.channels.catalog import BLOCK
from kptv.channels.grouping import normalised
from kptv.channels.packing import attribute_mark, attribute_of, repeats_name

STRIDE = 64  # one key in so many is a sample
BUCKET = 512  # keys per bucket on average: 0.5 ms to sort
_NUMBERS_AT_ONCE = 256
STEP = 100  # items between two yields, 0.2 to 0.5 ms

_LONGEST_KEY = 256  # letters of a value that the list is ordered by

Candidates = bytes | Sequence[bytes]  # the records of a channel; bytes: it has one; may be none

_DIGITS = re.compile(r"[0-9][0-9]*+")  # what begins with a class of letters is found faster
_MOST_DIGITS = 48
# A longer number is greater, so a mark of its length stands before each. The marks go from "0" to
# "`": normalised text has no letters among these, so numbers order before letters.
_LENGTH_MARKS = [chr(ord("0") + length) for length in range(_MOST_DIGITS + 1)]


def ordered(
    rows: Iterable[tuple[Sequence[str], Sequence[Candidates]]], sort_field: str, descending: bool
) -> Generator[None, None, array[int]]:
    """Numbers of rows in order: by the attribute, then by name. Those without it come last.

    ``rows`` are names, normalised, and their records, in blocks of BLOCK; yields often.
    """
    mark, have_all = attribute_mark(sort_field), sort_field == "tvg-name"
    blocks: list[Sequence[str]] = []
    with_value, without = array("I"), array("I")
    for names, records in rows:
        keys: list[str] = []
        for start in range(0, len(names), STEP):
            end = start + STEP
            for row, (key, has_value) in enumerate(
                _keys(names[start:end], records[start:end], mark), len(blocks) * BLOCK + start
            ):
                keys.append(key)
                if has_value is not None:
                    (with_value if has_value or have_all else without).append(row)
            yield
        blocks.append(tuple(keys))
    order = yield from sorted_in_steps(blocks, with_value, descending=descending)
    order += yield from sorted_in_steps(blocks, without, descending=descending)
    while blocks:
        blocks.pop()
        yield
    return order


def _keys(
    names: Sequence[str], rows: Iterable[Candidates], mark: bytes
) -> Iterator[tuple[str, bool | None]]:
    """What each of some rows is ordered by, and whether it has a value of its own.

    None: there is nothing in the row, since rules have put it elsewhere.
    """
    natural_names = natural("\n".join(names)).split("\n")
    for name, key, records in zip(names, natural_names, rows, strict=True):
        if not records:
            yield "", None
            continue
        first = records if isinstance(records, bytes) else records[0]
        is_name = repeats_name(first, mark)
        value = "" if is_name else _value(records, mark)[:_LONGEST_KEY]
        if value and value.casefold() != name:
            yield f"{natural(normalised(value))}\0{key}", True
        else:  # the value is the name, or all rows of this part have none
            yield f"{key}\0{key}", is_name or value != ""


def _value(records: Candidates, mark: bytes) -> str:
    """The attribute's value in the first candidate that has one."""
    if isinstance(records, bytes):
        return attribute_of(records, mark)
    return next(filter(None, (attribute_of(record, mark) for record in records)), "")


def natural(text: str) -> str:
    """A key to sort by: numbers within ``text`` (normalised) order as numbers.

    Of several lines it makes as many keys.
    """
    return _DIGITS.sub(_sortable, text)


def _sortable(digits: re.Match[str]) -> str:
    number = digits[0].lstrip("0")
    length = len(number)
    return _LENGTH_MARKS[length if length < _MOST_DIGITS else _MOST_DIGITS] + number


def sorted_in_steps(
    keys: Sequence[Sequence[str]], rows: Sequence[int], *, descending: bool
) -> Generator[None, None, array[int]]:
    """``rows`` by their keys, stable; yields often. ``keys`` are in blocks of BLOCK.

    Sorting 500,000 keys at once would take 0.5 s: they are put into buckets between samples.
    """
    samples = sorted(_picked(keys, rows[::STRIDE]))
    bounds = samples[:: max(BUCKET // STRIDE, 1)]
    buckets = [array("I") for _ in range(len(bounds) + 1)]
    for start in range(0, len(rows), STEP):
        some = rows[start : start + STEP]
        for row, key in zip(some, _picked(keys, some), strict=True):
            buckets[bisect_right(bounds, key)].append(row)
        yield
    result = array("I")
    for bucket in reversed(buckets) if descending else buckets:
        keyed = _picked(keys, bucket)
        order = sorted(range(len(keyed)), key=keyed.__getitem__, reverse=descending)
        result.extend([bucket[place] for place in order])
        yield
    return result


def _picked(keys: Sequence[Sequence[str]], rows: Iterable[int]) -> list[str]:
    return [keys[row // BLOCK][row % BLOCK] for row in rows]


def by_number(
    order: Sequence[int], numbers: array[int], *, descending: bool
) -> Generator[None, None, tuple[array[int], array[int]]]:
    """``order`` sorted by the ``numbers`` that stand beside it, and these; yields often."""
    highest = 0
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        highest = max(highest, *numbers[start : start + _NUMBERS_AT_ONCE])
        yield
    places = array("I", bytes(4 * (highest + 1)))  # by number, from 1
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        for place, number in enumerate(numbers[start : start + _NUMBERS_AT_ONCE], start + 1):
            places[number] = place
        yield
    sorted_order, sorted_numbers = array("I"), array("I")
    for start in range(0, len(places), _NUMBERS_AT_ONCE):
        some = [place - 1 for place in places[start : start + _NUMBERS_AT_ONCE] if place]
        sorted_order.extend([order[place] for place in some])
        sorted_numbers.extend([numbers[place] for place in some])
        if start % (16 * _NUMBERS_AT_ONCE) == 0 or some:
            yield
    if descending:
        sorted_order.reverse()
        sorted_numbers.reverse()
    return sorted_order, sorted_numbers
