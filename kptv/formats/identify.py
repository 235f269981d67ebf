"""What the first bytes of a body say it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from kptv.formats.dash import is_dash, is_dash_film
from kptv.formats.frames import Frames, frames_in
from kptv.formats.hls.parse import what_is as what_playlist
from kptv.formats.hls.playlist import PlaylistKind
from kptv.formats.mpegts.aligner import sniff

ENOUGH = 16 * 1024  # bytes with which there always is an answer: 0.5 s of a radio station

# Codecs, as Matroska (RFC 9559) and ISO BMFF name them, that no transport stream can hold.
_FOREIGN_PICTURE = re.compile(rb"V_VP[89]|V_AV1|V_THEORA|V_MS/|vp0[89]|av01|\x80theora")
_FOREIGN_SOUND = re.compile(rb"A_VORBIS|A_FLAC|A_PCM|\x01vorbis|\x7fFLAC|Speex   ")
# A segment of unknown size (RFC 8794, 6.2): its muxer did not go back to write the size.
_ENDLESS_SEGMENT = re.compile(rb"\x18\x53\x80\x67(?:\xff|\x01\xff{7})")
_PACK = re.compile(rb"\0\0\x01\xba(?:[\x20-\x2f]|[\x44-\x47\x4c-\x4f\x54-\x57\x5c-\x5f\x64-\x67])")
_H264 = re.compile(rb"\0\0\x01[\x07\x27\x47\x67]")  # a sequence parameter set
_H265 = re.compile(rb"\0\0\x01(?:\x40|\x42)\x01")  # a parameter set of the video or a sequence
_START_CODE = re.compile(rb"\0{0,8}+\x01")


class What(StrEnum):
    """A container, or something else that a body may be; the value is for the log."""

    TRANSPORT_STREAM = "a transport stream"
    HLS = "an HLS playlist"
    CHANNEL_LIST = "a channel list"
    DASH = "a DASH manifest"
    MP4 = "MP4"
    MATROSKA = "Matroska"
    WEBM = "WebM"
    AVI = "AVI"
    FLV = "FLV"
    MPEG_PS = "an MPEG program stream"
    OGG = "Ogg"
    FLAC = "FLAC"
    WAV = "WAV"
    MPEG_AUDIO = "MPEG audio"
    ADTS = "AAC"
    LOAS = "AAC in LATM"
    AC3 = "AC-3"
    EAC3 = "E-AC-3"
    H264 = "bare H.264"
    H265 = "bare H.265"
    MPEG_VIDEO = "bare MPEG video"
    MPEG4_VIDEO = "bare MPEG-4 video"
    HTML = "an HTML page"
    JSON = "JSON"
    UNKNOWN = "no transport stream in it"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a body is."""

    what: What
    endless: bool = False  # it says that its end was not known when it began, as live streams do
    foreign_picture: bool = False  # coded so that no transport stream can hold it
    foreign_sound: bool = False  # likewise


FILE_TYPES = {  # players seek in these: they are sent as they are if they have an end
    What.MP4: "video/mp4",
    What.MATROSKA: "video/x-matroska",
    What.WEBM: "video/webm",
    What.AVI: "video/x-msvideo",
}
SOUND = frozenset(  # a picture in these is a cover
    (What.FLAC, What.WAV, What.MPEG_AUDIO, What.ADTS, What.LOAS, What.AC3, What.EAC3)
)
_BY_FRAMES = {
    Frames.MPEG_AUDIO: What.MPEG_AUDIO,
    Frames.ADTS: What.ADTS,
    Frames.LOAS: What.LOAS,
    Frames.AC3: What.AC3,
    Frames.EAC3: What.EAC3,
}
_PLAYLISTS = {
    PlaylistKind.MULTIVARIANT: What.HLS,
    PlaylistKind.MEDIA: What.HLS,
    PlaylistKind.CHANNEL_LIST: What.CHANNEL_LIST,
}


def identify(head: bytes, *, final: bool = False) -> Identity | None:
    """What a body is that begins with ``head``; None: too short to tell.

    Never None from ENOUGH bytes on, or if ``final``: the body is no longer than this. Of a playlist
    all of it may be given then, since a tag far behind may tell HLS from a channel list.
    """
    is_transport_stream = sniff(head, final=final)
    if is_transport_stream is None:
        return None
    # Text first: a long one has four G's at equal steps sooner or later.
    if text := _PLAYLISTS.get(what_playlist(head if final else head[:ENOUGH])):
        return Identity(text)
    head = head[:ENOUGH]
    if is_dash(head):
        return Identity(What.DASH, endless=not is_dash_film(head))
    if is_transport_stream:
        return Identity(What.TRANSPORT_STREAM)
    what = _by_signature(head) or _by_text(head) or _by_search(head)
    if what is None:
        return Identity(What.UNKNOWN) if final or len(head) >= ENOUGH else None
    return Identity(
        what,
        endless=_is_endless(what, head),
        foreign_picture=_FOREIGN_PICTURE.search(head) is not None,
        foreign_sound=what in (What.FLAC, What.WAV) or _FOREIGN_SOUND.search(head) is not None,
    )


def _by_signature(head: bytes) -> What | None:
    if head[4:8] == b"ftyp":  # ISO/IEC 14496-12, 4.3
        return What.MP4
    if head[:4] == b"\x1a\x45\xdf\xa3":  # RFC 8794
        return What.WEBM if b"webm" in head[:64] else What.MATROSKA
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"AVI ": What.AVI, b"WAVE": What.WAV}.get(head[8:12])
    if head[:4] == b"FLV\1":
        return What.FLV
    if head[:5] == b"OggS\0":  # RFC 3533, 6
        return What.OGG
    if head[:4] == b"fLaC":  # RFC 9639, 6
        return What.FLAC
    return _tagged(head) if head[:3] == b"ID3" else _by_start_code(head)


def _tagged(head: bytes) -> What:
    """What stands behind an ID3 tag; MPEG audio if ``head`` ends before that."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 127
    if head[10 + size :][:4] == b"fLaC":
        return What.FLAC
    frames = frames_in(head[10 + size :])
    return _BY_FRAMES[frames] if frames else What.MPEG_AUDIO


def _by_start_code(head: bytes) -> What | None:
    start = _START_CODE.match(head)
    if start is None or start.end() < 3:
        return None
    code = head[start.end() : start.end() + 1]
    if code == b"\xba":  # ISO/IEC 13818-1, 2.5.3.3
        return What.MPEG_PS
    if code == b"\xb3":  # ISO/IEC 13818-2, 6.2.1: a sequence header
        return What.MPEG_VIDEO
    if code == b"\xb0":  # ISO/IEC 14496-2, 6.2.2
        return What.MPEG4_VIDEO
    if _H265.search(head):
        return What.H265
    return What.H264 if _H264.search(head) else None


def _by_text(head: bytes) -> What | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return What.HTML
    return What.JSON if start.startswith((b"{", b"[")) else None


def _by_search(head: bytes) -> What | None:
    """The kind, if any place in it shows that: a listener begins in the middle."""
    if frames := frames_in(head):
        return _BY_FRAMES[frames]
    return What.MPEG_PS if len(_PACK.findall(head)) > 1 else None


def _is_endless(what: What, head: bytes) -> bool:
    if what is What.MP4:  # fragmented (ISO/IEC 14496-12, 8.8.1)
        return b"mvex" in head
    return what in (What.MATROSKA, What.WEBM) and _ENDLESS_SEGMENT.search(head) is not None
