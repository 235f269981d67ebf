"""What playlists call codecs, and what is to be said of those that some players lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kptv.formats.mpegts.media import Medium

_SPACES = ("", "A", "B", "C")  # general_profile_space
_AAC = 2  # the audio object type that is taken for granted: LC
_LAYERS = {1: 32, 2: 33, 3: 34}  # audio object types of MPEG sound, by layer
_FIXED = {"ac3": "ac-3", "eac3": "ec-3", "mp3": "mp4a.40.34", "opus": "opus"}

# By codec, for whoever reads a list, the page or the API: one sentence each.
_OF_PICTURES = {
    "hevc": "Apple devices play no HEVC in transport streams, and browsers only where the system"
    " has a decoder.",
    "mpeg1video": "Browsers and Apple devices do not play MPEG-1 video.",
    "mpeg2video": "Browsers and Apple devices do not play MPEG-2 video.",
    "mpeg4": "Browsers and Apple devices do not play MPEG-4 part 2 video in transport streams.",
    "vvc": "Hardly any player can play VVC video yet.",
    "vc1": "Browsers and Apple devices do not play VC-1 video.",
    "av1": "Hardly any player can play AV1 video in transport streams.",
    "avs": "Browsers and Apple devices do not play AVS video.",
    "avs2": "Browsers and Apple devices do not play AVS2 video.",
    "avs3": "Browsers and Apple devices do not play AVS3 video.",
    "dirac": "Browsers and Apple devices do not play Dirac video.",
}
_OF_SOUND = {
    "mp2": "Browsers do not play sound of MPEG layer II: there the picture is silent, or nothing"
    " plays.",
    "aac_latm": "Browsers and Apple devices do not play AAC sound in LATM.",
    "ac3": "Most browsers do not play AC-3 sound.",
    "eac3": "Most browsers do not play E-AC-3 sound.",
    "ac4": "Browsers and Apple devices do not play AC-4 sound in transport streams.",
    "dts": "Browsers and Apple devices do not play DTS sound.",
    "truehd": "Browsers and Apple devices do not play TrueHD sound.",
    "s302m": "Browsers and Apple devices do not play uncompressed sound in transport streams.",
    "opus": "Hardly any player can play Opus sound in transport streams.",
}
_PLAIN_SOUND = ("aac", "mp3")


def codec_names(media: Sequence[Medium]) -> tuple[str, ...]:
    """The names of RFC 6381 for all picture and sound, each once; none if one has no name.

    A playlist tells all of its codecs or none (RFC 8216, 4.3.4.2): players trust it, and do not
    look for a stream that it leaves out.
    """
    names = [name_of(medium) for medium in media]
    return () if "" in names else tuple(dict.fromkeys(names))


def name_of(medium: Medium) -> str:
    """The name of one; empty if it has none, or its headers are not known yet.

    MPEG-2 video has none: ``mp4v.61`` is unknown to players, or taken for MPEG-4 part 2.
    """
    write = _NAMED.get(medium.codec)
    return write(medium.profile) if write else _FIXED.get(medium.codec, "")


def remarks_on(codecs: Sequence[str]) -> tuple[str, ...]:
    """A sentence about each of a stream's codecs, by our names, that some players cannot play."""
    remarks = [
        remark
        for codec in dict.fromkeys(codecs)
        if (remark := _OF_PICTURES.get(codec) or _OF_SOUND.get(codec))
    ]
    sounds = sum(codec in _OF_SOUND or codec in _PLAIN_SOUND for codec in codecs)
    if sounds > 1:
        remarks.append(f"Browsers and Apple devices play only the first of {sounds} sound tracks.")
    return tuple(remarks)


def _h264(profile: bytes) -> str:
    """RFC 6381, 3.3."""
    return f"avc1.{profile.hex()}" if profile else ""


def _hevc(profile: bytes) -> str:
    """ISO/IEC 14496-15, E.3; with the compatibility flags from the last to the first."""
    if len(profile) != 12:
        return ""
    head, flags, level = profile[0], int.from_bytes(profile[1:5], "big"), profile[11]
    reversed_flags = int(f"{flags:032b}"[::-1], 2)
    tier = "H" if head & 0x20 else "L"
    constraints = [f"{byte:X}" for byte in profile[5:11].rstrip(b"\x00")]
    parts = [f"hvc1.{_SPACES[head >> 6]}{head & 31}", f"{reversed_flags:X}", f"{tier}{level}"]
    return ".".join([*parts, *constraints])


def _aac(profile: bytes) -> str:
    return f"mp4a.40.{profile[0] if profile else _AAC}"


def _mpeg_sound(profile: bytes) -> str:
    """As audio object types: ``mp4a.69`` and ``mp4a.6B`` say nothing of the layer."""
    return f"mp4a.40.{_LAYERS.get(profile[0] if profile else 2, 33)}"


_NAMED: dict[str, Callable[[bytes], str]] = {
    "h264": _h264,
    "hevc": _hevc,
    "aac": _aac,
    "aac_latm": _aac,
    "mp2": _mpeg_sound,
}
