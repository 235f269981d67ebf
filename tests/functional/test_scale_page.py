"""The page behind the shipped routers: one login, and what is done there is done anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.functional.haproxy import Haproxy
from tests.functional.harness import Answer, Proxy, eventually
from tests.functional.nginx import Nginx
from tests.instances.valkey import Valkey
from tests.provider import Provider

pytestmark = pytest.mark.requires("redis-server")

TOKEN = "open-sesame"


@dataclass
class Browser:
    """The operator's, at the router's address; instances believe the same session."""

    port: int
    cookie: str = ""
    csrf: str = ""

    def post(self, path: str, at: int = 0, **body: object) -> Answer:
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        headers |= {"Cookie": self.cookie, "X-CSRF-Token": self.csrf}
        with closing(HTTPConnection("127.0.0.1", at or self.port, timeout=20)) as connection:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def log_in(self) -> None:
        answer = self.post("/api/login", token=TOKEN)
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self.csrf = json.loads(answer.text)["csrf"]


@dataclass
class Stage:
    """Two instances on two sources without limits, and a router before them."""

    instances: list[Proxy]
    browser: Browser


@pytest.fixture(
    params=[
        pytest.param("haproxy", marks=pytest.mark.requires("haproxy")),
        pytest.param("nginx", marks=pytest.mark.requires("nginx")),
    ]
)
def stage(
    request: pytest.FixtureRequest,
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
    tmp_path: Path,
) -> Iterator[Stage]:
    providers = [start_provider(name, bitrate=400_000) for name in ("one", "two")]
    for provider in providers:
        provider.add_channel("News")
    folder = tmp_path / "router"
    folder.mkdir()
    with ExitStack() as stack:
        valkey = Valkey(Path(stack.enter_context(TemporaryDirectory(prefix="kptv-"))))
        stack.callback(valkey.kill)
        instances = [
            start_proxy(
                *[(provider, 0) for provider in providers],
                wait=False,
                LEASES_URL=valkey.url,
                KPTV_TEST_LEASE="3",
                INSTANCE=name,
                ADMIN_TOKEN=TOKEN,
                DATA_DIR=str(tmp_path / "data"),
            )
            for name in ("tv1", "tv2")
        ]
        for instance in instances:
            instance.wait_until_ready()
        ports = [instance.port for instance in instances]
        if request.param == "nginx":
            router: Haproxy | Nginx = Nginx(folder, "nginx-scale.conf").start(*ports, *ports)
        else:
            router = Haproxy(folder).start(ports)
        stack.callback(router.stop)
        yield Stage(instances, Browser(router.port))


def playing(asked: Proxy) -> list[str]:
    """What an instance says that all of them play."""
    instances = json.loads(asked.get("/api/instances").text)["instances"]
    return [channel["id"] for instance in instances for channel in instance["playing"]]


def test_one_login_reaches_a_channel_and_the_import_wherever_they_are(stage: Stage) -> None:
    browser, instances = stage.browser, stage.instances
    browser.log_in()
    for instance in instances:  # one of them is not the channel's home
        with instance.viewer("news") as viewer:
            viewer.wait_for_source("one")
            eventually(lambda: all(map(playing, instances)), 10.0, "others do not know of it")
            assert browser.post("/api/channels/news/switch", source=2).status == 202
            viewer.wait_for_source("two")
            assert browser.post("/api/channels/news/stop").status == 202
            viewer.wait_for_end()
        eventually(lambda: not any(map(playing, instances)), 10.0, "others do not know of its end")
    leader, follower = sorted(instances, key=lambda each: "this instance imports" not in each.log)
    assert "fetches the lists for all" in browser.post("/api/import", at=follower.port).text
    eventually(lambda: "1 entries, as before" in leader.log, 10.0, "who leads was not told")
    assert browser.post("/api/logout").status == 200

    def is_out() -> bool:
        asked = [browser.post("/api/import", at=instance.port).status for instance in instances]
        return asked == [401, 401]

    eventually(is_out, 10.0, "somebody who logged out may act")
