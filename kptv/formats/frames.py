"""Sound as it is broadcast: frame after frame, with nothing before the first or around any.

A listener may begin anywhere, so a frame is told by the frames that follow it, each where the one
before says that it ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

_IN_A_ROW = 4  # headers that make it sure, of one kind
_LONGEST_SEARCH = 8192  # bytes in which the first whole frame begins; the longest (AAC) has as many

# ISO/IEC 11172-3, 2.4.2.3, and 13818-3, 2.4.2.3: kbit/s by index, from 1 on.
_MPEG1 = {
    1: range(32, 449, 32),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_MPEG2_LAYER_1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_MPEG2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
# ETSI TS 102 366, table F.7.1: kbit/s, each for two codes.
_AC3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


class Frames(StrEnum):
    """The kinds of frames."""

    MPEG_AUDIO = "MPEG audio"  # layers 1 to 3: MP3
    ADTS = "ADTS"  # AAC
    LOAS = "LOAS"  # AAC, as LATM
    AC3 = "AC-3"
    EAC3 = "E-AC-3"


def frames_in(data: bytes) -> Frames | None:
    """The kind of frames that follow each other in ``data``; None if there are none, or too few."""
    for match in _SYNC.finditer(data[:_LONGEST_SEARCH]):
        for kind, size_of in _KINDS[match[0]]:
            if _run(data, match.start(), size_of):
                return kind
    return None


def _run(data: bytes, at: int, size_of: _SizeOf) -> bool:
    first = None
    for _ in range(_IN_A_ROW):
        found = size_of(data[at : at + 7])
        if found is None or (first is not None and found[1] != first):
            return False
        at += found[0]
        first = found[1]
    return True


# Bytes of a frame, and what all frames of a stream have in common; None: no header.
_SizeOf = Callable[[bytes], tuple[int, int] | None]


def _mpeg_audio(head: bytes) -> tuple[int, int] | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)  # 3: MPEG-1; 2, 0: half, a quarter
    index, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    if version == 3:
        kilobits = _MPEG1[layer][index - 1]
    else:
        kilobits = (_MPEG2_LAYER_1 if layer == 1 else _MPEG2)[index - 1]
    sampled = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        size = (12_000 * kilobits // sampled + padding) * 4
    else:
        half = layer == 3 and version != 3
        size = (72_000 if half else 144_000) * kilobits // sampled + padding
    return size, version << 4 | layer << 2 | rate


def _adts(head: bytes) -> tuple[int, int] | None:  # ISO/IEC 13818-7, 6.2
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return None
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return (size, head[2] >> 2) if size > 7 else None


def _loas(head: bytes) -> tuple[int, int] | None:  # ISO/IEC 14496-3, 1.7.2
    if len(head) < 3 or head[0] != 0x56 or head[1] & 0xE0 != 0xE0:
        return None
    size = (head[1] & 0x1F) << 8 | head[2]
    return (3 + size, 0) if size else None


def _ac3(head: bytes) -> tuple[int, int] | None:  # ETSI TS 102 366, 4.3
    if len(head) < 6 or head[:2] != b"\x0b\x77" or head[5] >> 3 > 10:
        return None
    rate, code = head[4] >> 6, head[4] & 63
    if rate == 3 or code >= 2 * len(_AC3):
        return None
    kilobits = _AC3[code >> 1]
    sizes = (4 * kilobits, 2 * (kilobits * 320 // 147 + (code & 1)), 6 * kilobits)
    return sizes[rate], rate


def _eac3(head: bytes) -> tuple[int, int] | None:  # E.1.2
    if len(head) < 6 or head[:2] != b"\x0b\x77" or not 10 < head[5] >> 3 <= 16:
        return None
    return 2 * (((head[2] & 7) << 8 | head[3]) + 1), head[4] >> 6


_SYNC = re.compile(rb"\xff|\x56|\x0b")
_KINDS: dict[bytes, tuple[tuple[Frames, _SizeOf], ...]] = {
    b"\xff": ((Frames.ADTS, _adts), (Frames.MPEG_AUDIO, _mpeg_audio)),
    b"\x56": ((Frames.LOAS, _loas),),
    b"\x0b": ((Frames.AC3, _ac3), (Frames.EAC3, _eac3)),
}
