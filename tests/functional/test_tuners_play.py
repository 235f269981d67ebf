"""The lineup of the HDHomeRun plays, through a real server."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.functional.harness import Proxy
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_each_address_of_the_lineup_plays_and_head_opens_nothing(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=2)
    for name in ("A", "B"):
        one.add_channel(name)
    proxy = start_proxy((one, 2))
    told = json.loads(proxy.get("/discover.json").body)
    lineup = json.loads(proxy.get("/lineup.json").body)
    assert told["LineupURL"] == f"{told['BaseURL']}/lineup.json"
    assert [each["GuideNumber"] for each in lineup] == ["1", "2"]
    paths = [each["URL"].removeprefix(told["BaseURL"]) for each in lineup]
    assert proxy.get(paths[0], method="HEAD").status == 200
    assert proxy.metrics().value("iptv_proxy_active_connections") == 0
    for path in paths:
        with proxy.viewer(path) as viewer:
            viewer.wait_for_bytes(188 * 200)
            assert viewer.headers["Content-Type"] == "video/mp2t"
