"""Channel lists as people write them: what is served, and what plays."""

from __future__ import annotations

from collections.abc import Callable

from tests.functional.harness import Proxy
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_of_a_malformed_list_each_channel_is_served_readably_and_plays(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    dead, news, sport, films = (
        one.add_channel(name) for name in ("Dead", "News", "Sport", "Films")
    )
    dead.fail_with(404)
    one.list.set(
        f"""#EXTM3U
Visit http://shop.example for more channels
#EXTINF:-1group-title="General" tvg-logo"http://logo.example/n.png",Ne\u200bws
{dead.url}
{news.url}
EXTINF:-1 "tvg-id="s" group-title="Sport",Sport
{sport.url}
#EXTINF:-1,Nothing
[NO PUBLIC STREAM]
#EXTINF:-1,Nothing either
http://0.0.0.0
#EXTINF:-1 tvg-id="f"
group-title="General",Films
{films.url}
#EXTINF:-1 tvg-chno="7" group-title="Evening",Films
{films.url}
"""
    )
    proxy = start_proxy((one, 1), STREAM_LINGER="200ms", RETRY_DELAY="100ms")
    assert proxy.get("/playlist.m3u8").text.splitlines()[1::2] == [
        '#EXTINF:-1 tvg-id="f" tvg-chno="7" group-title="General",Films',
        '#EXTINF:-1 tvg-logo="http://logo.example/n.png" group-title="General",News',
        '#EXTINF:-1 tvg-id="s" group-title="Sport",Sport',
    ]
    assert list(proxy.playlist("/evening/playlist.m3u8")) == ["Films"]
    for name in ("News", "Sport", "Films"):
        with proxy.viewer(name) as viewer:
            viewer.wait_for_bytes(30_000)
            assert {run.channel for run in viewer.runs()} == {name}
    assert len(dead.requests) == 1
    assert one.max_connections_seen == 1


def test_names_are_read_in_the_encoding_that_the_answer_tells(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    stream = one.add_channel("Kettő")
    one.list.set(f"#EXTM3U\n#EXTINF:-1,Kettő\n{stream.url}\n".encode("cp1250"))
    one.list.content_type = "audio/x-mpegurl; charset=windows-1250"
    proxy = start_proxy((one, 1))
    assert list(proxy.playlist()) == ["Kettő"]
