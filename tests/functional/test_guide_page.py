"""The page's Guide view in a real browser, over answers that the tests make up."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.functional.harness import Proxy
from tests.provider import Provider

pytestmark = pytest.mark.requires("chromium")

AXE = Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js"
LIMIT = 15_000  # milliseconds
SHOW = 2400  # seconds
MARKUP = "<b>Bold & <script>alert(1)</script>"
WITHOUT = {"id": "channel-3", "name": "Channel 0003", "why": "no id and no name is the same"}
ON = re.compile(r"\bon\b")
# While a hundred rows scroll, in milliseconds.
LONGEST_FRAME = """async () => {
    const rows = document.getElementById("guide-scroll");
    let longest = 0, last = performance.now();
    for (let i = 0; i < 40; i += 1) {
        rows.scrollTop = (i * 1731) % rows.scrollHeight;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
    }
    rows.scrollTop = 0;
    return longest;
}"""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_of_proxy(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.set_default_timeout(LIMIT)
    yield page
    page.close()


class Guide:
    """The answers: 2,000 channels, a show each 40 minutes; channel 3 has none."""

    def __init__(self, page: Page, proxy: Proxy) -> None:
        self.page, self.proxy = page, proxy
        self.standing = "there"
        self.asked: list[dict[str, str]] = []
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("**/api/channels?**", self._channels)
        page.route("**/api/guide**", self._answer)
        page.route("**/api/guide/**", self._answer)

    def open(self, view: str = "guide") -> Page:
        self.page.goto("about:blank")
        self.page.goto(self.proxy.url(f"/#{view}"))
        return self.page

    def _channels(self, route: Route) -> None:
        answer = route.fetch().json()
        for channel in answer["channels"]:
            channel |= {"now": {"start": 0, "stop": 60, "title": "Long ago"}, "next": None}
        route.fulfill(json=answer)

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        asked = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.asked.append({"path": address.path, **asked})
        part = address.path.removeprefix("/api/guide").lstrip("/").split("/")[0]
        answers = {"": _grid, "now": _now, "channels": _channel, "joins": _joins}
        route.fulfill(json={"guide": self.standing, **answers[part](asked)})


def _shows(start: int, end: int) -> list[Json]:
    first = start - start % SHOW
    return [
        {"start": at, "stop": at + SHOW, "title": f"Show {at // SHOW}"}
        for at in range(first, end, SHOW)
    ]


def _grid(asked: Json) -> Json:
    if asked.get("q"):
        [show] = _shows(int(asked["from"]), int(asked["from"]) + 1)
        hit = {"id": "channel-1", "name": "Channel 0001", "shows": [{**show, "title": MARKUP}]}
        return {"channels": [hit], "is_whole": True}
    start, end, page = int(asked["from"]), int(asked["to"]), int(asked["page"])
    channels = [
        {
            "id": f"channel-{number}",
            "name": f"Channel {number:04}",
            "number": str(number),
            "group": "News",
            "logo": "",
            "shows": _shows(start, end) if number != 3 else [],
        }
        for number in range(page * 100, page * 100 + 100)
    ]
    return {"page": page, "size": 100, "total": 2000, "channels": channels}


def _now(asked: Json) -> Json:
    now, later = _shows(int(time.time()), int(time.time()) + 2 * SHOW)[:2]
    slugs = asked["channels"].split(",")
    return {"channels": [{"id": slug, "now": now, "next": later} for slug in slugs]}


def _channel(asked: Json) -> Json:
    if not asked:
        return {"shows": [], "join": {**WITHOUT, "rule": None, "suggestions": []}}
    told = {"sub_title": "Part one", "desc": MARKUP, "categories": ["Drama"], "episode": "S1 E2"}
    show = {"start": int(asked["from"]), "stop": int(asked["to"]), "title": "Show", **told}
    join = {"rule": "id", "guide": "guide-1", "guide_id": "one.uk", "suggestions": []}
    return {"shows": [show], "join": join}


def _joins(asked: Json) -> Json:
    near = [{"guide": "guide-1", "guide_id": "three.de"}] if asked["state"] == "suggested" else []
    row = {**WITHOUT, "rule": None, "suggestions": near}
    return {"size": 50, "page": 0, "total": 1, "channels": [row]}


@pytest.fixture
def guide(
    page_of_proxy: Page,
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
) -> Iterator[Guide]:
    one = start_provider("one", limit=1)
    one.add_channel("News", group_title="World")
    page_of_proxy.set_viewport_size({"width": 1366, "height": 900})
    guide = Guide(page_of_proxy, start_proxy((one, 1)))
    yield guide
    page_of_proxy.unroute_all()
    assert guide.complaints == []


def test_the_grid_is_read_with_the_keyboard_alone(guide: Guide) -> None:
    page = guide.open("now")
    page.keyboard.press("3")
    row = page.locator(".guide-row")
    expect(row).to_have_count(100)
    expect(page.locator("#guide-line")).to_be_visible()
    page.locator(".show[tabindex='0']").focus()
    focused = page.locator(".show:focus")
    expect(focused).to_have_class(ON)
    expect(row.first.locator(".show:focus")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(row.nth(1).locator(".show:focus")).to_have_count(1)
    titles = [focused.text_content() or ""]
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        expect(focused).not_to_have_text(titles[-1])
        titles.append(focused.text_content() or "")
    assert titles == sorted(set(titles)), "each show comes once, in order"
    hours = [int(asked["from"]) for asked in guide.asked if "from" in asked]
    assert max(hours) > min(hours), "other hours were fetched"
    page.keyboard.press("Enter")
    expect(page.locator("#show .desc")).to_have_text(MARKUP)
    expect(page.locator("#show")).to_contain_text("Found by its tvg-id: “one.uk” of guide-1")
    page.keyboard.press("Escape")
    expect(focused).to_have_text(titles[-1])
    page.keyboard.press("Home")
    expect(focused).to_have_class(ON)
    page.keyboard.press("PageDown")
    expect(row.first).to_contain_text("Channel 0100")
    page.keyboard.press("ArrowUp")
    expect(row.last.locator(".show:focus")).to_have_count(1)
    expect(row.last).to_contain_text("Channel 0099")
    expect(focused).to_be_in_viewport()


def test_a_search_and_what_has_no_guide_are_told_as_text(guide: Guide) -> None:
    page = guide.open()
    expect(page.locator(".guide-row")).to_have_count(100)
    page.keyboard.press("/")
    expect(page.locator("#guide-query")).to_be_focused()
    page.get_by_role("gridcell", name="Nothing known: why?").click()
    expect(page.locator("#show")).to_contain_text("No guide: no id and no name is the same.")
    page.keyboard.press("Escape")
    page.fill("#guide-query", "bold")
    expect(page.locator("#guide-found strong")).to_have_text([MARKUP] * 3)
    expect(page.locator("#guide-scroll")).to_be_hidden()
    page.get_by_role("button", name="Without a guide (2)").click()
    expect(page.locator("#suggested")).to_contain_text("Perhaps: three.de of guide-1.")
    expect(page.locator("#unjoined-found")).to_have_text("1")


def test_without_a_guide_the_page_says_what_to_do(guide: Guide) -> None:
    guide.standing = "none"
    page = guide.open()
    expect(page.locator("#no-guide")).to_contain_text("docs/guide.md")
    guide.standing = "expected"
    guide.open()
    expect(page.locator("#guide-expected")).to_be_visible()


def test_what_is_on_stands_beside_each_channel(guide: Guide) -> None:
    page = guide.open("channels")
    row = page.locator(".channel-row:visible")
    expect(row.locator(".on-air").first).to_contain_text(re.compile(r"^Show \d+ until \d\d:\d\d$"))
    asked = next(asked for asked in guide.asked if asked["path"].endswith("/now"))
    assert asked["channels"] in guide.proxy.playlist()["News"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_it_is_accessible_fits_and_moves_freely(
    guide: Guide, scheme: str, width: int, tmp_path: Path
) -> None:
    page = guide.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 844})
    guide.open()
    expect(page.locator(".guide-row")).to_have_count(100)
    on_a_phone = width < 760
    seen = page.locator(".guide-row").first.locator(".show:visible")
    expect(seen).to_have_count(2 if on_a_phone else seen.count())
    page.evaluate(AXE.read_text())
    for name in ("grid", "show", "joins"):
        if name == "show":
            seen.first.click()
            expect(page.locator("#show .desc")).to_be_visible()
        if name == "joins":
            page.keyboard.press("Escape")
            page.click("#guide-why")
            expect(page.locator("#suggested li")).to_be_visible()
        if name == "grid":
            assert page.evaluate(LONGEST_FRAME) < 250
        page.screenshot(path=tmp_path / f"{name}.png")
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [
            (fault["id"], fault["nodes"][0]["html"])
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
        assert faults == [], name
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"
    page.emulate_media(color_scheme=None)
