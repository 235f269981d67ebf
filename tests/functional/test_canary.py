"""A provider's user and password are nowhere: not in an answer, a figure, a log, a traceback."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, eventually
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

TOKEN = "open-sesame"
ENDINGS = [Bad.END, Bad.RESET, Bad.SILENCE]
STATUSES = [404, 500]
HASTE = {
    "DEBUG": "true",
    "ADMIN_TOKEN": TOKEN,
    "STALL_TIMEOUT": "300ms",
    "STREAM_TIMEOUT": "500ms",
    "RETRY_DELAY": "50ms",
    "MAX_RETRIES": "1",
    "STREAM_LINGER": "100ms",
}


class Ears:
    """Everything that the proxy ever said to anybody."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.heard: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", **headers: str) -> None:
        answer = self.proxy.get(path, headers, method)
        told = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        self.heard[f"{method} {path} {len(self.heard)}"] = told + answer.body.decode("latin-1")

    def listen(self, **headers: str) -> None:
        """The beginning of the events."""
        connection = HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
        connection.request("GET", "/api/events", headers=headers)
        answer = connection.getresponse()
        data = b""
        while data.count(b"\nevent: ") < 3:
            data += answer.read1(65536)
        connection.close()
        self.heard[f"events {len(self.heard)}"] = data.decode()

    def listen_all_around(self) -> None:
        for path in (
            "/",
            "/playlist.m3u8",
            "/playlist.m3u8?output=hls",
            "/get.php?output=m3u8",
            "/world/playlist.m3u8",
            "/metrics",
            "/healthz",
            "/readyz",
            "/api/status",
            "/api/channels",
            "/api/channels?q=news",
            "/api/groups",
            "/api/session",
            "/api/openapi.json",
            "/stream/nowhere",
            "/hls/nowhere.m3u8",
            "/playlist.m3u8?output=hls",
        ):
            self.ask(path)
        self.ask("/", Accept="text/html")
        self.ask("/stream/news", "HEAD")
        self.ask("/hls/news.m3u8", "HEAD")
        bearer = f"Bearer {TOKEN}"
        self.ask("/api/import", "POST", Authorization=bearer)
        self.ask("/api/channels/news/switch", "POST", Authorization=bearer)
        self.ask("/api/streams/none/unblock", "POST", Authorization=bearer)
        self.listen()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_it_is_nowhere_whatever_happens(
    start_provider: StartProvider, start_proxy: StartProxy, log_format: str
) -> None:
    providers = one, two = start_provider("canary-one"), start_provider("canary-two")
    streams = [provider.add_channel("News", group_title="World") for provider in providers]
    one.add_channel("Sport")
    proxy = start_proxy((one, 1), (two, 1), LOG_FORMAT=log_format, **HASTE)
    ears = Ears(proxy)
    with proxy.viewer("News") as viewer:
        for ending in ENDINGS:
            viewer.wait_for_bytes(20_000)
            ears.listen_all_around()
            for stream in streams:
                stream.break_now(ending)
        viewer.wait_for_bytes(20_000)
    proxy.wait_idle()
    for status in STATUSES:
        for stream in streams:
            stream.fail_with(status)
        ears.ask("/stream/news")
    for provider in providers:
        provider.list.fail_with(503)
        provider.kill()
    ears.ask("/stream/sport")
    ears.ask("/hls/sport.m3u8")
    ears.ask("/api/import", "POST", Authorization=f"Bearer {TOKEN}")
    eventually(lambda: proxy.metrics().value("iptv_proxy_import_failures") >= 2)
    ears.listen_all_around()
    proxy.stop()
    ears.heard["log"] = proxy.log
    told = {
        (where, secret)
        for where, text in ears.heard.items()
        for provider in providers
        for secret in provider.secrets
        if secret in text
    }
    assert told == set()
    assert len(ears.heard) > 60
    assert "WARNING" in proxy.log


def test_what_debug_shows_of_a_fault_of_ours_has_no_secret(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("canary-one")
    one.add_channel("News", url=f"http://127.0.0.1:{one.port}\x7f/live/{one.user}/{one.password}/")
    proxy = start_proxy((one, 1), **HASTE)
    ears = Ears(proxy)
    ears.ask("/stream/news")
    ears.ask("/api/status")
    assert not [s for s in one.secrets if s in proxy.log + "".join(ears.heard.values())]


def test_a_users_secret_is_in_that_users_own_lists_and_nowhere_else(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("canary-one")
    stream = one.add_channel("News", group_title="World")
    proxy = start_proxy((one, 1), OBFUSCATE_URLS="false", **HASTE)
    users = UsersFile(Path(proxy.settings["DATA_DIR"]))
    typed, wrong = "canarys-own-word", "canarys-old-word"
    made = users.add(User(id=0, name="anna")).text
    users.add(User(id=0, name="bert"), typed=typed)
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    ears, bearer = Ears(proxy), f"Bearer {TOKEN}"
    ways = (f"/u/{made}", f"/u/bert:{typed}", f"/u/bert:{wrong}", f"/u/%62ert%3A{typed}")
    with proxy.viewer(f"{ways[0]}/stream/news") as viewer, proxy.viewer(f"{ways[1]}/stream/news"):
        viewer.wait_for_bytes(20_000)
        for way in ways:
            for path in (
                "/stream/nowhere",
                "/stream/news.m3u8",
                "/hls/news.m3u8",
                "/hls/news.m3u8?master",
                "/hls/news/0/1.ts",
                "/hls/nowhere.m3u8",
                "/nowhere",
                "/x/../y",
                "/api/status",
                "",
                "//u/",
                "/none/playlist.m3u8",
                "/profile/none/playlist.m3u8",
                "/profile/none/epg.xml",
                "/profile/none/discover.json",
                "/profile/none/lineup.json",
                "/lineup.post?scan=start",
                "/auto/v999",
                "/tuner0/v999",
                "/logo/nowhere",
                "/live/a/b/99.ts",
            ):
                ears.ask(f"{way}{path}", Referer=f"http://tv.example{way}/")
            ears.ask(f"{way}/stream/news", "POST")
            ears.ask(f"{way}/stream/news", "HEAD")
        for secret in (made, typed, wrong):
            for form in ("ts", "m3u8"):
                ears.ask(f"/live/bert/{secret}/99.{form}")
                ears.ask(f"/bert/{secret}/99.{form}")
            ears.ask(f"/stream/nowhere?username=bert&password={secret}")
            ears.ask(f"/get.php/?username=bert&password={secret}")
        for file in ("get", "xmltv", "player_api", "panel_api"):
            ears.ask(f"/{file}.php?username=bert&password={wrong}")
            ears.ask(f"/{file}.php?username={typed}&password={made}", "POST")
        ears.ask(f"/{made}/{typed}?a={made}", Authorization=bearer)
        stream.break_now(Bad.RESET)
        for path in ("/metrics", "/api/status", "/api/channels", "/api/rules", "/api/users"):
            ears.ask(path, Authorization=bearer)
        ears.listen(Authorization=bearer)
        users.change("anna", enabled=False)
        users.change("bert", expires=5)
        viewer.wait_for_end()
        for way in ways:
            ears.ask(f"{way}/playlist.m3u8")
            ears.ask(f"{way}/stream/news")
        ears.ask(f"/live/bert/{typed}/99.ts")
        ears.ask(f"/get.php?username=bert&password={typed}")
    proxy.stop()
    ears.heard["log"] = proxy.log
    secrets = (made, typed, wrong)
    assert not [(w, s) for w, text in ears.heard.items() for s in secrets if s in text]
    assert len(ears.heard) > 100
