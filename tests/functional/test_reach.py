"""Where lists may lead the proxy: through real gunicorn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider


def test_private_addresses_can_be_refused_but_for_the_list_itself(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    news = provider.add_channel("News")
    proxy = start_proxy((provider, 1), ALLOW_PRIVATE_UPSTREAMS="false", MAX_RETRIES="0")
    assert list(proxy.playlist()) == ["News"]
    assert proxy.get("/stream/news").status == 503
    assert "leads to a private address; ALLOW_PRIVATE_UPSTREAMS=true would allow it" in proxy.log
    assert not news.requests


def test_links_of_the_proxy_itself_do_not_go_round(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    """Direct mode once made thousands of descriptors of one."""
    provider = start_provider("one")
    provider.add_channel("News")
    own = tmp_path / "own.m3u"
    own.write_text("#EXTM3U\n#EXTINF:-1,News\nhttp://127.0.0.1:1/\n")
    proxy = start_proxy(str(own) + "|0", ENABLE_RESTREAMING="false", MAX_RETRIES="0", wait=False)
    own.write_text(
        f"#EXTM3U\n#EXTINF:-1,News\nhttp://127.0.0.1:{proxy.port}/stream/news\n"
        f"#EXTINF:-1,Other\nhttp://localhost:{proxy.port}/stream/news\n"
    )
    proxy.wait_until_ready()
    eventually(lambda: "News" in proxy.playlist())
    before = proxy.descriptors()
    for name in ("news", "other"):
        assert proxy.get(f"/stream/{name}").status == 503
    assert proxy.log.count("a link of this proxy itself") == 2
    assert proxy.descriptors() < before + 10
