"""The nginx site's lines that are commented out: a password, a secret path, a home's address."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.harness import Proxy
from tests.functional.nginx import Nginx
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

pytestmark = pytest.mark.requires("nginx")

HOME = "127.0.0.2"  # where those come from who need no password
TOKEN = "admin-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = {"Authorization": "Basic " + b64encode(b"me:hunter2").decode()}
JSON = {"Content-Type": "application/json"}


def behind_a_password(folder: Path) -> dict[str, str]:
    """The lines of the site that are turned on for that, with what stands there in this test."""
    passwords = folder / "kptv.htpasswd"
    passwords.write_text("me:{PLAIN}hunter2\n")
    return {
        "satisfy any;": "satisfy any;",
        "allow 192.168.0.0/16;": f"allow {HOME};",
        "deny all;": "deny all;",
        'auth_basic "KPTV Proxy";': 'auth_basic "KPTV Proxy";',
        "auth_basic_user_file /etc/nginx/kptv.htpasswd;": f"auth_basic_user_file {passwords};",
    }


@pytest.fixture(scope="module")
def site(
    share_provider: StartProvider, share_proxy: StartProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    """The site behind a password, with a proxy that has one channel."""
    folder = tmp_path_factory.mktemp("nginx")
    nginx = Nginx(folder)
    one = share_provider("one")
    one.add_channel("News")
    proxy = share_proxy((one, 1), BASE_URL=nginx.url(""), ADMIN_TOKEN=TOKEN)
    try:
        yield nginx.start(proxy.port, uncommented=behind_a_password(folder))
    finally:
        nginx.stop()


def test_a_password_is_asked_of_all_but_those_at_home(site: Nginx) -> None:
    paths = ("/playlist.m3u8", "/stream/news", "/", "/api/status")
    asked = [site.ask(path) for path in paths]
    assert [answer.status for answer in asked] == [401] * 4
    assert {answer.headers["WWW-Authenticate"] for answer in asked} == {'Basic realm="KPTV Proxy"'}
    for options in ({"asker": HOME}, {"headers": PASSWORD}):
        answers = [site.ask(path, most=1000, **options) for path in paths]  # type: ignore[arg-type]
        assert [answer.status for answer in answers] == [200] * 4
    assert site.ask("/api/import", BEARER, "POST", asker=HOME).status == 202


def test_behind_a_password_the_links_of_a_list_need_it_too_and_do_not_hold_it(
    site: Nginx,
) -> None:
    lines = site.get("/playlist.m3u8", PASSWORD).text.splitlines()
    (link,) = (line for line in lines if not line.startswith("#"))
    assert link == site.url("/stream/news")
    assert site.ask(link.removeprefix(site.url(""))).status == 401
    with site.viewer(link, PASSWORD) as viewer:
        viewer.wait_for_source("one")


def test_behind_a_password_the_api_takes_the_token_in_its_own_header(site: Nginx) -> None:
    def act(headers: dict[str, str]) -> int:
        return site.ask("/api/import", headers, "POST").status

    assert act(BEARER) == 401  # it is no password
    assert act(PASSWORD) == 401  # it is no token
    assert act({"X-Admin-Token": TOKEN}) == 401
    assert act(PASSWORD | {"X-Admin-Token": TOKEN}) == 202


def test_behind_a_password_the_page_logs_in(site: Nginx) -> None:
    body = json.dumps({"token": TOKEN})
    logged_in = site.ask("/api/login", PASSWORD | JSON, "POST", body)
    session = {
        "Cookie": logged_in.headers["Set-Cookie"].partition(";")[0],
        "X-CSRF-Token": json.loads(logged_in.body)["csrf"],
    }
    assert site.ask("/api/import", PASSWORD | session, "POST").status == 202
    events = site.ask("/api/events", PASSWORD, most=100)
    assert (events.status, events.headers["Content-Type"]) == (200, "text/event-stream")


def test_a_secret_path_has_the_list_and_the_streams_and_nothing_else(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url("/s3cret"), ADMIN_TOKEN=TOKEN)
    lines = {
        "location = /SECRET/playlist.m3u8 {": "location = /s3cret/playlist.m3u8 {",
        "location /SECRET/stream/ {": "location /s3cret/stream/ {",
        "location /SECRET/hls/ {": "location /s3cret/hls/ {",
        "    allow all;": "allow all;",
        "    proxy_pass http://kptv/playlist.m3u8;": "proxy_pass http://kptv/playlist.m3u8;",
        "    proxy_pass http://kptv/stream/;": "proxy_pass http://kptv/stream/;",
        "    proxy_pass http://kptv/hls/;": "proxy_pass http://kptv/hls/;",
        "}": "}",
    }
    nginx.start(proxy.port, uncommented=behind_a_password(tmp_path) | lines)
    (link,) = nginx.links("/s3cret/playlist.m3u8")
    assert link == nginx.url("/s3cret/stream/news")
    with nginx.viewer(link) as viewer:
        viewer.wait_for_source("one")
    for path in ("/playlist.m3u8", "/stream/news", "/s3cret/", "/s3cret/api/status"):
        assert nginx.ask(path).status == 401, path
    assert nginx.ask("/s3cret/metrics", asker=HOME).status == 404


def test_a_home_without_a_name_is_answered_though_debians_own_site_is_there(
    nginx: Nginx, start_provider: StartProvider
) -> None:
    one = start_provider("one")  # in the proxy's place: each answer but Debian's is its own
    line = "server_name 192.168.1.10;"
    nginx.start(one.port, uncommented={line: "server_name 127.0.0.1;"}, default_site=True)
    for host in ("127.0.0.1", f"127.0.0.1:{nginx.port}", "tv.example"):
        assert nginx.get("/playlist.m3u8", {"Host": host}).text != "Debian", host
    assert nginx.get("/playlist.m3u8", {"Host": "192.168.1.10"}).text == "Debian"
