"""Lists and guides of users, through gunicorn: their groups alone, with links that are theirs."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, eventually
from tests.guide.made import guide_xml
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_users_have_the_lists_guides_and_streams_of_their_groups(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    for name, group in ("Cartoons", "Kids"), ("Ten", "Kids"), ("Day", "News"):
        one.add_channel(name, group_title=group, tvg_id=f"{name}.uk")
    ids = {f"{name}.uk": name for name in ("Cartoons", "Ten", "Day")}
    guide = one.add_file("/guide.xml", guide_xml(ids, int(time.time())), "text/xml")
    one.list.head = f'#EXTM3U x-tvg-url="{guide.url}"'
    proxy = start_proxy((one, 1))
    eventually(lambda: proxy.get("/epg.xml.gz").status == 200)
    whole = proxy.get("/playlist.m3u8").body

    kids = added(proxy, User(id=0, name="anna", groups=("kids",)))
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    every = added(proxy, User(id=0, name="boss"))
    eventually(lambda: proxy.get(f"{every}/playlist.m3u8").status == 200)
    base = f"http://localhost:{proxy.port}"
    assert proxy.get(f"{every}/playlist.m3u8").body == whole.replace(
        base.encode(), f"{base}{every}".encode()
    )

    listed = proxy.playlist(f"{kids}/playlist.m3u8")
    assert listed == {"Cartoons": f"{kids}/stream/cartoons", "Ten": f"{kids}/stream/ten"}
    with proxy.viewer(listed["Ten"]) as viewer:
        viewer.wait_for_bytes(20_000)
    for outside, unknown in (
        (f"{kids}/stream/day", f"{kids}/stream/night"),
        (f"{kids}/news/playlist.m3u8", f"{kids}/none/playlist.m3u8"),
    ):
        answers = [proxy.get(path) for path in (outside, unknown)]
        assert [answer.status for answer in answers] == [404, 404]
        assert answers[0].body == answers[1].body

    eventually(lambda: proxy.get(f"{kids}/epg.xml.gz").status == 200)  # 503 until it is built
    assert ids_in(gzip.decompress(proxy.get(f"{kids}/epg.xml.gz").body)) == {
        "Cartoons.uk",
        "Ten.uk",
    }
    assert ids_in(proxy.get(f"{kids}/xmltv.php").body) == {"Cartoons.uk", "Ten.uk"}
    assert ids_in(proxy.get(f"{every}/epg.xml").body) == {*ids}
    news = added(proxy, User(id=0, name="carl", groups=("News",)))
    eventually(lambda: proxy.get(f"{news}/playlist.m3u8").status == 200)
    eventually(lambda: is_there(proxy, f"{news}/epg.xml", {"Day.uk"}))
    for secret in kids, every, news:
        assert secret.removeprefix("/u/") not in proxy.log


def test_an_own_list_is_whole_however_it_is_asked_for(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("played")
    one.list.entries += tuple(
        line
        for n in range(3000)
        for line in (f'#EXTINF:-1 group-title="G{n}",TV {n}', f"http://a/{n}")
    )
    proxy = start_proxy((one, 1))
    path = f"{added(proxy, User(id=0, name='anna'))}/playlist.m3u8"
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    plain = proxy.get(path, {"Accept-Encoding": "identity"})
    assert int(plain.headers["Content-Length"]) == len(plain.body) > 3 * 64 * 1024
    packed = proxy.get(path, {"Accept-Encoding": "gzip"})
    assert packed.headers["Transfer-Encoding"] == "chunked"
    assert gzip.decompress(packed.body) == plain.body
    head = proxy.get(path, {"Accept-Encoding": "gzip"}, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["ETag"] == packed.headers["ETag"]
    assert proxy.get(path, {"If-None-Match": plain.headers["ETag"]}).status == 304
    headers, _, body = oldest(proxy.port, path).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in headers.lower()
    assert gzip.decompress(body) == plain.body


def added(proxy: Proxy, user: User) -> str:
    """The beginning of the new user's paths."""
    return f"/u/{UsersFile(Path(proxy.settings['DATA_DIR'])).add(user).text}"


def ids_in(xml: bytes) -> set[str]:
    """Of the channels, and of shows, in a guide."""
    return set(re.findall(r'"(\w+\.uk)"', xml.decode()))


def is_there(proxy: Proxy, path: str, ids: set[str]) -> bool:
    """Whether the guide is; what comes before is none, and never one of more channels."""
    answer = proxy.get(path)
    assert answer.status == 503 or ids_in(answer.body) == ids
    return answer.status == 200


def oldest(port: int, path: str) -> bytes:
    """The whole answer to HTTP/1.0, which ends with the connection."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        headers = "Accept-Encoding: gzip\r\nConnection: keep-alive"
        connection.sendall(f"GET {path} HTTP/1.0\r\n{headers}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))
