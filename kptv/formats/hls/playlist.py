"""HLS playlists as values (RFC 8216 and its successor, draft-pantos-hls-rfc8216bis)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SHORTEST_TARGET = 0.5  # seconds of a target duration: all waits and deadlines are made of it
IDENTITY = "identity"  # the KEYFORMAT of a plain key (RFC 8216, 4.3.2.4)


class PlaylistKind(StrEnum):
    """What a body is."""

    MULTIVARIANT = "multivariant playlist"
    MEDIA = "media playlist"
    CHANNEL_LIST = "channel list"
    OTHER = "no playlist"


class BadPlaylist(ValueError):
    """A playlist that cannot be used; the message says why and holds no URL."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a resource, in bytes."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """How segments are encrypted (RFC 8216, 4.3.2.4)."""

    method: str  # AES-128, SAMPLE-AES, …: upper case
    uri: str | None = field(repr=False)
    iv: bytes | None = None
    key_format: str = IDENTITY

    @property
    def usable(self) -> bool:
        """Whether this proxy can decrypt with it."""
        return self.method == "AES-128" and self.key_format == IDENTITY and bool(self.uri)


@dataclass(frozen=True, slots=True)
class Map:
    """The Media Initialization Section of segments: their container is fMP4."""

    uri: str = field(repr=False)
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class MediaSegment:
    """A media segment. ``gap``: there is nothing to fetch, or its address cannot be read."""

    uri: str = field(repr=False)
    duration: float  # seconds, above 0
    media_sequence: int
    discontinuity_sequence: int
    discontinuity: bool = False  # has the tag
    byte_range: ByteRange | None = None
    key: EncryptionKey | None = None
    map: Map | None = None
    gap: bool = False
    time: float | None = None  # Unix time of its start (EXT-X-PROGRAM-DATE-TIME)

    @property
    def iv(self) -> bytes:
        """The initialization vector: as given, or the sequence number (RFC 8216, 5.2)."""
        if self.key and self.key.iv is not None:
            return self.key.iv
        return self.media_sequence.to_bytes(16, "big")


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments of one rendition, at one moment."""

    url: str = field(repr=False)
    target_duration: float  # seconds, above 0
    media_sequence: int  # of the first segment
    discontinuity_sequence: int
    segments: tuple[MediaSegment, ...]
    ended: bool  # EXT-X-ENDLIST
    playlist_type: str  # VOD, EVENT or empty
    numbered: bool = True  # EXT-X-MEDIA-SEQUENCE is there and makes sense, or is not there
    start_offset: float | None = None  # EXT-X-START: seconds from the start, or the end if < 0

    @property
    def end(self) -> int:
        """The media sequence number that the next segment will have."""
        return self.media_sequence + len(self.segments)

    @property
    def is_vod(self) -> bool:
        """True for a film or recording; an ended window in mid-sequence is a dead channel."""
        return self.ended and (bool(self.playlist_type) or self.media_sequence <= 1)


@dataclass(frozen=True, slots=True)
class Variant:
    """One offer of a multivariant playlist."""

    uri: str = field(repr=False)
    bandwidth: int = 0  # bit/s; 0: not told
    width: int = 0
    height: int = 0
    codecs: tuple[str, ...] = ()
    audio: str = ""  # GROUP-ID of its audio renditions
    frame_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Rendition:
    """An EXT-X-MEDIA: an alternative audio, video or text. No URI: it is in the variants."""

    type: str
    group: str
    name: str
    language: str
    default: bool
    uri: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """The variants of a stream, as listed."""

    url: str = field(repr=False)
    variants: tuple[Variant, ...]
    renditions: tuple[Rendition, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # EXT-X-DEFINE
