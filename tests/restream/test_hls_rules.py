"""Lists and segments as they are made of what a hub plays, by the rules for HLS.

Each rule must be able to fail: for each there is a way to spoil what was served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import kptv.splice
from kptv.formats.hls.codec_names import codec_names
from kptv.formats.hls.writing import PREFIX, multivariant_playlist
from kptv.restream.window_playlist import LISTED, Past, WindowPlaylist
from kptv.splice.joining import Chunk
from kptv.splice.segments import Cutter, Segment
from tests.formats.hls_rules import LISTS, RULES, SEGMENTS, Fetched, Load, Rule, Served, broken
from tests.formats.ts_clips import AAC, H264, MP2, clip, needs_ffmpeg
from tests.formats.ts_hub import AlignedSplicer, Hub

AT = 1_795_694_400.0  # Unix time at which the hub's clock is 0
EVERY = 0.5  # seconds between two requests of a player
REMARKS = ("Most browsers do not play AC-3 sound.",)
SLATE = (Path(kptv.splice.__file__).parent / "slate.ts").read_bytes()
LIST_HEADERS = {
    "content-type": LISTS,
    "content-encoding": "gzip",
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=1",
}
SEGMENT_HEADERS = {
    "content-type": SEGMENTS,
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=60, immutable",
}


class Window(Hub):
    """A hub whose media is cut and listed, and a player that asks for lists."""

    def __init__(self) -> None:
        super().__init__()
        self.cutter = Cutter(2.0)
        self.playlist = WindowPlaylist("one", Past(), lambda slug, now: "k3y")
        self.fetched: dict[int, Fetched] = {}
        self.loads: list[Load] = []

    def play(
        self, stream: bytes, seconds: float = 0.0, *, same: bool = False, clean: bool = False
    ) -> Window:
        super().play(stream, seconds, same=same, clean=clean)
        self._list(self.cutter.end())
        return self

    def begin_anew(self) -> Window:
        """The hub ended, and plays again: another clock, other counters; the same player."""
        target = self.cutter.target_duration
        self.playlist = WindowPlaylist("one", self.playlist.past(target), lambda slug, now: "k3y")
        self.cutter = Cutter(2.0, target_duration=target)
        self.splicer = AlignedSplicer()
        return self

    def wait(self, seconds: float) -> Window:
        """Nothing works: players get filler once a second."""
        for _ in range(round(seconds)):
            self.now += 1.0
            self._keep(self.splicer.filler())
        return self

    def _keep(self, chunk: Chunk) -> None:
        super()._keep(chunk)
        self._list(self.cutter.feed(len(self.chunks), chunk))
        if len(self.playlist) and self.now - self.loads[-1].at >= EVERY:
            self._load()

    def _list(self, segments: list[Segment]) -> None:
        self.playlist.add(segments, AT + self.now)
        if segments:
            self._load()

    def _load(self) -> None:
        listing = self.playlist.listing(self.cutter.target_duration, lambda: REMARKS)
        for number in range(listing.last - LISTED + 1, listing.last + 1):
            found = self.playlist.find(number)
            if found is not None and number not in self.fetched:
                data = b"".join(found.segment.parts)
                self.fetched[number] = Fetched(number, data, self.now, SEGMENT_HEADERS)
        self.loads.append(Load(self.now, listing.text.replace(PREFIX, ""), LIST_HEADERS))

    def multivariant(self) -> str:
        stats, rates = self.splicer.stats, self.playlist.rates(self.cutter.target_duration)
        return multivariant_playlist(
            "one.m3u8",
            bandwidth=rates.peak,
            average_bandwidth=rates.average,
            codecs=codec_names(stats.media),
            size=stats.size,
            frame_rate=stats.frame_rate,
        )

    def served(self, *, late: float = 0.0) -> Served:
        fetched = tuple(self.fetched.values())
        return Served(tuple(self.loads), fetched, self.multivariant(), late)


def h264(keyint: int) -> str:
    return f"{H264} -x264-params open-gop=0:scenecut=0:keyint={keyint}"


def part(stream: bytes, fraction: float) -> bytes:
    return stream[: int(len(stream) * fraction)]


@cache
def failovers() -> Served:
    """A cut in mid-group, another size and codec, an outage with the slate, and back."""
    one = clip(h264(50), AAC, seconds=24)
    two = clip(h264(40), AAC, seconds=24, first_pid=0x200, pmt_pid=0x1100, offset=5000)
    three = clip(h264(25), MP2, seconds=12, first_pid=0x31, offset=95_440, size="320x240")
    window = Window().play(part(one, 0.71), 17.0)
    window.wait(1).play(part(two, 0.53), 12.7)
    window.play(three, 12.0).wait(5).play(SLATE, 8.0)
    window.play(one, 24.0)
    return window.served(late=8.0)


@cache
def longer_groups() -> Served:
    """Behind a failover the groups of pictures last 5 s."""
    one = clip(h264(50), AAC, seconds=24)
    two = clip(h264(125), AAC, seconds=24, first_pid=0x200, offset=77)
    return Window().play(part(one, 0.5), 12.0).play(two, 24.0).play(one, 24.0).served(late=4.0)


@cache
def radio() -> Served:
    one, two = clip("", AAC, seconds=24), clip("", AAC, seconds=24, first_pid=0x44, offset=900)
    return Window().play(part(one, 0.6), 14.0).wait(2).play(two, 24.0).served(late=3.0)


@cache
def begun_anew() -> Served:
    """Nobody watched for a while; the player comes back."""
    one = clip(h264(50), AAC, seconds=24)
    window = Window().play(one, 24.0)
    window.now += 15.0
    return window.begin_anew().play(part(one, 0.8), 19.0).served(late=20.0)


CHANNELS = {
    "failovers": failovers,
    "longer groups": longer_groups,
    "radio": radio,
    "begun anew": begun_anew,
}


@needs_ffmpeg
@pytest.mark.parametrize("rule", RULES, ids=[rule.number for rule in RULES])
@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
def test_what_is_made_follows_the_rule(channel: Callable[[], Served], rule: Rule) -> None:
    assert list(rule.breaches(channel())) == []


@needs_ffmpeg
def test_the_channels_have_what_the_rules_are_about() -> None:
    breaks = {entry.breaks for entry in failovers().last.values()}
    assert len(breaks) >= 5
    targets = [load.target for load in longer_groups().loads]
    assert (targets[0], targets[-1]) == (2, 5)
    for channel in CHANNELS.values():
        assert len(channel().last) > LISTED
        assert len(channel().media) == len(channel().last)


# --- Each rule can fail ------------------------------------------------------------------

Spoil = Callable[[Served], Served]


def text(pattern: str, other: str, *, first: int = 0, count: int = 0) -> Spoil:
    """Lists in which ``pattern`` is replaced, from the one with index ``first`` on."""

    def spoil(served: Served) -> Served:
        loads = [
            replace(load, text=re.sub(pattern, other, load.text, count=count, flags=re.MULTILINE))
            for load in served.loads[first:]
        ]
        return replace(served, loads=(*served.loads[:first], *loads))

    return spoil


def media(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(served: Served) -> Served:
        few = served.fetched[:12]
        return replace(served, fetched=tuple([replace(f, data=change(f.data)) for f in few]))

    return spoil


def headers(name: str, value: str) -> Spoil:
    def spoil(served: Served) -> Served:
        changed = {**served.loads[-1].headers, name: value}
        return replace(
            served, loads=(*served.loads[:-1], replace(served.loads[-1], headers=changed))
        )

    return spoil


def variant(pattern: str, other: str) -> Spoil:
    return lambda served: replace(served, multivariant=re.sub(pattern, other, served.multivariant))


def redirected(served: Served) -> Served:
    return replace(served, loads=(*served.loads, replace(served.loads[-1], status=302)))


def stuck(served: Served) -> Served:
    """After the tenth list nothing comes for half a minute."""
    late = [replace(load, at=load.at + 30) for load in served.loads[10:]]
    return replace(
        served, loads=(*served.loads[:10], replace(served.loads[9], at=late[0].at), *late)
    )


def gone(served: Served) -> Served:
    missing = Fetched(max(served.last), b"", served.loads[-1].at, status=404)
    return replace(served, fetched=(*served.fetched, missing))


SPOILT: dict[str, Spoil] = {
    "RFC 8216, 4.1": text("AC-3", "AC\t3"),
    "RFC 8216, 4.1, comments": text("^# ", "#"),
    "RFC 8216, 4.3.1.1": text(r"\A.*\n", ""),
    "RFC 8216, 4.3.1.2 and 7": text("VERSION:3", "VERSION:9"),
    "RFC 8216, 4.3.2.1": text("^#EXTINF:.*", "#EXTINF:0.000,"),
    "RFC 8216, 4.3.3.1": text(r"TARGETDURATION:\d+", "TARGETDURATION:1"),
    "RFC 8216, 4.3.3.2": text("^#EXT-X-MEDIA-SEQUENCE:.*\n", ""),
    "RFC 8216, 4.3.3.3; Apple 8.17": text("^#EXT-X-DISCONTINUITY-SEQUENCE:.*\n", ""),
    "RFC 8216, 4.3.3.4 and 5": text(r"\Z", "#EXT-X-ENDLIST\n"),
    "RFC 8216bis, 4.4.3.8": text("HOLD-BACK=.*", "HOLD-BACK=4.0"),
    "Apple 8.4": text("^#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM.*\n", "#EXT-X-DISCONTINUITY\n"),
    "Apple 8.11": text(r"(#EXT-X-PROGRAM(?:.*\n)*?)(?:#EXTINF.*\n.*\n){6}\Z", r"\1"),
    "Apple 9.12": text("^#EXT-X-INDEPENDENT-SEGMENTS\n", "", first=5),
    "relative URIs": text("^one/k3y/", "/one/k3y/"),
    "RFC 8216, 6.2.1": text(r"TARGETDURATION:\d+", "TARGETDURATION:1", first=9),
    "RFC 8216, 6.2.2, numbers": text(r"MEDIA-SEQUENCE:\d+", "MEDIA-SEQUENCE:1", first=9),
    "RFC 8216, 6.2.2, changes": text("^one/k3y/", "two/", first=9),
    "RFC 8216, 6.2.2, removal": text(r"TARGETDURATION:\d+", "TARGETDURATION:9"),
    "RFC 8216, 6.2.2, in time": stuck,
    "RFC 8216, 6.2.2, gone": gone,
    "RFC 8216, 4.3.2.6": text("TIME:2026", "TIME:2027", count=1),
    "Apple 12.4": text(r"^one/k3y/\d+", "one/1"),
    "RFC 8216, 3.2": media(lambda data: data[188:]),
    "Apple 7.2": media(lambda data: data[:376] + data[564:]),
    "Apple 7.4": media(lambda data: data.replace(b"\x00\x00\x01\x67", b"\x00\x00\x01\x61")),
    "Apple 7.7": text(r"TARGETDURATION:\d+", "TARGETDURATION:1"),
    "Apple 8.1": text("EXTINF:2.000", "EXTINF:2.100"),
    "RFC 8216, 4.3.2.3; Apple 8.13": text(r"^#EXT-X-DISCONTINUITY(\n|-SEQUENCE:\d+)", ""),
    "Apple 8.18": redirected,
    "RFC 8216, 4": headers("content-type", "text/plain"),
    "Apple 10.1": headers("content-encoding", ""),
    "CORS": headers("access-control-allow-origin", "https://tv.example"),
    "Cache-Control": headers("cache-control", "public, max-age=60"),
    "Apple 9.1, 9.2, 9.13, 9.15": variant(',CODECS=".*?"', ""),
    "RFC 8216bis, 4.4.6.2": variant("BANDWIDTH=", "BANDWIDTH=1"),
}


@needs_ffmpeg
@pytest.mark.parametrize("rule", RULES, ids=[rule.number for rule in RULES])
def test_the_rule_is_broken_by_what_breaks_it(rule: Rule) -> None:
    assert list(rule.breaches(SPOILT[rule.number](failovers())))


@needs_ffmpeg
def test_what_is_broken_is_told_with_its_rule() -> None:
    assert broken(failovers()) == []
    told = broken(SPOILT["RFC 8216, 4.3.1.1"](failovers()))
    assert any(line.startswith("RFC 8216, 4.3.1.1: a list begins with EXTM3U: ") for line in told)
