"""HLS playlists that are made to cost: what is read of them has bounds."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from kptv.formats.hls.pacing import Pacer
from kptv.formats.hls.parse import first_link, parse, what_is
from kptv.formats.hls.playlist import BadPlaylist, MediaPlaylist, MultivariantPlaylist
from kptv.formats.hls.tracker import LiveTracker
from kptv.formats.hls.variants import LOWEST, order, separate_audio

URL = "http://a.example/p.m3u8"
HEAD = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
AT_ONCE = 2.0  # seconds of CPU; all here take under 0.3


def media(body: bytes) -> MediaPlaylist:
    playlist = parse(body, URL)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def multivariant(body: bytes) -> MultivariantPlaylist:
    playlist = parse(body, URL)
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def variants_and_renditions(variants: int, renditions: int, groups: int = 1) -> bytes:
    lines = [
        f'#EXT-X-STREAM-INF:BANDWIDTH={n + 1},AUDIO="a{n % groups}"\nv{n}.m3u8'
        for n in range(variants)
    ]
    lines += [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a{n % groups}",NAME="{n}",URI="s{n}.m3u8"'
        for n in range(renditions)
    ]
    return "\n".join(["#EXTM3U", *lines, ""]).encode()


@pytest.mark.parametrize("groups", [1, 50, 6000])
def test_six_thousand_variants_of_six_thousand_renditions_are_put_in_order_at_once(
    groups: int,
) -> None:
    begun = time.thread_time()
    playlist = multivariant(variants_and_renditions(6000, 6000, groups))
    assert order(playlist, LOWEST)[0].bandwidth == 1
    assert time.thread_time() - begun < AT_ONCE  # 5 s where each variant looks at each rendition
    assert (len(playlist.variants), len(playlist.renditions)) == (500, 1000)


def test_the_sound_of_a_variant_is_the_default_of_its_group_else_the_first() -> None:
    body = (
        b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv\n'
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",URI="other",DEFAULT=YES\n'
        b'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="a",URI="text"\n'
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="first"\n'
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="second"DEFAULT\n'
    )
    for default, expected in ((b"", "first"), (b",DEFAULT=YES", "second")):
        playlist = multivariant(body.replace(b"DEFAULT\n", default + b"\n"))
        sound = separate_audio(playlist, playlist.variants[0])
        assert sound is not None
        assert sound.uri == f"http://a.example/{expected}"


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"\n" * 1_000_000,
        HEAD + b"\r" * 1_000_000,
        HEAD + b"#x\n" * 1_000_000,
        HEAD + b"a.ts\n" * 60_000,
    ],
)
def test_a_playlist_has_so_many_lines_and_segments(body: bytes) -> None:
    begun = time.thread_time()
    with pytest.raises(BadPlaylist):
        parse(body, URL)
    assert time.thread_time() - begun < AT_ONCE


@pytest.mark.parametrize(
    "lines",
    [
        b"".join(b'#EXT-X-KEY:METHOD=A,KEYFORMAT="%d"\n' % n for n in range(30_000)),
        b"#EXT-X-MAP:URI=" + b"u" * 1_000_000 + b"\n" + b"a.ts\n" * 5000,
        b"#EXT-X-MAP:URI=" + b"./" * 30_000 + b"\n" + b"a.ts\n" * 5000,
        b"#EXTINF:2," + b" " * 1_000_000 + b"\n",
        b"#EXT-X-KEY:" + b"a=b," * 250_000 + b"\n",
        b'#EXT-X-DEFINE:QUERYPARAM="q"\n' * 20_000,
    ],
    ids=["key formats", "a map", "a map of dots", "an extinf", "attributes", "defines"],
)
def test_tags_without_an_end_cost_little(lines: bytes) -> None:
    begun = time.thread_time()
    playlist = parse(HEAD + lines + b"#EXTINF:2,\nlast.ts\n", URL + "?" + "a=b&" * 1000)
    assert isinstance(playlist, MediaPlaylist)
    assert playlist.segments[-1].uri == "http://a.example/last.ts"
    assert time.thread_time() - begun < AT_ONCE


def test_a_segment_whose_address_is_too_long_is_a_gap_and_is_counted() -> None:
    playlist = media(HEAD + b"#EXTINF:2,\n" + b"a" * 100_000 + b"\n#EXTINF:2,\nb.ts\n")
    assert [segment.gap for segment in playlist.segments] == [True, False]


@pytest.mark.parametrize("line", [b"\n", b" \n", b"\n#EXT-X-D", b"#EXT-X-", b"# x\n", b"\n\t"])
def test_what_a_body_is_shows_at_its_start(line: bytes) -> None:
    for head in (b"#EXTM3U\n", b""):
        body = head + line * (5_000_000 // len(line))
        begun = time.thread_time()
        what_is(body)
        first_link(body, URL)
        assert time.thread_time() - begun < 0.5


def test_a_long_window_that_is_never_counted_is_followed_by_its_newest_segments() -> None:
    def window(first: int) -> MediaPlaylist:
        body = b"".join(b"#EXTINF:2,\n%d.ts\n" % n for n in range(first, first + 12_000))
        return media(HEAD + body)

    tracker = LiveTracker(10.0)
    tracker.update(window(0), 0.0, 0.0)
    while tracker.next_due():
        pass
    moved = window(2)
    begun = time.thread_time()
    update = tracker.update(moved, 4.0, 4.0)
    assert time.thread_time() - begun < 0.5
    assert update.new == 2
    due = tracker.next_due()
    assert due is not None
    assert due.segment.uri.endswith("/12000.ts")


@pytest.mark.parametrize("target", [b"0", b"1", b"0.001", b"-1", b"x"])
def test_durations_of_a_few_milliseconds_are_no_measure_of_time(target: bytes) -> None:
    body = HEAD.replace(b":2", b":" + target) + b"#EXT-X-MEDIA-SEQUENCE:1\n"
    body += b"#EXTINF:0.004,\na.ts\n" * 6
    playlist = media(body)
    assert playlist.target_duration >= 0.5
    tracker = LiveTracker(5.0)
    tracker.update(playlist, 0.0, 0.0)
    for segment in playlist.segments:
        tracker.lasted(segment, 0.004)
    assert tracker.target_duration >= 0.5


def test_a_target_duration_of_a_day_does_not_make_a_dead_stream_one_that_is_waited_for() -> None:
    tracker = LiveTracker(5.0)
    playlist = replace(media(HEAD + b"#EXTINF:2,\na.ts\n"), target_duration=80_000.0)
    tracker.update(playlist, 0.0, 0.0)
    assert tracker.fails_at <= 150


def test_a_pacer_lets_something_leave_however_short_a_target_duration_is() -> None:
    pacer = Pacer(0.003, 0.0)
    pacer.written(0.5)
    assert pacer.allowance(1.0, 10.0) >= 0.2
    pacer.retime(0.0, 0.0)
    assert pacer.allowance(2.0, 10.0) >= 0.2
