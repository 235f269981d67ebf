"""Lists and providers that want to stop everybody: beside each a viewer, who feels nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.functional.harness import Proxy, eventually
from tests.functional.test_hostile_clients import Stage
from tests.hls_origin import HlsOrigin
from tests.provider import Provider

FIRST_MEDIA = 20.0  # seconds until a candidate that works is found behind those that do not


class Hostile(Stage):
    """The stage; its second provider's list is the attacker's. The third has what works."""

    def __init__(self, proxy: Proxy, viewer: object, attacker: Provider, good: Provider) -> None:
        super().__init__(proxy, viewer)  # type: ignore[arg-type]
        self.attacker = attacker
        self.good = good

    def imports(self, text: str, entries: int) -> None:
        """The attacker's list from now on, which is another than before, imported."""
        lines = self.proxy.log.count("\n")
        self.attacker.list.set(text)

        def imported() -> bool:
            news = "\n".join(self.proxy.log.split("\n")[lines:])
            _, _, behind = news.partition(f"source-2: {entries} entries")
            return "catalog: " in behind

        eventually(imported, 30, "the list was not imported")

    def attacks(self, name: str, url: str) -> None:
        """A channel of this name: the attacker's stream first, then one that works."""
        self.good.add_channel(name)
        eventually(lambda: name in self.proxy.playlist(), 30, "the list was not imported")
        self.imports(f"#EXTM3U\n#EXTINF:-1,{name}\n{url}\n", 1)


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Hostile]:
    one, attacker, good = (share_provider(name) for name in ("one", "attacker", "good"))
    one.add_channel("News")
    attacker.list.set("#EXTM3U\n")
    good.add_channel("Good")
    # Those of a lower limit come first: the attacker before the one that works.
    settings = {
        "IMPORT_REFRESH_INTERVAL": "1s",
        "RETRY_DELAY": "100ms",
        "STREAM_TIMEOUT": "4s",
        "STREAM_LINGER": "0s",
    }
    proxy = share_proxy((one, 1), (attacker, 1), (good, 9), **settings)
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("one")
        yield Hostile(proxy, viewer, attacker, good)


def test_names_of_40_kb_hold_up_nobody_who_looks_at_the_channels(stage: Hostile) -> None:
    entries = [
        f'#EXTINF:-1 group-title="{"G" * 20_000}{n}",{n:03d}{"n" * 40_000}\nhttp://a.example/{n}'
        for n in range(200)
    ]
    with stage.unharmed():
        stage.imports("\n".join(["#EXTM3U", *entries, ""]), 200)
        for _ in range(3):
            assert stage.proxy.get("/api/channels").status == 200
            assert stage.proxy.get("/api/status").status == 200
            assert stage.proxy.get("/playlist.m3u8").status == 200
    assert "source-2: 200 entries, 400 texts cut that were too long" in stage.proxy.log
    metrics = stage.proxy.metrics()
    assert metrics.value("iptv_proxy_import_cut_texts", source="source-2") == 400


@pytest.mark.parametrize(
    "line",
    [
        "a.ts?" * 500 + " x",
        "a.ts?" * 12_000 + " x",
        f'#EXTINF:-1 a=x{" " * 60_000}",N',
        f"#EXTINF:-1 {'a=' * 30_000},N",
        f"#EXTVLCOPT:{'program' * 8_000}",
        f"#KODIPROP:stream_headers={'a&' * 30_000}",
    ],
    ids=["addresses", "more addresses", "blanks", "keys", "programmes", "headers"],
)
def test_a_line_that_is_made_to_be_slow_holds_up_nobody(stage: Hostile, line: str) -> None:
    with stage.unharmed():
        last = f"#EXTINF:-1,Last\nhttp://a.example/{len(line)}/{line[:3]}\n"
        stage.imports(f"#EXTM3U\n{line}\n" * 20 + last.replace(" ", ""), 1)


