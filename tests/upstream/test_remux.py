"""What ffmpeg is told, and what is told of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from kptv.channels.model import Source, Stream
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream.client import HttpClient
from kptv.upstream.ffmpeg import ONLY_BY_FFMPEG, Input, command, without_addresses
from kptv.upstream.remux import remux
from kptv.upstream.remuxer import Remuxer


def test_it_may_open_no_protocol_but_those_of_its_input() -> None:
    told = command(Input("https://u:p@h/live.m3u8"))
    assert told[told.index("-protocol_whitelist") + 1] == "http,https,tcp,tls,crypto"
    assert told[told.index("-i") + 1] == "https://u:p@h/live.m3u8"
    assert told[-1] == "pipe:1"


@pytest.mark.parametrize("scheme", sorted(ONLY_BY_FFMPEG))
def test_no_allowed_protocol_reads_files(scheme: str) -> None:
    told = command(Input(f"{scheme}://h/x"))
    allowed = told[told.index("-protocol_whitelist") + 1].split(",")
    assert not {"file", "concat", "subfile", "data", "pipe", "fd"} & set(allowed)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "concat:a|b", "/etc/passwd", "-i", "subfile,,:x", "", "http"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        command(Input(url))
    assert caught.value.reason is Reason.BAD_URL


def test_headers_cannot_break_out_of_their_lines() -> None:
    headers = {"User-Agent": "A/1", "X": "a\r\nHost: b", "Y: z\r\nQ": "c", "Referer": ""}
    told = command(Input("http://h/", headers=headers))
    assert told[told.index("-headers") + 1] == "User-Agent: A/1\r\n"


def test_cookies_go_to_the_host_of_the_input_alone_and_cannot_break_out_either() -> None:
    told = command(Input("http://u:p@h:81/x", cookies=("a=b", "c=\nd", "e=f")))
    wanted = "a=b; path=/; domain=h:81\ne=f; path=/; domain=h:81"
    assert told[told.index("-cookies") + 1] == wanted


def test_sound_that_is_apart_is_a_second_input() -> None:
    told = command(Input("http://h/v", "http://h/a"))
    assert told.count("-i") == 2
    assert "1:a:0" in told


@pytest.mark.parametrize(
    "line",
    [
        "[http @ 0x55] HTTP error 404 Not Found http://user:pw@host.example/x?token=1",
        "Failed to resolve hostname tv.host.example: Name or service not known",
        "Connection to tcp://10.0.0.1:80 failed",
        "[hls @ 0x55] Failed to open segment 5 of playlist 0, host.example:8080/live/user/pw/1.ts",
        "Opening 'secret/user/key.bin' for reading",
        "connect to [2001:db8::1]:80",
    ],
)
def test_complaints_tell_no_address(line: str) -> None:
    shown = without_addresses(line)
    for secret in ("host.example", "user", "pw", "token", "10.0.0.1", "secret", "2001"):
        assert secret not in shown


def test_complaints_control_no_terminal() -> None:
    assert without_addresses("a\x1b[31mb\rc\x9b1m") == "a [31mb c 1m"


@pytest.mark.parametrize("program", ["", "no-such-program-anywhere"])
def test_without_ffmpeg_it_says_what_to_install(program: str) -> None:
    with pytest.raises(UpstreamError, match="install it, or set FFMPEG") as caught:
        next(remux(program, Input("rtsp://h/"), "News", 5.0))
    assert caught.value.reason is Reason.UNSUPPORTED


def test_a_greenlet_killed_while_a_child_ends_leaves_no_descriptor_open(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    # What it leaves behind holds its standard error open: there is something to wait for.
    program.write_text("#!/bin/sh\nsleep 3 &\necho media\nexec sleep 30\n")
    program.chmod(0o755)
    gevent.sleep(0)  # the loop has its own descriptors from now on
    before = os.listdir("/proc/self/fd")
    body = remux(str(program), Input("rtsp://h/"), "News", 5.0)
    assert next(body) == b"media\n"
    closing = gevent.spawn(body.close)
    gevent.sleep(0)
    assert not closing.dead
    closing.kill()
    assert os.listdir("/proc/self/fd") == before


def test_no_child_outlives_its_stream_though_the_error_that_ended_it_is_kept(
    tmp_path: Path,
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec cat /dev/zero\n")
    program.chmod(0o755)
    stream = Stream(Source(1, "file:///list.m3u", 1), "rtsp://h/")
    config = Config(sources=(), ffmpeg=str(program))
    remuxer = Remuxer(config, HttpClient(config), Rhythms(5.0))
    with pytest.raises(UpstreamError) as kept:
        list(remuxer.packets(stream, Input("rtsp://h/"), 5.0))
    assert kept.value.reason is Reason.NOT_MEDIA
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# A child has ended before gevent, which has not seen any before, looks for it.
ENDS_AT_ONCE = """
import os, sys
spawn = os.posix_spawn

def spawn_and_see_it_end(*args, **options):
    pid = spawn(*args, **options)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid

os.posix_spawn = spawn_and_see_it_end
from gevent import monkey; monkey.patch_all()
from time import monotonic
from kptv.errors import UpstreamError
from kptv.upstream.ffmpeg import Input
from kptv.upstream.remux import remux

begun = monotonic()
try:
    list(remux(sys.argv[1], Input("udp://h:1"), "a stream", 5.0))
except UpstreamError as error:
    print(error)
assert monotonic() - begun < 4.0
"""


def test_the_first_child_of_all_may_end_at_once(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho no such thing >&2\n")
    program.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", ENDS_AT_ONCE, str(program)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "ended (ffmpeg: no such thing)\n"


def test_an_address_that_no_program_can_be_given_leaves_no_pipe_open(tmp_path: Path) -> None:
    gevent.sleep(0)  # the event loop has some of its own
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(UpstreamError) as caught:
        list(remux(sys.executable, Input("udp://h\0:1"), "a stream", 5.0))
    assert caught.value.reason is Reason.BAD_URL
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_programme_that_is_asked_for_is_the_only_one_that_ffmpeg_copies() -> None:
    arguments = command(Input("udp://h:1", program=7))
    assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "-map"] == [
        "0:p:7:v:0?",
        "0:p:7:a?",
    ]
