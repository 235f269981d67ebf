"""Segments in their places: the numbers, dates and discontinuities of an HLS media playlist.

It is told the time, and neither waits nor opens anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from urllib.parse import quote

from kptv.formats.hls.writing import PREFIX, ListedSegment, media_playlist
from kptv.splice.segments import Segment

LISTED, KEPT = 10, 6  # segments that the playlist names, and that are still there after that
FEWEST = 4  # segments that remain, however little memory there is
_FIRST = 3  # segments that a playlist begins with at least, if there are so many
_DRIFT = 0.5  # seconds by which dates may differ from the clock until a discontinuity mends that
_EPOCH, _STEP = 1_577_836_800, 10  # see Past.discontinuities


@dataclass(frozen=True, slots=True)
class Past:
    """Where a channel's playlist ended; the next one goes on there, as players may still have it.

    A process that starts anew knows nothing of it. So the numbers follow the clock: segments last
    a second on average or more, so that no number comes twice.
    """

    number: int = 0  # of the next segment
    discontinuities: int = 0  # so far; a new process begins with the tens of seconds since 2020
    target_duration: int = 0  # seconds; 0: there was no playlist
    end: float = 0.0  # when the last segment ended, Unix


@dataclass(frozen=True, slots=True)
class NumberedSegment:
    """A segment in its place."""

    number: int  # its media sequence number
    segment: Segment
    date: float  # when it began, Unix
    breaks: bool  # there is a discontinuity before it
    discontinuities: int  # so far, with that one
    path: str  # below the folder of all segments
    key: str  # the part of the path that cannot be guessed; empty: it has none

    @property
    def listed(self) -> ListedSegment:
        """It, as the playlist has it."""
        uri = f"{PREFIX}{self.path}"
        return ListedSegment(self.number, uri, self.segment.duration, self.date, self.breaks)


@dataclass(frozen=True, slots=True)
class PlaylistText:
    """The text of a playlist, as it is until the next segment comes."""

    text: str  # with PREFIX before each segment's path
    last: int  # number of the newest segment
    target_duration: int  # seconds


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits per second of the segments that there are."""

    peak: int
    average: int


