"""The line of each table and key of a TOML file: what tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator

Path = tuple[str | int, ...]  # names of tables and keys; a number: which one of several, from 0

_HEADER = re.compile(r"\s*(\[\[?)([^\]\[]+(?:\][^\]\[]+)*?)\]\]?\s*(?:#.*)?")
_KEY = re.compile(
    r"""\s*((?:"[^"\\]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"\\]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="""
)


class Places:
    """Where things stand in ``text``, which is valid TOML."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        for path, line in _paths(text):
            for end in range(1, len(path) + 1):
                self._lines.setdefault(path[:end], line)

    def line(self, *path: str | int) -> int:
        """The line on which this begins, from 1; that of its table, if it is not found itself."""
        for end in range(len(path), 0, -1):
            if line := self._lines.get(path[:end]):
                return line
        return 1


def _paths(text: str) -> Iterator[tuple[Path, int]]:
    """Tables and keys, each with its line.

    A line within a text of several lines may look like one: that does no harm.
    """
    table: Path = ()
    counts: Counter[Path] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _names(f"[{header[2]}]")
            if header[1] == "[[":
                counts[table] += 1
                table = (*table, counts[table] - 1)
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_names(f"{key[1]} = 0")), number


def _names(line: str) -> Path:
    """The names in a header or in front of a value."""
    names: list[str | int] = []
    try:
        found: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        names.append(name)
    return tuple(names)
