"""HLS through the shipped nginx sites: what they keep, for whom, and what they never do."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.functional.certificates import certificate_in
from tests.functional.harness import Answer, ReservedPort, eventually
from tests.functional.hls_worker import SEGMENT, Worker
from tests.functional.nginx import EDGE, SITE, Nginx, keeping, shipped
from tests.provider import Provider

pytestmark = pytest.mark.requires("nginx")

KEY, OTHER_KEY = "0123456789abcdef0123", "f" * 20
ANNA, BEN = "/u/abcdefghjkmnpqrstuvw", "/u/bbcdefghjkmnpqrstuvw"
HOSTS = {"one": {"Host": "one.tv.example"}, "two": {"Host": "two.tv.example"}}


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Nginx]:
    """The site of a machine of its own; not started yet."""
    nginx = Nginx(tmp_path, EDGE)
    yield nginx
    nginx.stop()


@pytest.fixture(params=[SITE, EDGE])
def ask(
    request: pytest.FixtureRequest, worker: Worker, nginx: Nginx, edge: Nginx
) -> Callable[..., Answer]:
    """Asks a site that keeps segments and lists."""
    if request.param == SITE:
        return nginx.start(worker.port, uncommented=keeping(lists=True)).ask
    edge.start(worker.port, worker.port)
    return lambda path, headers=None, method="GET": edge.ask(
        path, {**HOSTS["one"], **(headers or {})}, method
    )


def at_once(ask: Callable[..., Answer], *paths: str) -> list[Answer]:
    with ThreadPoolExecutor(len(paths)) as crowd:
        return list(crowd.map(ask, paths))


def number(answer: Answer) -> int:
    """Which of the worker's lists it is."""
    assert answer.status == 200
    return int(answer.text.split()[-1])