class WindowPlaylist:
    """The newest segments of a channel, oldest first."""

    def __init__(self, slug: str, past: Past, key_of: Callable[[str, float], str]) -> None:
        """``key_of`` gives the key for a slug and a Unix time."""
        self._slug = slug
        self._past = past
        self._key_of = key_of
        self._segments: deque[NumberedSegment] = deque()
        self._listing: PlaylistText | None = None  # of these segments
        self._offset: float | None = None  # Unix time minus media time

    def __repr__(self) -> str:
        return f"<WindowPlaylist {self._slug!r} segments={len(self._segments)}>"

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def first_chunk(self) -> int | None:
        """Number of the first chunk that a segment refers to; None: there is no segment."""
        return self._segments[0].segment.first if self._segments else None

    def rates(self, target_duration: int) -> Rates:
        """Those of all segments; zeros if there is none.

        What lasts less than half the target duration has no say in the peak (RFC 8216, 4.1): it is
        hardly more than a keyframe.
        """
        if not self._segments:
            return Rates(0, 0)
        segments = [numbered.segment for numbered in self._segments]
        average = sum(s.size for s in segments) / sum(s.duration for s in segments)
        whole = [s for s in segments if s.duration >= target_duration / 2]
        peak = max([average, *(s.size / s.duration for s in whole)])
        return Rates(round(peak * 8), round(average * 8))

    def add(self, segments: Sequence[Segment], now: float) -> None:
        """``segments`` have come, the last of them ends at ``now`` (Unix)."""
        if not segments:
            return
        if not self._segments:
            segments = segments[-self._room(now) :]
        last = segments[-1]
        offset = now - last.clock - last.duration
        for at, segment in enumerate(segments):
            self._add(segment, offset, now, len(segments) - at)
        while len(self._segments) > LISTED + KEPT:
            self._segments.popleft()
        self._listing = None

    def find(self, number: int) -> NumberedSegment | None:
        """The segment with this number; None: it is gone, or still to come."""
        if not self._segments:
            return None
        at = number - self._segments[0].number
        return self._segments[at] if 0 <= at < len(self._segments) else None

    def listing(
        self, target_duration: int, remarks: Callable[[], Sequence[str]] = tuple
    ) -> PlaylistText:
        """The playlist; there has to be a segment. ``remarks`` are for people who read it.

        It is made once, until there is another segment.
        """
        if self._listing is None:
            skipped = max(0, len(self._segments) - LISTED)
            listed = list(islice(self._segments, skipped, None))
            text = media_playlist(
                [numbered.listed for numbered in listed],
                target_duration=target_duration,
                discontinuity_sequence=listed[0].discontinuities,
                remarks=remarks(),
            )
            self._listing = PlaylistText(text, listed[-1].number, target_duration)
        return self._listing

    def renumber(self, quiet: float, now: float) -> None:
        """Give the newest segments the numbers that a playlist that begins now would have.

        Nobody has asked for ``quiet`` seconds: whoever asks now may have played elsewhere, from a
        playlist that began later, and so has greater numbers. What came meanwhile stays, at least.
        """
        if not self._segments:
            return
        last = self._segments[-1]
        ahead = int(now) - 1 - last.number  # no number comes twice, and none overtakes the clock
        most = min(max(_FIRST, int(quiet) + 1), ahead, len(self._segments))
        if most < 1:
            return
        kept = list(self._segments)[-most:]
        so_far = max(last.discontinuities, int(now - _EPOCH) // _STEP)
        self.clear()
        for number, old in enumerate(kept, int(now) - most):
            breaks = old.breaks or not self._segments
            so_far += breaks
            self._segments.append(
                replace(
                    old,
                    number=number,
                    breaks=breaks,
                    discontinuities=so_far,
                    path=self._path(number, old.key),
                )
            )

    def drop_oldest(self, fewest: int = FEWEST) -> bool:
        """Give a segment back; False: there are no more than ``fewest``."""
        if len(self._segments) <= fewest:
            return False
        if len(self._segments) <= LISTED:
            self._listing = None
        self._segments.popleft()
        return True

    def clear(self) -> None:
        """Give all segments back."""
        self._segments.clear()
        self._listing = None

    def past(self, target_duration: int) -> Past:
        """Where the next playlist goes on."""
        if not self._segments:
            return self._past
        last = self._segments[-1]
        end = last.date + last.segment.duration
        return Past(last.number + 1, last.discontinuities, target_duration, end)

    def _room(self, now: float) -> int:
        """How many segments of what a channel sent before the playlist may begin with.

        If there was a playlist of the same media, that had some of them under other numbers. Their
        numbers must not overtake the clock then, as a new process would begin behind them.
        """
        most = LISTED + KEPT
        return min(most, max(_FIRST, int(now) - self._past.number)) if self._past.number else most

    def _add(self, segment: Segment, offset: float, now: float, left: int) -> None:
        """``left``: of so many that came at once it is the first."""
        if self._segments:
            last = self._segments[-1]
            number, so_far, breaks = last.number + 1, last.discontinuities, segment.breaks
            not_before = last.date + last.segment.duration
        else:
            number = max(self._past.number, int(now) - left)
            so_far = max(self._past.discontinuities, int(now - _EPOCH) // _STEP)
            breaks = self._past.target_duration > 0
            # What is ahead of the clock came of media that was there before, as this may be.
            not_before = max(segment.clock + offset, min(self._past.end, now))
        if self._offset is None or (breaks and abs(self._offset - offset) > _DRIFT):
            self._offset = offset
        date = max(segment.clock + self._offset, not_before) if breaks else not_before
        key = self._key_of(self._slug, now)
        path = self._path(number, key)
        placed = NumberedSegment(number, segment, date, breaks, so_far + breaks, path, key)
        self._segments.append(placed)

    def _path(self, number: int, key: str) -> str:
        return "/".join(filter(None, (quote(self._slug, safe=""), key, f"{number}.ts")))