def test_a_million_candidates_of_one_channel_hold_up_nobody(stage: Hostile) -> None:
    links = "".join(f"http://a.example/{n}\n" for n in range(100_000))
    with stage.unharmed():
        stage.imports(f"#EXTM3U\n#EXTINF:-1,Many\n{links}", 100_000)
        assert stage.proxy.get("/api/channels?q=many").status == 200
        assert stage.proxy.get("/stream/many", method="HEAD").status == 200


class Odd(HlsOrigin):
    """Answers its channel with ``playlist``, and counts who asks for what."""

    playlist = b""

    def _answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/channel.m3u8"):
            return 200, {}, self.playlist
        return HlsOrigin._answer(self, path, headers)


def variants(count: int, renditions: int) -> bytes:
    lines = ["#EXTM3U"]
    for n in range(count):
        lines += [f'#EXT-X-STREAM-INF:BANDWIDTH={n + 1},AUDIO="a"', f"/dead/{n}.m3u8"]
    for n in range(renditions):
        lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{n}",URI="s{n}.m3u8"')
    return "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize(("count", "renditions"), [(6_000, 6_000), (49_000, 0)])
def test_variants_without_end_hold_up_nobody_and_the_next_source_plays(
    stage: Hostile, count: int, renditions: int
) -> None:
    with Odd() as origin:
        origin.playlist = variants(count, renditions)
        stage.attacks(f"Variants {count}", origin.url)
        with stage.unharmed(), stage.proxy.viewer(f"Variants {count}") as viewer:
            viewer.wait_for_source("good", FIRST_MEDIA)
        assert 0 < len(origin.requests("/dead/")) <= 16
    assert max(map(len, stage.proxy.log.splitlines())) < 2000


def test_the_variants_of_an_honest_playlist_are_all_tried(stage: Hostile) -> None:
    with Odd(name="last") as origin:
        text = variants(9, 0).decode() + "#EXT-X-STREAM-INF:BANDWIDTH=99\n/live/media.m3u8\n"
        origin.playlist = text.encode()
        stage.attacks("Ten variants", origin.url)
        with stage.proxy.viewer("Ten variants") as viewer:
            viewer.wait_for_source("last", FIRST_MEDIA)


@pytest.mark.parametrize(
    "options",
    [
        {"told": 0.004, "told_target": 0},
        {"told": 0.004, "told_target": 1},
        {"told": 0.004, "told_target": 0.001, "pcr": False},
        {"told": 0.004, "told_target": 0, "duration": 0.02, "packets": 3, "window": 40},
        {"told": 0.001, "told_target": 0, "duration": 0.004, "packets": 1, "window": 100},
        {"told": "", "told_target": 0, "duration": 0.02, "packets": 3, "window": 40},
    ],
    ids=["told", "told, target 1", "told, no PCR", "true", "one packet each", "not told"],
)
def test_hls_of_a_few_milliseconds_plays_or_gives_way(
    stage: Hostile, options: dict[str, object]
) -> None:
    name = f"Short {len(stage.good.list.entries)}"
    with HlsOrigin(name="short", **options) as origin:  # type: ignore[arg-type]
        stage.attacks(name, origin.url)
        with stage.unharmed(), stage.proxy.viewer(name) as viewer:
            viewer.wait_for_bytes(188 * 200, FIRST_MEDIA)
            asked, since = len(origin.asked), time.monotonic()
            viewer.wait_for_bytes(188 * 200, FIRST_MEDIA)
            # Whichever plays: nobody asks for hundreds of segments a second.
            assert len(origin.asked) - asked < 60 + 60 * (time.monotonic() - since)


def test_lists_that_drip_keep_no_other_list_from_being_imported(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    slow = [start_provider(f"slow{n}") for n in range(4)]
    for provider in slow:
        provider.add_channel("Slow")
        provider.list.seconds = 60.0
    good = start_provider("good")
    good.add_channel("News")
    proxy = start_proxy(*((provider, 1) for provider in (*slow, good)), WORKER_THREADS="1")
    with proxy.viewer("news") as viewer:
        viewer.wait_for_source("good")
    assert [len(provider.list.requests) for provider in slow] == [1] * 4
