"""HLS playlists, read leniently (RFC 8216): from bytes to values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from kptv.formats.addresses import keeping_login, resolve
from kptv.formats.data_url import is_data
from kptv.formats.hls.playlist import (
    IDENTITY,
    SHORTEST_TARGET,
    BadPlaylist,
    ByteRange,
    EncryptionKey,
    Map,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    PlaylistKind,
    Rendition,
    Variant,
)
from kptv.formats.hls.tags import MAX_DURATION, TagState, decimal, read_tags
from kptv.formats.hls.variables import Variables

MAX_BYTES = 5 * 1024**2  # of a playlist; the longest honest ones have some hundred KB
MAX_SEQUENCE = 2**64 - 1  # RFC 8216, 4.2: decimal-integer

# A byte order mark, white space, comments that came too early.
_BEFORE_THE_START = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#(?!EXT)[^\n]*\n)*")
_MEDIA_TAGS = re.compile(
    rb"^[ \t]*#EXT-X-(?:TARGETDURATION:\s*\d|MEDIA-SEQUENCE|DISCONTINUITY|ENDLIST|KEY|MAP"
    rb"|BYTERANGE|PLAYLIST-TYPE|PROGRAM-DATE-TIME|PART|SKIP|GAP|I-FRAMES-ONLY)",
    re.MULTILINE,
)
_MULTIVARIANT_TAGS = re.compile(rb"^[ \t]*#EXT-X-(?:I-FRAME-)?STREAM-INF:", re.MULTILINE)
_LOOKED_AT = 1024 * 1024  # bytes in which a tag must stand that tells the kind
_LINK_WITHIN = 256 * 1024  # bytes of a channel list
_BEFORE = 64 * 1024  # bytes in which it must begin
_ASSUMED = 2.0  # seconds, if a playlist says 0 everywhere: until the media says more
_PLAIN_NAME = re.compile(r"[^/?#:.][^/?#:]*")  # a file beside the playlist


def what_is(body: bytes) -> PlaylistKind:
    """The kind of a body, by its first _LOOKED_AT bytes; the more of them, the surer."""
    body = body[:_LOOKED_AT]
    start = _BEFORE_THE_START.match(body, 0, _BEFORE)
    if not start or not body.startswith(b"#EXTM3U", start.end()):
        return PlaylistKind.OTHER
    if _MULTIVARIANT_TAGS.search(body):
        return PlaylistKind.MULTIVARIANT
    return PlaylistKind.MEDIA if _MEDIA_TAGS.search(body) else PlaylistKind.CHANNEL_LIST


def first_link(body: bytes, url: str) -> str | None:
    """The first address of a channel list that came from ``url``; None if there is none."""
    for line in body[:_LINK_WITHIN].decode("utf-8", "replace").splitlines():
        if (text := line.strip("\ufeff \t")) and not text.startswith("#"):
            return _resolved(url, text, schemes=())
    return None


def parse(
    body: bytes, url: str, imported: Mapping[str, str] | None = None
) -> MultivariantPlaylist | MediaPlaylist:
    """The playlist that came from ``url`` (the last one, after redirects).

    ``imported`` are the variables of the multivariant playlist that led to it.
    Raises BadPlaylist if it is not a playlist, is too large, or has numbers that make no sense.
    """
    if len(body) > MAX_BYTES:
        raise BadPlaylist(f"larger than {MAX_BYTES // 1024**2} MB")
    kind = what_is(body)
    if kind in (PlaylistKind.OTHER, PlaylistKind.CHANNEL_LIST):
        raise BadPlaylist(f"not an HLS playlist: {kind}")
    variables = Variables(url, imported or {})
    data = read_tags(body.decode("utf-8", "replace").lstrip("\ufeff"), variables)
    if kind is PlaylistKind.MULTIVARIANT:
        return _multivariant(data, url, variables)
    return _media(data, url)


def _multivariant(data: TagState, url: str, variables: Variables) -> MultivariantPlaylist:
    variants = [_variant(item, url) for item in data["playlists"]]
    usable = tuple(variant for variant in variants if variant and variant.uri != url)
    if not usable:
        loops = any(variant and variant.uri == url for variant in variants)
        raise BadPlaylist("refers to itself" if loops else "no variant that can be played")
    renditions = tuple(_rendition(item, url) for item in data["media"])
    return MultivariantPlaylist(url, usable, renditions, variables.values)


def _variant(item: TagState, url: str) -> Variant | None:
    uri = _resolved(url, item["uri"], schemes=())
    info: dict[str, str] = item["stream_info"]
    if uri is None:
        return None
    size = re.match(r"(\d{1,5})\s*[xX]\s*(\d{1,5})", info.get("RESOLUTION", ""))
    return Variant(
        uri,
        bandwidth=int(
            decimal(info.get("BANDWIDTH")) or decimal(info.get("AVERAGE-BANDWIDTH")) or 0
        ),
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        codecs=tuple(filter(None, (c.strip() for c in info.get("CODECS", "").split(",")))),
        audio=info.get("AUDIO", ""),
        frame_rate=decimal(info.get("FRAME-RATE")) or 0.0,
    )


def _rendition(item: dict[str, str], url: str) -> Rendition:
    return Rendition(
        type=item.get("TYPE", "").upper(),
        group=item.get("GROUP-ID", ""),
        name=item.get("NAME", ""),
        language=item.get("LANGUAGE", ""),
        default=item.get("DEFAULT", "").upper() == "YES",
        uri=_resolved(url, item["URI"]) if item.get("URI") else None,
    )


def _media(data: TagState, url: str) -> MediaPlaylist:
    items = [item for item in data["segments"] if "uri" in item]  # the last may lack its URI
    told = _target(data.get("targetduration"), [item.get("duration") for item in items])
    target = max(told, SHORTEST_TARGET)
    number = _whole(data["media_sequence"] or "0")
    first = (number or 0) + (_whole(data["skip"].get("SKIPPED-SEGMENTS", "0")) or 0)
    discontinuity = _whole(data.get("discontinuity_sequence") or "0") or 0
    segments = tuple(_segments(items, url, target, first, discontinuity))
    if segments and all(segment.uri in (url, "") for segment in segments):
        raise BadPlaylist("refers to itself, or to nothing that can be fetched")
    kind = data["playlist_type"]
    return MediaPlaylist(
        url,
        target,
        first,
        discontinuity,
        segments,
        ended=data["is_endlist"],
        playlist_type=kind if kind in ("VOD", "EVENT") else "",
        numbered=number is not None,
        start_offset=decimal(data.get("start", {}).get("TIME-OFFSET"), signed=True),
    )


def _segments(
    items: list[TagState], url: str, target: float, first: int, discontinuity_sequence: int
) -> Iterator[MediaSegment]:
    """The segments; a bad one stays as a gap, or all that follow would be numbered wrong."""
    ends: dict[str, int] = {}  # where the last byte range of a resource ended
    keys: dict[int, EncryptionKey] = {}  # one value for all segments that share a tag
    maps: dict[int, Map | None] = {}  # likewise
    time: float | None = None
    for number, item in enumerate(items, start=first):
        uri = _resolved(url, item["uri"])
        duration = item.get("duration") or target
        discontinuity_sequence += item["discontinuity"]
        time = item.get("program_date_time") or (None if item["discontinuity"] else time)
        key = item.get("key")
        if key is not None and id(key) not in keys:
            keys[id(key)] = _key(key, url)
        section = item.get("init_section")
        if section is not None and id(section) not in maps:
            maps[id(section)] = _map(section, url)
        byte_range = _byte_range(item.get("byterange"), ends.get(uri or "", 0))
        if uri and byte_range:
            ends[uri] = byte_range.start + byte_range.length
        empty = "byterange" in item and not (byte_range and byte_range.length)
        yield MediaSegment(
            uri or "",
            duration,
            number,
            discontinuity_sequence,
            discontinuity=item["discontinuity"],
            byte_range=byte_range,
            key=keys[id(key)] if key is not None else None,
            map=maps[id(section)] if section is not None else None,
            gap=bool(item["gap_tag"]) or uri in (None, url) or empty,
            time=time,
        )
        time = time + duration if time is not None else None


def _key(attributes: dict[str, str], url: str) -> EncryptionKey:
    uri = attributes.get("URI")
    iv = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,32})", attributes.get("IV", ""))
    return EncryptionKey(
        method=attributes.get("METHOD", "").upper(),
        uri=uri if uri and is_data(uri) else _resolved(url, uri or ""),
        # Without a readable one, 16 bytes per segment are spoilt at worst: the channel plays on.
        iv=bytes.fromhex(iv[1].zfill(32)) if iv else None,
        key_format=attributes.get("KEYFORMAT", IDENTITY).lower(),
    )


def _map(attributes: dict[str, str], url: str) -> Map | None:
    uri = _resolved(url, attributes.get("URI", ""))
    if not uri:
        return None
    return Map(uri, _byte_range(attributes.get("BYTERANGE"), 0))


def _byte_range(text: str | None, default_start: int) -> ByteRange | None:
    """``length[@start]``; without a start, it goes on where the last one ended."""
    match = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", (text or "").strip())
    if not match:
        return None
    return ByteRange(int(match[2]) if match[2] else default_start, int(match[1]))


def _target(text: str | None, durations: list[float | None]) -> float:
    """The target duration as told; the segments' own if that is missing or far too short."""
    known = sorted(duration for duration in durations[-64:] if duration)
    told = decimal(text, signed=True) or 0.0
    if told > MAX_DURATION:
        raise BadPlaylist("a target duration of more than a day")
    if not known and told == 0 and decimal(text) is not None:
        return _ASSUMED
    if told <= 0 and not known:
        raise BadPlaylist("no target duration, and no segment that has one")
    if told <= 0:
        return known[-1]
    # RFC 8216, 4.3.3.1: no segment rounds to more. A single one that does is ignored; if most do,
    # the target is wrong, and following it would ask far too often.
    return (
        max(told, known[len(known) // 2]) if known and known[len(known) // 2] > told + 0.5 else told
    )


def _whole(text: str) -> int | None:
    """A number (RFC 8216, 4.2: decimal-integer), its fraction cut off; None if it is not one."""
    match = re.fullmatch(r"\s*+\"?([0-9]{1,20})(?:\.[0-9]*+)?\"?\s*+", text)
    return int(match[1]) if match and int(match[1]) <= MAX_SEQUENCE else None


def _resolved(url: str, uri: str, schemes: tuple[str, ...] = ("http", "https")) -> str | None:
    """``uri`` against ``url``; None if it cannot be read or has another scheme."""
    if _PLAIN_NAME.fullmatch(uri) and "?" not in url and "#" not in url:
        return url.rpartition("/")[0] + "/" + uri  # what `resolve` gives, at a tenth of its cost
    try:
        resolved = keeping_login(url, resolve(url, uri))
        parts = urlsplit(resolved)
    except ValueError:
        return None
    return resolved if uri and parts.netloc and (not schemes or parts.scheme in schemes) else None
