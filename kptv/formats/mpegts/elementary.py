"""What an elementary stream is, and which of its access units a decoder can start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from kptv.formats.mpegts.nal import units
from kptv.formats.mpegts.parameters import sets_in
from kptv.formats.mpegts.psi import ElementaryStream, read_descriptors
from kptv.formats.mpegts.sps import Size, h264_size, h264_slice_type, h265_size, mpeg2_size


class ElementaryKind(StrEnum):
    VIDEO = "video"
    AUDIO = "audio"
    OTHER = "other"  # subtitles, teletext, cues: may be silent for minutes
    CLOCK = "clock"  # the PID carries only the PCR


class RandomAccess(IntEnum):
    """How well a decoder starts from an access unit."""

    NONE = 0
    OPEN = 1  # pictures behind it may refer to pictures before it
    CLOSED = 2  # no picture behind it refers to one before it


@dataclass(frozen=True, slots=True)
class UnitVerdict:
    """What the head of a video access unit tells."""

    key: RandomAccess
    size: Size | None = None  # told by its sequence header or SPS
    opaque: bool = False  # no picture starts in it by the syntax: it may be encrypted


# ISO/IEC 13818-1 table 2-34, ATSC A/53, and types that are met in the field.
_VIDEO = {
    0x01: "mpeg1video",
    0x02: "mpeg2video",
    0x10: "mpeg4",
    0x1B: "h264",
    0x24: "hevc",
    0x33: "vvc",
    0x42: "avs",
    0xD2: "avs2",
    0xD4: "avs3",
    0xEA: "vc1",
}
_AUDIO = {
    0x03: "mp2",
    0x04: "mp2",
    0x0F: "aac",
    0x11: "aac_latm",
    0x1C: "aac",
    0x81: "ac3",
    0x83: "truehd",
    0x84: "eac3",
    0x87: "eac3",
    0x8A: "dts",
}
_CODEC_OF_TAG = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x7C: "aac"}  # ETSI EN 300 468
_DATA_OF_TAG = {0x56: "teletext", 0x59: "dvb_subtitle"}
_AUDIO_FORMATS = {b"AC-3": "ac3", b"EAC3": "eac3", b"Opus": "opus", b"BSSD": "s302m"}
_AUDIO_FORMATS |= {b"DTS1": "dts", b"DTS2": "dts", b"DTS3": "dts", b"AC-4": "ac4"}
_VIDEO_FORMATS = {b"HEVC": "hevc", b"VC-1": "vc1", b"drac": "dirac", b"AV01": "av1"}
CUES = "scte35"
_REGISTRATION, _LANGUAGE = 0x05, 0x0A


@dataclass(frozen=True, slots=True)
class Nature:
    """What a stream is: two streams of one nature may follow each other on one PID."""

    kind: ElementaryKind
    codec: str
    stream_type: int


def nature_of(stream: ElementaryStream) -> Nature:
    """Kind and codec, by stream type, or by descriptors if the type says "private"."""
    kind, codec = _kind_and_codec(stream)
    return Nature(kind, codec, stream.stream_type)


def language_of(stream: ElementaryStream) -> str:
    """The ISO 639 code of the first language it names, or nothing."""
    for tag, payload in read_descriptors(stream.descriptors):
        if tag == _LANGUAGE and len(payload) >= 3:
            return payload[:3].decode("latin-1").lower()
    return ""


def _kind_and_codec(stream: ElementaryStream) -> tuple[ElementaryKind, str]:
    if stream.stream_type in _VIDEO:
        return ElementaryKind.VIDEO, _VIDEO[stream.stream_type]
    if stream.stream_type in _AUDIO:
        return ElementaryKind.AUDIO, _AUDIO[stream.stream_type]
    if stream.stream_type == 0x86:
        return ElementaryKind.OTHER, CUES
    for tag, payload in read_descriptors(stream.descriptors):
        if tag in _CODEC_OF_TAG:
            return ElementaryKind.AUDIO, _CODEC_OF_TAG[tag]
        if tag in _DATA_OF_TAG:
            return ElementaryKind.OTHER, _DATA_OF_TAG[tag]
        if tag == _REGISTRATION and payload[:4] in _AUDIO_FORMATS:
            return ElementaryKind.AUDIO, _AUDIO_FORMATS[payload[:4]]
        if tag == _REGISTRATION and payload[:4] in _VIDEO_FORMATS:
            return ElementaryKind.VIDEO, _VIDEO_FORMATS[payload[:4]]
    return ElementaryKind.OTHER, f"0x{stream.stream_type:02x}"


def judge(
    codec: str, head: bytes, *, random_access: bool, known: bool = False
) -> UnitVerdict | None:
    """What an access unit is by its first bytes; None: more of them are needed.

    Its NAL units decide. random_access_indicator decides only if they leave it open: some
    providers never set it, and some set it where no decoder can start. A key picture without its
    parameter sets counts if they are ``known`` from before, or if the indicator vouches for it.
    """
    rule = _RULES.get(codec)
    if rule is None:
        return UnitVerdict(RandomAccess.OPEN if random_access else RandomAccess.NONE)
    verdict = rule(head, random_access)
    if verdict is None or not verdict.key or known or random_access or sets_in(codec, head):
        return verdict
    return UnitVerdict(RandomAccess.NONE, verdict.size)


def has_rule(codec: str) -> bool:
    """Whether a keyframe is known by more than random_access_indicator."""
    return codec in _RULES


_FIRST = 0x80  # H.264: first_mb_in_slice is 0; H.265: first_slice_segment_in_pic_flag


def _judge_h264(head: bytes, random_access: bool) -> UnitVerdict | None:
    """ITU-T H.264, 7.4.1: parameter sets and SEI come before the first slice.

    A decoder can start at an intra picture that is no IDR if its encoder says so: by parameter
    sets, by a recovery point or by the indicator.
    """
    size: Size | None = None
    marked, recovery = random_access, False
    for at, end in units(head):
        kind = head[at] & 0x1F
        if kind == 7:
            size, marked = h264_size(head[at + 1 : end]), True
        elif kind == 6:
            recovery = recovery or _has_recovery_point(head[at + 1 : end])
        elif kind == 5:
            if end - at < 2:
                return None
            return UnitVerdict(RandomAccess.CLOSED, size, opaque=not head[at + 1] & _FIRST)
        elif kind in (1, 2):
            if end - at < 6:
                return None
            intra = marked and h264_slice_type(head[at + 1 : end]) == 2
            return UnitVerdict(RandomAccess.OPEN if intra or recovery else RandomAccess.NONE, size)
    return None


def _judge_h265(head: bytes, _: bool) -> UnitVerdict | None:
    """ITU-T H.265, 7.4.2.2: 16 to 23 are pictures for random access, 19 and 20 are IDR."""
    size: Size | None = None
    for at, end in units(head):
        kind = head[at] >> 1 & 0x3F
        if kind == 33:
            size = h265_size(head[at + 2 : end])
        elif 16 <= kind <= 23:
            if end - at < 3:
                return None
            key = RandomAccess.CLOSED if kind in (19, 20) else RandomAccess.OPEN
            return UnitVerdict(key, size, opaque=not head[at + 2] & _FIRST)
        elif kind < 32:
            return UnitVerdict(RandomAccess.NONE, size)
    return None


def _judge_h266(head: bytes, _: bool) -> UnitVerdict | None:
    """ITU-T H.266, 7.4.2.2: 7 and 8 are IDR, 9 is CRA; up to 11 are pictures."""
    for at, end in units(head):
        if end - at < 2:
            return None
        kind = head[at + 1] >> 3
        if kind <= 11:
            key = (
                RandomAccess.CLOSED
                if kind in (7, 8)
                else RandomAccess.OPEN
                if kind == 9
                else RandomAccess.NONE
            )
            return UnitVerdict(key)
    return None


def _judge_mpeg2(head: bytes, _: bool) -> UnitVerdict | None:
    """ISO/IEC 13818-2, 6.2: sequence header, group of pictures header, picture header."""
    size: Size | None = None
    closed = False
    for at, end in units(head):
        if head[at] == 0xB3:
            size = mpeg2_size(head[at + 1 : end])
        elif head[at] == 0xB8 and end - at >= 5:
            closed = bool(head[at + 4] & 0x40)
        elif head[at] == 0x00:
            if end - at < 3:
                return None
            intra = head[at + 2] >> 3 & 7 == 1
            return UnitVerdict(
                (RandomAccess.CLOSED if closed else RandomAccess.OPEN)
                if intra
                else RandomAccess.NONE,
                size,
            )
    return None


def _judge_mpeg4(head: bytes, _: bool) -> UnitVerdict | None:
    """ISO/IEC 14496-2, 6.2: a group of VOPs (its closed_gov is bit 20), and the VOP's type."""
    closed = False
    for at, end in units(head):
        if head[at] == 0xB3 and end - at >= 4:
            closed = bool(head[at + 3] & 0x20)
        elif head[at] == 0xB6:
            if end - at < 2:
                return None
            intra = head[at + 1] >> 6 == 0
            return UnitVerdict(
                (RandomAccess.CLOSED if closed else RandomAccess.OPEN)
                if intra
                else RandomAccess.NONE
            )
    return None


