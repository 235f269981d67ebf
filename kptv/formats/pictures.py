"""Pictures, told by their first bytes. Never SVG: it may hold scripts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST = 2 * 1024**2  # bytes of a picture
ENOUGH = 64  # bytes tell what it is
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))  # sizes of the second header
_AVIF_BRANDS = frozenset((b"avif", b"avis"))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Picture:
    """A whole picture; ``tag`` is another one for another content."""

    data: bytes = field(repr=False)
    media_type: str
    tag: str


def picture_of(data: bytes) -> Picture | None:
    """The picture that ``data`` is; None if it is none. Takes 2 ms for 2 MB."""
    media_type = media_type_of(data)
    return Picture(data, media_type, hashlib.sha256(data).hexdigest()[:32]) if media_type else None


def media_type_of(data: bytes) -> str:
    """The media type of a picture that begins like this; empty if it is none."""
    return next((media_type for media_type, fits in _KINDS if fits(data)), "")


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _is_avif(data: bytes) -> bool:
    """ISO/IEC 14496-12, 4.3: a first box with brands, the major one first."""
    end = min(int.from_bytes(data[:4]), ENOUGH)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end, 4))]
    return data[4:8] == b"ftyp" and not _AVIF_BRANDS.isdisjoint(brands)


def _is_bmp(data: bytes) -> bool:
    """Two letters alone could begin any text."""
    size_of_header = int.from_bytes(data[14:18], "little")
    return data.startswith(b"BM") and data[6:10] == bytes(4) and size_of_header in _BMP_HEADERS


def _is_icon(data: bytes) -> bool:
    """A directory of at least one picture, whose reserved byte is 0."""
    count = int.from_bytes(data[4:6], "little")
    return data.startswith(b"\x00\x00\x01\x00") and 0 < count < 256 and data[9:10] == b"\x00"


_KINDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("image/png", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", lambda data: data.startswith(b"\xff\xd8\xff")),
    ("image/gif", lambda data: data.startswith((b"GIF87a", b"GIF89a"))),
    ("image/webp", _is_webp),
    ("image/avif", _is_avif),
    ("image/bmp", _is_bmp),
    ("image/x-icon", _is_icon),
)
