"""Streams of users through gunicorn: how many there may be, and how they end.

All users are made at once, and all that is taken from them is: a change is seen within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from kptv.channels.users.model import User
from kptv.channels.users.streams import GRACE
from kptv.users.store import UsersFile
from tests.functional.harness import Metrics, Proxy, Viewer, eventually
from tests.provider import Provider, Stream

FILM = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0\0\x10\0mdat" + bytes(32_000_000)
TOKEN = "the-operators-own-token"
WITHIN = 2.0  # seconds, as is promised
BUSY = 3.0  # more, of a machine that does much else
EXPIRES = 2  # seconds from when that is said
USERS = (
    User(id=0, name="anna", max_streams=1),
    User(id=0, name="kodi", max_streams=1, refuses=True),
    User(id=0, name="strict", max_streams=1, refuses=True),
    *(User(id=0, name=name) for name in ("disabled", "revoked", "narrowed", "expiring", "stays")),
)


@dataclass
class House:
    """A proxy with a login, its users' secrets, and the provider's channels."""

    proxy: Proxy
    streams: dict[str, Stream]
    users: UsersFile
    anonymous: Viewer  # who watched before the first user was made
    made_at: float
    prefixes: dict[str, str]  # of the links, by name
    viewers: ExitStack

    def watch(self, user: str, name: str, address: str = "192.0.2.1") -> Viewer:
        headers = {"X-Forwarded-For": address, "User-Agent": "TV"}
        path = f"{self.prefixes[user]}/stream/{name}"
        return self.viewers.enter_context(self.proxy.viewer(path, headers=headers))

    def play(self, user: str, name: str, address: str = "192.0.2.1") -> Viewer:
        return self.watch(user, name, address).wait_for_bytes(1000)

    def figure(self, name: str, **labels: str) -> float:
        answer = self.proxy.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})
        assert answer.status == 200
        return Metrics(answer.text).value(f"iptv_proxy_user_streams{name}", **labels)


@pytest.fixture(scope="module")
def house(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[House]:
    provider = share_provider("one")
    names = ("News", "Sport", "Kids")
    streams = {name: provider.add_channel(name, group_title=name) for name in names}
    film = provider.add_file("/movie/film.mp4", FILM, "video/mp4")
    provider.add_channel("Film", url=film.url, group_title="Films")
    proxy = share_proxy((provider, 0), ADMIN_TOKEN=TOKEN, STREAM_LINGER="0")
    users = UsersFile(proxy.folder / "data", 5.0)
    with ExitStack() as viewers, proxy.viewer("News") as anonymous:
        anonymous.wait_for_bytes(1000)
        made_at = time.monotonic()
        made = map(users.add, USERS)
        prefixes = {shown.user.name: f"/u/{shown.text}" for shown in made}
        last = f"{prefixes[USERS[-1].name]}/playlist.m3u8"
        eventually(lambda: proxy.get(last).status == 200, WITHIN + BUSY, "no users yet")
        yield House(proxy, streams, users, anonymous, made_at, prefixes, viewers)


def test_the_first_user_ends_the_streams_of_everybody_else(house: House) -> None:
    house.anonymous.wait_for_end(WITHIN + BUSY)
    assert house.anonymous.ended_at - house.made_at < WITHIN + BUSY
    assert house.proxy.get("/stream/News").status == 401


def test_more_than_allowed_are_refused_before_a_provider_is_asked(house: House) -> None:
    house.play("strict", "News")
    strict = house.watch("strict", "Kids")
    first, second = house.play("anna", "News"), house.play("anna", "Sport", "192.0.2.2")
    refused = house.watch("anna", "Kids", "192.0.2.3")
    assert refused.wait_for_status() == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    assert strict.wait_for_status() == 429  # after it has waited for room
    first.wait_for_end(GRACE + BUSY)
    second.wait_for_bytes(1000)
    assert house.streams["Kids"].requests == []
    assert house.figure("_refused_total", user="anna") == 1
    assert house.figure("_refused_total", user="strict") == 1
    assert house.figure("_ended_total", user="anna", reason="limit") == 1
    assert house.figure("_ended_total", user="strict") == 0


def test_kodi_opens_a_channel_with_two_heads_and_four_gets(house: House) -> None:
    path = f"{house.prefixes['kodi']}/stream/News"
    assert [house.proxy.get(path, method="HEAD").status for _ in range(2)] == [200, 200]
    cut = [house.play("kodi", "News") for _ in range(3)]
    watching = house.play("kodi", "News")
    for viewer in cut:
        viewer.leave()
    watching.wait_for_bytes(100_000)
    watching.leave()
    house.play("kodi", "Sport").leave()  # what was left makes room


def test_what_a_user_may_not_watch_any_more_ends_within_two_seconds(house: House) -> None:
    users = house.users
    table = users.read().table
    revoked = table.by_name("revoked")
    assert revoked is not None
    film = house.watch("disabled", "Film")
    film.wait_for_bytes(1000).pause()  # the proxy waits for it
    ends = [house.play(user, "News") for user in ("disabled", "revoked", "narrowed")]
    ends.append(house.watch("disabled", "News", "192.0.2.9"))
    stays = [house.play("stays", "News"), house.play("narrowed", "Sport")]
    expiring = house.play("expiring", "News")
    begun = time.monotonic()
    users.change("expiring", expires=int(time.time()) + EXPIRES)
    users.change("disabled", enabled=False)
    users.revoke("revoked", revoked.secrets[0].number)
    users.change("narrowed", groups=("Sport",))
    for viewer in ends:
        viewer.wait_for_end(WITHIN + BUSY)
        assert viewer.ended_at - begun < WITHIN + BUSY
    eventually(
        lambda: house.figure("_ended_total", user="disabled", reason="login") == 3, BUSY, "a film"
    )
    film.resume()
    film.wait_for_end()
    assert film.received < len(FILM)
    for viewer in stays:
        viewer.wait_for_bytes(100_000)
    assert house.figure("_ended_total", user="narrowed", reason="rights") == 1
    assert house.figure("_ended_total", user="stays") == 0
    expiring.wait_for_end(EXPIRES + WITHIN + BUSY)
    assert expiring.ended_at - begun < EXPIRES + WITHIN + BUSY
    statuses = {"disabled": 403, "revoked": 401, "narrowed": 404, "expiring": 403}
    for user, status in statuses.items():
        assert house.watch(user, "News").wait_for_status() == status


def test_a_channel_outside_a_users_groups_is_as_one_that_does_not_exist(house: House) -> None:
    def ask(path: str, method: str = "GET") -> tuple[int, bytes]:
        answer = house.proxy.get(f"{house.prefixes['narrowed']}{path}", method=method)
        return answer.status, answer.body

    missing = ask("/stream/Nothing")
    for name in ("News", "news", "NEWS.ts", "news.m3u8", "%4eews", "Film"):
        assert ask(f"/stream/{name}") == missing
        assert ask(f"/stream/{name}", "HEAD") == (404, b"")
    assert ask("/logo/news") == ask("/logo/nothing")


def test_no_stream_is_left_in_the_figures(house: House) -> None:
    house.viewers.close()
    eventually(lambda: not house.figure(""), 10, "streams are left")
