"""The demo as a newcomer meets it: `python -m kptv.demo`, its clips, and what breaks and mends."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

import pytest

from kptv.demo import run as demo_run_module
from kptv.demo.guide import SHOWS, guide
from kptv.demo.playout import CLOCK, Playout
from kptv.demo.providers import CHANNELS, CLIP_SECONDS, clip
from kptv.demo.run import wants_demo
from tests.demo.terminal import Terminal
from tests.functional.harness import ROOT, ReservedPort, Viewer, eventually
from tests.numbered_ts import check_ts

FILES = [f"{name}-{file}" for name in ("one", "two") for file, _, _ in CHANNELS]


def looped(name: str, seconds: float, clock_base: int, path: Path) -> Path:
    """A file with the broadcast of a clip from its start."""
    playout = Playout(clip(name), clock_base)
    path.write_bytes(playout.due(seconds))
    return path


def ffmpeg_complaints(file: Path) -> str:
    command = ("ffmpeg", "-v", "warning", "-xerror", "-i", str(file), "-f", "null", "-")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


def packet_times(file: Path) -> dict[int, list[int]]:
    """DTS of all packets, by stream, as ffprobe reads them."""
    command = ("ffprobe", "-v", "error", "-of", "json")
    shown = ("-show_entries", "packet=stream_index,dts", str(file))
    found = json.loads(subprocess.check_output((*command, *shown), timeout=60))
    times: dict[int, list[int]] = {}
    for packet in found["packets"]:
        times.setdefault(packet["stream_index"], []).append(packet["dts"])
    return times


# --- clips ---


@pytest.mark.requires("ffmpeg", "ffprobe")
@pytest.mark.parametrize("name", FILES)
def test_three_laps_of_a_clip_play_without_a_seam(name: str, tmp_path: Path) -> None:
    file = looped(name, 3 * CLIP_SECONDS, 12345, tmp_path / "loop.ts")
    assert ffmpeg_complaints(file) == ""
    times = packet_times(file)
    assert len(times) == (1 if "radio" in name else 2)
    for stamps in times.values():
        steps = {after - before for before, after in itertools.pairwise(stamps)}
        assert len(steps) == 1, "each picture and sound follows the one before evenly"
        assert stamps[-1] - stamps[0] > 23 * CLOCK


@pytest.mark.requires("ffmpeg", "ffprobe")
def test_a_clip_plays_on_when_its_clock_wraps(tmp_path: Path) -> None:
    file = looped("one-card", 2 * CLIP_SECONDS, 2**33 - 10 * CLOCK, tmp_path / "loop.ts")
    assert ffmpeg_complaints(file) == ""


@pytest.mark.parametrize("file", [file for file, _, _ in CHANNELS])
def test_the_providers_share_no_pid_of_media_and_no_picture(file: str) -> None:
    one, two = clip(f"one-{file}"), clip(f"two-{file}")
    tables = {0, 17, 4096}  # PAT and SDT by the standard, PMT by ffmpeg's custom
    assert set(one.advances) & set(two.advances) == tables
    assert one.data != two.data


def test_a_key_frame_comes_each_second() -> None:
    dues = [due for due, _ in clip("one-card").starts]
    assert dues == [second * CLOCK for second in range(8)]


# --- providers ---


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Ports of the two providers of a running `python -m kptv.demo`."""
    command = (sys.executable, "-m", "kptv.demo")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first_line = process.stdout.readline()
            yield [int(port) for port in re.findall(r":(\d+)/list", first_line)]
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_both_providers_list_the_same_channels_under_names_of_their_own(ports: list[int]) -> None:
    lists = [ask(port, "/list.m3u")[1].replace(str(port), "PORT") for port in ports]
    plain = lists[1].replace(",UK: ", ",").replace(" HD\n", "\n")
    assert lists[0] == plain != lists[1]
    assert [name in lists[0] for _, name, _ in CHANNELS] == [True] * 4


