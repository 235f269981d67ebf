"""A crowd behind nginx's cache, and users, before the proxy as it is run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Metrics, Proxy, eventually
from tests.functional.nginx import Nginx, keeping
from tests.provider import Provider

pytestmark = pytest.mark.requires("nginx")

# Viewers, and how many segments each of them waits for after the newest.
FEW, CROWD = (20, 1), (200, 2)
LIST = "/hls/news.m3u8"
ADMIN = {"Authorization": "Bearer admin-token"}


@dataclass(frozen=True, slots=True)
class Site:
    """nginx, which keeps segments and lists, before a proxy with one channel."""

    nginx: Nginx
    proxy: Proxy

    @property
    def users(self) -> UsersFile:
        return UsersFile(Path(self.proxy.settings["DATA_DIR"]))

    def added(self, name: str) -> str:
        """The beginning of a new user's paths."""
        return f"/u/{self.users.add(User(id=0, name=name)).text}"

    def asked(self) -> tuple[int, int]:
        """For how many lists and segments the proxy was asked."""
        metrics = Metrics(self.proxy.get("/metrics", ADMIN).text)
        lists = metrics.value("iptv_proxy_hls_list_requests_total")
        return int(lists), int(metrics.value("iptv_proxy_hls_segment_requests_total"))

    def newest(self, user: str) -> str:
        """The path, below the user's, of the newest segment."""
        answer = self.nginx.get(user + LIST)
        assert answer.headers["Cache-Control"] == "private, no-cache"
        return f"/hls/{answer.text.split()[-1]}"


@pytest.fixture
def site(
    nginx: Nginx, start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> Site:
    one = start_provider("one", bitrate=400_000)
    one.add_channel("News")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url(""), ADMIN_TOKEN="admin-token")
    nginx.start(proxy.port, uncommented=keeping(lists=True))
    return Site(nginx, proxy)


def test_a_crowd_costs_the_proxy_what_a_few_cost_and_users_share_what_they_may_see(
    site: Site,
) -> None:
    seen: set[str] = set()
    for viewers, awaited in FEW, CROWD:
        before = site.asked()
        fetched = asyncio.run(all_fetched(site.nginx.port, viewers, awaited))
        lists, segments = (now - then for now, then in zip(site.asked(), before, strict=True))
        assert segments == len(fetched - seen)
        assert lists <= 3 * (1 + awaited) < viewers
        seen |= fetched
    assert len(seen) >= 3

    anna, ben = site.added("anna"), site.added("ben")
    eventually(lambda: site.nginx.get(LIST).status == 401)
    eventually(lambda: site.nginx.get(anna + LIST).status == 200)
    eventually(lambda: site.newest(anna).count("/") == 4)  # once it was cut for users
    segment = site.newest(anna)
    whole = site.nginx.get(anna + segment)
    assert (whole.status, len(whole.body) % 188) == (200, 0)
    before = site.asked()
    assert site.nginx.get(ben + segment).body == whole.body
    assert site.asked() == before
    way, key, number = segment.rsplit("/", 2)
    for none in f"{way}/{key[::-1]}/{number}", f"{way}/{number}", f"{way}/{key}/1.ts":
        assert site.nginx.get(ben + none).status == 404
    assert site.asked()[1] == before[1] + 3

    site.users.delete("anna")
    eventually(lambda: site.nginx.get(anna + LIST).status == 401)
    assert site.nginx.get(f"{anna}{way}/{key}/1.ts").status == 401
    assert site.newest(ben)
    assert anna.removeprefix("/u/") not in site.nginx.log_file.read_text()


async def all_fetched(port: int, viewers: int, awaited: int) -> set[str]:
    """The segments that a crowd has fetched."""
    async with asyncio.timeout(60):
        fetched = await asyncio.gather(*(watched(port, f"tv/{n}", awaited) for n in range(viewers)))
    assert all(len(each) == 1 + awaited for each in fetched)
    return set().union(*fetched)


async def watched(port: int, agent: str, awaited: int) -> set[str]:
    """The segments that one viewer has fetched: the newest, then as they come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def get(path: str) -> bytes:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200 "), head
        if length := re.search(r"^content-length: (\d+)", head, re.IGNORECASE | re.MULTILINE):
            return await reader.readexactly(int(length[1]))
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return body

    fetched: set[str] = set()
    with closing(writer):
        query = ""
        for _ in range(1 + awaited):
            uri = (await get(LIST + query)).decode().split()[-1]
            assert len(await get(f"/hls/{uri}")) % 188 == 0
            fetched.add(uri)
            query = f"?_HLS_msn={int(uri.rpartition('/')[2].removesuffix('.ts')) + 1}"
    return fetched
