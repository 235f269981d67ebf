"""What a ``data:`` URL holds (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

_LONGEST = 64 * 1024  # characters: keys have some dozens


def is_data(url: str) -> bool:
    """Whether a URL holds its content itself, so that nothing has to be fetched."""
    return url[:5].lower() == "data:"


def data_of(url: str) -> bytes | None:
    """Its bytes; None if it cannot be read."""
    head, comma, text = url[5:].partition(",")
    if not comma or len(url) > _LONGEST:
        return None
    data = unquote_to_bytes(text)
    if not head.lower().rstrip().endswith(";base64"):
        return data
    # Also in the alphabet of URLs (RFC 4648, 5), and without the padding.
    data = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error:
        return None