def test_the_list_names_a_guide_that_tells_what_is_on(ports: list[int]) -> None:
    [address] = re.findall(
        r'#EXTM3U x-tvg-url="http://127.0.0.1:(\S+)"', ask(ports[0], "/list.m3u")[1]
    )
    assert address == f"{ports[0]}/guide.xml"
    told = ElementTree.fromstring(ask(ports[0], "/guide.xml")[1])
    now = time.strftime("%Y%m%d%H%M%S +0000", time.gmtime())
    on = [
        show for show in told.iter("programme") if show.attrib["start"] <= now < show.attrib["stop"]
    ]
    listed = set(re.findall(r'tvg-id="(\S+)"', ask(ports[0], "/list.m3u")[1]))
    assert {show.attrib["channel"] for show in on} == listed == set(SHOWS)
    assert len(on) == len(listed) == len(told.findall("channel"))


@pytest.mark.parametrize("guide_id", SHOWS)
def test_a_programme_is_at_the_same_time_whenever_the_guide_is_asked(guide_id: str) -> None:
    assert 24 * 60 % sum(show.minutes for show in SHOWS[guide_id]) == 0
    moments = (1_700_000_000, 1_700_000_000 + 30_000)
    first, later = (
        [line for line in guide(now, {guide_id: "One"}).split("\n") if "<programme" in line]
        for now in moments
    )
    overlap = [line for line in first if line in later]
    assert overlap == first[-len(overlap) :] == later[: len(overlap)]
    assert len(overlap) > 30
    stops = [re.findall(r'(?:start|stop)="(\d+) ', line) for line in later]
    assert [start for start, _ in stops[1:]] == [stop for _, stop in stops[:-1]]


