"""Strategies: text and bytes that look enough like the real thing to get past the first look."""

from __future__ import annotations

import gzip
import lzma
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.formats.ts_maker import AUD, I_SLICE, PPS, SPS, Maker, pes

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))  # `make fuzz` without atheris: as many as it takes


def examples(count: int, **more: Any) -> settings:
    """How many a test makes in a plain run; in CI always the same (hypothesis' own profile)."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=slow, **more)


CUTS = st.lists(st.integers(20, 5000), min_size=1, max_size=6)  # sizes of reads, again and again


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """``data`` in reads of these sizes."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


ODD = st.text(
    st.sampled_from("\"',=:;|#/\\ \t\0\x1f\u2028\u0085\u200d\ufeff&%{}[]()@?$+-_.~12abİſé中")
)
WORD = st.one_of(ODD, st.text(max_size=12), st.sampled_from(["News", "4K", "0", "-1", "a" * 300]))
SCHEME = st.sampled_from(
    ["http://", "https://", "HTTP://", "rtsp://", "udp://@", "data:", "//", ""]
)
HOST = st.sampled_from(
    ["a.example", "[::1]", "[", "u:p@b.example:8080", "10.0.0.1", "x:99999", "0.0.0.0", ""]
)
URL = st.one_of(st.builds("{}{}/{}".format, SCHEME, HOST, WORD), WORD)
NUMBER = st.one_of(
    st.integers(-2, 12).map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.sampled_from(["", "1.5", "٣", "1e9", "0x10", "18446744073709551615", "86400.1", "²"]),
    WORD,
)


# --- channel lists ---

_PAIR = st.builds(
    " {}={}{}{}".format,
    st.one_of(st.sampled_from(["tvg-id", "tvg-name", "group-title", "user-agent", "x"]), WORD),
    st.sampled_from(['"', "'", ""]),
    st.one_of(WORD, URL),
    st.sampled_from(['"', "'", ""]),
)
_PAIRS = st.lists(_PAIR, max_size=4).map("".join)
_ITEM = st.builds("#EXTINF:-1{},{}\nhttp://a.example/{}".format, _PAIRS, WORD, WORD)
_LIST_LINE = st.one_of(
    _ITEM,
    _ITEM,
    st.builds("#EXTINF:{}{},{}".format, NUMBER, _PAIRS, WORD),
    URL,
    st.builds("{}|{}={}&{}".format, URL, WORD, WORD, WORD),
    st.builds("#EXTGRP:{};{}".format, WORD, WORD),
    st.builds("#EXTVLCOPT:{}={}".format, st.sampled_from(["http-referrer", "program"]), WORD),
    st.builds("#KODIPROP:inputstream.adaptive.stream_headers={}={}".format, WORD, WORD),
    st.builds('#EXTHTTP:{{"{}":"{}"}}'.format, WORD, WORD),
    st.builds("#EXTM3U{}".format, st.lists(_PAIR, max_size=2).map("".join)),
    st.builds("#EXTENC:{}".format, st.sampled_from(["utf-8", "cp1251", "hz", "gbk", "x\\u0660"])),
    WORD,
)
_ENCODED = st.tuples(
    st.one_of(st.text(max_size=60), st.lists(_LIST_LINE, min_size=1, max_size=20).map("\n".join)),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "cp1251", "gb18030", "utf-16", "utf-16-be"]),
).map(lambda told: told[0].encode(told[1], "replace"))
# Pieces of several texts, in several encodings, with rubbish between them.
_MIXED = st.lists(
    st.one_of(
        _ENCODED,
        _ENCODED,
        st.binary(max_size=40),
        st.builds(bytes.__mul__, st.binary(min_size=1, max_size=4), st.integers(1, 30_000)),
    ),
    max_size=6,
).map(b"\n".join)


_LINES = st.lists(_LIST_LINE, min_size=1, max_size=12).map("\n".join)
CHANNEL_LISTS = st.one_of(_MIXED, _LINES.map(lambda text: text.encode("utf-8", "replace")))


# --- HLS playlists ---

