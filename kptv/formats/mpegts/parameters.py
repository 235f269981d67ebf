"""Parameter sets, which a decoder must have before it can start from a keyframe.

Some encoders send them once, at their start. For viewers that come later, the last ones are put
into the access unit that they start from. The byte behind a start code tells parameter sets, in
each codec in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kptv.formats.mpegts.nal import Bits, unescape, units

_START = b"\x00\x00\x01"
_MOST_BYTES = 16 * 1024  # of all sets together; real ones have some hundred
_MOST_SETS = 64


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a codec's units are told apart; the numbers are kinds of units."""

    kind: Callable[[int, int], int]  # by the two bytes behind a start code
    sets: frozenset[int]
    main: frozenset[int]  # without one of these nothing decodes
    delimiter: int = -1  # of access units, in which it comes first
    numbered: frozenset[int] = frozenset()  # several are in force at once, each with an id, ue(v)
    id_at: int = 1  # the byte of the unit at which the id starts


def _of_h264(byte: int, _: int) -> int:
    return byte & 0x1F


def _of_h265(byte: int, _: int) -> int:
    return byte >> 1 & 0x3F


def _of_h266(_: int, byte: int) -> int:
    return byte >> 3


def _of_mpeg(byte: int, _: int) -> int:
    return byte


def _kinds(*kinds: int) -> frozenset[int]:
    return frozenset(kinds)


_VIDEO_OBJECT_LAYERS = frozenset(range(0x20, 0x30))
_VIDEO_OBJECTS = frozenset(range(0x20))
_MPEG2 = Syntax(_of_mpeg, _kinds(0xB3, 0xB5), _kinds(0xB3))
_AVS = Syntax(_of_mpeg, _kinds(0xB0), _kinds(0xB0))
SYNTAXES = {
    "h264": Syntax(_of_h264, _kinds(7, 8, 13, 15), _kinds(7), 9, _kinds(8)),
    "hevc": Syntax(_of_h265, _kinds(32, 33, 34), _kinds(33), 35, _kinds(34), 2),
    "vvc": Syntax(_of_h266, _kinds(13, 14, 15, 16), _kinds(15), 20),
    "mpeg2video": _MPEG2,
    "mpeg1video": _MPEG2,
    "mpeg4": Syntax(
        _of_mpeg,
        _VIDEO_OBJECTS | _VIDEO_OBJECT_LAYERS | _kinds(0xB0, 0xB5),
        _VIDEO_OBJECT_LAYERS,
    ),
    "vc1": Syntax(_of_mpeg, _kinds(0x0F), _kinds(0x0F)),
    "avs": _AVS,
    "avs2": _AVS,
    "avs3": _AVS,
}

Sets = dict[tuple[int, int], bytes]  # by kind and id: units with their start codes


def sets_in(codec: str, head: bytes, *, whole: bool = False) -> Sets:
    """The parameter sets in an access unit before its first picture.

    ``whole``: ``head`` is all of the access unit; else its last NAL unit may lack its end.
    """
    syntax = SYNTAXES.get(codec)
    found: Sets = {}
    if syntax is None:
        return found
    spans = units(head)
    for index, (at, end) in enumerate(spans):
        if index == len(spans) - 1 and not whole:
            break
        kind = syntax.kind(head[at], head[at + 1] if at + 1 < end else 0)
        if kind in syntax.sets:
            number = _number(head[at + syntax.id_at : at + 16]) if kind in syntax.numbered else 0
            key = kind, number
            if syntax is _MPEG2 and kind == 0xB5:  # extensions; those of pictures come later
                if (0xB3, 0) not in found:
                    continue
                key = kind, index
            found[key] = _START + head[at:end].rstrip(b"\x00")
        elif found and syntax is _MPEG2:
            break
    return found


def _number(data: bytes) -> int:
    return Bits(unescape(data)).golomb()


class ParameterSets:
    """The last parameter sets that came of one stream."""

    def __init__(self, codec: str = "") -> None:
        self.codec = codec
        self._syntax = SYNTAXES.get(codec)
        self._sets: Sets = {}

    def note(self, sets: Sets) -> None:
        """These parameter sets came."""
        if not sets or self._syntax is None:
            return
        if any(kind in self._syntax.main for kind, _ in sets) and self._syntax is _MPEG2:
            self._sets = {}
        self._sets |= sets
        size = sum(len(unit) for unit in self._sets.values())
        if size > _MOST_BYTES or len(self._sets) > _MOST_SETS:
            self._sets = dict(sets) if len(sets) <= _MOST_SETS else {}

    @property
    def known(self) -> bool:
        """Whether a decoder can start with them; always so for codecs without such sets."""
        if self._syntax is None:
            return True
        return any(kind in self._syntax.main for kind, _ in self._sets)

    @property
    def main(self) -> bytes:
        """The set without which nothing decodes, behind its start code; empty if there is none."""
        syntax = self._syntax
        found = [unit for (kind, _), unit in self._sets.items() if syntax and kind in syntax.main]
        return found[-1][len(_START) :] if found else b""

    def missing(self, own: Sets) -> bytes:
        """All sets, for an access unit that brings only ``own``; empty if it brings all kinds."""
        if {kind for kind, _ in self._sets} <= {kind for kind, _ in own}:
            return b""
        return b"".join(self._sets[key] for key in sorted(self._sets, key=self._rank))

    def _rank(self, key: tuple[int, int]) -> tuple[int, int, int]:
        """The order to send them in: as their numbers, but in MPEG-4 objects before layers."""
        first = key[0] in (0xB0, 0xB5) and self.codec == "mpeg4"
        return (0 if first else 1, *key)


def with_sets(codec: str, stream: bytes, sets: bytes) -> bytes:
    """An access unit, or its beginning, with parameter sets in front, but for its delimiter."""
    spans = units(stream)
    syntax = SYNTAXES[codec]
    at = 0
    if spans:
        first = spans[0][0]
        is_delimiter = syntax.kind(stream[first], stream[first + 1]) == syntax.delimiter
        if is_delimiter and len(spans) > 1:
            first = spans[1][0]
        at = first - 3
        at -= at > 0 and stream[at - 1] == 0
    return stream[:at] + sets + stream[at:]
