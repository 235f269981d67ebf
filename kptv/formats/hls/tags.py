"""The tags of a playlist and their values, read leniently.

The m3u8 package goes through the lines; the readers below take over each tag whose value it
would choke on, so that one bad tag costs its segment or its variant and not the channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import m3u8

from kptv.formats.hls.playlist import IDENTITY, BadPlaylist
from kptv.formats.hls.variables import DEFINE, UNKNOWN, Variables

MAX_SEGMENTS = 50_000
MAX_LINES = 400_000  # MAX_SEGMENTS with eight lines each
MAX_LINE = 64 * 1024  # characters; a longer one is not read
MAX_VARIANTS = 500  # that are looked at, in their order; the longest playlists have a hundred
MAX_RENDITIONS = 1000  # the same for these
_MOST_KEYS = 8  # that hold side by side, of one KEYFORMAT each
_AT_ONCE = 64 * 1024  # characters: others run between two pieces, in a thread too
MAX_DURATION = 86_400.0  # seconds, of a segment and of a target: more is nonsense
# From a name's first letter on and without a way back: one of a megabyte is gone through once.
_ATTRIBUTE = re.compile(r'(?<![A-Za-z0-9-])([A-Za-z0-9-]++)\s*+=\s*+("[^"]*"|[^,]*+)')
# str.splitlines, which the package uses, splits at these too; names and URLs may hold them.
_FALSE_LINE_ENDS = re.compile("[\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

TagState = dict[str, Any]


def read_tags(text: str, variables: Variables) -> TagState:
    """What the m3u8 package makes of a playlist, with the values of ``_READERS``.

    Its own variables are in ``variables`` then. Raises BadPlaylist if there is too much of it.
    """
    text = "".join(
        _FALSE_LINE_ENDS.sub(" ", text[start : start + _AT_ONCE])
        for start in range(0, len(text), _AT_ONCE)
    )
    if text.count("\n") + text.count("\r") > MAX_LINES:
        raise BadPlaylist(f"more than {MAX_LINES} lines")
    lines = _lines(text)
    if DEFINE in text:
        lines = _with_variables(lines, variables)
    data: TagState = m3u8.parse("\n".join(map(_short, lines)), custom_tags_parser=_read_tag)
    return data


def _short(line: str) -> str:
    """A line that can be read; UNKNOWN in place of an address that is too long."""
    if len(line) <= MAX_LINE:
        return line
    return "#" if line.startswith("#") else UNKNOWN


def _with_variables(lines: Iterator[str], variables: Variables) -> Iterator[str]:
    for line in map(variables.put_in, lines):
        if line.startswith(DEFINE + ":"):
            variables.define(attribute_list(line.partition(":")[2]))
        yield line


def _lines(text: str) -> Iterator[str]:
    """The lines, with an EXTINF before each URI that lacks one: it counts as a segment."""
    expected = False
    links = 0
    for line in text.replace("\r", "\n").split("\n"):
        stripped = line.strip()
        if stripped.startswith(("#EXTINF", "#EXT-X-STREAM-INF")):
            expected = True
        elif stripped and not stripped.startswith("#"):
            links += 1
            if links > MAX_SEGMENTS:
                raise BadPlaylist(f"more than {MAX_SEGMENTS} segments")
            if not expected:
                yield "#EXTINF:"
            expected = False
        if stripped:
            yield stripped


# --- The tags: each reader puts its value where the package's own would ------------------


def _read_tag(line: str, _number: int, data: TagState, state: TagState) -> bool:
    """True: done with this line; False: the package reads it."""
    name, _, value = line.partition(":")
    if name in _PLAIN_TAGS:
        return False
    if reader := _READERS.get(name):
        reader(value.strip(), data, state)
    return True  # an unknown tag is skipped: it costs nothing and cannot fail


def _segment_state(state: TagState) -> TagState:
    state["expect_segment"] = True
    segment: TagState = state.setdefault("segment", {})
    return segment


def _read_extinf(value: str, _data: TagState, state: TagState) -> None:
    _segment_state(state)["duration"] = seconds(value.partition(",")[0])


def _read_byterange(value: str, _data: TagState, state: TagState) -> None:
    _segment_state(state)["byterange"] = value.strip('"')


def _read_time(value: str, _data: TagState, state: TagState) -> None:
    try:
        time = datetime.fromisoformat(value)
        state["program_date_time"] = time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        pass


def _read_key(value: str, _data: TagState, state: TagState) -> None:
    """A key holds until the next one of its KEYFORMAT; several may hold side by side."""
    attributes = attribute_list(value)
    held: dict[str, TagState] = state.get("held_keys", {})
    if attributes.get("METHOD", "").upper() in ("NONE", ""):
        held = {}
    elif len(held) < _MOST_KEYS:
        held = {**held, attributes.get("KEYFORMAT", IDENTITY).lower(): attributes}
    state["held_keys"] = held
    state["current_key"] = held.get(IDENTITY) or next(iter(held.values()), None)


def _read_map(value: str, _data: TagState, state: TagState) -> None:
    state["current_segment_map"] = attribute_list(value)


def _read_stream_inf(value: str, data: TagState, state: TagState) -> None:
    if len(data["playlists"]) >= MAX_VARIANTS:
        return  # nor is its URI read
    state["stream_info"] = attribute_list(value)
    state["expect_playlist"] = True


def _read_media(value: str, data: TagState, _state: TagState) -> None:
    if len(data["media"]) < MAX_RENDITIONS:
        data["media"].append(attribute_list(value))


def _kept(key: str, read: Callable[[str], Any]) -> Callable[[str, TagState, TagState], None]:
    def keep(value: str, data: TagState, _state: TagState) -> None:
        data[key] = read(value)

    return keep


def attribute_list(text: str) -> dict[str, str]:
    """An attribute list (RFC 8216, 4.2), quotes taken off; what cannot be read is left out."""
    return {name.upper(): value.strip().strip('"') for name, value in _ATTRIBUTE.findall(text)}


_PLAIN_TAGS = frozenset(("#EXT-X-DISCONTINUITY", "#EXT-X-GAP", "#EXT-X-ENDLIST"))
_READERS: dict[str, Callable[[str, TagState, TagState], None]] = {
    "#EXTINF": _read_extinf,
    "#EXT-X-BYTERANGE": _read_byterange,
    "#EXT-X-PROGRAM-DATE-TIME": _read_time,
    "#EXT-X-KEY": _read_key,
    "#EXT-X-MAP": _read_map,
    "#EXT-X-STREAM-INF": _read_stream_inf,
    "#EXT-X-MEDIA": _read_media,
    "#EXT-X-TARGETDURATION": _kept("targetduration", str),
    "#EXT-X-MEDIA-SEQUENCE": _kept("media_sequence", str),
    "#EXT-X-DISCONTINUITY-SEQUENCE": _kept("discontinuity_sequence", str),
    "#EXT-X-PLAYLIST-TYPE": _kept("playlist_type", str.upper),
    "#EXT-X-START": _kept("start", attribute_list),
    "#EXT-X-SKIP": _kept("skip", attribute_list),
}


def seconds(text: str) -> float | None:
    """The duration of a segment; None if it makes no sense (then the target stands in)."""
    seconds = decimal(text.strip())
    return seconds if seconds and seconds <= MAX_DURATION else None


def decimal(text: str | None, *, signed: bool = False) -> float | None:
    """A decimal number; no exponent, infinity or NaN, which float() would take."""
    match = re.match(r"\s*(-?\d{1,18}(?:\.\d{0,18})?|-?\.\d{1,18})", text or "")
    if not match or (not signed and match[1].startswith("-")):
        return None
    return float(match[1])