def test_a_segment_is_asked_for_once_whoever_wants_it_and_however(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    with worker.held(), ThreadPoolExecutor(20) as crowd:
        asking = [crowd.submit(ask, "/hls/news/1764180000.ts") for _ in range(20)]
        eventually(lambda: len(worker.asked) > 0)
        worker.goes_on.set()
        assert all(each.result().body == SEGMENT for each in asking)
    for headers in {"Range": "bytes=0-"}, {"Range": "bytes=500-"}, {"Accept-Encoding": "gzip, br"}:
        answer = ask("/hls/news/1764180000.ts", headers)
        assert (answer.status, answer.body) == (200, SEGMENT)
        assert answer.headers["Cache-Control"] == "public, max-age=60, immutable"
    head = ask("/hls/news/1764180000.ts", method="HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(SEGMENT)))
    assert len(worker.asked) == 1
    assert worker.asked[0].path == "/hls/news/1764180000.ts"


def test_a_segment_that_is_first_asked_for_in_part_is_kept_whole(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    assert ask("/hls/news/1.ts", {"Range": "bytes=100-199"}).body == SEGMENT
    assert ask("/hls/news/2.ts", method="HEAD").status == 200
    assert [ask(f"/hls/news/{n}.ts").body for n in (1, 2)] == [SEGMENT] * 2
    assert [(each.method, each.headers["Range"]) for each in worker.asked] == [("GET", None)] * 2


def test_users_share_a_segment_by_the_random_part_of_its_name(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    segment = f"/hls/news/{KEY}/7.ts"
    assert [ask(who + segment).body for who in (ANNA, BEN, "", ANNA)] == [SEGMENT] * 4
    assert [each.path for each in worker.asked] == [ANNA + segment]
    # Another random part, or none: the worker says who may have it.
    others = [f"/hls/news/{OTHER_KEY}/7.ts", "/hls/news/7.ts", "/hls/news/short/7.ts"]
    for other in others:
        ask(BEN + other)
        assert worker.asked[-1].path == BEN + other
    worker.is_closed = True
    for _ in range(2):
        ask("/hls/news/8.ts")
    assert len(worker.asked) == 1 + len(others) + 2


def test_what_is_not_written_as_lists_write_it_is_asked_for_each_time(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    ask(f"{ANNA}/hls/news/{KEY}/7.ts")
    for odd in (
        f"/%75{ANNA[2:]}/hls/news/{KEY}/7.ts",
        f"/u//hls/news/{KEY}/7.ts",
        f"/hls/news/{KEY}/7.ts?x",
        f"/hls/x/../news/{KEY}/7.ts",
        f"/hls/news/{KEY}%2F7.ts",
        f"/hls/news/{KEY}/-7.ts",
        "/stream/news/hls/x/7.ts",
        f"/stream/hls/news/{KEY}/7.ts",
    ):
        before = len(worker.asked)
        ask(odd), ask(odd)
        assert len(worker.asked) == before + 2, odd


@pytest.mark.parametrize("name", ["gone", "busy", "film"])
def test_what_is_no_success_is_never_kept(
    ask: Callable[..., Answer], worker: Worker, name: str
) -> None:
    for path in f"/hls/{name}.m3u8", f"/hls/{name}/7.ts", f"{ANNA}/hls/{name}/{KEY}/7.ts":
        assert ask(path).status == ask(path).status != 200
        assert len(worker.to(path)) == 2


def test_a_users_lists_are_always_the_workers_and_do_not_queue(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    worker.is_closed = True
    with worker.held(), ThreadPoolExecutor(10) as crowd:
        asking = [crowd.submit(ask, f"{ANNA}/hls/news.m3u8?_HLS_msn=7") for _ in range(10)]
        eventually(lambda: len(worker.asked) == 10)
        worker.goes_on.set()
        assert sorted(number(each.result()) for each in asking) == [*range(1, 11)]
    assert [number(ask("/hls/news.m3u8")) for _ in range(3)] == [11, 12, 13]  # also without /u/


def test_a_list_is_asked_for_once_a_second_and_others_have_the_last_one_meanwhile(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    plain = at_once(ask, *["/hls/news.m3u8"] * 20)
    assert {answer.headers["Content-Encoding"] for answer in plain} == {None}
    kinds = "gzip", "gzip, deflate", "gzip, deflate, br, zstd"
    packed = [ask("/hls/news.m3u8", {"Accept-Encoding": kind}) for kind in kinds]
    assert {answer.headers["Content-Encoding"] for answer in packed} == {"gzip"}
    last = worker.lists
    assert len({answer.body for answer in plain}) <= last <= 2
    waiting: list[Future[Answer]] = []

    def waits() -> bool:
        if not waiting or waiting[-1].done():
            waiting.append(one.submit(ask, "/hls/news.m3u8"))
        return len(worker.asked) > last

    with worker.held(), ThreadPoolExecutor(1) as one:
        eventually(waits)  # once the list is a second old
        assert {number(each) for each in at_once(ask, *["/hls/news.m3u8"] * 10)} == {last}
        assert len(worker.asked) == last + 1
        worker.goes_on.set()
        # Whoever asks first has the new one: a viewer alone would never see it otherwise.
        assert number(waiting[-1].result()) == last + 1


def test_a_proxy_that_restarts_stops_no_player(edge: Nginx, worker: Worker) -> None:
    edge.start(worker.port, worker.port)
    assert number(edge.get("/hls/news.m3u8", HOSTS["one"])) == 1
    worker.close()

    def is_older_than_a_second() -> bool:
        assert number(edge.get("/hls/news.m3u8", HOSTS["one"])) == 1
        return "STALE" in edge.log_file.read_text()

    eventually(is_older_than_a_second)


def test_those_who_wait_for_the_same_segment_are_one_request(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    ask("/hls/news.m3u8")
    with worker.held(), ThreadPoolExecutor(20) as crowd:
        asking = [crowd.submit(ask, "/hls/news.m3u8?_HLS_msn=8") for _ in range(20)]
        eventually(lambda: len(worker.asked) == 2)
        worker.goes_on.set()
        assert {number(each.result()) for each in asking} == {2}
    assert number(ask("/hls/news.m3u8?_HLS_msn=9")) == 3
    assert len(worker.to("/hls/news.m3u8")) == 3


def test_lists_and_segments_come_over_connections_that_stay(
    ask: Callable[..., Answer], worker: Worker
) -> None:
    for turn in range(10):
        assert ask(f"{ANNA}/hls/news.m3u8?{turn}").status == ask(f"/hls/x/{turn}.ts").status == 200
    assert len(worker.asked) == 20
    assert worker.connections < 5


def test_below_iptv_it_is_the_same(nginx: Nginx, worker: Worker) -> None:
    nginx.start(worker.port, uncommented=keeping(lists=True))
    for path in "/hls/a%2Fb.m3u8?_HLS_msn=7", "/hls/news/7.ts", f"{ANNA}/hls/news/{KEY}/7.ts":
        answers = [nginx.get(f"/iptv{path}") for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert [each.path for each in worker.asked] == [path]
        worker.asked.clear()
    assert nginx.get(f"{BEN}/hls/news/{KEY}/7.ts").body == SEGMENT
    assert nginx.get("/iptv/hls/gone.m3u8").status == 404
    assert [each.path for each in worker.asked] == ["/hls/gone.m3u8"]


def test_what_is_no_hls_is_passed_on_as_before(
    nginx: Nginx, start_provider: Callable[..., Provider]
) -> None:
    one = start_provider("one", bitrate=64_000)  # in the proxy's place
    radio = one.add_channel("Radio", path="/stream/radio.ts")
    film = one.add_file("/stream/hls/film/7.ts", SEGMENT)
    nginx.start(one.port, uncommented=keeping(lists=True))
    with nginx.viewer(radio.url) as first, nginx.viewer(radio.url) as second:
        for viewer in first, second:
            viewer.wait_for_bytes(4_000)
            assert len(viewer.arrivals) >= 4
    nginx.get("/stream/hls/film/7.ts", {"Range": "bytes=9-", "Accept-Encoding": "br"})
    (request,) = one.requests_to(film.path)
    assert request.headers["range"] == "bytes=9-"
    assert request.headers["accept-encoding"] == "br"
    assert request.headers["connection"] == "close"


@pytest.mark.parametrize("lists", [False, True])
def test_as_shipped_nothing_is_kept_and_no_list_with_segments_alone(
    nginx: Nginx, worker: Worker, tmp_path: Path, lists: bool
) -> None:
    nginx.start(worker.port, uncommented=keeping(lists=False) if lists else None)
    for path in "/hls/news.m3u8", "/hls/news/7.ts", f"{ANNA}/hls/news/{KEY}/7.ts":
        assert nginx.get(path).status == nginx.get(path).status == 200
    assert len(worker.to(".m3u8")) == 2
    assert len(worker.to(".ts")) == (2 if lists else 4)


def test_the_edge_keeps_its_proxies_apart_and_knows_no_other(edge: Nginx, worker: Worker) -> None:
    with Worker() as other:
        edge.start(worker.port, other.port)
        for path in "/hls/news/7.ts", f"{ANNA}/hls/news/{KEY}/7.ts", "/hls/news.m3u8":
            for host in HOSTS.values():
                assert edge.get(path, host).status == edge.get(path, host).status == 200
            assert len(worker.to(path)) == len(other.to(path)) == 1
        assert edge.get("/stream/news?x=%2F", HOSTS["two"]).status == 200
        assert other.asked[-1].path == "/stream/news?x=%2F"
        before = len(worker.asked)
        for path in "/hls/news/7.ts", "/stream/news", "/metrics":
            assert edge.get(path, {"Host": "three.tv.example"}).status == 404
        assert edge.get("/metrics", HOSTS["one"]).status == 404
        assert len(worker.asked) == before


@pytest.mark.parametrize("site", [SITE, EDGE])
def test_with_a_certificate_there_is_http2(tmp_path: Path, worker: Worker, site: str) -> None:
    made = certificate_in(tmp_path)
    port, nginx = ReservedPort(), Nginx(tmp_path, site)
    (listen,) = re.findall(r"^ *# (listen 443 .+;)$", shipped(site), re.MULTILINE)
    lines = {
        listen: listen.replace("443", f"127.0.0.1:{port.number}"),
        "ssl_certificate     /etc/letsencrypt/live/tv.example/fullchain.pem;": (
            f"ssl_certificate {made.certificate};"
        ),
        "ssl_certificate_key /etc/letsencrypt/live/tv.example/privkey.pem;": (
            f"ssl_certificate_key {made.key};"
        ),
    }
    with ExitStack() as stack:
        stack.callback(port.release)
        stack.callback(nginx.stop)
        nginx.start(*[worker.port] * (1 + (site == EDGE)), uncommented=lines)
        assert agreed(made.context, port.number, "http/1.1", "h2") == "h2"
        made.context.set_alpn_protocols(["http/1.1"])
        connection = HTTPSConnection("127.0.0.1", port.number, context=made.context, timeout=10)
        with closing(connection):
            connection.request("GET", "/hls/news/7.ts", headers=HOSTS["one"])
            assert connection.getresponse().read() == SEGMENT
        assert worker.asked[-1].headers["X-Forwarded-Proto"] == "https"


def agreed(context: ssl.SSLContext, port: int, *protocols: str) -> str | None:
    """Which of these nginx speaks."""
    context.set_alpn_protocols([*protocols])
    plain = socket.create_connection(("127.0.0.1", port), 10)
    with context.wrap_socket(plain) as connection:
        return connection.selected_alpn_protocol()
