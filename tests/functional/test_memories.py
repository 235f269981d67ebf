"""What is remembered ends with what it belongs to, so that a viewer sees nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.failing import assert_nothing_leaked
from tests.functional.harness import Proxy, eventually
from tests.numbered_ts import NumberedStream
from tests.provider import Provider, Reply, Request, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

TOKEN = "open-sesame"
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50_000)


def refuse_with_cookie(provider: Provider, stream: Stream, status: int) -> None:
    """From now on the stream is refused to who sends a cookie."""
    find = provider.find

    def finding(request: Request) -> object:
        if request.path == stream.path and "cookie" in request.headers:
            stream.fail_with(status, times=1)
        return find(request)

    provider.find = finding  # type: ignore[assignment,method-assign]


@pytest.mark.parametrize("status", [401, 403, 410])
def test_a_session_that_the_provider_has_ended_costs_no_picture(
    start_provider: StartProvider, start_proxy: StartProxy, status: int
) -> None:
    one = start_provider("one", limit=1)
    news = one.add_channel("news")
    news.extra_headers["Set-Cookie"] = "session=one; Path=/"
    proxy = start_proxy((one, 1), STREAM_LINGER="0", MAX_FAILURES_BEFORE_BLOCK="1")
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
    proxy.wait_idle()
    del news.extra_headers["Set-Cookie"]
    refuse_with_cookie(one, news, status)
    for _ in range(2):
        with proxy.viewer("news") as viewer:
            viewer.wait_for_source("one")
            assert viewer.status == 200
        proxy.wait_idle()
    sent = [request.headers.get("cookie") for request in news.requests]
    assert sent == [None, "session=one", None, None]
    assert proxy.metrics().value("iptv_proxy_stream_errors", channel="news") == 0
    assert one.max_connections_seen == 1
    assert_nothing_leaked(proxy, one)


FFMPEG = """#!/bin/sh
case "$*" in
*demuxer=hls*) ;;
*"$(cat {folder}/valid)"*) cat {folder}/media.ts; exec sleep 60 ;;
*) echo "Server returned 403 Forbidden" >&2; exit 1 ;;
esac
"""
FMP4 = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2,
7.m4s
"""


def test_an_address_that_ffmpeg_was_given_is_asked_for_anew_where_it_is_over(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    program, valid = tmp_path / "ffmpeg", tmp_path / "valid"
    program.write_text(FFMPEG.format(folder=tmp_path))
    program.chmod(0o755)
    media = NumberedStream("ffmpeg", "news", 1, bitrate=8_000_000)
    (tmp_path / "media.ts").write_bytes(media.packets(2000, 0.0))
    one = start_provider("one", limit=1)
    news = one.add_channel("news")
    proxy = start_proxy(
        (one, 1), STREAM_LINGER="0", MAX_FAILURES_BEFORE_BLOCK="1", FFMPEG=str(program)
    )
    for token, asked in (("a", 1), ("a", 1), ("b", 2)):
        valid.write_text(f"/{token}/")
        news.redirect_to(f"/{token}/media.m3u8")
        one.stream(f"/{token}/media.m3u8").fail_with(Reply(200, {}, FMP4))
        with proxy.viewer("news") as viewer:
            viewer.wait_for_source("ffmpeg")
        proxy.wait_idle()
        assert len(news.requests) == asked
    assert proxy.metrics().value("iptv_proxy_stream_errors", channel="news") == 0
    assert_nothing_leaked(proxy, one)


def test_an_import_that_changes_a_film_to_a_channel_ends_what_is_known_of_the_film(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    film = one.add_file("/movie/u/p/1.mp4", FILM)
    one.list.entries += ("#EXTINF:-1,news", film.url)
    proxy = start_proxy((one, 1), STREAM_LINGER="0", ADMIN_TOKEN=TOKEN)
    assert proxy.get("/stream/news").body == FILM
    assert proxy.get("/stream/news", method="HEAD").headers["Content-Type"] == "video/mp4"
    live = one.stream("/live/u/p/1.ts")
    one.list.entries[-1] = live.url
    one.list.modified += 60
    proxy.get("/api/import", {"Authorization": f"Bearer {TOKEN}"}, "POST")

    def is_live() -> bool:
        head = proxy.get("/stream/news", method="HEAD")
        return head.headers["Content-Type"] == "video/mp2t"

    eventually(is_live, 10.0)
    proxy.wait_idle()
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
    assert len(live.requests) == 1
