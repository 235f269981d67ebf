"""What kind of media file some bytes begin (films and recordings, not live streams)."""

from __future__ import annotations


def file_type(head: bytes) -> str | None:
    """The media type of the file that ``head`` begins; None: none that is known here.

    By the signatures of ISO/IEC 14496-12, 4.3 (a `ftyp` box first), Matroska (EBML, RFC 8794)
    and RIFF AVI.
    """
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video/x-msvideo"
    return None