_VALUE = st.one_of(NUMBER, URL, st.builds('"{}"'.format, URL), st.sampled_from(["YES", "NONE"]))
_NAMES = (
    "METHOD URI IV KEYFORMAT BYTERANGE BANDWIDTH RESOLUTION CODECS AUDIO TYPE GROUP-ID DEFAULT"
    " NAME VALUE IMPORT QUERYPARAM TIME-OFFSET SKIPPED-SEGMENTS FRAME-RATE"
)
_ATTRIBUTES = st.lists(
    st.builds("{}={}".format, st.sampled_from(_NAMES.split()), _VALUE), max_size=5
).map(",".join)
_TAGS = (
    "EXTINF EXT-X-TARGETDURATION EXT-X-MEDIA-SEQUENCE EXT-X-DISCONTINUITY-SEQUENCE EXT-X-KEY"
    " EXT-X-MAP EXT-X-BYTERANGE EXT-X-PROGRAM-DATE-TIME EXT-X-START EXT-X-SKIP EXT-X-DEFINE"
    " EXT-X-STREAM-INF EXT-X-MEDIA EXT-X-PLAYLIST-TYPE EXT-X-PART EXT-X-ALLOW-CACHE EXT-X-VERSION"
    " EXT-X-DATERANGE EXT-X-CUE-OUT EXT-X-BITRATE EXT-X-I-FRAME-STREAM-INF"
)
_TIME = st.datetimes().map(lambda time: time.isoformat() + "Z")
_PLAYLIST_LINE = st.one_of(
    st.builds(
        "#{}:{}".format, st.sampled_from(_TAGS.split()), st.one_of(NUMBER, _ATTRIBUTES, WORD)
    ),
    st.builds("#EXTINF:{},\n{}".format, NUMBER, URL),
    st.builds("#EXTINF:2,\nseg{}.ts".format, st.integers(0, 12)),
    st.builds("#EXTINF:{},\nseg{}.ts".format, NUMBER, st.integers(0, 12)),
    st.builds("#EXT-X-STREAM-INF:{}\n{}".format, _ATTRIBUTES, URL),
    st.builds("#EXT-X-PROGRAM-DATE-TIME:{}".format, st.one_of(_TIME, WORD)),
    st.builds("#EXT-X-BYTERANGE:{}@{}".format, NUMBER, NUMBER),
    st.builds("#EXT-X-KEY:METHOD=AES-128,URI={},IV=0x{}".format, URL, WORD),
    st.sampled_from(["#EXT-X-DISCONTINUITY", "#EXT-X-GAP", "#EXT-X-ENDLIST", "#EXTM3U"]),
    st.builds("{{$a}}{}".format, WORD),
    URL,
)
_PLAYLIST = st.builds(
    "#EXTM3U\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n{}{}".format,
    st.one_of(st.just("2"), NUMBER),
    st.one_of(st.integers(0, 30).map(str), NUMBER),
    st.lists(_PLAYLIST_LINE, max_size=15).map("\n".join),
    st.sampled_from(["", "\n", "\r\n"]),
)
PLAYLISTS = st.one_of(
    _PLAYLIST.map(lambda text: text.encode("utf-8", "replace")),
    _PLAYLIST.map(lambda text: text.encode("utf-8", "replace")),
    st.builds(lambda text, junk: b"#EXTM3U\n" + text.encode() + junk, ODD, st.binary(max_size=50)),
    st.binary(max_size=60),
)


# --- guides ---

