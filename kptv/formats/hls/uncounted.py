"""A live window that slides without being counted."""

from __future__ import annotations

from dataclasses import replace

from kptv.formats.hls.names import COMPARED, Name, name_of
from kptv.formats.hls.playlist import MediaPlaylist


class Uncounted:
    """Counts for an origin that lets its window slide and its EXT-X-MEDIA-SEQUENCE stand still.

    ffmpeg's ``-hls_flags single_file`` is one (up to 5.1): each answer would look like an encoder
    that has started again.
    """

    def __init__(self) -> None:
        self._slid = 0  # segments that have left the window without being counted
        self._first = -1  # the number that the last playlist gave to its first segment
        self._names: list[Name] = []  # of its oldest segments

    def counted(self, playlist: MediaPlaylist) -> MediaPlaylist:
        """The playlist with the numbers that it should have."""
        names = [name_of(s, with_query=True) for s in playlist.segments[:COMPARED]]
        if playlist.media_sequence == self._first:
            self._slid += _slid(self._names, names)
        self._first, self._names = playlist.media_sequence, names
        return _moved_on(playlist, self._slid) if self._slid else playlist


def _slid(before: list[Name], now: list[Name]) -> int:
    """By how many segments a window has moved; 0 where it has not, or nothing tells."""
    if len(set(now)) < len(now):
        return 0
    for count in range(len(before) - 1):  # two that are in both tell enough
        left = before[count:]
        if now[: len(left)] == left:
            return count
    return 0


def _moved_on(playlist: MediaPlaylist, count: int) -> MediaPlaylist:
    """The playlist with higher numbers; what follows from the old ones (the IV) stays."""
    return replace(
        playlist,
        media_sequence=playlist.media_sequence + count,
        segments=tuple(
            replace(
                segment,
                media_sequence=segment.media_sequence + count,
                key=segment.key and replace(segment.key, iv=segment.iv),
            )
            for segment in playlist.segments
        ),
    )
