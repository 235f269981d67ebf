"""A live window that slides without being counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kptv.formats.hls.names import COMPARED, Name, name_of, parameters_of
from kptv.formats.hls.playlist import MediaPlaylist, MediaSegment

_MOST_PARAMETERS = 8  # of a query that are looked at
_MOST_MOVED = 2000  # segments, the newest: with each answer they are all made anew


class Uncounted:
    """Counts for an origin that lets its window slide and its EXT-X-MEDIA-SEQUENCE stand still.

    ffmpeg's ``-hls_flags single_file`` is one (up to 5.1), and those that have no numbers at all:
    each answer would look like an encoder that has started again.
    """

    def __init__(self) -> None:
        self._slid = 0  # segments that have left the window without being counted
        self._first = -1  # the number that the last playlist gave to its first segment
        self._given = 0  # the number that it was given here
        self._before: Sequence[MediaSegment] = ()  # its oldest segments

    def counted(self, playlist: MediaPlaylist) -> MediaPlaylist:
        """The playlist with the numbers that it should have."""
        now = playlist.segments[:COMPARED]
        first = playlist.media_sequence
        if not playlist.numbered and self._before:
            # One number that cannot be read among others that can: it goes on from these.
            moved = self._given + slid(self._before, now) - first
        else:
            if first == self._first:
                self._slid += slid(self._before, now)
            self._first, moved = first, self._slid
        self._before, self._given = now, first + moved
        return _moved_on(playlist, moved) if moved else playlist


def slid(before: Sequence[MediaSegment], now: Sequence[MediaSegment]) -> int:
    """By how many segments a window has moved; 0 if it has not, or if nothing tells.

    The most that any way to name segments says: of several, some may be the same in each answer
    (a place in the window), and others never (a token).
    """
    return max((_slid(*names) for names in _named(before, now)), default=0)


def _slid(before: list[Name], now: list[Name]) -> int:
    for count in range(len(before) - 1):  # two that are in both tell enough
        left = before[count:]
        if now[: len(left)] == left:
            return count
    return 0


def _named(
    before: Sequence[MediaSegment], now: Sequence[MediaSegment]
) -> Iterator[tuple[list[Name], list[Name]]]:
    """Both by what their segments are called, wherever that tells these apart.

    By their files, else with their whole queries and with each parameter of these: one may be
    the segment's, another a token.
    """
    parameters = parameters_of(now[-1]) if now else {}
    ways: list[bool | str] = [False, True, *list(parameters)[:_MOST_PARAMETERS]]
    for parameter in ways:
        names = [name_of(s, parameter) for s in now]
        if len(set(names)) == len(names):
            yield [name_of(s, parameter) for s in before], names
            if parameter is False:
                return


def _moved_on(playlist: MediaPlaylist, count: int) -> MediaPlaylist:
    """The playlist with higher numbers; what follows from the old ones (the IV) stays.

    Of a very long window the newest segments.
    """
    kept = playlist.segments[-_MOST_MOVED:]
    return replace(
        playlist,
        media_sequence=playlist.end - len(kept) + count,
        segments=tuple(
            replace(
                segment,
                media_sequence=segment.media_sequence + count,
                key=segment.key and replace(segment.key, iv=segment.iv),
            )
            for segment in kept
        ),
    )
