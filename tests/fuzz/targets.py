"""What ``make fuzz`` feeds: targets that take any bytes, with made and real ones to start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.formats.ts_maker import Maker
from tests.fuzz import probes
from tests.fuzz.inputs import MADE

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
NEXT_ANSWER = b"\0\0"  # between a playlist and what it becomes
_LIST = b"""#EXTM3U x-tvg-url="http://g/e.xml"
#EXTINF:-1 tvg-id="a" tvg-logo="http://l/a.png" group-title="News;World",A
#EXTGRP:More
#EXTVLCOPT:http-referrer=http://r/
#KODIPROP:inputstream.adaptive.stream_headers=User-Agent=x&Referer=y
http://h/a.ts|Cookie=a%3Db
#EXTINF:-1 tvg-name='B', B
#EXTHTTP:{"Origin":"http://o"}
b.m3u8?token=s3cret
"""
_PLAYLIST = b"""#EXTM3U
#EXT-X-DEFINE:NAME="v",VALUE="x"
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:%d
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x01
#EXTINF:2,
1.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z
#EXT-X-BYTERANGE:5@6
#EXTINF:2,
{$v}/2.ts
"""
_VARIANTS = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",DEFAULT=YES,URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x3,CODECS="avc1,mp4a",AUDIO="a"
v.m3u8
"""
_GUIDE = b"""<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE tv SYSTEM "xmltv.dtd"><tv>
<channel id="a"><display-name lang="en">A &amp; B</display-name><icon src="http://h/a"/></channel>
<programme start="20260101100000 +0100" stop="20260101110000 +0100" channel="a">
<title><![CDATA[x & y]]></title><desc>one<br>two &nbsp;</desc><!-- c --><new/>
<episode-num>S1E2</episode-num><previously-shown /></programme>
</tv>"""


class Target(NamedTuple):
    """``probe`` raises where what must hold does not; ``longest``: bytes that are worth a try."""

    probe: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    longest: int


def _sizes(first: bytes, step: int) -> list[int]:
    """The reads in which the rest comes, told by the first byte."""
    return [first[0] * step + 1] if first else [1]


def _read_list(data: bytes) -> None:
    probes.channel_list(data[1:], _sizes(data[:1], 7))


def _follow_playlist(data: bytes) -> None:
    probes.followed(data.split(NEXT_ANSWER, 5))


def _splice_stream(data: bytes) -> None:
    probes.transport_stream(data[1:], _sizes(data[:1], 40))


def _read_guide(data: bytes) -> None:
    probes.guide(data[1:], _sizes(data[:1], 7))


def _files(folder: str, ending: str) -> Iterator[bytes]:
    for path in sorted((SHARED / folder).glob(f"*{ending}")):
        with path.open("rb") as file:
            yield file.read(32 * 1024)


def _lists() -> Iterator[bytes]:
    for text in (_LIST, *_files("lists", ".m3u*")):
        yield b"\x40" + text
        yield b"\x40" + text.decode("utf-8", "replace").encode("utf-16")


def _playlists() -> Iterator[bytes]:
    texts = [_VARIANTS, *(_PLAYLIST % number for number in (0, 1, 7)), *_files("hls", ".m3u8")]
    yield from texts
    for before, after in pairwise(texts):
        yield before + NEXT_ANSWER + after


def _streams() -> Iterator[bytes]:
    for data in (*MADE, Maker(gop=3, size=100).pictures(9), *_files("ts", ".ts")):
        yield b"\xff" + data


def _guides() -> Iterator[bytes]:
    for text in (_GUIDE, *_files("lists", ".xml")):
        yield b"\x40" + text
        yield b"\x40" + text.decode("utf-8", "replace").encode("utf-16")


TARGETS = {
    "guides": Target(_read_guide, _guides, 4_000),
    "lists": Target(_read_list, _lists, 4_000),
    "playlists": Target(_follow_playlist, _playlists, 4_000),
    "streams": Target(_splice_stream, _streams, 80 * 188),
}
