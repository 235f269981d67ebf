"""DASH manifests, as far as ``formats.identify`` must know them; ffmpeg plays them."""

from __future__ import annotations

import re

MANIFEST_START = 16 * 1024  # bytes in which the tag of a manifest must be found
# Possessive and atomic: each part before the tag is matched once, and never tried anew.
_MANIFEST = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>(?:<\?xml[^>]*+>|(?><!--.*?-->)|\s++)*)<MPD(?=[\s>])[^>]*+", re.DOTALL
)


def is_dash(head: bytes) -> bool:
    """True for the start of a DASH manifest (ISO/IEC 23009-1, 5.2.1)."""
    return _MANIFEST.match(head[:MANIFEST_START]) is not None


def is_dash_film(head: bytes) -> bool:
    """True for a manifest that is complete: its ``type`` is ``static`` or left out (5.3.1.2)."""
    manifest = _MANIFEST.match(head[:MANIFEST_START])
    return manifest is None or re.search(rb"\stype\s*+=\s*+[\"']dynamic", manifest[0]) is None
