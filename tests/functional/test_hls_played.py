"""HLS as players get it, through a cut, a stall and a refusal in a row: gunicorn, ffmpeg, VLC, mpv.

All watch the same channel at the same time, over some 20 s. Others do in `make hls-players`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import m3u8
import pytest

from tests.formats.hls_rules import broken
from tests.formats.ts_checker import check
from tests.formats.ts_clips import complaints, interleaved, probed_errors
from tests.functional.failing import assert_nothing_leaked, note
from tests.functional.faults_in_a_row import IN_A_ROW
from tests.functional.harness import Proxy, eventually
from tests.functional.hls_follower import Follower
from tests.functional.programs import Player, running, watch
from tests.functional.tapes import RATE, Show, h264
from tests.provider import Provider

pytestmark = pytest.mark.requires("ffmpeg", "ffprobe", "cvlc", "mpv")

PLAYERS = ("cvlc", "mpv", "ffmpeg")
WATCHED = 1.0  # seconds of media before each thing that goes wrong
BEHIND = 8.0  # and after all of them: players show what came some seconds ago
BURST = 2.0  # seconds of media that providers send at once, as most do
KEPT = 16  # segments, by which rates are told
PROFILES = {"Constrained Baseline": "42", "Main": "4d", "High": "64", "High 10": "6e"}
OUTAGE = 4.0  # seconds that the longest of them takes


@dataclass(frozen=True, slots=True)
class Showing:
    """What all of them saw and said."""

    proxy: Proxy
    follower: Follower
    players: list[Player]
    master: str  # the multivariant playlist, in the end

    @property
    def numbers(self) -> list[int]:
        return sorted(self.follower.segments)


@pytest.fixture(scope="module")
def showing(
    share_provider: Callable[..., Provider],
    share_proxy: Callable[..., Proxy],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Showing]:
    folder = tmp_path_factory.mktemp("played")
    folder.chmod(0o777)
    one, two = share_provider("one"), share_provider("two")
    streams = [
        _as_broadcast(show).on_air(provider.add_channel("news"), folder)
        for show, provider in ((h264(25), one), (h264(40, 0x200), two))
    ]
    for stream in streams:
        stream.burst = BURST
        stream.provider.started -= 60  # it has been on the air for long
    streams[0].burst = 12.0  # the first of all, so that the list is long at once
    proxy = share_proxy((one, 0), (two, 0), RETRY_DELAY="200ms", MAX_FAILURES_BEFORE_BLOCK="1000")
    address = proxy.url("/hls/news.m3u8")
    with ExitStack() as stack:
        follower = stack.enter_context(Follower(proxy, "/hls/news.m3u8"))
        follower.wait(lambda: follower.listed >= 10)
        players = [stack.enter_context(running(name, address, folder)) for name in PLAYERS]
        _watch_on(players, WATCHED)
        for fault in IN_A_ROW:
            asked = len(one.requests + two.requests)
            fault(streams)
            watch(players, lambda asked=asked: len(one.requests + two.requests) > asked)
            _watch_on(players, WATCHED)
        _watch_on(players, BEHIND)
        master = proxy.get("/hls/news.m3u8?master").text
    yield Showing(proxy, follower, players, master)
    eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 0, 30)
    assert_nothing_leaked(proxy, one, two)


def _as_broadcast(show: Show) -> Show:
    """Sound and picture in turns: PES packets of both are cut apart by any cut."""
    return replace(show, data=interleaved(show.data))


def _watch_on(players: list[Player], seconds: float) -> None:
    """Until each has shown so much more."""
    wanted = [player.pictures + seconds * RATE for player in players]
    pairs = list(zip(players, wanted, strict=True))
    watch(players, lambda: all(player.pictures >= count for player, count in pairs))


def probed(segment: bytes) -> list[dict[str, Any]]:
    """Picture and sound, as ffprobe tells them."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", "-"]
    done = subprocess.run(command, input=segment, capture_output=True, timeout=60, check=True)
    streams = json.loads(done.stdout)["streams"]
    return sorted(streams, key=lambda stream: stream["codec_type"] != "video")


@pytest.mark.parametrize("name", PLAYERS)
def test_a_player_sees_no_break(showing: Showing, name: str) -> None:
    player = next(each for each in showing.players if each.name == name)
    note(str(player))
    assert player.complaints() == []
    if name != "ffmpeg":  # which shows nothing in time: it reads as fast as lists grow
        assert player.paused < 1.0


def test_nothing_was_refused_and_no_segment_is_missing(showing: Showing) -> None:
    assert showing.follower.refusals == []
    numbers = showing.numbers
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_each_segment_alone_is_decoded_without_a_word(showing: Showing) -> None:
    for number, data in showing.follower.segments.items():
        assert (number, complaints(data)) == (number, "")
        assert (number, check(data).errors) == (number, [])


def test_all_segments_joined_are_one_programme(showing: Showing) -> None:
    segments, entries = showing.follower.segments, showing.follower.entries
    assert complaints(b"".join(segments[number] for number in showing.numbers)) == ""
    runs: dict[int, bytes] = {}
    for number in showing.numbers:  # players begin anew behind a discontinuity
        runs[entries[number].breaks] = runs.get(entries[number].breaks, b"") + segments[number]
    assert len(runs) == 1 + len(IN_A_ROW)
    for run in runs.values():
        assert check(run).errors == []
        assert probed_errors(run) == []


def test_lists_and_segments_keep_all_rules(showing: Showing) -> None:
    served = replace(showing.follower.served(late=OUTAGE), multivariant=showing.master)
    assert broken(served) == []


def test_the_multivariant_playlist_is_true(showing: Showing) -> None:
    """As ffprobe sees the newest segment, and as the sizes and durations of all are."""
    (variant,) = m3u8.loads(showing.master).playlists
    told, newest = variant.stream_info, showing.numbers[-1]
    picture, sound = probed(showing.follower.segments[newest])
    assert told.resolution == (picture["width"], picture["height"])
    assert told.frame_rate == pytest.approx(float(Fraction(picture["avg_frame_rate"])), abs=0.001)
    profile, level = PROFILES[picture["profile"]], picture["level"]
    assert (sound["codec_name"], sound["profile"]) == ("aac", "LC")
    assert re.fullmatch(rf"avc1\.{profile}..{level:02x},mp4a\.40\.2", told.codecs)
    kept = showing.numbers[-KEPT:]
    rates = [
        8 * len(showing.follower.segments[number]) / showing.follower.entries[number].duration
        for number in kept
    ]
    assert told.average_bandwidth <= told.bandwidth <= max(rates) + 10
    assert min(rates) < told.average_bandwidth
    assert told.bandwidth >= rates[-1] - 10
