"""The shipped routers before several instances: each channel has one home, however it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.functional.haproxy import Haproxy
from tests.functional.harness import eventually
from tests.functional.instances import Instance
from tests.functional.nginx import Nginx

SECRET = "abcdefghjkmnpqrstuvw"
SLUGS = ["news", "bbc-one", "bbc-one-1~0123456789ab", *(f"channel-{n}" for n in range(37))]
KEY = "0123456789abcdef0123"


class Reply(NamedTuple):
    status: int
    port: int  # of the instance that answered, or that the client was sent to
    headers: HTTPMessage


class Router:
    """A router before four instances, as a client sees it."""

    def __init__(self, server: Haproxy | Nginx, instances: list[Instance]) -> None:
        self.server = server
        self.instances = instances

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        with closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
        location = answer.headers.get("Location")
        port = urlsplit(location).port if location else int(answer.headers.get("X-Instance", "0"))
        return Reply(answer.status, port or 0, answer.headers)

    def home(self, slug: str) -> int:
        reply = self.ask(f"/stream/{slug}")
        assert reply.status in (200, 302)
        return reply.port

    def homes(self) -> dict[str, int]:
        return {slug: self.home(slug) for slug in SLUGS}

    @property
    def log(self) -> str:
        return (
            self.server.log
            if isinstance(self.server, Haproxy)
            else self.server.log_file.read_text()
        )


@pytest.fixture(
    params=[
        pytest.param("haproxy", marks=pytest.mark.requires("haproxy")),
        pytest.param("haproxy, through", marks=pytest.mark.requires("haproxy")),
        pytest.param("nginx", marks=pytest.mark.requires("nginx")),
    ]
)
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Router]:
    with ExitStack() as stack:
        instances = [stack.enter_context(closing(Instance().start())) for _ in range(4)]
        ports = [instance.port for instance in instances]
        if request.param == "nginx":
            nginx = Nginx(tmp_path, "nginx-scale.conf")
            stack.callback(nginx.stop)
            yield Router(nginx.start(*ports), instances)
        else:
            haproxy = Haproxy(tmp_path)
            stack.callback(haproxy.stop)
            yield Router(haproxy.start(ports, through=request.param != "haproxy"), instances)


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Router]:
    """HAProxy as it is shipped."""
    with ExitStack() as stack:
        instances = [stack.enter_context(closing(Instance().start())) for _ in range(2)]
        server = Haproxy(tmp_path)
        stack.callback(server.stop)
        yield Router(server.start([instance.port for instance in instances]), instances)


def forms(slug: str) -> list[tuple[str, str, dict[str, str]]]:
    """Requests that concern a channel: method, path, headers."""
    escaped = slug.replace("~", "%7E").replace("-", "%2D")
    get = [
        f"/stream/{slug}?username=anna&password=x",
        f"/u/{SECRET}/stream/{slug}",
        f"/u/anna:pass%20word/stream/{slug}",
        f"/stream/{escaped}",
        f"//STREAM/{slug}",
        f"/stream/{slug}.ts",
        f"/stream/{slug}.m3u8",
        f"/stream/{slug}/",
        f"/hls/{slug}.m3u8",
        f"/hls/{slug}.m3u8?_HLS_msn=7",
        f"/u/{SECRET}/hls/{slug}.m3u8",
        f"/hls/{slug}/1764180000.ts",
        f"/u/{SECRET}/hls/{slug}/{KEY}/1764180000.ts",
        f"/hls/{escaped}/{KEY}/1764180000.ts",
    ]
    return [
        *[("GET", path, {}) for path in get],
        ("HEAD", f"/stream/{slug}", {}),
        ("GET", f"/stream/{slug}", {"Range": "bytes=0-"}),
        ("POST", f"/api/channels/{slug}/switch", {}),
        ("POST", f"/api/channels/{escaped}/stop?x=/stream/other", {}),
    ]


def test_a_channel_has_one_home_whoever_asks_and_however(router: Router) -> None:
    for slug in SLUGS[:4]:
        home = router.home(slug)
        for method, path, headers in forms(slug):
            assert router.ask(path, method, **headers).port == home, (method, path)


def test_all_instances_have_channels_and_only_those_of_one_that_dies_move_and_come_back(
    router: Router,
) -> None:
    before = router.homes()
    assert set(before.values()) == {instance.port for instance in router.instances}
    dead = router.instances[1]
    dead.stop()

    def is_left_out() -> bool:
        return dead.port not in router.homes().values()

    eventually(is_left_out, 10, "a dead instance is still asked")
    after = router.homes()
    assert {slug: home for slug, home in after.items() if before[slug] != dead.port} == {
        slug: home for slug, home in before.items() if home != dead.port
    }
    assert len({after[slug] for slug in SLUGS if before[slug] == dead.port}) > 1
    assert all(router.ask(f"/playlist.m3u8?{n}").status == 200 for n in range(5))
    dead.start()
    eventually(lambda: router.homes() == before, 20, "an instance that is back has nothing")


def test_all_else_lands_at_one_instance_for_each_client(router: Router) -> None:
    paths = ("/", "/playlist.m3u8", "/epg.xml.gz", "/api/status", "/api/channels", "/live/a/b/7.ts")
    paths += ("/profile/kids/auto/v5", "/auto/v5?duration=9", "/a/b/7", "/player_api.php")
    replies = [router.ask(path) for path in paths]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.port for reply in replies}) == 1
    assert router.ask("/api/import", "POST").status == 200
    before = sum(len(instance.asked) for instance in router.instances)
    assert [router.ask(path).status for path in ("/metrics",)] == [404]
    assert sum(len(instance.asked) for instance in router.instances) == before


def test_requests_arrive_as_they_were_written_with_the_clients_address(router: Router) -> None:
    path = f"/u/{SECRET}/hls/a%2Fb/{KEY}/7.ts?_HLS_msn=7&x=%2F"
    home = router.ask(path, **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}).port
    (asked,) = [each for i in router.instances if i.port == home for each in i.asked]
    assert asked.path == path
    assert ", ".join(asked.headers.get_all("X-Forwarded-For") or ()) == "6.6.6.6, 127.0.0.1"
    assert asked.headers.get_all("X-Forwarded-Proto") == ["http"]
    assert asked.headers["Host"] == f"127.0.0.1:{router.server.port}"


def test_the_log_shows_paths_without_secrets(router: Router) -> None:
    for path in (
        f"/u/{SECRET}/stream/news?token=hushhush",
        f"/%75/{SECRET}/playlist.m3u8",
        f"//u//anna:{SECRET}/hls/news.m3u8",
        f"/u/{SECRET}/hls/news/{KEY}/7.ts",
        f"/live/anna/{SECRET}/7.ts",
        f"/anna/{SECRET}/7.m3u8",
        f"/get.php?username=anna&password={SECRET}",
        "/stream/a%0A%22b",
        "/stream/sport",
    ):
        router.ask(path, Referer=f"http://x/{SECRET}")
    eventually(lambda: "/stream/sport" in router.log)
    log = router.log
    for shown in ("/u/***/stream/news", "/u/***/playlist.m3u8", "/hls/news/***/7.ts", "/live/***"):
        assert shown in log
    assert not re.search(rf"{SECRET}|{KEY}|hushhush|anna", log)
    assert not [line for line in log.splitlines() if line.startswith('"b')]


# --- HAProxy alone: no media passes it ---


@pytest.mark.requires("haproxy")
def test_a_stream_is_sent_on_with_all_of_its_address_and_nothing_else_is(haproxy: Router) -> None:
    for start in ("", f"/u/{SECRET}"):
        path = f"{start}/stream/news?duration=60&x=%2F"
        for method in ("GET", "HEAD"):
            reply = haproxy.ask(path, method)
            assert reply.status == 302
            assert reply.headers["Location"] == f"http://127.0.0.1:{reply.port}{path}"
        assert haproxy.ask(f"{start}/hls/news.m3u8").status == 200
    for path in ("/stream/News", "/stream/news.ts", "/stream/a%2Fb", "/auto/v5", "/live/a/b/7.ts"):
        assert haproxy.ask(path).status == 200, "an instance says where that is"


@pytest.mark.requires("haproxy")
def test_an_instance_that_is_drained_has_no_channel_until_it_is_ready_again(
    haproxy: Router,
) -> None:
    before = haproxy.homes()
    server = haproxy.server
    assert isinstance(server, Haproxy)
    server.command("set server channels/i1 state drain")
    left = haproxy.instances[1].port
    assert set(haproxy.homes().values()) == {left}
    assert haproxy.ask("/hls/news.m3u8").port == haproxy.ask("/playlist.m3u8").port == left
    server.command("set server channels/i1 state ready")
    eventually(lambda: haproxy.homes() == before)


@pytest.mark.requires("haproxy")
def test_when_no_instance_is_there_a_line_says_so(haproxy: Router) -> None:
    for instance in haproxy.instances:
        instance.stop()
    eventually(lambda: haproxy.ask("/stream/news").status == 503)
    reply = haproxy.ask("/playlist.m3u8")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


# --- nginx alone: an instance is drained by "down" and a reload ---


@pytest.mark.requires("nginx")
def test_nginx_sends_nobody_to_an_instance_that_is_down_and_its_streams_play_on_for_a_while(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        instances = [stack.enter_context(closing(Instance().start())) for _ in range(4)]
        nginx = Nginx(tmp_path, "nginx-scale.conf")
        stack.callback(nginx.stop)
        processes = "worker_processes 1; worker_shutdown_timeout 2s;"
        nginx.start(*[instance.port for instance in instances], processes=processes)
        router = Router(nginx, instances)
        before = router.homes()
        home = next(instance for instance in instances if instance.port == before["news"])
        line = f"server 127.0.0.1:{home.port} max_fails=1 fail_timeout=5s;"
        home.is_live = True
        viewer = stack.enter_context(nginx.viewer("/stream/news")).wait_for_bytes(188)
        home.is_live = False
        nginx.reload(line, line.replace(";", " down;"))
        eventually(lambda: router.home("news") != home.port)
        assert not viewer.ended
        received = viewer.received
        viewer.wait(lambda: viewer.received > received)
        moved = router.homes()
        assert home.port not in moved.values()
        assert [s for s in SLUGS if moved[s] != before[s] and before[s] != home.port] == []
        assert router.ask("/hls/news.m3u8").port == moved["news"]
        viewer.wait_for_end(10)
        nginx.reload(line.replace(";", " down;"), line)
        eventually(lambda: router.homes() == before)
