"""Segments by what they are called, to know them again when numbers do not tell."""

from __future__ import annotations

from collections.abc import Sequence

from kptv.formats.hls.playlist import MediaPlaylist, MediaSegment

COMPARED = 64  # newest segments, or oldest, of a playlist that are compared
_REMEMBERED = 256  # segments, to know them again

Name = tuple[str, float, tuple[int, int] | None]


class SegmentNames:
    """What the segments of one origin were called.

    A name is the last part of the path: hosts, paths and queries hold tokens and servers. If all
    have the same, the query tells them apart (``segment.php?id=…``).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, Name], None] = {}  # of all lines, the oldest first
        self._line: dict[int, Name] = {}  # of this line
        self._stable = False  # this origin calls a segment the same in each answer
        self._with_query = False

    def of(self, playlist: MediaPlaylist) -> list[tuple[int, Name]]:
        """Number and name of the newest segments; none if names do not tell them apart."""
        segments = playlist.segments[-COMPARED:]
        for with_query in (self._with_query, not self._with_query):
            named = [(s.media_sequence, name_of(s, with_query)) for s in segments]
            if len({name for _, name in named}) == len(named):
                self._with_query = with_query
                return named
        return []

    def new_line(self) -> None:
        """Numbers start afresh; what was seen before is known still."""
        self._line.clear()

    def learn(self, named: Sequence[tuple[int, Name]]) -> None:
        """Remember what segments are called."""
        for number, name in named:
            self._known[number, name] = None
            self._line[number] = name
        for oldest in list(self._known)[:-_REMEMBERED]:
            del self._known[oldest]
        for number in list(self._line)[:-_REMEMBERED]:
            del self._line[number]

    def same_line(self, named: Sequence[tuple[int, Name]]) -> bool | None:
        """Whether numbers mean the segments that they meant; None: nothing tells."""
        shared = [self._line[number] == name for number, name in named if number in self._line]
        self._stable = self._stable or any(shared)
        if not shared or not self._stable:
            return None
        return any(shared)

    def of_another_line(self, named: Sequence[tuple[int, Name]]) -> bool:
        """Whether some belong to the numbering before a reset: the server is behind."""
        return any(
            (number, name) in self._known and self._line.get(number) != name
            for number, name in named
        )


def name_of(segment: MediaSegment, query: bool | str) -> Name:
    """What a segment is called: its file, with its length and its part of the file.

    ``query``: with the query too, or with the parameter of it that has this name.
    """
    path, _, given = segment.uri.partition("?")
    name = path.rpartition("/")[2]
    if query is True:
        name = f"{name}?{given}"
    elif query:
        name = f"{name}?{parameters_of(segment).get(query)}"
    byte_range = segment.byte_range
    return (
        name,
        round(segment.duration, 2),
        (byte_range.start, byte_range.length) if byte_range else None,
    )


def parameters_of(segment: MediaSegment) -> dict[str, str]:
    """The parameters of its query, as they stand there."""
    query = segment.uri.partition("?")[2].partition("#")[0]
    pairs = (pair.partition("=") for pair in query.split("&", 64)[:64])
    return {name: value for name, _, value in pairs if name}
