"""`make scale`: several instances behind HAProxy, as somebody meets them who tries it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kptv.demo.router import router_config
from tests.demo.terminal import Terminal
from tests.functional.haproxy import SHIPPED
from tests.functional.harness import Viewer, eventually
from tests.functional.ports import PortsInARow

COUNT = 2


class Scale(Terminal):
    """`make scale N=2`, on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.ports = PortsInARow(1 + COUNT)
        self.port = self.ports.first
        settings = {"PORT": str(self.port), "HOST": "127.0.0.1"}
        super().__init__(folder, "kptv.demo.scale", str(COUNT), **settings)

    def ask(self, path: str) -> tuple[int, str, str]:
        """Status, Location and body, of the router."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()
        finally:
            connection.close()

    def followed(self, path: str) -> tuple[int, str]:
        """The port and path at which the media is that is asked for at the router."""
        for _ in range(3):
            status, location, _ = self.ask(path)
            assert status in (302, 307), path
            link = urlsplit(location)
            path = link.path
            if link.port != self.port:
                return link.port or 0, path
        raise AssertionError(f"{path} leads round in circles")

    def close(self) -> None:
        super().close()
        self.ports.release()


@pytest.fixture
def scale(tmp_path: Path) -> Iterator[Scale]:
    run = Scale(tmp_path)
    yield run
    run.close()


@pytest.mark.requires("haproxy", "redis-server")
def test_all_channels_play_through_the_router_and_ctrl_c_ends_everything(scale: Scale) -> None:
    eventually(scale.has_begun, 30, "no hint on screen")
    assert f"http://localhost:{scale.port}/playlist.m3u8" in scale.output
    eventually(lambda: scale.ask("/playlist.m3u8")[0] == 200, 20, "no list")
    listed = scale.ask("/playlist.m3u8")[2]
    links = re.findall(rf"^http://localhost:{scale.port}(/stream/\S+)$", listed, re.MULTILINE)
    assert len(links) == 4
    for link in links:
        port, path = scale.followed(link)
        assert scale.ports.first < port <= scale.ports.first + COUNT
        assert (port, path) == scale.followed(f"/stream/{link[8:].upper()}.ts")
    with Viewer(port, path).start() as viewer:
        viewer.wait_for_bytes(50_000)
        assert viewer.status == 200
        scale.press_ctrl_c()
        assert scale.process.wait(15) == 0
    eventually(lambda: scale.group_is_gone, 5, "orphans are left")
    assert not re.search("Traceback|nobody can play|cannot be reached", scale.output)


def test_the_routers_configuration_is_the_shipped_one_with_these_instances() -> None:
    made = router_config(SHIPPED.read_text(), ":9000", [9001, 9002, 9003], "box")
    servers = [line.split() for line in made.splitlines() if line.startswith("    server")]
    assert [words[1] for words in servers] == ["i1", "i2", "i3"] * 3
    assert [words[2] for words in servers] == [f"127.0.0.1:900{n}" for n in (1, 2, 3)] * 3
    assert [words[4] for words in servers] == ["1", "2", "3"] * 3
    assert [words[-1] for words in servers[3:6]] == [f"http://box:900{n}" for n in (1, 2, 3)]
    assert "    bind :9000\n" in made
    assert not re.search(r"tv\.example:|127\.0\.0\.1:80", made.split("backend channels")[1])
    assert not {"one", "two", "three", "four"} & {word for words in servers for word in words}
