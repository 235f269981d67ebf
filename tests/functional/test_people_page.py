"""The page's People view in a real browser: users, their links, what they watch."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

pytestmark = pytest.mark.requires("chromium")

AXE = Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js"
TOKEN = "open-sesame"
LIMIT = 15_000  # milliseconds
SECRET = re.compile(r"[a-z2-9]{20}")
ALL_KEPT = """() => JSON.stringify([
    document.documentElement.outerHTML, location.href, history.state, localStorage, sessionStorage,
    [...document.querySelectorAll("input, textarea, select")].map(({ value }) => value),
])"""
CHECK = """() => axe.run(
    document.querySelector("dialog[open]") ?? document.getElementById("people"),
    {resultTypes: ["violations"]},
)"""  # the rest of the page is looked at with the other views
MARKUP = "<b>Bold & <script>alert(1)</script>"

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.set_default_timeout(LIMIT)
    expect.set_options(timeout=LIMIT)
    yield page
    expect.set_options(timeout=5000)
    page.close()


def log_in(page: Page) -> None:
    page.fill("#token", TOKEN)
    page.click("#login-form .primary")
    expect(page.locator("#admin")).to_have_text("Log out")


def save(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"#person-fields [name={name}]", value)
    page.click("#person-fields .primary")


def handed(page: Page, app: str) -> list[str]:
    """What the dialog of new links says is typed into an application."""
    page.select_option("#handed-app", app)
    return [field.input_value() for field in page.locator("#handed input").all()]


def press_twice(button: Locator) -> None:
    button.click()
    expect(button).to_contain_text("sure?")
    button.click()


@pytest.fixture
def proxy(start_provider: StartProvider, start_proxy: StartProxy) -> Proxy:
    """One without any user."""
    one = start_provider("one", limit=3)
    one.add_channel("News", group_title="World")
    return start_proxy((one, 3), ADMIN_TOKEN=TOKEN, STREAM_LINGER="200ms")


def new_user(page: Page, proxy: Proxy, **fields: str) -> None:
    """The first one; the dialog with the links stays open."""
    page.goto(proxy.url("/"))
    expect(page.locator("#live")).to_have_text("Live")
    page.keyboard.press("7")
    page.click("#people-log-in")
    log_in(page)
    page.get_by_role("button", name="Make the first user").click()
    save(page, **fields)


def test_links_of_a_user_are_shown_once_and_play_and_nothing_works_without_them(
    page: Page, proxy: Proxy
) -> None:
    new_user(page, proxy, name="api")
    error = page.locator("#person-error")
    expect(error).to_have_text("api cannot be a name: our own addresses begin so.")
    save(page, name="anna", streams="many")
    expect(error).to_contain_text("number")
    save(page, streams="2", label="TV")
    server, name, secret = handed(page, "TiviMate")
    assert (name, SECRET.fullmatch(secret) is not None) == ("anna", True)
    [address] = handed(page, "VLC")
    assert address == f"{server}/u/{secret}/playlist.m3u8"
    assert handed(page, "Plex")[0] == f"{server.removeprefix('http://')}/u/{secret}"
    assert secret in page.evaluate(ALL_KEPT)
    page.click("#handed .row [data-close]")
    eventually(lambda: secret not in page.evaluate(ALL_KEPT))  # a dialog tells of its end later

    assert proxy.get("/playlist.m3u8").status == 401
    stream = proxy.playlist(urlsplit(address).path)["News"]
    assert secret in stream
    card = page.locator(".person")
    with proxy.viewer(stream, headers={"User-Agent": "VLC/3.0.18 LibVLC/3.0.18"}) as viewer:
        viewer.wait_for_bytes(20_000)
        expect(card.locator(".under")).to_contain_text("1 of 2 streams")
        expect(card).to_contain_text("with VLC 3.0.18")
        card.get_by_role("button", name="End News").click()
        viewer.wait_for_end()
    expect(card).to_contain_text("Nothing at the moment.")

    page.keyboard.press("5")
    expect(page.locator("#own-links")).to_contain_text("Everybody has links of their own")
    expect(page.locator("#connect-card")).to_be_hidden()
    page.click("#admin")
    expect(page.locator("#locked")).to_be_visible()
    expect(page.locator(".person")).to_have_count(0)


def test_what_is_taken_back_ends_at_once(page: Page, proxy: Proxy) -> None:
    new_user(page, proxy, name="anna", label="TV")
    first = urlsplit(handed(page, "VLC")[0]).path
    page.keyboard.press("Escape")
    page.get_by_role("button", name="New link").click()
    save(page, label="phone")
    second = urlsplit(handed(page, "VLC")[0]).path
    page.keyboard.press("Escape")
    card = page.locator(".person")
    of_first = card.locator("li", has_text="TV")
    with proxy.viewer(proxy.playlist(second)["News"]) as viewer:
        viewer.wait_for_bytes(20_000)
        press_twice(of_first.get_by_role("button"))
        expect(of_first).to_have_count(0)
        assert proxy.get(first).status == 401
        card.get_by_role("button", name="Change").click()
        save(page, streams="1", note="upstairs")
        expect(card.locator(".under")).to_contain_text("1 of 1 stream")
        expect(card).to_contain_text("upstairs")
        assert not viewer.ended
        card.get_by_role("button", name="Disable").click()
        viewer.wait_for_end()
    expect(card.locator(".pill")).to_have_text("disabled")
    assert proxy.get(second).status == 403
    press_twice(card.get_by_role("button", name="Delete"))
    expect(page.locator("#nobody")).to_be_visible()
    assert proxy.get(second).status == 401


class Made:
    """Answers of the API that the tests make up."""

    def __init__(self, page: Page) -> None:
        self.users: list[dict[str, Any]] = []
        self.trouble = ""
        page.route("**/api/users", self._answer)

    def _answer(self, route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(json={"trouble": self.trouble, "users": self.users})
            return
        secret = "abcdefghjkmnpqrstuvw"
        base = f"http://tv.example/u/{secret}"
        links = {
            "list_url": f"{base}/playlist.m3u8",
            "guide_url": f"{base}/epg.xml.gz",
            "server": "http://tv.example",
            "name": "anna",
            "secret": secret,
            "tuner_url": base,
        }
        route.fulfill(json={"user": self.users[0], "links": links})


def made_user(name: str, **fields: Any) -> dict[str, Any]:
    now = int(time.time())
    stream = {
        "viewer": 7,
        "kind": "hls",
        "channel": "news",
        "name": MARKUP,
        "address": "192.0.2.7",
        "app": "VLC 3.0.18",
        "since": now - 300,
    }
    secret = {"number": 3, "kind": "made", "label": "TV", "created": now, "revoked": None}
    return {
        "name": name,
        "enabled": True,
        "standing": "Active",
        "expires": now + 90 * 86400,
        "max_streams": 2,
        "refuses": True,
        "groups": ["News", "Sport"],
        "profile": "",
        "note": MARKUP,
        "created": now,
        "secrets": [secret],
        "streams": [stream],
        **fields,
    }


@pytest.fixture(scope="module")
def quiet_proxy(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Proxy:
    """One for tests that make no user in it."""
    one = share_provider("one", limit=1)
    for group in ("News", "Sport", "A group with a rather long name, as providers like them"):
        one.add_channel(group, group_title=group)
    return share_proxy((one, 1), ADMIN_TOKEN=TOKEN)


@pytest.mark.parametrize("width", [1366, 390])
def test_it_is_accessible_and_fits(page: Page, quiet_proxy: Proxy, width: int) -> None:
    made = Made(page)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(quiet_proxy.url("/#people"))

    def check(name: str) -> None:
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate(CHECK)
            faults = [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]]
            assert faults == [], f"{name}, {scheme}"
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"

    expect(page.locator("#people-open")).to_be_visible()
    page.evaluate(AXE.read_text())
    check("open")
    page.click("#people-log-in")
    log_in(page)
    page.get_by_role("button", name="Make the first user").click()
    expect(page.locator("#person-groups label")).to_have_count(3)
    check("form")
    made.users = [
        made_user("anna"),
        made_user("ben", enabled=False, standing="Disabled", expires=None, streams=[], secrets=[]),
    ]
    save(page, name="anna")
    expect(page.locator("#handed canvas")).to_be_visible()
    check("handed")
    page.click("#handed .row [data-close]")
    expect(page.locator(".person")).to_have_count(2)
    expect(page.locator(".person .note-of").first).to_have_text(MARKUP)
    expect(page.locator(".person .rows").first).to_contain_text("with VLC 3.0.18, by HLS")
    check("people")


def test_trouble_is_told_and_groups_that_are_gone_stay_chosen(
    page: Page, quiet_proxy: Proxy
) -> None:
    made = Made(page)
    made.trouble = "users.db: it is gone, and login-required says that there is a login"
    made.users = [made_user("anna", groups=["News", "Gone"], profile="kids")]
    page.goto(quiet_proxy.url("/#people"))
    page.click("#people-log-in")
    log_in(page)
    expect(page.locator("#people-trouble")).to_have_text(made.trouble)
    sent: list[Any] = []
    page.route("**/api/users/anna", lambda route: _refuse(route, sent))
    page.get_by_role("button", name="Change").click()
    expect(page.locator("#person-groups input:checked")).to_have_count(2)
    expect(page.locator("#person-fields [name=profile]")).to_have_value("kids")
    save(page, streams="3")
    expect(page.locator("#person-error")).to_have_text("Not so.")
    [change] = sent
    assert (change["groups"], change["profile"]) == (["News", "Gone"], "kids")
    assert (change["max_streams"], change["refuses"]) == (3, True)
    assert abs(change["expires"] - made.users[0]["expires"]) < 60


def _refuse(route: Route, sent: list[Any]) -> None:
    sent.append(route.request.post_data_json)
    route.fulfill(status=400, json={"error": "Not so."})
