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
from urllib.parse import urljoin

import pytest

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
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


def with_user(proxy: Proxy, wanted: User) -> Login:
    """A user; from the first one on there is a login."""
    shown = UsersFile(proxy.folder / "data").add(wanted)
    login = Login(wanted.name, shown.text)
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    return login


def plays(proxy: Proxy, url: str) -> None:
    """Whether that address, as a program has made it, gives whole packets."""
    assert url.startswith(proxy.url("/")), url
    with proxy.viewer(url.removeprefix(proxy.url(""))) as viewer:
        viewer.wait_for_bytes(188 * 200)
        assert viewer.status == 200
        assert viewer.headers["Content-Type"] == "video/mp2t"
        check_ts(bytes(viewer.body[: len(viewer.body) // 188 * 188]))


def plays_hls(proxy: Proxy, url: str) -> None:
    """Whether that address gives a playlist, and what it names whole packets."""
    playlist = proxy.get(url.removeprefix(proxy.url("")))
    assert playlist.status == 200, playlist.text
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    segments = [line for line in playlist.text.splitlines() if line and line[0] != "#"]
    for segment in segments[:2]:
        answer = proxy.get(urljoin(url, segment).removeprefix(proxy.url("")))
        assert (answer.status, answer.headers["Content-Type"]) == (200, "video/mp2t")
        check_ts(answer.body)
    assert segments


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
    told = node(proxy, login)
    _reads_everything(told, list(CHANNELS))
    for url in told["playlists"]:
        plays_hls(proxy, url)


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
    assert raw["profile"]["allowed_output_formats"] == ["m3u8", "ts"]
    playlists = [link.removesuffix(".ts") + ".m3u8" for link in raw["links"]]
    assert told["playlists"] == raw["others"] == playlists, "else it takes the first"
    for output, links in {"ts": raw["links"], "m3u8": playlists}.items():
        items = {each["name"]: each for each in told[output]["items"]}
        assert sorted(items) == sorted(names)
        assert sorted(each["url"] for each in items.values()) == sorted(links)
        assert {each["tvg"]["id"] for each in items.values()} == {f"{name}.uk" for name in names}
        guide = told[output]["header"]["attrs"]["x-tvg-url"]
        assert "/xmltv.php" in guide or "/epg" in guide


def test_a_user_sees_and_plays_the_own_groups_alone(proxy: Proxy) -> None:
    login = with_user(proxy, User(id=0, name="anna", groups=("Sport",), max_streams=1))
    told = pyxtream(proxy, login)
    assert told["authenticated"] is told["loaded"] is True
    [(name, url)] = told["channels"].items()
    assert (name, told["groups"]) == ("Sport 1", ["Sport"])
    plays(proxy, url)
    told = node(proxy, login)
    _reads_everything(told, ["Sport 1"])
    [link] = told["raw"]["links"]
    plays(proxy, link)
    [link] = told["playlists"]
    plays_hls(proxy, link)
    assert told["raw"]["profile"]["max_connections"] == "1"
    assert login.password not in proxy.log


@pytest.mark.parametrize(
    "wrong", [Login("anna", "abcdefghjkmnpqrstuvw"), Login("nobody", "wrong-one")]
)
def test_a_wrong_login_is_refused_so_that_programs_understand(proxy: Proxy, wrong: Login) -> None:
    with_user(proxy, User(id=0, name="anna"))
    assert pyxtream(proxy, wrong) == {"authenticated": False}
    told = node(proxy, wrong)
    assert told["raw"]["error"] == told["standard"]["error"] == "Error: UNAUTHORIZED"
    assert told["ts"]["status"] == told["m3u8"]["status"] == 401


def test_who_has_expired_loads_nothing_and_plays_nothing(proxy: Proxy) -> None:
    login = with_user(proxy, User(id=0, name="anna", expires=5))
    told = pyxtream(proxy, login)
    assert (told["authenticated"], told["loaded"], told["channels"]) == (True, True, {})
    told = node(proxy, login)
    assert told["raw"]["profile"]["status"] == "Expired"
    assert told["raw"]["channels"] == told["raw"]["groups"] == []
    assert told["ts"]["status"] == told["m3u8"]["status"] == 403
    for form in ("ts", "m3u8"):
        assert proxy.get(f"/live/{login.name}/{login.password}/5.{form}").status == 403
