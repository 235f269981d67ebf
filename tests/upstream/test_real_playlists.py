"""Real playlists behind a channel: each is played, or refused, as its tags say.

What they name is rewritten to loopback and what is there is made here: nothing of theirs is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats.hls.aes import KEY_SIZE
from kptv.upstream.client import HttpClient
from tests.hls_origin import HlsOrigin
from tests.numbered_ts import NumberedStream
from tests.shared import opener_of
from tests.upstreams import data_of

REAL = Path(__file__).resolve().parents[3] / "shared" / "hls"
FILES = sorted(REAL.glob("*.m3u8"))
SOURCE = Source(1, "http://127.0.0.1/unused", 1)
MEDIA = NumberedStream("origin", "live", 0).packets(200, 0.0)
ONE_SEGMENT = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n/any.ts\n#EXT-X-ENDLIST\n"

# What is asked for may be anything: a variant gets a playlist, a key its bytes, all else media.
_URI_ATTRIBUTE = re.compile(r'URI="[^"]*"')


class RealOrigin(HlsOrigin):
    """Serves one playlist at ``/real.m3u8``, and behind it what it wants."""

    __slots__ = ()

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path in self.files:
            return super().answer(path, headers)
        if path.startswith("/key"):
            return 200, {}, bytes(KEY_SIZE)
        if path.startswith("/variant"):
            return 200, {}, ONE_SEGMENT
        return 200, {}, MEDIA


@pytest.fixture(scope="module")
def origin() -> Iterator[HlsOrigin]:
    with RealOrigin() as origin:
        yield origin


def _on_loopback(text: str) -> str:
    """The same tags; what is named is on the origin that serves them."""
    lines = []
    is_variant = False
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if stripped.startswith("#"):
            is_variant = stripped.startswith("#EXT-X-STREAM-INF")
            kind = "key" if "-KEY" in stripped else "part"
            line = _URI_ATTRIBUTE.sub(f'URI="/{kind}/{number}"', line)
        elif stripped:
            line = f"/variant/{number}.m3u8" if is_variant else f"/media/{number}.ts"
        lines.append(line)
    return "\n".join(lines)


def _expected(text: str) -> set[str]:
    """How the playing of it may end, by its tags."""
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    tags = "\n".join(line for line in lines if line.startswith("#EXT"))
    links = [line for line in lines if not line.startswith("#")]
    if not tags.startswith("#EXTM3U") or not links:
        return {Reason.NOT_MEDIA}
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        # One whose sound is apart needs ffmpeg, which is turned off here.
        return {"plays", Reason.UNSUPPORTED} if 'URI="' in text else {"plays"}
    if "#EXT-X-MAP" in tags:
        return {Reason.UNSUPPORTED}
    if "METHOD=AES-128" in tags:  # what is served is not encrypted
        other = "KEYFORMAT" in tags and 'KEYFORMAT="identity"' not in tags
        return {"plays", Reason.NOT_MEDIA} | ({Reason.UNSUPPORTED} if other else set())
    number = re.search(r"#EXT-X-MEDIA-SEQUENCE:\s*(\d+)", tags)
    if "#EXT-X-ENDLIST" in tags and "-TYPE" not in tags and number and int(number[1]) > 1:
        return {Reason.ENDED}  # the last window of a channel
    if "BYTERANGE" in tags:  # of some bytes, or far behind what there is
        return {"plays", Reason.NOT_MEDIA, Reason.ENDED}
    return {"plays"}


@pytest.mark.skipif(not FILES, reason="the real playlists are not here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_real_playlist_is_played_or_refused_as_its_tags_say(
    origin: HlsOrigin, file: Path
) -> None:
    text = file.read_bytes().decode()
    origin.files = {"/real.m3u8": _on_loopback(text).encode()}
    config = Config(sources=(SOURCE,), ffmpeg="", min_data_size=188, stall_timeout=2.0)
    with closing(HttpClient(config)) as client:
        told = ""
        stream = Stream(SOURCE, f"http://127.0.0.1:{origin.port}/real.m3u8")
        try:
            with closing(opener_of(config, client).open_stream(stream)) as chunks:
                data = data_of(islice(chunks, 1))
            outcome = "plays" if set(data[::188]) == {0x47} else "nothing"
        except UpstreamError as error:
            outcome, told = str(error.reason), f"{error} {error.detail}"
    assert "127.0.0.1" not in told
    assert outcome in _expected(text)