def _judge_vc1(head: bytes, _: bool) -> UnitVerdict | None:
    """SMPTE 421M, annex E: a decoder starts at an entry point header; bit 1 of it: closed."""
    key = RandomAccess.NONE
    for at, end in units(head):
        if head[at] == 0x0E:
            if end - at < 2:
                return None
            key = RandomAccess.CLOSED if head[at + 1] & 0x40 else RandomAccess.OPEN
        elif head[at] == 0x0D:
            return UnitVerdict(key)
    return None


def _judge_avs(head: bytes, _: bool) -> UnitVerdict | None:
    """GB/T 20090.2, 7.1: 0xB3 starts an intra picture, 0xB6 any other."""
    for at, _end in units(head):
        if head[at] in (0xB3, 0xB6):
            return UnitVerdict(RandomAccess.OPEN if head[at] == 0xB3 else RandomAccess.NONE)
    return None


def _has_recovery_point(sei: bytes) -> bool:
    """ITU-T H.264, D.1: a list of (type, size, payload); type 6 is the recovery point."""
    at = 0
    while at + 2 <= len(sei) and sei[at] != 0x80:
        if sei[at] == 6:
            return True
        if sei[at] == 0xFF or sei[at + 1] == 0xFF:  # long types and sizes come after what matters
            return False
        at += 2 + sei[at + 1]
    return False


_RULES: dict[str, Callable[[bytes, bool], UnitVerdict | None]] = {
    "h264": _judge_h264,
    "hevc": _judge_h265,
    "vvc": _judge_h266,
    "mpeg2video": _judge_mpeg2,
    "mpeg1video": _judge_mpeg2,
    "mpeg4": _judge_mpeg4,
    "vc1": _judge_vc1,
    "avs": _judge_avs,
    "avs2": _judge_avs,
    "avs3": _judge_avs,
}
