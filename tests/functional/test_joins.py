"""How viewers come into a stream of real media, and what of it they get."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.formats.ts_checker import check
from tests.formats.ts_clips import complaints, probed_errors
from tests.functional.failing import assert_nothing_leaked, note
from tests.functional.harness import Proxy, Viewer
from tests.functional.tapes import (
    PACKET,
    RATE,
    TICKS,
    Show,
    finish,
    first_picture,
    h264,
    h265,
    mpeg2,
    pictures,
    radio,
)
from tests.provider import Bad, Provider, Stream

pytestmark = pytest.mark.requires("ffmpeg", "ffprobe")

BOTH_WAYS = True
JOIN_BUFFER = 2.0  # seconds; the default
NULL = bytes((0x47, 0x1F, 0xFF, 0x10)) + b"\xff" * 184
SHOWS: dict[str, Callable[[], Show]] = {
    "h264": h264,
    "h265": h265,
    "mpeg2": mpeg2,
    "radio": radio,
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    proxy: Proxy
    shows: dict[str, Show]
    streams: dict[str, Stream]


def framed(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Packets with something around each, as some providers send them."""
    return lambda packets: b"".join(
        before + packets[at : at + PACKET] + after for at in range(0, len(packets), PACKET)
    )


MANGLED = {
    "192 bytes": framed(b"\0\1\2\3", b""),  # a time stamp of M2TS
    "204 bytes": framed(b"", bytes(16)),  # Reed-Solomon, as of DVB
    "null packets": framed(NULL, NULL),
}


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider],
    share_proxy: Callable[..., Proxy],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("shows")
    one = share_provider("one")
    shows = {name: make() for name, make in SHOWS.items()}
    streams = {name: show.on_air(one.add_channel(name), folder) for name, show in shows.items()}
    shows["slow"] = h264(size="640x360")
    streams["slow"] = shows["slow"].on_air(one.add_channel("slow"), folder)
    for name in ("again", *MANGLED):
        streams[name] = shows["h264"].on_air(one.add_channel(name), folder)
    for name, mangle in MANGLED.items():
        streams[name].mangle = mangle
    proxy = share_proxy((one, 0), STREAM_LINGER="0", BUFFER_SIZE_PER_STREAM="512KB")
    yield Stage(one, proxy, shows, streams)
    assert_nothing_leaked(proxy, one)


def whole(viewer: Viewer) -> bytes:
    """What has come so far, in whole packets."""
    return bytes(viewer.body[: len(viewer.body) // PACKET * PACKET])


def pid_at(data: bytes, number: int) -> int:
    return (data[number * PACKET + 1] & 0x1F) << 8 | data[number * PACKET + 2]


@pytest.mark.parametrize("name", SHOWS)
def test_a_viewer_of_a_running_channel_starts_with_a_keyframe_of_some_time_ago(
    stage: Stage, name: str
) -> None:
    show = stage.shows[name]
    stage.streams[name].burst = 5.0  # so that there is something to go back to
    with stage.proxy.viewer(name) as first:
        first.wait_for_bytes(int(show.second * 4.5))
        with stage.proxy.viewer(name) as second:
            second.wait_for_bytes(int(show.second * 2.5))
            all_of_it, tape = finish(stage.proxy, [first, second], [stage.streams[name]])
        stage.streams[name].recover()
    assert tape.report.errors == []
    assert complaints(tape.data) == ""
    assert (pid_at(tape.data, 0), pid_at(tape.data, 1)) == (0, 0x1100)  # PAT, PMT
    lead = 0x100  # picture, or the only sound
    newest = all_of_it.newest(lead, second.first_byte_at)
    behind = (newest - tape.report.dts[lead][0]) / TICKS
    note(f"{name}: starts {behind:.2f} s before the newest")
    assert JOIN_BUFFER - 0.5 <= behind <= JOIN_BUFFER + show.group + 0.5
    if name != "radio":
        assert pid_at(tape.data, 2) == lead
        assert first_picture(tape.data) == (True, tape.report.pts[lead][0])
        assert pictures(tape.data) == len(tape.report.dts[lead])


def test_a_viewer_that_falls_behind_goes_on_at_a_keyframe_after_a_marked_break(
    stage: Stage,
) -> None:
    stream, show = stage.streams["slow"], stage.shows["slow"]
    with (
        stage.proxy.viewer("slow") as healthy,
        stage.proxy.viewer("slow", receive_buffer=4096) as slow,
    ):
        slow.wait_for_bytes(10_000)
        slow.pause()
        healthy.wait_for_bytes(1_500_000, 40)  # the buffer's, and what the kernel keeps for it
        slow.resume()
        slow.wait_for_bytes(healthy.received - slow.received - 1_000_000, 40)
        slow.wait_for_bytes(2 * show.second, 40)
        all_of_it, tape = finish(stage.proxy, [healthy, slow], [stream])
    assert all_of_it.report.errors == tape.report.errors == []
    assert all_of_it.report.marked == {}
    (step,) = [media for media, _ in tape.lost()]
    note(f"{step:.1f} s were skipped")
    skipped = {0, 0x1100, *tape.pids(0x0F, 0x1B)}
    assert {pid: tape.report.marked[pid] for pid in skipped} == dict.fromkeys(skipped, 1)
    assert complaints(tape.data) == ""
    assert pictures(tape.data) == len(tape.report.dts[0x100])


@pytest.mark.parametrize("name", MANGLED)
def test_packets_of_any_size_leave_as_188_bytes_without_null_packets(
    stage: Stage, name: str
) -> None:
    stream, show = stage.streams[name], stage.shows["h264"]
    with stage.proxy.viewer(name) as viewer:
        viewer.wait_for_bytes(2 * show.second)
        assert 0x1FFF not in check(whole(viewer)).pids
        (tape,) = finish(stage.proxy, [viewer], [stream])
    assert tape.report.errors == []
    assert complaints(tape.data) == ""
    assert pictures(tape.data) == len(tape.report.dts[0x100])


def test_a_reconnect_that_replays_the_last_seconds_goes_on_where_it_broke_off(
    stage: Stage,
) -> None:
    stream, show = stage.streams["again"], stage.shows["h264"]
    stream.burst = 2.5
    with stage.proxy.viewer("again") as viewer:
        viewer.wait_for_bytes(4 * show.second)
        for how in (Bad.END, Bad.RESET):
            stream.break_now(how)
            viewer.wait_for_bytes(3 * show.second)
        (tape,) = finish(stage.proxy, [viewer], [stream])
    assert len(stream.requests) >= 3
    assert tape.report.errors == []
    assert tape.lost() == []
    steps = {b - a for a, b in itertools.pairwise(tape.report.dts[0x100])}
    assert steps == {TICKS // RATE}  # no picture twice, none missing
    assert complaints(tape.data) == ""
    assert probed_errors(tape.data) == []
