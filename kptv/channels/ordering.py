"""The order of the served list, sorted in small steps so that streams go on meanwhile."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence

from kptv.channels.catalog import BLOCK

STRIDE = 64  # one key in so many is a sample
BUCKET = 512  # keys per bucket on average: 0.5 ms to sort
STEP = 100  # items between two yields, 0.2 to 0.5 ms

_DIGITS = re.compile(r"[0-9][0-9]*+")  # what begins with a class of letters is found faster
_MOST_DIGITS = 48
# A longer number is greater, so a mark of its length stands before each. The marks go from "0" to
# "`": normalised text has no letters among these, so numbers order before letters.
_LENGTH_MARKS = [chr(ord("0") + length) for length in range(_MOST_DIGITS + 1)]


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
