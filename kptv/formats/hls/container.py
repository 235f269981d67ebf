"""What the bytes of a media segment are (RFC 8216, 3: MPEG-TS, fMP4, packed audio, WebVTT).

``formats.identify`` tells what any body is. A playlist has said that a segment is media, so less
tells what kind it is, and more junk may stand before it.
"""

from __future__ import annotations

from enum import StrEnum

from kptv.formats.mpegts.aligner import SYNC_SPAN, find_sync, sniff

JUNK_LIMIT = 256 * 1024  # bytes before a transport stream: some pretend to be images
_FMP4_BOXES = frozenset((b"ftyp", b"styp", b"moof", b"sidx", b"moov", b"emsg", b"prft", b"mdat"))


class Container(StrEnum):
    """The containers of segments that are not a transport stream."""

    FMP4 = "fMP4"
    PACKED_AUDIO = "packed audio"


def segment_start(head: bytes, *, final: bool) -> int | Container | None:
    """Where in a segment the transport stream begins, or its container if it is another.

    None if ``head`` does not tell yet, or, after all of the segment (``final``), if there is no
    media in it. A few KB of junk are left in, for the aligner.
    """
    is_transport_stream = sniff(head, final=final)
    if is_transport_stream is None:
        return None
    if is_transport_stream:
        return 0
    start = ts_behind_junk(head, final=final)
    if start is not None:
        return start
    return foreign_container(head) if tag_is_there(head, final=final) else None


def foreign_container(head: bytes) -> Container | None:
    """The container of a segment that is not a transport stream; None if we do not know it."""
    if head[4:8] in _FMP4_BOXES:
        return Container.FMP4
    if head[:3] == b"ID3" or head[:2] == b"\x0b\x77":  # RFC 8216, 3.4; AC-3 sync word
        return Container.PACKED_AUDIO
    # ADTS and MPEG audio: eleven or twelve bits set, and a layer that exists (0 is ADTS's).
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] != 0xFF:
        return Container.PACKED_AUDIO
    return None


def ts_behind_junk(head: bytes, *, final: bool) -> int | None:
    """Where in ``head`` a transport stream begins; None: nowhere that can be told yet.

    ``final``: no more bytes will come.
    """
    sync = find_sync(head, final=final)
    return sync.offset if sync else None


def tag_is_there(head: bytes, *, final: bool) -> bool:
    """Whether ``head`` reaches behind its ID3 tag (ID3v2.4, 3.1); True if there is no tag."""
    if final or head[:3] != b"ID3":
        return True
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return len(head) >= min(10 + size, JUNK_LIMIT) + SYNC_SPAN
