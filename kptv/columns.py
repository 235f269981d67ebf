"""Texts in columns, as commands write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from unicodedata import combining, east_asian_width

WIDTH = 100  # columns


def width_of(text: str) -> int:
    """Columns that a terminal needs for ``text``."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def cut(text: str, width: int) -> str:
    """``text``, or as much of it as fits."""
    if width_of(text) <= width:
        return text
    kept = text[:width]
    while width_of(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


def padded(text: str, width: int) -> str:
    """``text`` in a column of this width."""
    text = cut(text, width)
    return text + " " * (width - width_of(text))


def columns(rows: Sequence[Sequence[str]], indent: int = 2, most: int = 44) -> list[str]:
    """Rows of texts, one under the other; the last column has what is left of the line."""
    if not rows:
        return []
    count = max(map(len, rows))
    widths = [
        min(max(width_of(row[place]) for row in rows if place < len(row)), most)
        for place in range(count)
    ]
    lines = []
    for row in rows:
        line = " " * indent
        for place, text in enumerate(row):
            is_last = place == len(row) - 1
            left = WIDTH - width_of(line)
            line += cut(text, left) if is_last else padded(text, min(widths[place], left)) + "  "
        lines.append(line)
    return lines


def wrapped(texts: Iterable[str], indent: int = 2) -> list[str]:
    """Texts with commas between them, in as many lines as that takes."""
    lines, line = [], ""
    for text in texts:
        text = cut(text, WIDTH - indent - 1)
        if line and indent + width_of(line) + width_of(text) + 3 > WIDTH:
            lines.append(f"{' ' * indent}{line},")
            line = text
        else:
            line = f"{line}, {text}" if line else text
    return [*lines, f"{' ' * indent}{line}"] if line else lines


def paragraphs(texts: Iterable[str], indent: int = 2) -> list[str]:
    """Sentences, each on as many lines as it takes."""
    blank = " " * indent
    return [
        line
        for text in texts
        for line in wrap(text, WIDTH, initial_indent=blank, subsequent_indent=f"{blank}  ")
    ]


def many(count: int, one: str, more: str = "") -> str:
    """So many of something: ``1 entry``, ``2,000 entries``."""
    return f"{thousands(count)} {one if count == 1 else more or f'{one}s'}"


def thousands(number: int) -> str:
    """A number for people: 12,345."""
    return f"{number:,}"
