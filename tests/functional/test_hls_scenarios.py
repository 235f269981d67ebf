"""What real HLS origins do, all at once through one gunicorn: what leaves is what they made."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.functional.harness import Proxy, Viewer, eventually
from tests.hls_origin import HlsOrigin
from tests.live_media import PLAY_SECONDS

StartProxy = Callable[..., Proxy]
Act = Callable[[HlsOrigin], object]

pytestmark = pytest.mark.timeout(PLAY_SECONDS + 120)

SECONDS = PLAY_SECONDS
TOKEN_LIFE = 3.0


@dataclass
class Scenario:
    """An origin, what happens to it some seconds after it began to play, and what came of it."""

    options: dict[str, object]
    at: float = 0.0
    act: Act | None = None
    origin: HlsOrigin = field(default_factory=HlsOrigin)
    viewer: Viewer | None = None

    @property
    def watched(self) -> Viewer:
        assert self.viewer is not None
        return self.viewer


def _scenario(at: float = 0.0, act: Act | None = None, **options: object) -> Scenario:
    return Scenario(options, at, act)


def _scenarios() -> dict[str, Scenario]:
    two = {"high": 5_000_000, "low": 800_000}
    return {
        "plain": _scenario(),
        "jitter": _scenario(jitter=0.4),
        "variants": _scenario(variants=two),
        "variant dies": _scenario(3.0, lambda o: o.dead_variants.add("low"), variants=two),
        "aes": _scenario(keys_rotate=2),
        "aes with iv": _scenario(keys_rotate=1, iv_given=True, unsized=True),
        "ranges": _scenario(ranges=3),
        "aes in ranges": _scenario(ranges=3, keys_rotate=3),
        "splices": _scenario(2.0, lambda origin: origin.splice()),
        "reset": _scenario(4.0, lambda origin: origin.reset()),
        "tokens": _scenario(token_life=TOKEN_LIFE),
        "tokens on another host": _scenario(token_life=TOKEN_LIFE, edge=True),
        "variants on another host": _scenario(token_life=TOKEN_LIFE, edge=True, variants=two),
        "two servers": _scenario(two_servers=True),
        "slow": _scenario(segment_seconds=0.7),
        "faults": _scenario(faults={107: [404], 108: ["short"], 109: [503]}),
        "lost": _scenario(faults={108: [404] * 99}),
        "playlist faults": _scenario(2.0, lambda o: o.playlist_faults.extend([500, 503])),
        "window of 100": _scenario(window=100, start=0),
        "403 at first": _scenario(late=1.5, late_status=403),
        "410 at first": _scenario(late=1.5, late_status=410, token_life=TOKEN_LIFE),
        "tokens of segments": _scenario(token_life=TOKEN_LIFE, token_of="segments"),
        "told 10": _scenario(duration=2.0, told=10.0, told_target=10),
        "told 4, no pcr": _scenario(duration=2.0, told=4.0, told_target=4, pcr=False),
        "gzip, data keys, no numbers": _scenario(
            gzipped=True, keys_rotate=2, data_keys=True, iv_given=True, sequence="none"
        ),
        "variables": _scenario(defined=True, nested=True, variants=two, token_life=TOKEN_LIFE),
    }


class Stage:
    """The proxy and all scenarios, played."""

    def __init__(self, proxy: Proxy, scenarios: dict[str, Scenario]) -> None:
        self.proxy = proxy
        self.scenarios = scenarios

    def __getitem__(self, name: str) -> Scenario:
        return self.scenarios[name]


@pytest.fixture(scope="module")
def stage(
    share_proxy: Callable[..., Proxy], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Each scenario has been played for SECONDS, its viewer has left."""
    scenarios = _scenarios()
    with ExitStack() as stack:
        entries = ["#EXTM3U"]
        for name, scenario in scenarios.items():
            scenario.origin = stack.enter_context(HlsOrigin(name=name[:16], **scenario.options))  # type: ignore[arg-type]
            entries += [f"#EXTINF:-1,{name}", scenario.origin.url]
        path = tmp_path_factory.mktemp("list") / "list.m3u"
        path.write_text("\n".join(entries))
        # An origin may be late by more than usual where two cores run nineteen of them.
        proxy = share_proxy(f"{path}|0", STALL_TIMEOUT="4s", STREAM_LINGER="0s", DEBUG="true")
        threads = [
            threading.Thread(target=_watch, args=(proxy, name, scenario))
            for name, scenario in scenarios.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 60)
        yield Stage(proxy, scenarios)


def _watch(proxy: Proxy, name: str, scenario: Scenario) -> None:
    scenario.viewer = proxy.viewer(name).wait_for_bytes(1)
    begun = time.monotonic()
    if scenario.act:
        time.sleep(scenario.at)
        scenario.act(scenario.origin)
    time.sleep(max(0.0, begun + SECONDS - time.monotonic()))
    scenario.viewer.leave()


