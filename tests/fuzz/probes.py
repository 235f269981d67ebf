"""What must hold for any bytes: plain functions, called by hypothesis and by atheris alike."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from unittest.mock import patch
from urllib.parse import urlsplit
from xml.etree import ElementTree

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.grouping import slug_of
from kptv.channels.guide.schedule import tidied
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.served import render
from kptv.formats.addresses import scheme_of
from kptv.formats.hls.parse import MAX_SEQUENCE, first_link, parse, what_is
from kptv.formats.hls.playlist import (
    BadPlaylist,
    MediaPlaylist,
    MultivariantPlaylist,
)
from kptv.formats.hls.tags import MAX_DURATION, MAX_SEGMENTS
from kptv.formats.hls.tracker import SHORTEST_RELOAD, LiveTracker
from kptv.formats.hls.variants import order, parse_selection, separate_audio
from kptv.formats.m3u import Entry, ListParser, extinf
from kptv.formats.m3u_bounds import (
    LONGEST_HEADER,
    LONGEST_NAME,
    LONGEST_URL,
    LONGEST_VALUE,
    MOST_ATTRIBUTES,
    MOST_GROUPS,
    MOST_HEADERS,
)
from kptv.formats.mpegts.aligner import Aligner, sniff
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.playtime import Playtime
from kptv.formats.text import Lines
from kptv.formats.xmltv import elements, mending, writing
from kptv.formats.xmltv.reading import MOST_NAMES, Described, Fault, GuideReader, Show, shows_of
from kptv.formats.xmltv.times import ShowTimes
from kptv.formats.xmltv.writing import FOOTER, HEADER, programme
from kptv.splice.joining import Chunk, ViewerPatch
from kptv.splice.segments import Cutter
from tests.formats.ts_hub import AlignedSplicer, merge
from tests.fuzz.inputs import cut

BASE = "http://panel.example/get.php?username=alice&password=s3cret"
PLAYLIST_URL = "http://u:p@cdn.example/live/7/index.m3u8?a=b"
_LINK = "http://proxy.example/stream/"
_BREAKS = set("\r\n\0\x1f\u2028\u2029\x85")


# --- channel lists ---


def channel_list(data: bytes, sizes: Sequence[int]) -> list[Entry]:
    """Read whole and in pieces to the same; within its bounds; served, it reads the same again."""
    whole, entries = _read(data, [len(data) or 1])
    if _is_utf8(data):  # an encoding is guessed from what has come so far
        pieces, again = _read(data, sizes)
        assert again == entries
        assert (pieces.skipped, pieces.cut) == (whole.skipped, whole.cut)
        assert pieces.headers == whole.headers
    for entry in entries:
        _check_entry(entry)
    _check_served(entries)
    return entries


def _read(data: bytes, sizes: Sequence[int]) -> tuple[ListParser, list[Entry]]:
    lines, parser = Lines(), ListParser(BASE)
    entries: list[Entry] = []
    for piece in cut(data, sizes):
        entries += parser.feed(lines.feed(piece))
    entries += parser.feed(lines.finish())
    parser.finish()
    return parser, entries


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data  # else it may be UTF-16


def _check_entry(entry: Entry) -> None:
    assert entry.name
    assert len(entry.name) <= LONGEST_NAME
    assert len(entry.url) <= LONGEST_URL + len(BASE)
    assert len(entry.groups) <= MOST_GROUPS
    assert all(0 < len(group) <= LONGEST_NAME for group in entry.groups)
    assert 0 <= entry.program <= 0xFFFF
    assert len(entry.headers) <= MOST_HEADERS
    for name, value in entry.headers.items():
        assert len(value) <= 9 * LONGEST_HEADER  # percent-encoded
        assert f"{name}{value}".isascii()
        assert f"{name}{value}".isprintable()
    attributes = entry.attributes
    assert len(attributes) <= MOST_ATTRIBUTES + 1  # and the group of an #EXTGRP
    # Its groups are bounded each by itself.
    longest = max((len(v) for k, v in attributes.items() if k != "group-title"), default=0)
    assert longest <= LONGEST_VALUE
    for text in (entry.name, entry.url, *entry.groups, *attributes, *attributes.values()):
        assert not set(text) & _BREAKS
    line = extinf(entry.name, entry.quoted)
    (again,) = ListParser().feed([line, "http://proxy.example/stream/a"])
    assert extinf(again.name, again.quoted) == line


def _check_served(entries: Iterable[Entry]) -> None:
    made = catalog(entries)
    text = b"".join(render(made, "http://proxy.example")).decode()
    lines = text.split("\n")
    assert len(lines) == 2 + 2 * len(made)
    for_hls = b"".join(render(made, "http://a", link=lambda slug, _: f"/hls/{slug}")).decode()
    assert for_hls.split("\n")[2::2] == [line.replace(_LINK, "/hls/", 1) for line in lines[2::2]]
    read = ListParser().feed(lines)
    assert [entry.url for entry in read] == lines[2::2]
    for entry, channel in zip(read, made.channels, strict=True):
        assert entry.url == f"{_LINK}{channel.slug}"
        assert channel.slug == slug_of(channel.name)
        assert made.find(channel.slug) is not None
    assert "s3cret" not in text or any("s3cret" in f"{e.name} {e.url}" for e in entries)


def catalog(entries: Iterable[Entry]) -> Catalog:
    steps = build_catalog([Listing(Source(1, BASE, 1), [[pack(1, entry) for entry in entries]])])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: Catalog = done.value
            return made


# --- HLS playlists ---


def playlist(data: bytes, url: str = PLAYLIST_URL) -> MultivariantPlaylist | MediaPlaylist | None:
    """Read to values within their bounds, or refused as a bad one."""
    what_is(data)
    first_link(data, url)
    try:
        read = parse(data, url, {"a": "b"})
    except BadPlaylist:
        return None
    if isinstance(read, MultivariantPlaylist):
        _check_multivariant(read)
    else:
        _check_media(read)
    return read


def _check_multivariant(read: MultivariantPlaylist) -> None:
    for text in ("lowest", "highest", "720p", "4000000"):
        assert sorted(map(id, order(read, parse_selection(text)))) == sorted(
            id(v) for v in order(read, parse_selection("lowest"))
        )
    for variant in read.variants:
        assert urlsplit(variant.uri).netloc  # of any scheme: not all is played by us
        assert variant.uri != read.url
        assert min(variant.bandwidth, variant.width, variant.height) >= 0
        separate_audio(read, variant)


def _check_media(read: MediaPlaylist) -> None:
    assert 0 < read.target_duration <= MAX_DURATION
    assert 0 <= read.media_sequence <= 2 * MAX_SEQUENCE
    assert len(read.segments) <= MAX_SEGMENTS
    for number, segment in enumerate(read.segments, read.media_sequence):
        assert segment.media_sequence == number
        assert 0 < segment.duration <= MAX_DURATION
        assert segment.gap or scheme_of(segment.uri) in ("http", "https")
        assert len(segment.iv) == 16
        if segment.key:
            assert segment.key.usable in (True, False)
    repr(read)


def followed(answers: Iterable[bytes]) -> None:
    """One playlist that becomes another again and again: no segment is due twice in one line."""
    tracker, now = LiveTracker(5.0), 100.0
    newest = -1
    for data in answers:
        read = playlist(data)
        if not isinstance(read, MediaPlaylist):
            tracker.failed(now, now + 0.1)
            assert tracker.reload_at > now
            continue
        update = tracker.update(read, now, now + 0.1)
        assert tracker.reload_at >= now + SHORTEST_RELOAD
        assert update.new >= 0 <= update.skipped
        newest = -1 if update.reset else newest
        while due := tracker.next_due():
            assert not due.segment.gap
            assert due.segment.media_sequence > newest or due.splice
            newest = due.segment.media_sequence
            assert tracker.length_of(due.segment) > 0
            tracker.neighbours(due.segment)
            tracker.lasted(due.segment, due.segment.duration)
        assert tracker.backlog == 0.0
        now = max(now + 0.3, min(tracker.reload_at, now + 60))
    tracker.pause()


# --- transport streams ---


def transport_stream(data: bytes, sizes: Sequence[int]) -> Chunk:
    """Whole packets out, tables first, then a place to start; the same however it is cut."""
    sniff(data)
    sniff(data, final=True)
    spliced = _spliced(data, sizes)
    assert _spliced(data, [len(data) or 1]) == spliced
    out = spliced.data
    _check_packets(out)
    if out:
        assert _pid(out, 0) == 0, "the PAT first"
    for start in spliced.starts:
        assert _pid(out, start.offset) in start.essential
        for resumed in (False, True):
            patch = ViewerPatch(start, resumed=resumed)
            _check_packets(b"".join([patch.start(), *patch.feed(out, start.offset)]))
        assert _pid(patch.start(), 0) == 0
    _check_segments(spliced, sizes)
    _check_measures(data, sizes)
    return spliced


def _check_segments(spliced: Chunk, sizes: Sequence[int]) -> None:
    """Whole packets, tables first, some time, and no longer than is announced."""
    cutter, whole = Cutter(2.0), len(spliced.data) // 188
    at, made = 0, []
    for number, count in enumerate(itertools.islice(itertools.cycle(sizes), whole)):
        end = min(len(spliced.data), at + count * 188)
        starts = tuple(s.at(s.offset - at) for s in spliced.starts if at <= s.offset < end)
        clock = starts[-1].clock if starts else 0.0
        made += cutter.feed(number, Chunk(spliced.data[at:end], starts, clock))
        if count % 7 == 0:
            made += cutter.end()
        at = end
    for segment in [*made, *cutter.end()]:
        data = b"".join(segment.parts)
        _check_packets(data)
        assert _pid(data, 0) == 0, "the PAT first"
        assert segment.size == len(data)
        assert 0.1 <= segment.duration < cutter.target_duration + 0.5
        assert segment.first <= segment.last


def _spliced(data: bytes, sizes: Sequence[int]) -> Chunk:
    """The stream, then once more the same, then its second half: reconnects and a failover."""
    splicer, now, chunks = AlignedSplicer(), 50.0, []
    for part, same in ((data, False), (data, True), (data[len(data) // 2 :], False)):
        splicer.open(now, same_stream=same)
        chunks += [splicer.feed(piece, now) for piece in cut(part, sizes)]
        chunks.append(splicer.cross(now + 1, whole=same))
        splicer.trouble(now + 2)
        assert splicer.stats.continuity_errors >= 0
        chunks.append(splicer.close(now + 3, clean=not same))
        chunks.append(splicer.filler())
        now += 12
    return merge(chunks)


def _check_packets(data: bytes) -> None:
    assert len(data) % 188 == 0
    assert data[::188].count(b"\x47") == len(data) // 188


def _pid(data: bytes, at: int) -> int:
    return (data[at + 1] & 0x1F) << 8 | data[at + 2]


def _check_measures(data: bytes, sizes: Sequence[int]) -> None:
    """Aligned, inspected and measured alone, as an HLS segment is."""
    aligner, inspector, playtime = Aligner(), Inspector(), Playtime()
    for _ in range(2):
        playtime.begin()
        told = 0.0
        for piece in cut(data, sizes):
            packets = aligner.feed(piece)
            _check_packets(packets)
            inspector.scan(packets)
            told += playtime.feed(piece) or 0.0
        rest = aligner.end_part()
        _check_packets(rest)
        inspector.scan(rest)
        inspector.cross()
        lasts = playtime.end()
        assert told >= 0.0
        assert lasts is None or lasts > 0.0
    assert aligner.bytes_dropped >= 0


# --- guides ---


def guide(data: bytes, sizes: Sequence[int]) -> list[Show]:
    """Read in pieces to the same; what is written of it is well-formed, and reads again."""
    reader, shows, heard = _read_guide(data, [len(data) or 1])
    again, in_pieces, heard_again = _read_guide(data, sizes)
    assert in_pieces == shows
    assert heard_again == heard
    assert (again.faults, again.is_whole, again.root) == (
        reader.faults,
        reader.is_whole,
        reader.root,
    )
    for described in heard:
        assert 0 < len(described.id) <= 256
        assert len(described.names) <= MOST_NAMES
    tidy = [s for s in tidied(shows, Counter()) if s.start >= 0 and s.stop is not None]
    parts = [writing.channel("one", d.names, d.icon) for d in heard]
    parts += [programme("one", s.start, s.stop or 0, s.xml) for s in tidy]
    written = HEADER + b"".join(parts) + FOOTER
    ElementTree.fromstring(written)
    third = GuideReader(ShowTimes(), lambda _: None, bool)
    read_again = list(shows_of([written], third))
    assert set(third.faults) <= {Fault.MANY_NAMES}
    assert [(s.start, s.stop, s.title) for s in read_again] == [
        (s.start, s.stop, s.title) for s in tidy
    ]
    return shows


def _read_guide(
    data: bytes, sizes: Sequence[int]
) -> tuple[GuideReader, list[Show], list[Described]]:
    """With bounds so small that they are met; looked at as soon as anything comes."""
    heard: list[Described] = []
    reader = GuideReader(ShowTimes(), heard.append, lambda guide_id: guide_id != "b")
    with (
        patch.object(elements, "STEP", 1),
        patch.object(elements, "LONGEST", 400),
        patch.object(mending, "HEAD", 32),
    ):
        return reader, list(shows_of(cut(data, sizes), reader)), heard
