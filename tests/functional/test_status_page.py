"""The status page in a real browser, against real gunicorn and providers that break."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from kptv import __version__
from kptv.channels.users.model import User
from kptv.demo.providers import both_providers
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

pytestmark = pytest.mark.requires("chromium")

AXE = Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js"
TOKEN = "open-sesame"
SOON = 2000  # milliseconds: what happens is shown within two seconds
LIMIT = 15_000
RULES = """[names]
clean = ["quality"]

[[rule]]
when.name = "Shopping*"
drop = true

[[rule]]
when.group = "Grup 1"
rank = 1
"""
CARD = "article.card"
PLAYED = "document.getElementById('video').currentTime"
PLAYS = "document.getElementById('video').src"
APPLES = """
    HTMLMediaElement.prototype.webkitShowPlaybackTargetPicker = () => {};
    HTMLMediaElement.prototype.canPlayType = (type) => /mpegurl/.test(type) ? "maybe" : "";
"""

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


class Rig:
    """Two providers with the same channel, a proxy, and its page."""

    def __init__(self, one: Provider, two: Provider, proxy: Proxy, page: Page) -> None:
        self.one, self.two, self.proxy, self.page = one, two, proxy, page
        self.rules = Path(proxy.settings["RULES"])
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: object) -> None:
        if getattr(message, "type", "") in ("error", "warning"):
            self.complaints.append(getattr(message, "text", ""))

    def open(self, view: str = "now") -> Page:
        self.page.goto(self.proxy.url(f"/#{view}"))
        expect(self.page.locator("#live")).to_have_text("Live", timeout=LIMIT)
        return self.page

    def log_in(self) -> None:
        self.page.click("#admin")
        self.page.fill("#token", TOKEN)
        self.page.click("#login-form .primary")
        expect(self.page.locator("#admin")).to_have_text("Log out", timeout=LIMIT)


@pytest.fixture
def rig(
    browser: Browser, start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> Iterator[Rig]:
    one, two = start_provider("one", limit=1), start_provider("two", limit=2)
    for number in range(30):
        one.add_channel(f"Channel {number:02}", group_title=f"Group {number % 3}")
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(LIMIT)
    one.add_channel("News", group_title="World")
    two.add_channel("News")
    two.add_channel("Channel 00 FHD")
    one.add_channel("Shopping")
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    proxy = start_proxy(
        (one, 1),
        (two, 2),
        ADMIN_TOKEN=TOKEN,
        STREAM_LINGER="200ms",
        STALL_TIMEOUT="1s",
        RULES=str(rules),
    )
    rig = Rig(one, two, proxy, page)
    yield rig
    context.close()


def test_a_source_with_a_name_is_called_by_it_everywhere(
    browser: Browser, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    for provider in (one, two):
        provider.add_channel("News")
    proxy = start_proxy(f"premium={one.list_url}|1", (two, 1))
    page = browser.new_page()
    try:
        page.goto(proxy.url("/#now"))
        with proxy.viewer("News") as viewer:
            viewer.wait_for_source("one").wait_for_bytes(20_000)
            card = page.locator(CARD)
            expect(card.locator(".under")).to_contain_text("from premium", timeout=LIMIT)
            expect(page.locator("#sources li").first).to_contain_text("premium", timeout=LIMIT)
            one.kill()
            viewer.wait_for_source("two")
            expect(card.locator(".changes")).to_contain_text("source-2 plays", timeout=LIMIT)
        assert 'source="premium"' in proxy.get("/metrics").text
        assert "premium → source-2" in proxy.log
        for told in (proxy.log, proxy.get("/metrics").text):
            assert "source-1" not in told
        page.goto(proxy.url("/#rules"))
        expect(page.locator("#no-rules")).to_contain_text("cp rules.example.toml", timeout=LIMIT)
    finally:
        page.close()


def test_profiles_are_offered_and_the_chosen_one_stays_chosen_until_it_is_gone(
    browser: Browser, start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    rules = tmp_path / "rules.toml"
    rules.write_text("[profile.kids]\n[profile.news]\n")
    proxy = start_proxy((one, 1), RULES=str(rules), BASE_URL="http://tv.example")
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    try:
        page.goto(proxy.url("/#connect"))
        address, every = page.locator("#list-url"), "http://tv.example/playlist.m3u8"
        expect(address).to_have_value(every)
        page.locator("#list-name").select_option(label="kids")
        expect(address).to_have_value("http://tv.example/profile/kids/playlist.m3u8")
        assert offered(page) == {
            "VLC": ["http://tv.example/profile/kids/playlist.m3u8"],
            "Kodi": ["http://tv.example/profile/kids/playlist.m3u8"],
            "TiviMate": ["http://tv.example", "anything", "anything"],
            "IPTV Smarters": ["http://tv.example", "anything", "anything"],
            "Plex": ["tv.example:80/profile/kids"],
            "Jellyfin": ["http://tv.example/profile/kids/playlist.m3u8"],
            "Emby": ["tv.example:80/profile/kids"],
            "Channels": ["http://tv.example/profile/kids/playlist.m3u8"],
            "An app that wants HLS": ["http://tv.example/profile/kids/playlist.m3u8?output=hls"],
            "Another app": ["http://tv.example/profile/kids/playlist.m3u8"],
            "This browser": [proxy.url("/")],
        }
        page.evaluate(AXE.read_text())
        assert (
            page.evaluate("axe.run('#connect', {resultTypes: ['violations']})")["violations"] == []
        )
        rules.write_text("[profile.kids]\n[profile.sport]\n")
        expect(page.locator("#list-name")).to_contain_text("sport", timeout=LIMIT)
        expect(address).to_have_value("http://tv.example/profile/kids/playlist.m3u8")
        rules.write_text("")
        expect(page.locator("#lists")).to_be_hidden(timeout=LIMIT)
        expect(address).to_have_value(every)
    finally:
        page.close()


def offered(page: Page) -> dict[str, list[str]]:
    """What is typed into each application, as the card says; the first of it is the address."""
    found = {}
    for name in page.locator("#app option").all_text_contents():
        page.locator("#app").select_option(label=name)
        fields = page.locator("#connect-card input:visible")
        found[name] = [field.input_value() for field in fields.all()]
    page.locator("#app").select_option(label="VLC")
    return found


def test_each_application_gets_the_one_address_that_it_can_use(rig: Rig) -> None:
    page = rig.open("connect")
    to_choose = """async (links) => {
        const { appsFor, tunerAt } = await import("/assets/page/apps.js");
        const tuner = links.base && tunerAt(links.base);
        const apps = appsFor({ ...links, tuner });
        const typed = ({ address, more }) => [address, ...more.map(([, value]) => value)];
        return Object.fromEntries(apps.map((app) => [app.name, typed(app)]));
    }"""
    found = page.evaluate(to_choose, {"list": "L", "guide": "G", "base": "http://192.0.2.1:8080"})
    assert found["Plex"] == ["192.0.2.1:8080", "G"]
    assert found["Channels"] == ["192.0.2.1:8080", "G"]
    assert found["Jellyfin"] == ["L", "G"]
    assert "TiviMate" not in found
    found = page.evaluate(to_choose, {"hls": "H"})
    assert found == {"An app that wants HLS": ["H"]}
    found = page.evaluate(to_choose, {"list": "L", "base": ""})
    assert set(found) == {"VLC", "Kodi", "Jellyfin", "Emby", "Channels", "Another app"}
    found = page.evaluate(to_choose, {"base": "https://tv.example/iptv"})
    assert found == {name: ["https://tv.example/iptv"] for name in ("Plex", "Emby")}


def test_a_viewer_a_failover_and_a_freed_slot_are_shown_within_two_seconds(rig: Rig) -> None:
    page = rig.open()
    expect(page.locator("#idle")).to_be_visible()
    expect(page.locator("footer")).to_contain_text(f"KPTV Proxy {__version__}")
    with rig.proxy.viewer("News", headers={"User-Agent": "VLC/3.0.18 LibVLC/3.0.18"}) as viewer:
        viewer.wait_for_source("one").wait_for_bytes(20_000)
        card = page.locator(CARD)
        expect(card.locator("h3")).to_have_text("News", timeout=SOON)
        expect(card.locator("tbody")).to_contain_text("VLC 3.0.18", timeout=SOON)
        source = page.locator("#sources li").first
        expect(source.locator(".slots")).to_have_text("1 of 1 in use", timeout=SOON)

        rig.one.kill()
        viewer.wait_for_source("two")
        expect(card.locator(".under")).to_contain_text("from source-2", timeout=SOON)
        expect(card.locator(".changes")).to_contain_text("source-2 plays", timeout=SOON)
        expect(source.locator(".slots")).to_have_text("0 of 1 in use", timeout=SOON)
        expect(page.locator("#events")).to_contain_text("connection broken", timeout=SOON)
    expect(page.locator("#idle")).to_be_visible(timeout=SOON)
    assert rig.complaints == []


def test_channels_are_searched_filtered_and_copied(rig: Rig) -> None:
    page = rig.open("channels")
    expect(page.locator("#found")).to_have_text("31 channels")
    page.keyboard.press("/")
    page.keyboard.type("channel 07")
    expect(page.locator("#found")).to_have_text("1 channel")
    row = page.locator(".channel-row:visible")
    expect(row.locator(".channel-name")).to_have_text("Channel 07")
    row.get_by_role("button", name="Copy link").click()
    expect(page.locator("#toast")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert urlsplit(copied).path == rig.proxy.playlist()["Channel 07"]
    page.fill("#query", "news")
    expect(page.locator("#found")).to_have_text("1 channel")
    with rig.proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")
        expect(page.locator(".channel-row.on .channel-name")).to_have_text("News", timeout=SOON)
    page.fill("#query", "")
    page.select_option("#group", label="Group 1 (10)")
    expect(page.locator("#found")).to_have_text("10 channels")
    assert rig.complaints == []


def test_a_switch_by_hand_keeps_the_viewers_connection(rig: Rig) -> None:
    page = rig.open()
    with rig.proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")
        card = page.locator(CARD)
        expect(card).to_be_visible(timeout=SOON)
        expect(card.get_by_role("button", name="Next source")).to_be_hidden()
        rig.log_in()
        card.get_by_role("button", name="Next source").click()
        viewer.wait_for_source("two").wait_for_bytes(20_000)
        expect(card.locator(".under")).to_contain_text("from source-2", timeout=SOON)
        card.get_by_role("button", name="Use source-1").click()
        seen = len(viewer.body)
        viewer.wait(lambda: viewer.body.find(b"one".ljust(16, b"\0"), seen) >= 0)
        assert not viewer.ended
        assert viewer.sources()[:2] == ["one", "two"]
        card.get_by_role("button", name="Stop").click()
        viewer.wait_for_end()
    expect(page.locator("#idle")).to_be_visible(timeout=SOON)
    assert rig.complaints == []


def test_what_the_rules_do_is_shown_explained_and_read_again(rig: Rig) -> None:
    page = rig.open()
    page.keyboard.press("6")
    expect(page.locator("#rule-rows tr").first).to_contain_text("name: Shopping*drop1 (Shopping)")
    expect(page.locator("#merged")).to_contain_text("Channel 00 2 entries")
    expect(page.locator("#idle-rules")).to_contain_text("“Grup 1” matched nothing; near it: Group")
    page.fill("#dropped-query", "nothing")
    expect(page.locator("#dropped-found")).to_have_text("0")
    page.fill("#dropped-query", "shop")
    expect(page.locator("#dropped")).to_have_text("Shopping source-1, line 4")
    expect(page.locator("#explain")).to_be_hidden()
    rig.log_in()
    page.fill("#explain-name", "Channel 00 FHD")
    page.keyboard.press("Enter")
    explained = page.locator("#explained")
    expect(explained).to_contain_text("quality: Channel 00")
    expect(explained).to_contain_text("It is one of 2 candidates of Channel 00.")
    rig.rules.write_text(f"{RULES}dorp = true\n")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#bad-rules-why")).to_contain_text("rules.toml:11: ", timeout=SOON)
    page.fill("#dropped-query", "")
    rig.rules.write_text(RULES.replace("Shopping", "News"))
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#bad-rules")).to_be_hidden(timeout=LIMIT)
    expect(page.locator("#dropped")).to_contain_text("News", timeout=LIMIT)
    refused = [text for text in rig.complaints if "422" not in text]
    assert refused == []


def test_where_a_login_is_needed_the_page_shows_nothing_until_the_operator_logs_in(
    rig: Rig, start_proxy: StartProxy
) -> None:
    users = UsersFile(Path(rig.proxy.settings["DATA_DIR"]))
    page = rig.open()
    users.add(User(id=0, name="anna"))
    locked = page.locator("#locked")
    expect(locked).to_contain_text("This page is the operator's", timeout=LIMIT)
    expect(page.locator("#totals")).to_be_hidden()
    expect(page.locator(".tabs")).to_be_hidden()
    page.evaluate(AXE.read_text())
    assert page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"] == []
    page.click("#locked-login")
    page.fill("#token", TOKEN)
    page.click("#login-form .primary")
    expect(page.locator("#live")).to_have_text("Live", timeout=LIMIT)
    expect(page.locator("#totals")).to_be_visible()
    page.reload()
    expect(page.locator("#live")).to_have_text("Live", timeout=LIMIT)
    page.click("#admin")
    expect(locked).to_be_visible(timeout=LIMIT)
    shut = start_proxy((rig.one, 1), REQUIRE_LOGIN="true")
    page.goto(shut.url("/"))
    expect(locked).to_contain_text("ADMIN_TOKEN=", timeout=LIMIT)


def test_a_wrong_token_is_told_and_lets_nobody_act(rig: Rig) -> None:
    page = rig.open()
    page.click("#admin")
    page.fill("#token", "not-the-token")
    page.click("#login-form .primary")
    expect(page.locator("#login-error")).to_have_text("That is not the token.")
    page.keyboard.press("Escape")
    expect(page.locator("#import")).to_be_hidden()


def test_the_page_comes_back_when_the_proxy_does(rig: Rig) -> None:
    page = rig.open()
    rig.proxy.stop()
    expect(page.locator("#live")).to_have_text("Reconnecting…", timeout=LIMIT)
    rig.proxy.start()
    expect(page.locator("#live")).to_have_text("Live", timeout=LIMIT)
    with rig.proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")
        expect(page.locator(CARD)).to_be_visible(timeout=SOON)


def test_the_keyboard_is_enough(rig: Rig) -> None:
    page = rig.open()
    page.keyboard.press("5")
    expect(page.locator("#list-url")).to_have_value(
        f"http://localhost:{rig.proxy.port}/playlist.m3u8"
    )
    page.keyboard.press("4")
    expect(page.locator("#lines")).to_contain_text("catalog: 31 channels")
    page.keyboard.press("2")
    page.keyboard.press("/")
    page.keyboard.type("channel")
    expect(page.locator("#found")).to_have_text("30 channels")
    page.keyboard.press("ArrowDown")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".channel-row.active .channel-name")).to_have_text("Channel 20")
    expect(page.locator(".channel-row.active")).to_be_in_viewport()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Copied")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_no_serious_fault_of_accessibility_and_nothing_sticks_out(
    rig: Rig, scheme: str, width: int, tmp_path: Path
) -> None:
    page = rig.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 844})
    rig.open()
    with rig.proxy.viewer("News") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(20_000)
        expect(page.locator(CARD)).to_be_visible(timeout=SOON)
        for view in ("now", "channels", "log", "connect", "rules", "people"):
            page.evaluate(f"location.hash = '{view}'")
            expect(page.locator(f"#{view}")).to_be_visible()
            page.screenshot(path=tmp_path / f"{view}.png")
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            serious = [
                (fault["id"], [node["target"] for node in fault["nodes"]])
                for fault in found["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            assert serious == []
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{view} is {wide} pixels too wide"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")


def test_no_request_leaves_the_host_and_no_script_is_inline(rig: Rig) -> None:
    page = rig.open()
    for view in ("channels", "guide", "log", "connect", "rules", "people", "now"):
        page.evaluate(f"location.hash = '{view}'")
        expect(page.locator(f"#{view}")).to_be_visible()
    assert {urlsplit(url).netloc for url in rig.requests if url.startswith("http")} == {
        f"127.0.0.1:{rig.proxy.port}"
    }
    policy = rig.proxy.get("/", {"Accept": "text/html"}).headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert page.locator("script:not([src])").count() == 0
    html = rig.proxy.get("/", {"Accept": "text/html"}).text
    assert "style=" not in html
    assert "<script>" not in html
    assert rig.complaints == []


def test_twenty_thousand_channels_scroll_with_few_rows(
    browser: Browser, start_proxy: StartProxy, tmp_path: Path
) -> None:
    file = tmp_path / "many.m3u"
    lines = [f"#EXTINF:-1,Channel {n:05}\nhttp://127.0.0.1:9/{n}.ts" for n in range(20_000)]
    file.write_text("#EXTM3U\n" + "\n".join(lines))
    proxy = start_proxy(f"{file}|1")
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    page.goto(proxy.url("/#channels"))
    expect(page.locator("#found")).to_contain_text("20\u202f000 channels", timeout=LIMIT)
    assert page.locator(".channel-row").count() < 60
    page.focus("#list")
    page.keyboard.press("End")
    expect(page.locator(".channel-row.active .channel-name")).to_have_text("Channel 19999")
    longest = page.evaluate(
        """async () => {
            const list = document.getElementById("list");
            let longest = 0, last = performance.now();
            for (let i = 0; i < 120; i += 1) {
                list.scrollTop = (i * 7919 * 52) % (20000 * 52);
                await new Promise(requestAnimationFrame);
                const now = performance.now();
                longest = Math.max(longest, now - last);
                last = now;
            }
            return longest;
        }"""
    )
    assert longest < 250, f"a frame took {longest:.0f} ms"
    assert page.locator(".channel-row").count() < 60
    page.close()


def test_a_channel_is_watched_in_the_page(
    browser: Browser, start_proxy: StartProxy, demo_sources: str
) -> None:
    proxy = start_proxy(demo_sources, STREAM_LINGER="200ms")
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    page.goto(proxy.url("/#channels"))
    page.get_by_role("button", name="Watch Demo Test Card").click()
    eventually(lambda: page.evaluate(PLAYED) > 1, LIMIT / 1000)
    assert page.evaluate(PLAYS).startswith("blob:"), "by the script, though Chromium knows HLS"
    expect(page.locator("#totals")).to_contain_text("Viewers1")
    page.keyboard.press("Escape")
    eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 0)
    page.close()


def test_what_apples_player_cannot_play_is_played_by_the_script(
    browser: Browser, start_proxy: StartProxy, demo_sources: str
) -> None:
    proxy = start_proxy(demo_sources, STREAM_LINGER="200ms")
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    page.add_init_script(APPLES)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(urlsplit(route.request.url).path)
        route.fulfill(status=404, body="none")

    page.route("**/hls/**", refuse)
    page.goto(proxy.url("/#channels"))
    page.get_by_role("button", name="Watch Demo Test Card").click()
    eventually(lambda: page.evaluate(PLAYED) > 1, LIMIT / 1000)
    assert page.evaluate(PLAYS).startswith("blob:")
    assert set(asked) == {"/hls/demo-test-card.m3u8"}
    page.close()


def test_a_channel_is_watched_by_hls_and_its_viewer_is_shown(
    browser: Browser, start_proxy: StartProxy, demo_sources: str
) -> None:
    proxy = start_proxy(demo_sources)
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    page.add_init_script(APPLES)  # Chromium's own player takes the place of Apple's
    page.goto(proxy.url("/#channels"))
    page.get_by_role("button", name="Watch Demo Test Card").click()
    eventually(lambda: page.evaluate(PLAYED) > 1.5, LIMIT / 1000)
    assert urlsplit(page.evaluate(PLAYS)).path == "/hls/demo-test-card.m3u8"
    page.keyboard.press("Escape")
    expect(page.locator("#video")).to_have_js_property("src", "", timeout=LIMIT)
    page.evaluate("location.hash = 'now'")
    card = page.locator(CARD)
    expect(card).to_contain_text("1 viewer, 1 by HLS", timeout=LIMIT)
    expect(card.locator("tbody")).to_contain_text("Chrome")
    expect(card.locator("tbody")).to_contain_text("HLS")
    metrics = proxy.metrics()
    assert metrics.value("iptv_proxy_clients_connected") == 1
    assert metrics.value("iptv_proxy_channel_hls_viewers") == 1
    assert metrics.value("iptv_proxy_hls_windows") == 1
    assert metrics.value("iptv_proxy_hls_segments_total") > 0
    assert metrics.value("iptv_proxy_hls_list_requests_total") > 0
    assert metrics.value("iptv_proxy_hls_segment_requests_total", outcome="answered") > 0
    page.close()


def test_hls_is_left_to_the_browser_if_its_player_is_apples_or_the_only_one(rig: Rig) -> None:
    found = rig.open().evaluate("""async () => {
        const { prefersHls } = await import("/assets/page/player.js");
        const plain = (answer) => ({ canPlayType: () => answer });
        const apples = (answer) => ({ ...plain(answer), webkitShowPlaybackTargetPicker() {} });
        const both = (answer) => [plain(answer), apples(answer)].map(prefersHls);
        const found = [both(""), both("maybe")];
        delete globalThis.MediaSource; // as on an iPhone
        return [...found, both(""), both("maybe")];
    }""")
    assert found == [[False, False], [False, True], [False, False], [True, True]]


@pytest.fixture
def demo_sources() -> Iterator[str]:
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    sources: list[str] = []

    async def serve() -> None:
        async with both_providers() as providers:
            sources.extend(provider.source for provider in providers)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield ",".join(sources)
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_several_instances_are_listed_and_what_they_play_is_stopped_from_here(rig: Rig) -> None:
    playing = [{"id": "news", "name": "News", "state": "playing", "source": 1, "viewers": 2}]
    totals = {"playing": 1, "viewers": 2, "sent_rate": 8_000_000}
    shown = {"totals": totals, "playing": playing, "ready": True, "stale": False, "age": 0.4}
    shown |= {"leads": False, "failed": []}
    failed = [{"source": 2, "error": "HTTP 500"}]
    two = {"address": ":8082", "is_this": False, "leads": True, "failed": failed}
    instances = [
        {**shown, "name": "one", "address": ":8081", "is_this": True},
        {**shown, **two, "name": "two"},
        {**shown, "name": "tv3", "address": "tv3.lan:81", "is_this": False, "stale": True},
    ]
    told = f"event: instances\ndata: {json.dumps({'instances': instances})}\n\n"
    state = f"event: status\ndata: {rig.proxy.get('/api/status').text}\n\n"
    rig.page.route(
        "**/api/events",
        lambda route: route.fulfill(body=state + told, content_type="text/event-stream"),
    )
    rig.page.goto(rig.proxy.url("/"))
    rows = rig.page.locator("#instances li")
    expect(rows).to_have_count(3, timeout=LIMIT)
    expect(rows.nth(0)).to_contain_text("one (this page) 1 channel, 2 viewers, 8.0 Mbit/s out")
    assert rows.nth(1).locator("a").evaluate("a => a.href") == "http://127.0.0.1:8082/"
    assert rows.nth(2).locator("a").evaluate("a => a.href") == "http://tv3.lan:81/"
    expect(rows.nth(2)).to_contain_text("silent for")
    assert rig.page.locator("#instances-panel").is_visible()
    expect(rig.page.locator("#fetched-by")).to_have_text("The lists are fetched by two.")
    expect(rig.page.locator("#fetch-trouble")).to_have_text("source-2: import failed: HTTP 500")
    (channel,) = rig.page.locator("#elsewhere li").all()
    expect(channel).to_contain_text("News: from source-1, 2 viewers, at two")
    assert not rig.page.locator("#idle").is_visible()
    rig.log_in()
    channel.get_by_role("button", name="Stop News").click()
    expect(rig.page.locator("#toast")).to_have_text("No such channel plays.", timeout=LIMIT)


def test_without_the_status_page_there_is_neither_page_nor_api(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), STATUS_PAGE="false")
    assert proxy.get("/", {"Accept": "text/html"}).text.startswith("KPTV Proxy. The list")
    for path in ("/api/status", "/api/openapi.json", "/assets/page/main.js"):
        assert proxy.get(path).status == 404
    assert proxy.get("/healthz").status == 200