NAMES = list(_scenarios())
SPLICED = ("reset", "variant dies", "lost")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SPLICED])
def test_the_segments_leave_whole_in_order_each_once(stage: Stage, name: str) -> None:
    scenario = stage[name]
    (run,) = scenario.watched.runs()
    assert (run.lost, run.disordered) == (0, 0)
    assert run.first % scenario.origin.packets == 0, "it began in the middle of a segment"
    played = (run.last - run.first) / scenario.origin.packets * scenario.origin.duration
    assert played > SECONDS - 4.0


@pytest.mark.parametrize("name", NAMES)
def test_no_trouble_of_an_origin_counts_as_a_failure_of_the_stream(stage: Stage, name: str) -> None:
    metrics = stage.proxy.metrics()
    assert metrics.value("iptv_proxy_bytes_transferred", channel=name) > 0
    assert metrics.value("iptv_proxy_stream_errors", channel=name) == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_segment_is_fetched_once(stage: Stage, name: str) -> None:
    origin = stage[name].origin
    asked = [asked.path.rpartition("/")[2] for asked in origin.requests(r"\.ts")]
    again = {path for path in asked if asked.count(path) > 1}
    # One file of several; asked anew; not there yet.
    excused = bool(origin.ranges or origin.token_life or origin.late)
    assert {path for path in again if not (excused or _has_fault(origin, path))} == set()


def _has_fault(origin: HlsOrigin, path: str) -> bool:
    return int(path.partition("-")[2].partition(".")[0]) in origin.faults


@pytest.mark.parametrize("name", NAMES)
def test_one_connection_a_host_and_none_left_behind(stage: Stage, name: str) -> None:
    origin = stage[name].origin
    assert origin.most_sockets <= (2 if origin.edge else 1)
    eventually(lambda: origin.sockets == 0)


def test_an_encoder_that_starts_again_goes_on_with_its_new_segments(stage: Stage) -> None:
    before, behind = stage["reset"].watched.runs()
    assert (before.connection, behind.connection) == (0, 1)
    assert (before.lost, before.disordered, behind.lost, behind.disordered) == (0, 0, 0, 0)
    assert behind.first == 0


def test_a_variant_that_dies_gives_way_to_the_next_where_it_stood(stage: Stage) -> None:
    scenario = stage["variant dies"]
    paths = [asked.path for asked in scenario.origin.requests(r"\.ts")]
    assert paths[0].startswith("/low/")
    assert paths[-1].startswith("/high/")
    runs = scenario.watched.runs()
    assert sum(run.disordered for run in runs) == 0


def test_a_segment_that_cannot_be_had_is_skipped_and_the_rest_goes_on(stage: Stage) -> None:
    scenario = stage["lost"]
    assert sum(run.lost for run in scenario.watched.runs()) == scenario.origin.packets
    assert "a segment skipped" in stage.proxy.log


def test_a_window_of_100_is_not_replayed_nor_asked_for_more_often_than_it_changes(
    stage: Stage,
) -> None:
    origin = stage["window of 100"].origin
    seconds = origin.asked[-1].at - origin.asked[0].at
    assert len(origin.requests("media")) <= seconds * 1.5 + 2
    assert len(origin.requests(r"\.ts")) <= seconds + 5


def test_an_expired_token_is_answered_by_a_fresh_start_from_the_lists_url(stage: Stage) -> None:
    origin = stage["tokens on another host"].origin
    asked = [a for a in origin.asked if a.path.startswith("/channel.m3u8")]
    lives = SECONDS / TOKEN_LIFE
    assert lives - 1 <= len(asked) <= lives * 1.2 + 2
    hosts = {a.headers["host"].partition(":")[0] for a in origin.requests(r"\.ts")}
    assert hosts == {"127.0.0.2"}


def test_headers_go_with_playlists_keys_and_segments(stage: Stage) -> None:
    for kind in (r"media\.m3u8", "^/key/", r"\.ts"):
        asked = stage["aes"].origin.requests(kind)
        assert asked
        assert {a.headers["user-agent"] for a in asked} == {"VLC/3.0.18 LibVLC/3.0.18"}
        assert {a.headers.get("cookie") for a in asked} == {"seen=yes"}


def test_no_silence_is_longer_than_one_and_a_half_target_durations(stage: Stage) -> None:
    viewer = stage["jitter"].watched
    times = [at for at, _ in viewer.arrivals]
    # And a half for a machine that runs all of this at once.
    assert max(b - a for a, b in itertools.pairwise(times)) < 2.0


def test_the_log_tells_no_address(stage: Stage) -> None:
    for secret in ("127.0.0.2", "secret", "media.m3u8", "Traceback"):
        assert secret not in stage.proxy.log
