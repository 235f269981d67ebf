"""A source behind a proxy of its own: nothing of it goes another way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from tests.functional.harness import Proxy, eventually
from tests.numbered_ts import NumberedStream
from tests.provider import MiddleProxy, Provider

NAME = "panel.example"  # RFC 6761, 6.5: nobody here can look it up
LOGIN = ("ann", "s3cret-way")
KEY = b"0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def named(url: str) -> str:
    return url.replace("127.0.0.1", NAME)


@pytest.fixture
def one(start_provider: Callable[..., Provider]) -> Provider:
    """A provider with a transport stream behind a redirect, encrypted HLS, a film, DASH, a logo."""
    one = start_provider("one", limit=1, bitrate=4e6)
    logo = f"/logos/{one.user}/{one.password}/news.png"
    one.add_file(logo, PNG, "image/png")
    news = one.stream(f"/live/{one.user}/{one.password}/1.ts")
    one.stream("/moved.ts").redirect_to(named(news.url))
    one.add_channel(
        "News", path="/n.ts", url=named(one.url("/moved.ts")), tvg_logo=named(one.url(logo))
    )
    one.add_channel("Pieces", path="/p.ts", url=named(one.url("/list.m3u8")))
    one.add_channel("Manifest", path="/m.ts", url=named(one.url("/live.mpd")))
    one.add_channel("Camera", path="/c.ts", url=f"rtsp://{NAME}:{one.port}/camera")
    one.add_file("/live.mpd", b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>')
    _add_segments(one)
    return one


def _add_segments(one: Provider) -> None:
    packets = NumberedStream("one", "pieces", 9, bitrate=1e6).packets(2000, 0.0)
    one.add_file("/key", KEY)
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    text += f'#EXT-X-KEY:METHOD=AES-128,URI="{named(one.url("/key"))}",IV=0x{"0" * 32}\n'
    for number in range(4):
        padder = PKCS7(128).padder()
        plain = padder.update(packets[number * 500 * 188 :][: 500 * 188]) + padder.finalize()
        cipher = Cipher(algorithms.AES(KEY), modes.CBC(bytes(16))).encryptor()
        file = one.add_file(f"/{number}.ts", cipher.update(plain) + cipher.finalize())
        text += f"#EXTINF:0.75,\n{named(file.url)}\n"
    one.add_file("/list.m3u8", (text + "#EXT-X-ENDLIST\n").encode())


@pytest.fixture
def start(tmp_path: Path, one: Provider) -> Iterator[Callable[..., Proxy]]:
    """Starts a proxy whose lookups and connections are recorded."""
    proxies: list[Proxy] = []

    def begin(rules: str) -> Proxy:
        file = tmp_path / "rules.toml"
        file.write_text(rules)
        settings = {"RULES": str(file), "STREAM_LINGER": "0", "MAX_RETRIES": "0", "DEBUG": "true"}
        proxy = Proxy(tmp_path, f"{named(one.list_url)}|1", WAY=LOGIN[1], **settings)
        proxies.append(proxy)
        return proxy.start(app="tests.functional.recorded:app()")

    yield begin
    for proxy in proxies:
        with closing(proxy):
            proxy.stop()


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_all_of_a_source_goes_through_its_proxy(
    one: Provider, start: Callable[..., Proxy], kind: str
) -> None:
    with MiddleProxy(kind, [NAME], LOGIN) as middle:
        way = middle.url.replace(LOGIN[1], "${WAY}")
        proxy = start(f'[source.1]\nproxy = "{way}"\n')
        with proxy.viewer("News") as viewer:
            viewer.wait_for_source("one").wait_for_bytes(50_000)
        one.wait(lambda: one.connections == 0)
        with proxy.viewer("Pieces") as viewer:
            viewer.wait(lambda: viewer.received >= 1500 * 188)
            assert [run.lost for run in viewer.runs()] == [0]
        one.wait(lambda: one.connections == 0)
        assert proxy.get("/logo/news").body == PNG
        for channel in ("Manifest", "Camera"):
            with proxy.viewer(channel) as viewer:
                assert viewer.wait_for_status() == 503
        assert proxy.log.count("ffmpeg, which cannot go through its source's proxy") >= 2
        proxy.wait_idle()
        one.wait(lambda: one.sockets == 0)
        asked = {request.path for request in one.requests}
        assert asked > {"/get.php", "/moved.ts", "/list.m3u8", "/key", "/3.ts", "/live.mpd"}
        assert one.accepted == middle.tunnels == len(middle.asked)
        assert set(middle.asked) == {(NAME, one.port)}
        recorded = re.findall(r"^RECORDED (\w+) (.*)$", proxy.log, re.M)
        assert {what for kind, what in recorded if kind == "port"} == {str(middle.port)}
        assert len([1 for kind, _ in recorded if kind == "port"]) == middle.connections
        assert NAME not in {what for kind, what in recorded if kind == "name"}
        assert one.max_connections_seen == 1
        eventually(lambda: middle.open == 0)
    shown = proxy.log + proxy.get("/api/status").text + proxy.get("/playlist.m3u8").text
    assert LOGIN[1] not in shown


def test_a_proxy_that_is_gone_is_told_and_blames_the_account_not_the_stream(
    one: Provider, start: Callable[..., Proxy]
) -> None:
    with MiddleProxy("socks5", [NAME], LOGIN) as middle:
        proxy = start(f'[source.1]\nproxy = "{middle.url}"\n')
        with proxy.viewer("News") as viewer:
            viewer.wait_for_source("one")
        one.wait(lambda: one.sockets == 0)
        middle.says = b"\x05\x02\x01\x01."
        tunnels = middle.tunnels
        with proxy.viewer("News") as viewer:
            eventually(lambda: "leaving the source alone" in proxy.log)
            viewer.leave()
        assert middle.tunnels == tunnels
    assert "proxy (it " in proxy.log
    assert proxy.metrics().value("iptv_proxy_stream_errors", kind="proxy") >= 1
    assert LOGIN[1] not in proxy.log
