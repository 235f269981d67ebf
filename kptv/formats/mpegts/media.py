"""What a programme's picture and sound are, as far as players must know before they decode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kptv.formats.mpegts.elementary import ElementaryKind, Nature
from kptv.formats.mpegts.nal import unescape
from kptv.formats.mpegts.sound import sound_profile
from kptv.formats.mpegts.sps import RATES, h264_frame_rate, mpeg2_frame_rate

_LIKE = 0.02  # two rates differ by less: the same, but for rounding
_NEAR = 0.005
_MOST = 300.0  # frames per second
_THIRD_LAYER = 3


@dataclass(frozen=True, slots=True)
class Medium:
    """A stream of picture or sound.

    ``profile`` is as its headers tell it, and empty while they are not known. Of H.264 it is
    profile_idc, the constraint flags and level_idc of the SPS; of HEVC the 12 bytes of the general
    profile, tier and level; of AAC and MPEG sound one byte: see ``sound_profile``.
    """

    kind: ElementaryKind
    codec: str  # that of its nature, but mp3 for layer III
    profile: bytes = b""


def medium_of(nature: Nature, head: bytes, sequence: bytes) -> Medium:
    """What the streams's headers tell.

    ``head``: the first bytes of an access unit; ``sequence``: its SPS or sequence header, if known.
    """
    if nature.kind is ElementaryKind.VIDEO:
        return Medium(nature.kind, nature.codec, _picture_profile(nature.codec, sequence))
    profile = sound_profile(nature.codec, head)
    is_mp3 = nature.codec == "mp2" and profile == _THIRD_LAYER
    return Medium(nature.kind, "mp3" if is_mp3 else nature.codec, bytes((profile,) * (profile > 0)))


def frame_rate(told: float | None, measured: float | None) -> float | None:
    """Frames per second, as a sequence header tells them and by the times of access units.

    Headers are wrong at times. Times are right, unless each of the units is a field.
    """
    if measured is None or not 0 < measured < _MOST:
        return told if told is not None and 0 < told < _MOST else None
    if told is not None and any(abs(measured / (told * units) - 1) < _LIKE for units in (1, 2)):
        return told
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) < _NEAR * nearest else round(measured, 3)


@lru_cache(maxsize=256)
def told_frame_rate(codec: str, sequence: bytes) -> float | None:
    """Frames per second in an SPS or sequence header, if they are read here."""
    if codec == "h264":
        return h264_frame_rate(sequence[1:])
    return mpeg2_frame_rate(sequence[1:]) if codec in ("mpeg1video", "mpeg2video") else None


@lru_cache(maxsize=256)
def _picture_profile(codec: str, sequence: bytes) -> bytes:
    if codec == "h264":
        profile = sequence[1:4]
        return profile if len(profile) == 3 else b""
    profile = unescape(sequence[2:40])[1:13] if codec == "hevc" else b""
    return profile if len(profile) == 12 else b""
