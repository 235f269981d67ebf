"""HLS playlists of live media as players read them, in one order of tags.

The tags need version 3 (RFC 8216, 7): durations with decimals. EXT-X-INDEPENDENT-SEGMENTS and,
without its delta updates, EXT-X-SERVER-CONTROL (RFC 8216bis, 4.4.3.8) need none: players skip tags
that they do not know. Players and ffmpeg look for the first tags of a media playlist in its first
bytes to tell what it is, so what people may read comes behind those.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kptv.formats.visible import visible

PREFIX = "{PREFIX}"  # stands in URIs for the way from a playlist to the segments; no URI holds it
_VERSION = "#EXT-X-VERSION:3"
# Each decodes without those before it; of the exception, docs/decisions.md tells.
_INDEPENDENT = "#EXT-X-INDEPENDENT-SEGMENTS"
_HOLD_BACK = 3  # target durations from the end, where players start (RFC 8216bis, 4.4.3.8)
_BELOW_HALF = 499  # milliseconds: more rounds up to above the target (RFC 8216, 4.3.3.1)
_LONGEST_REMARK = 500  # characters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """A segment as a playlist names it.

    ``date`` is that of its first picture or sound. Where a segment goes on behind another it is
    the other's ``date + duration``: then durations add up, however many there are.
    """

    number: int  # its media sequence number
    uri: str  # may begin with PREFIX
    duration: float  # seconds
    date: float  # Unix seconds
    breaks: bool  # it does not go on where the one before ended


def media_playlist(
    segments: Sequence[ListedSegment],
    *,
    target_duration: int,
    discontinuity_sequence: int,
    remarks: Sequence[str] = (),
) -> str:
    """The media playlist of live segments, at least one, whose numbers follow each other.

    ``discontinuity_sequence`` is that of the first segment, and counts its own break if it has
    one: a playlist does not begin with a discontinuity. ``remarks`` are for people who read it.
    """
    hold_back = _HOLD_BACK * target_duration
    head = (
        "#EXTM3U",
        _VERSION,
        f"#EXT-X-TARGETDURATION:{target_duration}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}",
        _INDEPENDENT,
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={hold_back:.1f}",
    )
    lines = [*head, *map(_comment, remarks)]
    longest = target_duration * 1000 + _BELOW_HALF
    for segment in segments:
        lines += _entry(segment, longest, first=segment is segments[0])
    return _text(lines)


def multivariant_playlist(
    uri: str,
    *,
    bandwidth: int,
    average_bandwidth: int | None,
    codecs: tuple[str, ...],
    size: tuple[int, int] | None,
    frame_rate: float | None,
) -> str:
    """The multivariant playlist of one variant, whose media playlist is at ``uri``.

    Bandwidths are in bit/s, of whole segments: the highest and the mean. ``codecs`` are names of
    RFC 6381, of all that is in the segments, or none. What is not known is left out.
    """
    attributes = [f"BANDWIDTH={bandwidth}"]
    if average_bandwidth is not None:
        attributes.append(f"AVERAGE-BANDWIDTH={average_bandwidth}")
    if codecs:
        attributes.append(f'CODECS="{",".join(codecs)}"')
    if size is not None:
        attributes.append(f"RESOLUTION={size[0]}x{size[1]}")
    if frame_rate is not None:
        attributes.append(f"FRAME-RATE={frame_rate:.3f}")
    variant = f"#EXT-X-STREAM-INF:{','.join(attributes)}"
    return _text(["#EXTM3U", _VERSION, _INDEPENDENT, variant, uri])


def _entry(segment: ListedSegment, longest: int, *, first: bool) -> list[str]:
    """The lines of a segment; they are the same in each playlist but for the ``first``.

    ``longest``: milliseconds that a duration may say; it lasts no longer, but for rounding.
    """
    begin, end = _milliseconds(segment.date), _milliseconds(segment.date + segment.duration)
    lines = [] if first or not segment.breaks else ["#EXT-X-DISCONTINUITY"]
    if first or segment.breaks:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_written(begin)}")
    duration = min(max(1, end - begin), longest)
    return [*lines, f"#EXTINF:{duration // 1000}.{duration % 1000:03},", segment.uri]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _written(milliseconds: int) -> str:
    """``2026-11-26T12:00:00.000Z``."""
    date = _EPOCH + timedelta(milliseconds=milliseconds)
    return date.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _comment(remark: str) -> str:
    """A line that no player takes for a tag (RFC 8216, 4.1: comments; NFC)."""
    return "# " + unicodedata.normalize("NFC", visible(remark))[:_LONGEST_REMARK]


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