_XML = st.one_of(
    st.sampled_from(
        [
            "<programme",
            "<channel",
            "</programme>",
            "</programme",
            ">",
            "</channel>",
            "</tv>",
            "<tv>",
            "<title>",
            "</title>",
            "<desc",
            "lang='x'>",
            "</desc>",
            "<new/>",
            "<previously-shown/>",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?x",
            "?>",
            "&",
            "<",
            ">",
            "&amp;",
            "&nbsp;",
            "&#11;",
            "&#xe9;",
            "<br>",
            "/>",
            "<1>",
            "<display-name>",
            "</display-name>",
            "\x01",
            "<icon/>",
            "",
            "<episode-num>1</episode-num>",
            "<programme/>",
            "<!DOCTYPE",
        ]
    ),
    WORD,
)
_CLOCK = st.one_of(
    st.sampled_from(["20260101100000 +0000", "202601011100", "1795694400", "2026-01-01T12:00Z"]),
    NUMBER,
)
_TEXT = st.lists(_XML, max_size=4).map("".join)
_SHOW = st.builds(
    '<programme start="{}" stop="{}" channel="{}"><title>{}</title>{}</programme>'.format,
    _CLOCK,
    _CLOCK,
    st.sampled_from(["a", "b", "&#97;", ""]),
    st.one_of(WORD, _TEXT),
    _TEXT,
)
_CHANNEL = st.builds(
    '<channel id="{}"><display-name>{}</display-name>{}</channel>'.format, WORD, _TEXT, _TEXT
)
_GUIDE = st.lists(st.one_of(_SHOW, _SHOW, _CHANNEL, _XML), max_size=12).map("\n".join)
_DECLARED = st.sampled_from(["", "<?xml version='1.0' encoding='gbk'?>", "\n <?xml?>", "\ufeff"])
GUIDES = st.tuples(
    st.builds("{}<tv>{}</tv>".format, _DECLARED, _GUIDE),
    st.sampled_from(["utf-8", "utf-8", "cp1252", "cp1251", "gbk", "utf-16", "utf-16-be"]),
    st.sampled_from([bytes, bytes, gzip.compress, lzma.compress]),
    st.one_of(st.just(b""), st.binary(max_size=30), st.integers(1, 70_000).map(b"x".__mul__)),
).map(lambda told: told[2](told[3] + told[0].encode(told[1], "replace")) + told[3])


# --- transport streams ---


def _made() -> list[bytes]:
    """Streams of which each mutation begins: pictures, radio, no keyframes, damaged tables."""
    makers = [
        Maker(gop=5),
        Maker(gop=4, time=(1 << 33) - 20_000, pmt=0x20, video=0x31, audio=0x32),
        Maker(video=None),
        Maker(key=AUD + SPS + PPS + I_SLICE, random_access=False, language=b"deu"),
        Maker(video_type=0x24, audio_type=0x86),
        Maker(scrambled=True, size=200),
    ]
    made = [maker.pictures(14) for maker in makers]
    cues = Maker(gop=6)
    section = cues.packets(0x102, b"\0\xfc\x30\x11" + b"\0" * 17 + pes(0xE0, b"", 5, sized=True))
    return [*made, cues.pictures(8) + section + cues.nulls(3) + cues.pictures(8)]


MADE = _made()
_PLACE = st.integers(0, 1 << 16)
_CHANGE = st.one_of(
    st.tuples(st.just("bytes"), _PLACE, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("header"), _PLACE, st.binary(min_size=1, max_size=5)),  # of a packet
    st.tuples(st.just("cut"), _PLACE, st.binary(max_size=300)),
    st.tuples(st.just("insert"), _PLACE, st.binary(max_size=200)),
    st.tuples(st.just("repeat"), _PLACE, st.binary(max_size=8)),
)


@st.composite
def transport_streams(draw: st.DrawFn) -> bytes:
    """A made stream, or two, with some changes."""
    data = bytearray(draw(st.sampled_from(MADE)))
    if draw(st.booleans()):
        data += draw(st.sampled_from(MADE))
    for kind, place, told in draw(st.lists(_CHANGE, max_size=8)):
        at = place % (len(data) + 1)
        if kind == "header":
            at -= at % 188 - 1
        if kind in ("bytes", "header"):
            data[at : at + len(told)] = told
        elif kind == "cut":
            del data[at : at + len(told)]
        elif kind == "insert":
            data[at:at] = told
        else:
            data[at:at] = data[at : at + 188 * len(told)]
    return bytes(data)


TRANSPORT_STREAMS = st.one_of(transport_streams(), transport_streams(), st.binary(max_size=3000))
