"""Instances that have DATA_DIR in common, or a copy that they cannot write: all answer the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Answer, Proxy, eventually, sources_setting
from tests.guide.made import guide_xml
from tests.provider import Provider

NOBODY = "redis://127.0.0.1:1/0"  # nothing answers there, and no import waits for it
PASSWORD = "open-sesame"  # typed: it could be guessed
RULES = '[profile.kids]\ngroup = "Kids"\nnumbers = { Kids = 100 }\n'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
LISTS = (
    "/playlist.m3u8",
    "/playlist.m3u8?output=hls",
    "/kids/playlist.m3u8",
    "/profile/kids/playlist.m3u8",
    "/profile/kids/kids/playlist.m3u8",
    "/epg.xml",
    "/epg.xml.gz",
    "/guide.xml",
    "/xmltv.php",
    "/profile/kids/epg.xml.gz",
    "/lineup.json",
    "/lineup.xml",
    "/lineup.m3u",
    "/profile/kids/lineup.json",
    "/lineup_status.json",
    "/discover.json",
    "/profile/kids/discover.json",
    "/device.xml",
    "/logo/news",
)
XTREAM = (
    "/get.php?type=m3u_plus&output=ts&{login}",
    "/get.php?type=m3u&output=m3u8&{login}",
    "/player_api.php?{login}",
    "/player_api.php?{login}&action=get_live_categories",
    "/player_api.php?{login}&action=get_live_streams",
    "/player_api.php?{login}&action=get_live_streams&category_id={category}",
    "/player_api.php?{login}&action=get_simple_data_table&stream_id={stream}",
    "/player_api.php?{login}&action=get_vod_streams",
    "/panel_api.php?{login}",
)
TOLD = ("ETag", "Last-Modified", "Cache-Control", "Content-Encoding", "Vary", "Content-Type")


@dataclass
class House:
    """A leader, one that shares its folder, and one with a copy for reading."""

    provider: Provider
    proxies: list[Proxy]
    folder: Path
    copy: Path
    own: str  # before the paths of a user who may see one group

    def refresh(self) -> None:
        """As rsync does: one file after another, each beside the old one, then in its place."""
        for path in sorted(self.folder.rglob("*")):
            new = self.copy / path.relative_to(self.folder)
            if path.is_dir():
                new.mkdir(exist_ok=True)
            else:
                beside = new.with_name(f".{new.name}.x")
                shutil.copy2(path, beside)
                beside.replace(new)

    def contents(self) -> dict[str, bytes]:
        """Of the shared folder, but for logos: whoever is the first to fetch one keeps it."""
        paths = self.folder.rglob("*")
        return {
            str(each): each.read_bytes()
            for each in paths
            if each.is_file() and "logos" not in each.parts
        }

    def paths(self) -> list[str]:
        """All that applications ask for."""
        paths = [*LISTS, *(f"{self.own}{path}" for path in LISTS if "profile" not in path)]
        for login in ("client=tv", f"username=anna&password={PASSWORD}"):
            found = json.loads(self.ask(f"/player_api.php?{login}&action=get_live_streams").body)
            channel = next(each for each in found if each["name"] == "Ten")
            ids = {"stream": channel["stream_id"], "category": channel["category_id"]}
            paths += [path.format(login=login, **ids) for path in XTREAM]
        return paths

    def ask(self, path: str, proxy: Proxy | None = None, **headers: str) -> Answer:
        return (proxy or self.proxies[0]).get(path, {"Host": "tv.example", **headers})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if subprocess.run(("unshare", "-rm", "true"), check=False).returncode:
        pytest.skip("no folder can be mounted for reading only")
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("house")
        provider = stack.enter_context(Provider("one", limit=1))
        logo = f"/images/{provider.user}/{provider.password}/news.png"
        picture = provider.add_file(logo, PNG, "image/png")
        provider.add_channel("News", group_title="All", tvg_id="News.uk", tvg_logo=picture.url)
        provider.add_channel("Ten", group_title="Kids", tvg_id="Ten.uk")
        told = guide_xml({"News.uk": "News", "Ten.uk": "Ten"}, int(time.time()))
        guide = provider.add_file("/guide.xml", told, "text/xml")
        provider.list.head = f'#EXTM3U x-tvg-url="{guide.url}"'
        (folder / "rules.toml").write_text(RULES)
        users = UsersFile(folder / "shared")
        own = users.add(User(id=0, name="anna", groups=("kids",))).text
        users.new_secret("anna", typed=PASSWORD)
        house = House(provider, [], folder / "shared", folder / "copy", f"/u/{own}")

        def start(name: str, data: Path, under: tuple[str, ...] = ()) -> Proxy:
            (folder / name).mkdir()
            settings = {
                "LEASES_URL": NOBODY,
                "DATA_DIR": str(data),
                "BASE_URL": "http://tv.example",
                "HDHOMERUN": "http",
                "RULES": str(folder / "rules.toml"),
                "AUTH_FREE_NETWORKS": "127.0.0.0/8",
            }
            proxy = Proxy(folder / name, sources_setting((provider, 1)), **settings)
            proxy.under = under
            house.proxies.append(stack.enter_context(closing(proxy)))
            return proxy.start(wait=False)

        start("leader", house.folder)
        eventually(lambda: ready(house, house.proxies[0]), 30.0, "the leader has not all")
        house.copy.mkdir()
        house.refresh()
        start("follower", house.folder)
        start("reader", house.copy, ("unshare", "-rm", "sh", "-c", READ_ONLY, str(house.copy)))
        for proxy in house.proxies:
            eventually(lambda proxy=proxy: ready(house, proxy), 30.0, proxy.log)
        yield house


def ready(house: House, proxy: Proxy) -> bool:
    if not (house.folder / "published").exists():
        return False
    paths = ("/epg.xml", f"{house.own}/epg.xml", "/profile/kids/epg.xml.gz", "/discover.json")
    try:
        return all(house.ask(path, proxy).status == 200 for path in paths)
    except OSError:  # it starts
        return False


def told(answer: Answer) -> tuple[int, bytes, dict[str, str | None]]:
    return answer.status, timeless(answer.body), {name: answer.headers[name] for name in TOLD}


def timeless(body: bytes) -> bytes:
    """Without what an account's answer says of the time."""
    if b'"server_info"' not in body:
        return body
    value = json.loads(body)
    del value["server_info"]["timestamp_now"], value["server_info"]["time_now"]
    return json.dumps(value).encode()


