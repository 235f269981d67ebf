"""Two instances over one DATA_DIR: one asks the providers, both serve the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

NOBODY = "redis://127.0.0.1:1/0"  # nothing answers there, and no import waits for it
SAME = (  # that instances say, with its tag
    "/playlist.m3u8",
    "/player_api.php?username=u&password=p&action=get_live_streams",
    "/player_api.php?username=u&password=p&action=get_live_categories",
    "/lineup.json",
    "/discover.json",
)


def said(proxy: Proxy) -> list[tuple[int, str | None, bytes]]:
    """The answers to all of SAME."""
    answers = [proxy.get(path) for path in SAME]
    return [(each.status, each.headers["ETag"], each.body) for each in answers]


def names(proxy: Proxy) -> set[str]:
    return {each["GuideName"] for each in json.loads(proxy.get("/lineup.json").body)}


def test_one_imports_and_another_goes_on_where_it_ends(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    provider = start_provider("one")
    for name in "News", "Sport":
        provider.add_channel(name, group_title="All")
    settings = {
        "LEASES_URL": NOBODY,
        "DATA_DIR": str(tmp_path / "shared"),
        "BASE_URL": "http://tv.example",
        "HDHOMERUN": "http",
    }
    proxies = [start_proxy((provider, 0), wait=False, **settings) for _ in range(2)]
    for proxy in proxies:
        eventually(lambda proxy=proxy: has(proxy, "News", "Sport"), 30.0, "it has no list")
    one, two = sorted(proxies, key=lambda proxy: "this instance imports" not in proxy.log)
    assert "another instance imports" in two.log
    assert said(one) == said(two)
    assert {status for status, *_ in said(one)} == {200}
    assert len(provider.requests) == 1

    provider.add_channel("Films", group_title="All")
    provider.list.modified += 60
    one.kill()
    eventually(lambda: has(two, "News", "Sport", "Films"), 20.0, "nobody imports")
    one.start(wait=False)
    eventually(lambda: has(one, "News", "Sport", "Films"), 20.0, "it has not what the other kept")
    assert said(one) == said(two)
    assert len(provider.requests) == 2


def has(proxy: Proxy, *expected: str) -> bool:
    try:
        return names(proxy) == set(expected)
    except (OSError, ValueError):  # it starts, or has none
        return False
