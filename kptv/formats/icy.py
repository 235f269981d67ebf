"""The titles that a Shoutcast server puts between the bytes of its station."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

METADATA_INTERVAL = "icy-metaint"
_UNIT = 16  # bytes: the unit of a title's length
_SHORTEST = 256  # bytes between two titles; stations have 8192 and more


def metadata_interval(told: str | None) -> int:
    """Bytes between two titles, as an answer's header tells; 0: there are no titles."""
    text = (told or "").strip()
    interval = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return interval if interval >= _SHORTEST else 0


def without_metadata(pieces: Iterable[bytes], interval: int) -> Iterator[bytes]:
    """The sound alone: the title behind each ``interval`` bytes is left out."""
    left = interval  # bytes until the next title
    title = 0  # bytes of it that are still to come
    for data in pieces:
        kept = []
        at = 0
        while at < len(data):
            if title:
                skipped = min(title, len(data) - at)
                title -= skipped
                at += skipped
            elif left:
                kept.append(data[at : at + left])
                left -= len(kept[-1])
                at += len(kept[-1])
            else:
                title = data[at] * _UNIT
                left = interval
                at += 1
        if kept:
            yield b"".join(kept)
