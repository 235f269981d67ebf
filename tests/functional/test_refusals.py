"""One address refuses: what it says counts for the stream or host that said it, or the account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.functional.failing import assert_nothing_leaked
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider, Reply, Stream

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

TOKEN = "open-sesame"
HOUR = {"Retry-After": "3600"}
ROUNDED = 0.05  # seconds: the API tells moments in tenths


@dataclass(slots=True)
class Stage:
    proxy: Proxy
    pauses: Provider  # its streams ask for a pause, each for itself
    many: Provider  # some of its links lead to another host
    far: Provider  # which is this one
    limits: Provider  # says at once that there are too many connections
    panel: Provider  # redirects to an edge that says so
    panel_channels: list[Stream]
    refuses: Provider  # all its streams but the fourth are refused, without more words

    def plays(self, channel: str) -> bool:
        with self.proxy.viewer(channel) as viewer:
            if viewer.wait_for_status() == 200:
                viewer.wait_for_bytes(20_000)
        self.proxy.wait_idle()  # while a connection is open, a refusal means another thing
        return viewer.status == 200

    def status(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.proxy.get("/api/status").text)
        return value

    def resting(self, number: int) -> list[dict[str, Any]]:
        return [rest for rest in self.status()["resting"] if rest["source"] == number]


@pytest.fixture(scope="module")
def stage(share_provider: StartProvider, share_proxy: StartProxy) -> Iterator[Stage]:
    names = ("pauses", "many", "far", "limits", "panel", "edge", "refuses")
    pauses, many, far, limits, panel, edge, refuses = map(share_provider, names)
    for name in ("503", "403", "works"):
        pauses.add_channel(f"pauses {name}")
    for name in ("near", "nearer", "nearest"):
        many.add_channel(name)
    for name in ("far", "farther"):
        far.stream(f"/{name}.ts").name = name
        many.add_channel(name, url=far.stream(f"/{name}.ts").url)
    for name in ("limits", "limits too"):
        limits.add_channel(name)
    limits.add_channel("limits elsewhere", url=far.stream("/far.ts").url)
    channels = [panel.add_channel(name) for name in ("panel", "panel too")]
    edge.stream("/edge.ts").fail_with(Reply(458, HOUR))
    channels[0].redirect_to(edge.stream("/edge.ts").url)
    for number in range(5):
        refuses.add_channel(f"refused {number}")
    proxy = share_proxy(
        (pauses, 0),
        (many, 0),
        (limits, 0),
        (panel, 0),
        (refuses, 0),
        STREAM_LINGER="0",
        MAX_FAILURES_BEFORE_BLOCK="1",  # whoever is blamed is blocked for a minute
        MAX_RETRIES="0",
        ADMIN_TOKEN=TOKEN,
    )
    yield Stage(proxy, pauses, many, far, limits, panel, channels, refuses)
    assert_nothing_leaked(proxy, pauses, many, far, limits, panel, edge, refuses)


def channel(provider: Provider, name: str) -> Stream:
    found = [r for r in provider._resources.values() if isinstance(r, Stream) and r.name == name]
    return found[0]


@pytest.mark.parametrize("status", [503, 403])
def test_a_stream_that_asks_for_a_pause_rests_alone_until_an_import(
    stage: Stage, status: int
) -> None:
    name = f"pauses {status}"
    refused = channel(stage.pauses, name)
    refused.fail_with(Reply(status, HOUR))
    for _ in range(2):
        with stage.proxy.viewer(name) as viewer:
            assert viewer.wait_for_status() == 503
            assert 500 < int(viewer.headers["Retry-After"]) <= 600
    assert len(refused.requests) == 1
    assert stage.plays("pauses works")
    shown = [rest for rest in stage.resting(1) if rest["name"] == name]
    assert [(rest["what"], rest["detail"]) for rest in shown] == [("stream", f"HTTP {status}")]
    assert 500 < shown[0]["until"] - stage.status()["time"] <= 600 + ROUNDED
    assert stage.status()["blocked"] == []
    refused.recover()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert stage.proxy.get("/api/import", bearer, "POST").status == 202
    eventually(lambda: not [r for r in stage.resting(1) if r["name"] == name], 10.0)
    assert stage.plays(name)


@pytest.mark.parametrize("status", [429])
def test_a_limit_at_another_host_than_most_links_lead_to_closes_that_host_alone(
    stage: Stage, status: int
) -> None:
    stage.far.stream("/far.ts").fail_with(Reply(status, HOUR))
    try:
        assert not stage.plays("far")
        assert not stage.plays("farther")
        assert stage.far.stream("/farther.ts").requests == []
        assert stage.plays("near")
        assert stage.plays("limits elsewhere") is False, "another account's, asked for itself"
        assert [rest["what"] for rest in stage.resting(2)] == ["host"]
        assert not [
            part for part in stage.far.secrets if part in stage.proxy.get("/api/status").text
        ]
    finally:
        stage.far.stream("/far.ts").recover()


def test_a_limit_at_the_host_of_most_links_closes_the_account(stage: Stage) -> None:
    refused = channel(stage.limits, "limits")
    refused.fail_with(Reply(509, HOUR))
    assert not stage.plays("limits")
    assert not stage.plays("limits too")
    assert channel(stage.limits, "limits too").requests == []
    (rest,) = [rest for rest in stage.resting(3) if rest["what"] == "account"]
    assert rest["until"] - stage.status()["time"] <= 60 + ROUNDED


def test_what_an_edge_behind_a_redirect_says_counts_for_the_host_of_the_link(stage: Stage) -> None:
    first, second = stage.panel_channels
    assert not stage.plays("panel")
    assert not stage.plays("panel too")
    assert (len(first.requests), len(second.requests)) == (1, 0)


def test_three_streams_refused_within_ten_seconds_speak_for_the_account(stage: Stage) -> None:
    refused = [channel(stage.refuses, f"refused {number}") for number in range(3)]
    for stream in refused:
        stream.fail_with(403)
        line = f"{stream.name.replace(' ', '-')}: source-5"
        with stage.proxy.viewer(stream.name):
            eventually(lambda line=line: line in stage.proxy.log, 10.0)
        stage.proxy.wait_idle()
    with stage.proxy.viewer("refused 3") as viewer:  # waits for as long as the account rests
        viewer.wait_for_source("refuses")
        asked_at = channel(stage.refuses, "refused 3").requests[0].at
        assert asked_at - refused[2].requests[0].at >= 4.95
    assert stage.status()["blocked"] == [], "nothing is held against the streams"
