"""Programs that speak Xtream log in, list and play what we serve, and are refused cleanly: `make
clients`. They are others' code, run as it is: pyxtream, `@iptv/xtream-api`, `iptv-playlist-parser`.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.functional.harness import ROOT, Proxy, eventually
from tests.guide.made import guide_xml
from tests.numbered_ts import check_ts
from tests.provider import Provider

pytestmark = pytest.mark.timeout(180)

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

HERE = Path(__file__).parent
INSTALLED = ROOT / ".venv" / "clients"
PYTHON, MODULES = INSTALLED / "python" / "bin" / "python", INSTALLED / "node"
CHANNELS = {"News": "UK", "Films": "Films;UK", "Sport 1": "Sport"}
_DEADLINE = 90.0  # pyxtream waits between its tries


class Login(NamedTuple):
    name: str
    password: str


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """A proof that is skipped proves nothing."""
    assert (INSTALLED / "installed").exists(), "make clients installs what is needed"


@pytest.fixture
def proxy(start_provider: StartProvider, start_proxy: StartProxy) -> Proxy:
    one = start_provider("one", limit=3)
    for name, group in CHANNELS.items():
        one.add_channel(name, tvg_id=f"{name}.uk", group_title=group)
    guide = guide_xml({f"{name}.uk": name for name in CHANNELS}, int(time.time()))
    one.list.head = f'#EXTM3U x-tvg-url="{one.add_file("/guide.xml", guide, "text/xml").url}"'
    started = start_proxy((one, 3))
    eventually(lambda: started.get("/epg.xml.gz").status == 200)
    return started


def pyxtream(proxy: Proxy, login: Login) -> Any:
    return told_by(PYTHON, HERE / "with_pyxtream.py", proxy.url(""), *login)


def node(proxy: Proxy, login: Login) -> Any:
    return told_by("node", HERE / "with_node.cjs", MODULES, proxy.url(""), *login)


def told_by(*command: object) -> Any:
    ran = subprocess.run(list(map(str, command)), capture_output=True, timeout=_DEADLINE)
    assert ran.returncode == 0, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr, ran.stderr.decode()
    return json.loads(ran.stdout)


def plays(proxy: Proxy, url: str) -> None:
    """Whether that address, as a program has made it, gives whole packets."""
    assert url.startswith(proxy.url("/")), url
    with proxy.viewer(url.removeprefix(proxy.url(""))) as viewer:
        viewer.wait_for_bytes(188 * 200)
        assert viewer.status == 200
        assert viewer.headers["Content-Type"] == "video/mp2t"
        check_ts(bytes(viewer.body[: len(viewer.body) // 188 * 188]))


@pytest.mark.parametrize(
    "login", [Login("any", "thing"), Login("user", "pass")], ids=["any", "user"]
)
def test_without_users_every_login_sees_and_plays_all(proxy: Proxy, login: Login) -> None:
    told = pyxtream(proxy, login)
    assert told["authenticated"] is told["loaded"] is True
    assert sorted(told["channels"]) == sorted(CHANNELS)
    assert sorted(told["groups"]) == ["Films", "Sport", "UK"]
    assert told["films"] == 0
    for url in told["channels"].values():
        plays(proxy, url)
    _reads_everything(node(proxy, login), list(CHANNELS))


def _reads_everything(told: Any, names: list[str]) -> None:
    """Both forms of the npm client, and the reader of the list."""
    raw, standard = told["raw"], told["standard"]
    assert "error" not in raw, raw
    assert "error" not in standard, standard
    assert sorted(each["name"] for each in raw["channels"]) == sorted(names)
    assert sorted(each["name"] for each in standard["channels"]) == sorted(names)
    assert raw["links"] == standard["links"]
    assert raw["films"] == raw["series"] == []
    assert len(raw["short"]["epg_listings"]) == 2
    assert len(raw["full"]["epg_listings"]) == 24
    first = standard["channels"][0]["name"]
    assert standard["short"][0]["title"] == f"Show 1 of {first}.uk"
    items = {each["name"]: each for each in told["list"]["items"]}
    assert sorted(items) == sorted(names)
    assert sorted(each["url"] for each in items.values()) == sorted(raw["links"])
    assert {each["tvg"]["id"] for each in items.values()} == {f"{name}.uk" for name in names}
    assert (
        "/xmltv.php" in told["list"]["header"]["attrs"]["x-tvg-url"]
        or "/epg" in told["list"]["header"]["attrs"]["x-tvg-url"]
    )
