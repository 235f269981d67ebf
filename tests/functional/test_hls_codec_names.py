"""A real browser knows the codecs by the names that our playlists give them."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import sync_playwright

from kptv.formats.hls.codec_names import codec_names
from tests.formats.ts_clips import AAC, H264, MP2, clip
from tests.formats.ts_hub import Hub

pytestmark = pytest.mark.requires("chromium", "ffmpeg")

ASK = 'name => MediaSource.isTypeSupported(`video/mp4; codecs="${name}"`)'
KEYS = " -x264-params open-gop=0:keyint=25:scenecut=0"


def names_of(stream: bytes) -> str:
    return ",".join(codec_names(Hub().play(stream).splicer.stats.media))


def test_a_browser_supports_h264_with_aac_by_our_names() -> None:
    streams = [clip(H264 + KEYS, AAC), clip("", "-c:a aac -ar 24000"), clip(H264 + KEYS, MP2)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        supported = [page.evaluate(ASK, names_of(stream)) for stream in streams]
        browser.close()
    assert supported == [True, True, False]
