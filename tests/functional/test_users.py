"""Users made and barred by commands and by the API, while the proxy runs: through gunicorn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

TOKEN = "open-sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def run(proxy: Proxy, *arguments: str) -> str:
    """What a command says beside the proxy that runs."""
    return subprocess.run(
        [sys.executable, "-m", "kptv.users", *arguments],
        env={**os.environ, **proxy.settings},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def ask(proxy: Proxy, method: str, path: str, **sent: object) -> Any:
    body = json.dumps(sent).encode() if sent else None
    answer = proxy.get(path, BEARER, method=method, body=body)
    assert answer.status < 300, answer.text
    return json.loads(answer.text)


def test_commands_and_the_api_change_who_may_watch_while_streams_play(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one")
    for name in ("News", "Sport"):
        one.add_channel(name, group_title=name)
    proxy = start_proxy((one, 0), ADMIN_TOKEN=TOKEN, STREAM_LINGER="100ms")
    told = run(proxy, "add", "anna", "--groups", "News", "--label", "TV")
    [anna] = re.findall(r"password ([a-z2-9]{20})", told)
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    assert set(proxy.playlist(f"/u/{anna}/playlist.m3u8")) == {"News"}

    ben = ask(proxy, "POST", "/api/users", name="ben")["links"]["secret"]
    with (
        proxy.viewer(f"/u/{anna}/stream/news") as first,
        proxy.viewer(f"/u/{ben}/stream/sport") as second,
    ):
        first.wait_for_bytes(20_000)
        second.wait_for_bytes(20_000)
        users = ask(proxy, "GET", "/api/users")["users"]
        watched = {user["name"]: [one["channel"] for one in user["streams"]] for user in users}
        assert watched == {"anna": ["news"], "ben": ["sport"]}
        ask(proxy, "POST", f"/api/viewers/{users[1]['streams'][0]['viewer']}/end")
        second.wait_for_end(5)
        assert not first.ended
        run(proxy, "disable", "anna")
        first.wait_for_end(5)
    assert proxy.get(f"/u/{anna}/playlist.m3u8").status == 403
    assert "disabled" in run(proxy, "list")
    for secret in (anna, ben):
        assert secret not in proxy.log
    run(proxy, "open")
    eventually(lambda: proxy.get("/playlist.m3u8").status == 200)
