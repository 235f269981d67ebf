"""The lineup of a tuner, as HDHomeRun devices tell it: number, name and address of each channel.

The forms are those of SiliconDust's HTTP interface. Numbers are texts there, and clients know a
channel by its number alone: no two may have the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple

TUNE_PATH = "/auto/v"  # of a channel's stream; its number follows
_AT_ONCE = 64  # lines in a piece: 0.1 ms


class Line(NamedTuple):
    """A channel of the lineup."""

    number: int
    name: str


def as_json(lines: Iterable[Line], base: str) -> Iterator[bytes]:
    """`/lineup.json`, in small pieces; ``base`` stands before the paths."""
    comma = ""
    yield b"["
    for some in _portions(lines):
        yield (comma + ",".join([_item(line, base) for line in some])).encode()
        comma = ","
    yield b"]\n"


def as_xml(lines: Iterable[Line], base: str) -> Iterator[bytes]:
    """`/lineup.xml`."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<Lineup>\n'
    for some in _portions(lines):
        yield "".join([_program(line, base) for line in some]).encode()
    yield b"</Lineup>\n"


def as_m3u(lines: Iterable[Line], base: str) -> Iterator[bytes]:
    """`/lineup.m3u`."""
    yield b"#EXTM3U\n"
    for some in _portions(lines):
        yield "".join([_entry(line, base) for line in some]).encode()


def _portions(lines: Iterable[Line]) -> Iterator[list[Line]]:
    some: list[Line] = []
    for line in lines:
        some.append(line)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _item(line: Line, base: str) -> str:
    # Without HD, VideoCodec and AudioCodec: nothing is known of them, and wrong ones mislead.
    return (
        f'{{"GuideNumber":"{line.number}","GuideName":{json.dumps(line.name)},'
        f'"URL":"{base}{TUNE_PATH}{line.number}"}}'
    )


def _program(line: Line, base: str) -> str:
    return (
        f"<Program><GuideNumber>{line.number}</GuideNumber>"
        f"<GuideName>{escape(line.name)}</GuideName>"
        f"<URL>{escape(base)}{TUNE_PATH}{line.number}</URL></Program>\n"
    )


def _entry(line: Line, base: str) -> str:
    name = line.name.replace('"', "'")
    return (
        f'#EXTINF:-1 channel-id="{line.number}" channel-number="{line.number}"'
        f' tvg-chno="{line.number}" tvg-name="{name}",{line.name}\n'
        f"{base}{TUNE_PATH}{line.number}\n"
    )