def test_a_channel_plays_and_the_limit_is_kept(ports: list[int]) -> None:
    viewers = [Viewer(ports[0], "/live/card.ts").start() for _ in range(3)]
    assert sorted(viewer.wait_for_status() for viewer in viewers) == [200, 200, 403]
    watching = next(viewer for viewer in viewers if viewer.status == 200)
    watching.wait_for_bytes(10_000)
    check_ts(bytes(watching.body[: len(watching.body) // 188 * 188]))
    for viewer in viewers:
        viewer.leave()
    eventually(lambda: plays(ports[0]))


def plays(port: int) -> bool:
    with Viewer(port, "/live/radio.ts").start() as viewer:
        return viewer.wait_for_status() == 200


def test_a_broken_provider_cuts_and_refuses_until_mended(ports: list[int]) -> None:
    with Viewer(ports[0], "/live/bars.ts").start() as viewer:
        viewer.wait_for_bytes(1000)
        assert ask(ports[0], "/break", "POST")[0] == 200
        assert viewer.wait_for_end() == "reset"
    with pytest.raises(OSError, match="reset"):
        ask(ports[0], "/list.m3u")
    assert ask(ports[1], "/list.m3u")[0] == 200
    assert ask(ports[0], "/mend", "POST")[0] == 200
    assert ask(ports[0], "/list.m3u")[0] == 200
    assert plays(ports[0])


def test_nonsense_disturbs_no_provider(ports: list[int]) -> None:
    assert ask(ports[0], "/live/../../etc/passwd")[0] == 404
    assert ask(ports[0], "/break")[0] == 404
    for nonsense in (b"\0\r\n\r\n", b"GET\r\n\r\n", b"x" * 20_000):
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=10) as client:
            client.sendall(nonsense)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert ask(ports[0], "/list.m3u")[0] == 200


# --- make run ---


class Run(Terminal):
    """`make run`'s command, on a port of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = ReservedPort()
        super().__init__(folder, "kptv.demo.run", **{"PORT": str(self.port.number), **settings})

    def close(self) -> None:
        super().close()
        self.port.release()


@pytest.fixture
def demo_run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.close()


def test_make_run_plays_the_demo_through_a_providers_death(demo_run: Run) -> None:
    eventually(lambda: "Ctrl-C stops" in demo_run.output, 20, "no hint on screen")
    assert f"http://localhost:{demo_run.port.number}/playlist.m3u8" in demo_run.output
    [token] = re.findall(r"#people \(log in there with (\S{12})\)", demo_run.output)
    bearer = f"Bearer {token}"
    assert ask(demo_run.port.number, "/api/import", "POST", Authorization=bearer)[0] == 202
    break_port = int(re.findall(r"http://127.0.0.1:(\d+)/break", demo_run.output)[0])
    listed = ask(demo_run.port.number, "/playlist.m3u8")[1]
    assert [name in listed for _, name, _ in CHANNELS] == [True] * 4
    numbers = [int(number) for number in re.findall(r'tvg-chno="(\d+)"', listed)]
    assert sorted(numbers) == [101, 102, 103, 901]
    assert f"take http://localhost:{demo_run.port.number}, and any name" in demo_run.output
    assert_other_protocols_answer(demo_run.port.number, numbers)
    assert f":{demo_run.port.number}/playlist.m3u8?output=hls\n" in demo_run.output
    assert_hls_plays(demo_run.port.number)
    ruled = json.loads(ask(demo_run.port.number, "/api/rules")[1])["ruled"]
    assert (ruled["merged"], ruled["dropped"], ruled["rules"][0]["hits"]) == (4, 2, 2)
    eventually(lambda: told_of_guide(demo_run.port.number)["guide"] == "there", 20, "no guide")
    told = told_of_guide(demo_run.port.number)["channels"]
    assert [len(channel["shows"]) > 1 for channel in told] == [True] * 4
    path = re.findall(r"(/stream/\S*card\S*)", listed)[0]
    with Viewer(demo_run.port.number, path).start() as viewer:
        viewer.wait_for_bytes(50_000)
        assert ask(break_port, "/break", "POST")[0] == 200
        viewer.wait_for_bytes(100_000)
        assert not viewer.ended
        demo_run.press_ctrl_c()
        assert demo_run.process.wait(10) == 0
    eventually(lambda: demo_run.group_is_gone, 5, "orphans are left")
    assert "Traceback" not in demo_run.output


def assert_hls_plays(port: int) -> None:
    """A channel of the list with links to HLS, up to its first segment."""
    links = re.findall(r"/hls/\S+", ask(port, "/playlist.m3u8?output=hls")[1])
    assert len(links) == len(CHANNELS)
    segments = re.findall("^[^#].*", ask(port, links[0])[1], re.MULTILINE)
    with Viewer(port, urljoin(links[0], segments[0])).start() as viewer:
        assert viewer.wait_for_end() == "end"
        check_ts(bytes(viewer.body))


def assert_other_protocols_answer(port: int, numbers: list[int]) -> None:
    """Xtream and HDHomeRun, with no account."""
    login = "username=x&password=y"
    streams = json.loads(ask(port, f"/player_api.php?{login}&action=get_live_streams")[1])
    assert [stream["num"] for stream in streams] == numbers
    assert ask(port, f"/get.php?{login}&type=m3u_plus&output=ts")[1].count("#EXTINF") == 4
    lineup = json.loads(ask(port, "/lineup.json")[1])
    assert [int(channel["GuideNumber"]) for channel in lineup] == numbers
    with Viewer(port, f"/live/x/y/{streams[0]['stream_id']}.ts").start() as viewer:
        viewer.wait_for_bytes(10_000)


def told_of_guide(port: int) -> Any:
    return json.loads(ask(port, "/api/guide")[1])


@pytest.mark.requires("ffmpeg")
def test_every_channel_plays_for_half_a_minute_through_a_providers_death(
    demo_run: Run, tmp_path: Path
) -> None:
    eventually(lambda: "Ctrl-C stops" in demo_run.output, 20, "no hint on screen")
    break_port = int(re.findall(r"http://127.0.0.1:(\d+)/break", demo_run.output)[0])
    links = re.findall(r"/stream/\S+", ask(demo_run.port.number, "/playlist.m3u8")[1])
    players = [Player(demo_run.port.number, link, tmp_path) for link in links]
    try:
        for player in players:
            player.wait_for(5)
        assert ask(break_port, "/break", "POST")[0] == 200
        for player in players:
            assert player.process.wait(60) == 0
    finally:
        for player in players:
            player.close()
    assert [player.complaints for player in players] == [""] * len(CHANNELS)
    # Of 745, and the radio has none; one or two are lost where the stream was cut.
    assert [player.pictures >= 740 or "radio" in player.link for player in players] == [True] * 4


class Player:
    """ffmpeg, which decodes half a minute of a channel."""

    def __init__(self, port: int, link: str, folder: Path) -> None:
        self.link = link
        self._progress = folder / f"{Path(link).name}.progress"
        self._log = folder / f"{Path(link).name}.log"
        report = ("-v", "error", "-nostdin", "-progress", str(self._progress))
        play = ("-i", f"http://127.0.0.1:{port}{link}", "-t", "30", "-f", "null", "-")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ("ffmpeg", *report, "-stats_period", "0.2", *play), stderr=log
            )

    def wait_for(self, seconds: float) -> None:
        """Wait until so much has been played."""
        eventually(lambda: self._told("out_time_us") >= seconds * 1e6, 60)

    @property
    def pictures(self) -> int:
        return self._told("frame")

    @property
    def complaints(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def _told(self, key: str) -> int:
        text = self._progress.read_text() if self._progress.exists() else ""
        return int((re.findall(rf"^{key}=(\d+)$", text, re.MULTILINE) or ["0"])[-1])


def test_make_run_ends_with_what_gunicorn_says_of_bad_settings(tmp_path: Path) -> None:
    run = Run(tmp_path, STREAM_TIMEOUT="soon")
    try:
        assert run.process.wait(20) != 0
        eventually(lambda: "STREAM_TIMEOUT" in run.output)
    finally:
        run.close()


@pytest.mark.parametrize(
    ("environ", "has_file", "demo"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"SOURCES": " "}, False, True),
        ({"SOURCES": ""}, True, True),
        ({"SOURCES": "http://a.example/l.m3u|1"}, False, False),
    ],
)
def test_the_demo_is_for_those_who_have_set_up_nothing_yet(
    environ: dict[str, str], has_file: bool, demo: bool, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    if has_file:
        file.write_text("PORT=8090\n")
    assert wants_demo(environ, file) == demo


def test_make_run_says_at_once_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = Run(tmp_path, PORT=str(port))
        try:
            assert run.process.wait(10) == 1
            eventually(lambda: f"Cannot listen on port {port}" in run.output)
            assert len(run.output.splitlines()) == 1
        finally:
            run.close()


def test_make_run_with_sources_is_gunicorn_and_no_demo(tmp_path: Path) -> None:
    run = Run(tmp_path, SOURCES="http://127.0.0.1:1/none.m3u|1", DATA_DIR=str(tmp_path / "data"))
    try:
        eventually(lambda: "Listening at" in run.output, 20)
        assert "demo" not in run.output
        run.process.terminate()
        assert run.process.wait(10) == 0
    finally:
        run.close()


def test_make_run_leaves_an_env_file_that_nobody_can_read_to_gunicorn_to_tell_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"SOURCES=http://caf\xe9.example/list.m3u|1\n")
    became: list[str] = []
    monkeypatch.setattr(demo_run_module, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(demo_run_module.sys, "argv", ["run"])
    monkeypatch.setattr(demo_run_module.os, "chdir", lambda folder: None)
    monkeypatch.setattr(demo_run_module.asyncio, "run", lambda demo: demo.close() or 0)
    monkeypatch.setattr(demo_run_module.os, "execv", lambda program, args: became.append(args[2]))
    demo_run_module.main()
    assert became == ["gunicorn"]
