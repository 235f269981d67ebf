"""What ffmpeg makes of inputs that HLS is not: RTSP, DASH films; played in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.hls_origin import HlsOrigin, play
from tests.live_media import as_transport_stream, make_clip, pictures, sounds, whole_pictures
from tests.provider import Gate, Provider
from tests.rtsp_origin import RtspOrigin

pytestmark = pytest.mark.requires("ffmpeg")

SECONDS = 4
SETTINGS = {"stream_timeout": 5.0, "stall_timeout": 3.0}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip"), SECONDS)


def test_rtsp_plays_over_one_connection_and_ends_as_a_failure(clip: Path) -> None:
    media = as_transport_stream(clip)
    with RtspOrigin(media) as origin:
        played = play(origin.url, 20.0, **SETTINGS)
    assert origin.asked[0] == "OPTIONS"
    assert "SETUP RTP/AVP/TCP;unicast;interleaved=0-1" in origin.asked
    seen, made = pictures(whole_pictures(played.data)), pictures(media)
    assert len(seen) >= (SECONDS - 1) * 25
    assert seen == made[made.index(seen[0]) :][: len(seen)]
    assert played.reason == "ended"
    for secret in ("127.0.0.1", "secret"):
        assert secret not in played.log + played.detail


def test_a_dash_film_plays_once_whole_to_its_end(tmp_path: Path, clip: Path) -> None:
    dash = ["-c", "copy", "-f", "dash", "-seg_duration", "1", "index.mpd"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), *dash], cwd=tmp_path, check=True)
    assert 'type="static"' in (tmp_path / "index.mpd").read_text()
    with HlsOrigin() as origin:
        for file in tmp_path.iterdir():
            origin.files[f"/{file.name}"] = file.read_bytes()
        played = play(f"http://127.0.0.1:{origin.port}/index.mpd", 20.0, **SETTINGS)
        assert (played.reason, played.detail) == ("end", "")
        media = as_transport_stream(tmp_path / "index.mpd")  # as ffmpeg reads it at its leisure
        assert pictures(played.data) == pictures(media)
        assert sounds(played.data) == sounds(media)
        assert origin.most_sockets <= 2


@pytest.mark.parametrize(
    "muxer",
    [
        "-f dash -seg_duration 1 index.mpd",
        "-f hls -hls_time 1 -hls_playlist_type vod -hls_segment_type fmp4 index.m3u8",
    ],
    ids=["DASH", "fMP4"],
)
def test_ffmpeg_answers_a_digest_with_user_and_password_of_the_address(
    tmp_path: Path, clip: Path, muxer: str
) -> None:
    made = ["ffmpeg", "-v", "error", "-i", str(clip), "-c", "copy", *muxer.split()]
    subprocess.run(made, cwd=tmp_path, check=True)
    with Provider("one") as provider:
        provider.gate = Gate("ann", "s3cret")
        provider.gate.before = ""  # ffmpeg reads a challenge only where it stands alone
        for file in tmp_path.iterdir():
            provider.add_file(f"/live/{file.name}", file.read_bytes())
        url = provider.url(f"/live/{muxer.split()[-1]}").replace("://", "://ann:s3cret@")
        played = play(url, 20.0, **SETTINGS)
    assert (played.reason, played.detail) == ("end", "")
    assert pictures(played.data) == pictures(as_transport_stream(clip))
