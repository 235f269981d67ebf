"""How much of one entry is kept, however long a list makes its lines.

Nobody reads a name, a group or a value of 60 KB. Yet it would be shown, searched, compared and
redacted by the thread that serves all. Texts for people are cut. Texts for machines are left out,
as half of one is of no use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from kptv.formats.m3u_attributes import quoted, unquoted

LONGEST_NAME = 256  # letters, of a group's name too; the longest of real lists has 57
LONGEST_VALUE = 2048  # letters of an attribute; the longest of real lists has 491
LONGEST_KEY = 64
LONGEST_URL = 8192  # letters, as many as servers take; the longest of real lists has 3,248
MOST_ATTRIBUTES = 64  # on a line
MOST_GROUPS = 32  # of an entry
MOST_HEADERS = 32  # of an entry, and those that are looked at of a line
LONGEST_HEADER = 4096  # letters: what servers take of a cookie
LONGEST_OPTIONS = 16 * 1024  # letters of all option lines of an entry

_MARK = 10  # letters at the end of a name that was cut


def short_name(name: str) -> str:
    """``name``, cut if it is too long; names that differ behind the cut get different ends."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[: _MARK - 2]
    return f"{name[: LONGEST_NAME - _MARK].rstrip()}… {digest}"


def short_attributes(text: str) -> tuple[str, int]:
    """Attributes as text (see m3u_attributes) within the bounds; how many were cut or left out."""
    kept: dict[str, str] = {}
    cut = 0
    for key, value in unquoted(text).items():
        if key == "group-title":
            groups, more = groups_of(value)
            kept[key] = ";".join(groups) if more else value
            cut += more
        elif key == "tvg-name":
            kept[key] = short_name(value)
            cut += len(value) > LONGEST_NAME
        elif len(value) <= LONGEST_VALUE and len(key) <= LONGEST_KEY:
            kept[key] = value
        else:
            cut += 1
    return quoted(kept), cut


def groups_of(group: str) -> tuple[tuple[str, ...], int]:
    """The groups in ``group``, each cut at ";"; how many were cut or left out."""
    if len(group) <= LONGEST_NAME and group.count(";") < MOST_GROUPS:
        return _different(group.split(";")), 0
    parts = group.split(";", MOST_GROUPS)
    kept = parts[:MOST_GROUPS]  # without what is left, in one piece
    cut = len(parts) - len(kept) + sum(len(part.strip()) > LONGEST_NAME for part in kept)
    return _different(short_name(part.strip()) for part in kept), cut


def _different(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
