"""What rules.toml says of a source, as its provider sees it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider


def test_another_user_agent_holds_from_the_next_connection_on(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[source.1]\nuser_agent = "Box/1"\nheaders = { X-Token = "s3cret-${WORD}" }\n'
        "tls_verify = false\n"
    )
    rules.chmod(0o644)
    one = start_provider("one", limit=1)
    news = one.add_channel("News")
    proxy = start_proxy((one, 1), RULES=str(rules), WORD="w0rd-one", STREAM_LINGER="0")
    (listed,) = one.list.requests
    assert (listed.headers["user-agent"], listed.headers["x-token"]) == ("Box/1", "s3cret-w0rd-one")
    assert "source-1: its TLS certificates are not checked" in proxy.log
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
        rules.write_text('[source.1]\nuser_agent = "Box/2"\n')
        eventually(lambda: "rules: read again" in proxy.log)
        viewer.wait_for_bytes(50_000)
        assert len(news.requests) == 1, "what plays goes on"
    one.wait(lambda: one.connections == 0)
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
    agents = [request.headers["user-agent"] for request in news.requests]
    assert agents == ["Box/1", "Box/2"]
    assert [request.headers.get("x-token") for request in news.requests] == [
        "s3cret-w0rd-one",
        None,
    ]
    rules.write_text('[source.1]\nuser_agent = "Box/3"\n')
    fetched = len(one.list.requests)
    os.kill(proxy.worker_pid, signal.SIGKILL)  # before it has looked at the file
    one.wait(lambda: len(one.list.requests) > fetched, 20)
    assert one.list.requests[fetched].headers["user-agent"] == "Box/3", "its first request"
    proxy.wait_until_ready()
    shown = proxy.log + proxy.get("/api/status").text + proxy.get("/playlist.m3u8").text
    assert "w0rd-one" not in shown
