"""The schedule of one channel: in order, without overlaps, each show with an end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from kptv.formats.xmltv.reading import Show
from kptv.formats.xmltv.writing import title_xml

GAP = 15 * 60  # seconds; a shorter one is left as it is
BLOCK = 3 * 3600  # of filler
LONGEST = 24 * 3600  # of a show
USUAL = 3600  # of the last show, if no stop is told
LONGEST_GUESS = 6 * 3600  # up to the next show, if no stop is told
ROUNDING = 60  # seconds of overlap that mean nothing
MOST_SHIFT = 24.0  # hours
_HOURS = re.compile(r"\s{0,8}([+-]?[0-9]{1,3}(?:[.,][0-9]{1,6})?)\s{0,8}")
_DESCRIPTION = re.compile(rb"<desc(?:\s[^<>]*)?>([^<]*)<")


class Tidy(StrEnum):
    """What was wrong with a schedule, and is not any more."""

    SAME_START = "same_start"
    OVERLAP = "overlap"
    NO_LENGTH = "no_length"
    NO_STOP = "no_stop"
    TOO_LONG = "too_long"


def tidied(shows: Iterable[Show], tally: Counter[Tidy]) -> list[Show]:
    """``shows`` in order, none over another, each with a stop; what was mended is counted.

    Of those with one start the one with the longest description stays; an earlier one ends as the
    next begins.
    """
    told = [show for show in shows if _has_length(show, tally)]
    told.sort(key=lambda show: show.start)
    done: list[Show] = []
    for show in told:
        if done and done[-1].start == show.start:
            tally[Tidy.SAME_START] += 1
            done[-1] = max(done[-1], show, key=_described)
        else:
            done.append(show)
    following: Iterator[Show | None] = iter([*done[1:], None])
    return [_ended(show, next(following), tally) for show in done]


def _has_length(show: Show, tally: Counter[Tidy]) -> bool:
    if show.stop is None or show.stop > show.start:
        return True
    tally[Tidy.NO_LENGTH] += 1
    return False


def _described(show: Show) -> tuple[int, bool, int]:
    """How much of a show is told; a longer description, then a stop, then more of the rest."""
    found = _DESCRIPTION.search(show.xml)
    return len(found[1]) if found else 0, show.stop is not None, len(show.xml)


def _ended(show: Show, following: Show | None, tally: Counter[Tidy]) -> Show:
    stop = show.stop
    if stop is None:
        tally[Tidy.NO_STOP] += 1
        stop = show.start + USUAL
        if following is not None and following.start - show.start <= LONGEST_GUESS:
            stop = following.start
        elif following is not None:
            stop = show.start + LONGEST_GUESS
    if following is not None and stop > following.start:
        tally[Tidy.OVERLAP] += stop - following.start > ROUNDING
        stop = following.start
    if stop - show.start > LONGEST:
        tally[Tidy.TOO_LONG] += 1
        stop = show.start + LONGEST
    return show if stop == show.stop else show._replace(stop=stop)


def shift_of(text: str) -> int:
    """Seconds that a ``tvg-shift`` adds: hours, ``+3`` or ``-1.5``; 0 if it is no such thing."""
    found = _HOURS.fullmatch(text)
    hours = float(found[1].replace(",", ".")) if found else 0.0
    return round(hours * 3600) if abs(hours) <= MOST_SHIFT else 0


def shifted(shows: Iterable[Show], seconds: int) -> list[Show]:
    """``shows``, each so much later."""
    if not seconds:
        return list(shows)
    return [
        show._replace(
            start=show.start + seconds, stop=None if show.stop is None else show.stop + seconds
        )
        for show in shows
    ]


def within(shows: Iterable[Show], start: int, end: int) -> list[Show]:
    """Those of the tidied ``shows`` that touch the time from ``start`` to ``end``, whole."""
    return [show for show in shows if show.start < end and _stop(show) > start]


def filled(first: Sequence[Show], *others: Sequence[Show]) -> list[Show]:
    """The tidied schedule ``first``, and what others tell of times of which it tells nothing.

    Of another come shows before the first one, behind the last and in gaps of at least GAP, cut to
    fit; never one within.
    """
    shows = list(first)
    for other in others:
        if not shows:
            shows = list(other)
        elif other:
            shows = sorted([*shows, *_fitting(other, list(gaps(shows)))], key=_start)
    return shows


def gaps(shows: Sequence[Show]) -> Iterator[tuple[int, int]]:
    """Times of which a tidied schedule tells nothing: before, between, behind."""
    yield -_EVER, shows[0].start
    for one, following in pairwise(shows):
        if following.start - _stop(one) >= GAP:
            yield _stop(one), following.start
    yield _stop(shows[-1]), _EVER


_EVER = 1 << 40  # seconds


def _fitting(shows: Sequence[Show], open_times: Sequence[tuple[int, int]]) -> Iterator[Show]:
    """The parts of ``shows`` that are in ``open_times``, both in order."""
    place = 0
    for show in shows:
        while place < len(open_times) and open_times[place][1] <= show.start:
            place += 1
        for start, end in open_times[place:]:
            if start >= _stop(show):
                break
            cut = show._replace(start=max(start, show.start), stop=min(end, _stop(show)))
            if _is_worth(cut, show):
                yield cut


def _is_worth(cut: Show, whole: Show) -> bool:
    """A part of a show is told if it is no rest of a minute."""
    return cut == whole or _stop(cut) - cut.start > ROUNDING


def with_filler(shows: Sequence[Show], channel: Show, start: int, end: int) -> list[Show]:
    """``shows``, and blocks of ``channel`` (see ``filler``) where nothing is told till ``end``."""
    known = [show for show in shows if _stop(show) > start and show.start < end]
    edges = [start, *(time for show in known for time in (show.start, _stop(show))), end]
    blocks = [
        channel._replace(start=at, stop=min(at + BLOCK - at % BLOCK, until))
        for begin, until in zip(edges[::2], edges[1::2], strict=True)
        if until - begin >= GAP
        for at in _block_starts(begin, until)
    ]
    return sorted([*shows, *blocks], key=_start)


def _block_starts(begin: int, until: int) -> Iterator[int]:
    """Blocks begin at full hours, so that they stay where they are as the window moves."""
    yield begin
    yield from range(begin + BLOCK - begin % BLOCK, until, BLOCK)


def filler(channel: str, title: str) -> Show:
    """What stands for an unknown show: the name of the channel."""
    return Show(channel, 0, None, title, title_xml(title))


def _start(show: Show) -> int:
    return show.start


def _stop(show: Show) -> int:
    assert show.stop is not None  # it is tidied
    return show.stop