def test_each_path_says_the_same_at_all_instances(house: House) -> None:
    before = house.contents()
    for path in house.paths():
        for encoding in "identity", "gzip":
            answers = [
                house.ask(path, each, **{"Accept-Encoding": encoding}) for each in house.proxies
            ]
            one, *others = map(told, answers)
            assert one[0] == (404 if path == f"{house.own}/logo/news" else 200), path
            assert all(other == one for other in others), path
    assert house.contents() == before, "somebody wrote though nothing is new"


def test_who_asks_again_elsewhere_is_told_that_nothing_is_new(house: House) -> None:
    tagged = 0
    for path in house.paths():
        tags = [house.ask(path, each).headers["ETag"] for each in house.proxies]
        for tag, other in zip(tags, [*house.proxies[1:], house.proxies[0]], strict=True):
            if tag is not None:
                tagged += 1
                again = house.ask(path, other, **{"If-None-Match": tag})
                assert (again.status, again.body) == (304, b""), path
    assert tagged > 60
    for one, other in permutations(house.proxies, 2):
        made = house.ask("/epg.xml.gz", one).headers["Last-Modified"]
        assert house.ask("/epg.xml.gz", other, **{"If-Modified-Since": made}).status == 304


def test_a_user_who_is_added_is_let_in_by_all(house: House) -> None:
    path = f"/u/{UsersFile(house.folder).add(User(id=0, name='bob')).text}/playlist.m3u8"
    house.refresh()
    for each in house.proxies:
        eventually(lambda each=each: house.ask(path, each).status == 200)
    assert len({house.ask(path, each).body for each in house.proxies}) == 1
