"""Which variant of a multivariant playlist to play, and which after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from kptv.formats.hls.playlist import MultivariantPlaylist, Rendition, Variant

_AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "ac-4", "mp3", "opus", "flac", "alac", "dts", "vorbis")


class By(StrEnum):
    """What a selection goes by."""

    LOWEST = "lowest"
    HIGHEST = "highest"
    HEIGHT = "height"
    BANDWIDTH = "bandwidth"


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of variants; ``limit`` in lines or bit/s, by what it goes by."""

    by: By = By.LOWEST
    limit: int = 0


LOWEST = Selection()
ACCEPTED = "lowest, highest, a height such as 720p, or bits per second such as 4000000"


def parse_selection(text: str) -> Selection:
    """The selection that ``text`` names. Raises ValueError with what is accepted."""
    text = text.strip().lower()
    if text in ("lowest", "highest"):
        return Selection(By(text))
    match = re.fullmatch(r"([1-9]\d{0,11})(p?)", text)
    if not match:
        raise ValueError(ACCEPTED)
    return Selection(By.HEIGHT if match[2] else By.BANDWIDTH, int(match[1]))


def order(playlist: MultivariantPlaylist, selection: Selection) -> tuple[Variant, ...]:
    """The variants, the one to play first and then what to fall back to.

    Variants without a picture are left out if another has one. Those whose sound is apart come
    last, since ffmpeg must put them together.
    """
    pictured = [variant for variant in playlist.variants if not is_audio_only(variant)]
    ranked = sorted(pictured or playlist.variants, key=lambda variant: _rank(variant, selection))
    sounds = _sounds(playlist)
    return tuple(sorted(ranked, key=lambda variant: _apart(sounds, variant) is not None))


def is_audio_only(variant: Variant) -> bool:
    """Whether the tags say that there is no picture; without CODECS they do not."""
    if variant.height or variant.frame_rate or not variant.codecs:
        return False
    return all(codec.lower().startswith(_AUDIO_CODECS) for codec in variant.codecs)


def separate_audio(playlist: MultivariantPlaylist, variant: Variant) -> Rendition | None:
    """The rendition that has the variant's sound; None if the variant has it itself."""
    return _apart(_sounds(playlist), variant)


@dataclass(slots=True)
class _Sound:
    """The renditions of one group, gone through once for all its variants."""

    first: Rendition  # that is the default, or else the first
    uris: set[str | None]


def _sounds(playlist: MultivariantPlaylist) -> dict[str, _Sound]:
    """By group."""
    sounds: dict[str, _Sound] = {}
    for rendition in playlist.renditions:
        if rendition.type == "AUDIO":
            sound = sounds.setdefault(rendition.group, _Sound(rendition, set()))
            sound.uris.add(rendition.uri)
            if rendition.default and not sound.first.default:
                sound.first = rendition
    return sounds


def _apart(sounds: dict[str, _Sound], variant: Variant) -> Rendition | None:
    sound = sounds.get(variant.audio)
    if not variant.audio or sound is None or is_audio_only(variant):
        return None
    if None in sound.uris or variant.uri in sound.uris:
        return None  # RFC 8216, 4.3.4.2.1: without a URI the media is in the variant
    return sound.first


def _rank(variant: Variant, selection: Selection) -> tuple[int, int, int]:
    """Sort key: (fits; does not know; too large), then the height and the bandwidth to prefer."""
    bandwidth, height = variant.bandwidth, variant.height
    match selection.by:
        case By.LOWEST:
            return (0 if bandwidth else 1, bandwidth, height)
        case By.HIGHEST:
            return (0 if bandwidth else 1, -bandwidth, -height)
        case By.HEIGHT:
            return _limited(height, selection.limit, (height, bandwidth))
        case By.BANDWIDTH:
            return _limited(bandwidth, selection.limit, (bandwidth, height))


def _limited(value: int, limit: int, ranks: tuple[int, int]) -> tuple[int, int, int]:
    """The largest within the limit first; beyond it, the smallest first."""
    if not value:
        return (1, *ranks)
    return (0, -ranks[0], -ranks[1]) if value <= limit else (2, *ranks)
