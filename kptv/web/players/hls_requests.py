"""What requests for HLS ask for, by their paths and queries. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import unquote

KEY_LENGTH = 20  # hexadecimal digits
_MOST_DIGITS = 20  # of a segment's number; ours have 10
# The slug of a channel as our playlists have it, a key, and the number.
_SEGMENT = re.compile(rf"([^/]+)/(?:([0-9a-f]{{{KEY_LENGTH}}})/)?([0-9]{{1,{_MOST_DIGITS}}})\.ts")
_NUMBER = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class AskedSegment:
    """A segment, as its address names it."""

    slug: str
    key: str = field(repr=False)  # empty: there is none
    number: int


class BadDirective(ValueError):
    """A query that asks a playlist for what cannot be; the text says why."""


def segment_in(path: str) -> AskedSegment | None:
    """The segment that a path below HLS_PATH names; None: it names none."""
    found = _SEGMENT.fullmatch(path)
    return found and AskedSegment(found[1], found[2] or "", int(found[3]))


def awaited_in(query: Mapping[str, str]) -> int | None:
    """The number of the segment that a playlist is to have, or a later one (RFC 8216bis, 6.2.5.2).

    None: as it is. Raises BadDirective. There are no partial segments, so a whole one has them all.
    """
    text = query.get("_HLS_msn")
    if text is None:
        if "_HLS_part" in query:
            raise BadDirective("_HLS_part needs _HLS_msn.")
        return None
    if not _NUMBER.fullmatch(text):
        raise BadDirective("_HLS_msn is the number of a segment.")
    return int(text)


def way_up(address: str, path: str) -> str:
    """What leads from ``address``, as a client wrote it, to the folder that ``path`` is in.

    That is what clients put before relative addresses: they count only slashes that they see.
    """
    written, _, _ = address.partition("?")
    _, found, rest = written.lower().partition(path)
    return "../" * (1 + rest.count("/") if found else 1)


def shows_in_path(address: str, secret: str) -> bool:
    """Whether ``address``, as a client wrote it, has the user's secret before all else."""
    written, _, _ = address.partition("?")
    parts = [part for part in unquote(written).split("/") if part]
    return any(first == "u" and second.endswith(secret) for first, second in pairwise(parts))
