"""Live HLS from a real origin on loopback, played in a process with gevent's sockets.

The scenarios run side by side, for they mostly wait; each test looks at what came of one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hls_origin import HlsOrigin, Played, play
from tests.numbered_ts import Run, runs

SETTINGS = {"stream_timeout": 5.0, "stall_timeout": 3.0}


@dataclass
class Scenario:
    """What came of it."""

    origin: HlsOrigin
    played: Played

    @property
    def runs(self) -> list[Run]:
        return runs(self.played.marks)

    def assert_whole(self, segments: int) -> None:
        """One run of packets, none lost, none twice: at least so many segments."""
        (run,) = self.runs
        assert (run.lost, run.disordered) == (0, 0)
        assert run.first % self.origin.packets == 0
        assert run.last - run.first + 1 >= segments * self.origin.packets


Act = Callable[[HlsOrigin], None]
SCENARIOS: dict[str, Callable[[], Scenario]] = {}


def scenario(name: str, seconds: float = 5.0, act: Act | None = None, **options: object) -> None:
    """Declare one: the origin's options, the player's settings (``set_…``), what happens."""
    settings = {
        k.removeprefix("set_"): options.pop(k) for k in list(options) if k.startswith("set_")
    }

    def run() -> Scenario:
        with HlsOrigin(**options) as origin:  # type: ignore[arg-type]
            if act:
                threading.Thread(target=act, args=(origin,), daemon=True).start()
            played = play(origin.url, seconds, **{**SETTINGS, **settings})
            time.sleep(0.1)
            return Scenario(origin, played)

    SCENARIOS[name] = run


def after(seconds: float, act: Act) -> Act:
    """``act``, so long after the first segment was asked for."""

    def later(origin: HlsOrigin) -> None:
        while not origin.requests(r"\.ts$"):
            time.sleep(0.01)
        time.sleep(seconds)
        act(origin)

    return later


scenario("plain")
scenario("jitter", 9.0, jitter=0.4)
scenario("long", 8.0, duration=3.0, packets=3000)
scenario("aes", keys_rotate=2, packets=50)
scenario("aes with iv", keys_rotate=1, iv_given=True, unsized=True)
scenario("ranges", ranges=3)
scenario("unsized", unsized=True)
scenario("window of 100", window=100, start=0)
scenario("variants", variants={"high": 5_000_000, "low": 800_000})
scenario("highest", variants={"high": 5_000_000, "low": 800_000}, set_variant_selection="highest")
scenario("tokens", 7.0, token_life=2.5)
scenario("segment tokens", 7.0, token_life=2.5, token_of="segments")
scenario("403 at first", 7.0, late=1.5, late_status=403)
scenario("410 at first", 7.0, late=1.5, late_status=410, token_life=3.0)
scenario("401 in batches", 8.0, late=1.5, late_status=401, batch=2, window=6)
scenario("keys refused", 7.0, keys_rotate=2, token_life=2.5, token_of="segments")
scenario("playlist refused", 6.0, after(1.5, lambda o: o.playlist_faults.extend([403, 403])))
scenario("403 for good", 9.0, faults={n: [403] * 9 for n in range(107, 120)})
LONG = {"duration": 2.0, "window": 6}
scenario("told 10", 7.0, told=10.0, told_target=10, **LONG)
scenario("told 4", 7.0, told=4.0, told_target=4, clock_restarts=True, **LONG)
scenario("told 4, no PCR", 7.0, told=4.0, told_target=4, pcr=False, **LONG)
scenario("told 0.4", 7.0, told=0.4, told_target=1, **LONG)
scenario("told nothing", 7.0, told="", told_target=10, **LONG)
scenario("told 0", 7.0, told=0.0, told_target=7, **LONG)
scenario("a target of 60", 7.0, told_target=60, **LONG)
scenario("told a target of 1", 7.0, told_target=1, **LONG)
scenario(
    "told 10 of a film", 5.0, told=10.0, told_target=10, start=0, window=20, ended=True, frozen=True
)
scenario("gzip", 6.0, gzipped=True, keys_rotate=2)
scenario("gzip of variants", 6.0, gzipped=True, variants={"low": 800_000})
scenario("data keys", keys_rotate=2, data_keys=True)
scenario("nested variants", nested=True, variants={"none!": 1, "low": 800_000})
scenario("variables", defined=True, nested=True, variants={"low": 800_000}, token_life=2.5)
scenario("no number", sequence="?")
scenario("edge gone", 9.0, after(1.5, lambda o: o.close_tokens()), token_life=60.0, edge=True)
scenario("two servers", 7.0, two_servers=True)
scenario("reset", 6.0, after(2.5, lambda origin: origin.reset()))
scenario("splice", 5.0, after(0.5, lambda origin: origin.splice()))
scenario("slow", segment_seconds=0.7)
scenario("faults", 7.0, faults={106: [404], 107: ["short"], 108: [503]})
scenario("lost", 8.0, faults={108: [404] * 9})
scenario("three lost", 10.0, faults={n: [404] * 9 for n in range(107, 120)})
scenario("hang", 9.0, faults={107: ["hang"]}, set_stall_timeout=1.0)
scenario("batches", 14.0, batch=5, window=5, set_stall_timeout=1.0)
scenario("playlist faults", 6.0, after(1.5, lambda o: o.playlist_faults.extend([500, 503])))
scenario("frozen", 15.0, after(1.0, lambda origin: setattr(origin, "frozen", True)))
scenario(
    "ended", 15.0, after(1.0, lambda o: (setattr(o, "ended", True), setattr(o, "frozen", True))[0])
)
scenario(
    "film", 12.0, ended=True, frozen=True, start=0, window=4, tags="#EXT-X-PLAYLIST-TYPE:VOD\n"
)
scenario("drm", tags='#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://secret",KEYFORMAT="com.apple"\n')
scenario("dead at the start", 9.0, faults={n: [404] * 9 for n in range(100, 130)})
scenario("no playlist", playlist_faults=[404] * 20)
scenario("first variant dead", variants={"none!": 1, "low": 800_000})


@pytest.fixture(scope="module")
def results() -> Iterator[Callable[[str], Scenario]]:
    with ThreadPoolExecutor(8) as pool:
        running: dict[str, Future[Scenario]] = {n: pool.submit(s) for n, s in SCENARIOS.items()}
        yield lambda name: running[name].result(timeout=110)


Results = Callable[[str], Scenario]


# --- Every scenario ----------------------------------------------------------------------


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_one_connection_at_a_time_and_nothing_left_behind(results: Results, name: str) -> None:
    done = results(name)
    assert done.origin.most_sockets == 1
    assert done.origin.sockets == 0
    assert done.played.left == 0


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_log_tells_no_address(results: Results, name: str) -> None:
    done = results(name)
    for secret in ("127.0.0.1", "secret", ".m3u8", "Traceback"):
        assert secret not in done.played.log + done.played.detail


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n not in ("two servers", "faults")])
def test_each_segment_is_fetched_once(results: Results, name: str) -> None:
    origin = results(name).origin
    # A byte of one that is here already tells whether a token is over; that is no fetching.
    paths = [a.path for a in origin.requests(r"\.ts$") if a.headers.get("range") != "bytes=0-0"]
    if not origin.faults and not origin.ranges and not origin.late and origin.token_of == "all":
        assert len(paths) == len(set(paths))


# --- What leaves is what the origin made -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "segments"),
    [
        ("plain", 5),
        ("jitter", 7),
        ("aes", 5),
        ("aes with iv", 5),
        ("ranges", 5),
        ("unsized", 5),
        ("window of 100", 5),
        ("variants", 5),
        ("highest", 5),
        ("tokens", 6),
        ("segment tokens", 6),
        ("403 at first", 6),
        ("410 at first", 6),
        ("401 in batches", 5),
        ("keys refused", 6),
        ("playlist refused", 5),
        ("gzip", 5),
        ("gzip of variants", 5),
        ("data keys", 5),
        ("nested variants", 5),
        ("variables", 5),
        ("no number", 5),
        ("two servers", 4),
        ("slow", 4),
        ("faults", 6),
        ("batches", 10),
        ("playlist faults", 6),
    ],
)
def test_the_segments_leave_whole_in_order_each_once(
    results: Results, name: str, segments: int
) -> None:
    done = results(name)
    assert done.played.reason == ""
    done.assert_whole(segments)


def test_a_segment_that_broke_in_the_middle_is_resumed_where_it_broke(results: Results) -> None:
    done = results("faults")
    again = [asked.headers.get("range") for asked in done.origin.requests(r"/0-107\.ts")]
    assert again[0] is None
    assert again[1]
    assert again[1].startswith("bytes=")


def test_a_segment_that_goes_silent_is_asked_for_again(results: Results) -> None:
    results("hang").assert_whole(5)


def test_a_playlist_that_is_gone_behind_its_redirect_is_asked_of_the_lists_url(
    results: Results,
) -> None:
    gone = results("edge gone")
    assert gone.played.reason == ""
    gone.assert_whole(8)
    assert len(gone.origin.requests(r"^/channel\.m3u8")) == 2


def test_headers_and_cookies_go_with_every_request(results: Results) -> None:
    asked = results("aes").origin.asked
    assert any(a.path.startswith("/key/") for a in asked)
    assert {a.headers["user-agent"] for a in asked} == {"VLC/3.0.18 LibVLC/3.0.18"}
    assert all(a.headers.get("cookie") == "seen=yes" for a in asked[1:])


# --- Start and pace ----------------------------------------------------------------------


def test_it_starts_three_target_durations_from_the_live_edge_and_at_once(results: Results) -> None:
    done = results("plain")
    assert done.origin.requests(r"\.ts")[0].path.endswith("-104.ts")  # of 101 to 106
    assert done.played.first < 0.3


def test_media_leaves_as_it_plays_and_not_in_bursts(results: Results) -> None:
    done = results("long")  # 3 s segments of 564 KB
    assert done.played.silence < 0.5
    (run,) = done.runs
    media = (run.last - run.first) / done.origin.packets * 3.0
    assert 9.0 < media < 8.0 + 3.0 + 1.0  # what was played, and one target duration ahead


def test_a_late_origin_makes_no_silence_longer_than_one_and_a_half_target_durations(
    results: Results,
) -> None:
    assert results("jitter").played.silence < 1.5


FALSE = [name for name in SCENARIOS if name.startswith("told")]


@pytest.mark.parametrize("name", FALSE)
def test_media_leaves_at_the_speed_of_its_own_clock_whatever_the_playlist_says(
    results: Results, name: str
) -> None:
    done = results(name)
    (run,) = done.runs
    assert (done.played.reason, run.lost, run.disordered) == ("", 0, 0)
    seconds, segment = 5.0 if "film" in name else 7.0, done.origin.duration
    media = (run.last - run.first + 1) / done.origin.packets * segment
    assert seconds - 1.0 < media < seconds + segment + 1.5
    assert done.played.silence < segment


def test_a_target_far_above_all_segments_makes_no_silence(results: Results) -> None:
    assert results("a target of 60").played.reason == ""
    assert results("a target of 60").played.silence < 1.5


# --- Playlists ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "variant"), [("variants", "low"), ("highest", "high")])
def test_one_variant_is_played_by_the_selection(results: Results, name: str, variant: str) -> None:
    paths = [asked.path for asked in results(name).origin.requests(r"media\.m3u8|\.ts")]
    assert all(path.startswith(f"/{variant}/") for path in paths)


def test_a_variant_that_cannot_be_had_gives_way_to_the_next(results: Results) -> None:
    results("first variant dead").assert_whole(5)


def test_playlists_are_asked_for_about_once_a_target_duration(results: Results) -> None:
    assert len(results("window of 100").origin.requests("media")) < 9


def test_an_expired_token_is_answered_by_a_fresh_start_from_the_lists_url(
    results: Results,
) -> None:
    asked = results("tokens").origin.asked
    assert 2 <= len([a for a in asked if a.path.startswith("/channel.m3u8")]) <= 4


@pytest.mark.parametrize("name", ["403 at first", "401 in batches"])
def test_a_segment_that_is_refused_because_it_is_not_there_yet_costs_no_fresh_start(
    results: Results, name: str
) -> None:
    done = results(name)
    assert len(done.origin.requests("^/channel")) == 1
    assert "skipped" not in done.played.log


def test_a_token_that_is_over_for_segments_alone_is_renewed_at_once(results: Results) -> None:
    origin = results("segment tokens").origin
    asked = [re.sub(r"/t/(\w+)/.*", r"\1", asked.path) for asked in origin.asked]
    for at, path in enumerate(asked):
        if path.startswith("/channel") and at:
            last = [a.at for a in origin.asked[:at] if a.path.endswith(".ts")][-2:]
            assert origin.asked[at].at - last[0] < 0.4  # the refused one, its neighbour, no wait
    assert 2 <= sum(path.startswith("/channel") for path in asked) <= 4


def test_what_stays_refused_while_its_neighbours_are_not_is_lost_and_not_asked_for_without_end(
    results: Results,
) -> None:
    done = results("403 for good")
    assert done.played.reason == "http_error"
    assert len(done.origin.requests("^/channel")) <= 2


def test_an_encoder_that_starts_again_goes_on_with_its_new_segments(results: Results) -> None:
    before, behind = results("reset").runs
    assert (before.connection, behind.connection) == (0, 1)
    assert (before.lost, before.disordered, behind.lost, behind.disordered) == (0, 0, 0, 0)
    assert behind.first == 0


def test_a_film_is_played_once_to_its_end(results: Results) -> None:
    done = results("film")
    assert done.played.reason == "end"
    (run,) = done.runs
    assert run.first == done.origin.packets  # of five segments, the window shows four
    assert run.last == len(done.origin._made) * done.origin.packets - 1


# --- Failures ----------------------------------------------------------------------------


def test_a_segment_that_cannot_be_had_is_skipped_and_the_rest_goes_on(results: Results) -> None:
    done = results("lost")
    assert done.played.reason == ""
    (run,) = done.runs
    assert run.lost == done.origin.packets
    assert "a segment skipped" in done.played.log


def test_three_lost_in_a_row_end_the_stream(results: Results) -> None:
    assert results("three lost").played.reason == "http_error"


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("frozen", "stalled", "no new segment"),
        ("ended", "ended", "playlist says"),
        ("drm", "unsupported", "encrypted: SAMPLE-AES com.apple"),
        ("no playlist", "http_error", "HTTP 404"),
        ("dead at the start", "http_error", "HTTP 404"),
    ],
)
def test_what_cannot_go_on_says_why(results: Results, name: str, reason: str, detail: str) -> None:
    played = results(name).played
    assert played.reason == reason
    assert detail in played.detail


def test_what_came_before_the_end_is_played_first(results: Results) -> None:
    done = results("ended")
    assert done.runs[-1].last == len(done.origin._made) * done.origin.packets - 1


# --- What was learned, and other containers ----------------------------------------------


def test_the_next_start_skips_what_is_known() -> None:
    with HlsOrigin(variants={"low": 800_000}) as origin:
        played = play(origin.url, 2.0, times=2, **SETTINGS)
        assert played.reason == ""
        assert len(origin.requests("^/channel")) == 1
        assert len(origin.requests("media")) >= 4


def test_what_was_learned_is_forgotten_when_it_does_not_hold() -> None:
    with HlsOrigin(token_life=1.0) as origin:
        played = play(origin.url, 2.5, times=2, **SETTINGS)
        assert played.reason == ""
        assert len(origin.requests("^/channel")) >= 2
        assert len(played.data)


def test_variables_that_were_imported_are_known_at_the_next_start() -> None:
    with HlsOrigin(defined=True, variants={"low": 800_000}) as origin:
        played = play(origin.url, 2.0, times=2, **SETTINGS)
        assert played.reason == ""
        assert len(origin.requests("^/channel")) == 1
        assert len({asked.path for asked in origin.requests(r"\.ts\?u=me")}) >= 4


def test_a_variant_that_leads_to_variants_again_and_again_is_left() -> None:
    with HlsOrigin(nested=True, variants={"low": 800_000}) as origin:
        text = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/low/again.m3u8\n"
        origin.files["/low/more.m3u8"] = origin.files["/low/again.m3u8"] = text
        played = play(origin.url, 5.0, **SETTINGS)
        assert (played.reason, len(origin.asked)) == ("not_media", 3)


def test_a_channel_list_behind_a_channel_is_followed_to_its_first_entry() -> None:
    with HlsOrigin() as origin:
        origin.files["/list"] = f"#EXTM3U\n#EXTINF:-1,One\n{origin.url}\nhttp://x/\n".encode()
        played = play(f"http://127.0.0.1:{origin.port}/list", 2.0, **SETTINGS)
        assert runs(played.marks)[0].lost == 0


def test_a_list_that_names_itself_is_refused() -> None:
    with HlsOrigin() as origin:
        url = f"http://127.0.0.1:{origin.port}/list"
        origin.files["/list"] = b"#EXTM3U\n#EXTINF:-1,One\n/list\n"
        played = play(url, 5.0, **SETTINGS)
        assert (played.reason, len(origin.asked)) == ("not_media", 2)


def _ffmpeg(folder: Path, *options: str) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine"]
    codecs = ["-c:v", "libx264", "-g", "25", "-preset", "ultrafast", "-c:a", "aac", "-shortest"]
    command = ["ffmpeg", "-v", "error", *source, "-t", "4", *codecs, *options]
    subprocess.run(command, cwd=folder, check=True, timeout=60)


def _served(origin: HlsOrigin, folder: Path) -> str:
    for file in folder.rglob("*"):
        if file.is_file():
            origin.files[f"/{file.relative_to(folder)}"] = file.read_bytes()
    return f"http://127.0.0.1:{origin.port}/index.m3u8"


def _decoded_frames(played: Played) -> int:
    """Of its picture; fails where a decoder has something to say."""
    judge = ["ffmpeg", "-v", "error", "-i", "-", "-f", "null", "-"]
    said = subprocess.run(judge, input=played.data, capture_output=True, timeout=60, check=True)
    assert said.stderr == b"", f"{said.stderr!r}, {len(played.data)} bytes; {played.log}"
    count = ["ffprobe", "-v", "error", "-select_streams", "v", "-count_frames"]
    count += ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", "-"]
    told = subprocess.run(count, input=played.data, capture_output=True, timeout=60, check=True)
    return int(told.stdout.split()[0].strip(b",") or 0)


def _sounds(media: bytes) -> list[str]:
    """A digest of each packet of sound; fails where a reader has something to say."""
    copy = ["ffmpeg", "-v", "error", "-i", "-", "-map", "0:a", "-c", "copy"]
    told = subprocess.run(
        [*copy, "-f", "framehash", "-"], input=media, capture_output=True, timeout=60, check=True
    )
    assert told.stderr == b""
    lines = told.stdout.decode().splitlines()
    return [line.split(",")[5] for line in lines if not line.startswith("#")]


FMP4 = ("-hls_segment_type", "fmp4")
APART = ("-var_stream_map", "v:0,agroup:a a:0,agroup:a", "-master_pl_name", "index.m3u8")


@pytest.mark.requires("ffmpeg", "ffprobe")
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ((), "index.m3u8"),
        (FMP4, "index.m3u8"),
        (("-map", "0", "-map", "1", *APART), "v%v.m3u8"),
    ],
    ids=["ts", "fmp4", "sound apart"],
)
def test_what_a_real_packager_made_plays_without_a_complaint(
    tmp_path: Path, options: tuple[str, ...], name: str
) -> None:
    hls = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
    _ffmpeg(tmp_path, *options, *hls, name)
    with HlsOrigin() as origin:
        played = play(_served(origin, tmp_path), 20.0, **SETTINGS)
        assert (played.reason, played.detail) == ("end", "")
        assert _decoded_frames(played) == 100
        assert origin.most_sockets <= 2
        assert "127.0.0.1" not in played.log


def _id3(seconds: float) -> bytes:
    """The tag in front of a piece of packed audio that says when it plays (RFC 8216, 3.4)."""
    owner = b"com.apple.streaming.transportStreamTimestamp\0"
    frame = owner + round(seconds * 90_000).to_bytes(8, "big")
    body = b"PRIV" + len(frame).to_bytes(4, "big") + b"\0\0" + frame
    return b"ID3\4\0\0" + bytes((len(body) >> 7, len(body) & 0x7F)).rjust(4, b"\0") + body


@pytest.mark.requires("ffmpeg")
@pytest.mark.parametrize(
    ("muxer", "codec", "tagged"),
    [("adts", "aac", False), ("adts", "aac", True), ("mp3", "libmp3lame", True)],
)
def test_packed_audio_plays_whole_and_without_a_complaint(
    tmp_path: Path, muxer: str, codec: str, tagged: bool
) -> None:
    cut = ["-f", "segment", "-segment_time", "1", "-segment_format", muxer]
    bare = ["-segment_format_options", "write_xing=0:id3v2_version=0"] if muxer == "mp3" else []
    names = ["-segment_list", "index.m3u8", f"a%d.{muxer}"]
    _ffmpeg(tmp_path, "-vn", "-c:a", codec, *cut, *bare, *names)
    pieces = sorted(tmp_path.glob("a*"))
    assert len(pieces) >= 4
    made = b"".join(piece.read_bytes() for piece in pieces)
    if tagged:
        for number, piece in enumerate(pieces):
            piece.write_bytes(_id3(10.0 + number) + piece.read_bytes())
    with HlsOrigin() as origin:
        played = play(_served(origin, tmp_path), 20.0, **SETTINGS)
        assert played.reason == "end"
        assert _sounds(played.data) == _sounds(made)
        assert origin.most_sockets == 1


def test_without_ffmpeg_it_says_what_to_install() -> None:
    with HlsOrigin(tags='#EXT-X-MAP:URI="init.mp4"\n') as origin:
        played = play(origin.url, 5.0, ffmpeg="", **SETTINGS)
        assert played.reason == "unsupported"
        assert "install" in played.detail
        assert not origin.requests(r"\.ts")


@pytest.mark.parametrize("section", [b"", b"<!DOCTYPE html><p>Not found", b"\0" * 188])
def test_a_map_that_holds_nothing_of_use_leaves_segments_to_tell_what_they_are(
    section: bytes,
) -> None:
    with HlsOrigin(tags='#EXT-X-MAP:URI="/init"\n', files={"/init": section}) as origin:
        played = play(origin.url, 3.0, ffmpeg="", **SETTINGS)
        assert played.reason == ""
        assert played.marks


@pytest.mark.requires("ffmpeg", "ffprobe")
@pytest.mark.parametrize("name", ["s{}", "s{}.php", "s{}.ts"])
def test_what_is_remuxed_may_have_any_names(tmp_path: Path, name: str) -> None:
    hls = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
    _ffmpeg(tmp_path, *FMP4, *hls, "index.m3u8")
    playlist = tmp_path / "index.m3u8"
    text = playlist.read_text()
    for number in range(4):
        (tmp_path / f"index{number}.m4s").rename(tmp_path / name.format(number))
        text = text.replace(f"index{number}.m4s", name.format(number))
    playlist.write_text(text)
    with HlsOrigin() as origin:
        played = play(_served(origin, tmp_path), 20.0, **SETTINGS)
        assert (played.reason, played.detail) == ("end", "")
        assert _decoded_frames(played) == 100


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_a_live_stream_that_must_be_remuxed_ends_with_its_viewer(tmp_path: Path) -> None:
    _ffmpeg(
        tmp_path, *FMP4, "-f", "hls", "-hls_time", "1", "-hls_flags", "omit_endlist", "index.m3u8"
    )
    with HlsOrigin() as origin:
        played = play(_served(origin, tmp_path), 3.0, **SETTINGS)
        assert (played.reason, played.left) == ("", 0)
        assert len(played.data) > 10_000
        time.sleep(0.3)
        assert origin.sockets == 0
