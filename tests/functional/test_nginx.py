"""The shipped nginx site in front of the proxy: Debian's nginx, run as it is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, urljoin

import pytest

from tests.functional.harness import Proxy, eventually
from tests.functional.nginx import EDGE, SITE, Nginx, shipped
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

pytestmark = pytest.mark.requires("nginx")


@pytest.mark.parametrize("prefix", ["", "/iptv"])
def test_lists_are_served_with_links_that_lead_back_and_play(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy, prefix: str
) -> None:
    one = start_provider("one")
    one.add_channel("News/24 + 1", group_title="UK; News & More")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url(prefix))
    nginx.start(proxy.port)
    (link,) = nginx.links(f"{prefix}/playlist.m3u8")
    assert link.startswith(nginx.url(f"{prefix}/stream/"))
    assert nginx.links(f"{prefix}/{quote('News & More')}/playlist.m3u8") == [link]
    [listed] = json.loads(nginx.get(f"{prefix}/player_api.php?action=get_live_streams").body)
    named = nginx.url(f"{prefix}/stream/{quote('News/24 + 1', safe='')}")
    # Applications make the last one of the host alone.
    made = [nginx.url(f"{place}/live/a/b/{listed['stream_id']}.ts") for place in (prefix, "")]
    for url in (link, named, *made):
        with nginx.viewer(url) as viewer:
            viewer.wait_for_source("one").wait_for_bytes(50_000)
            assert viewer.status == 200
            assert viewer.headers["Content-Type"] == "video/mp2t"


@pytest.mark.parametrize("prefix", ["", "/iptv"])
def test_links_in_the_forms_that_applications_make_are_read_through_nginx(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy, prefix: str
) -> None:
    one = start_provider("one")
    one.add_channel("Sky News/24", group_title="UK News")
    one.add_channel("x.ts")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url(prefix))
    nginx.start(proxy.port)
    (link,) = nginx.links(f"{prefix}/UK+News/playlist.m3u8/")
    assert link in nginx.links(f"{prefix}//playlist.m3u8?type=m3u")
    slug = link.rpartition("/")[2]
    hls = f"{prefix}/stream/{slug}.m3u8"
    segment = nginx.links(hls)[-1]
    assert nginx.get(urljoin(hls, segment)).body.startswith(b"G")
    names = (f"{slug}.ts", f"{slug.upper()}/", f"/{slug}", "Sky+News%252F24.ts", "Sky%20News%2F24/")
    for name in names:
        with nginx.viewer(nginx.url(f"{prefix}/stream/{name}")) as viewer:
            viewer.wait_for_source("one")
            assert viewer.status == 200
    assert nginx.get(f"{prefix}/stream/nothing.ts").status == 404


def test_a_list_is_compressed_once_and_not_sent_again_when_unchanged(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    for number in range(100):
        one.add_channel(f"Channel {number}")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url(""))
    nginx.start(proxy.port)
    plain = nginx.get("/playlist.m3u8")
    packed = nginx.get("/playlist.m3u8", {"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    again = nginx.get("/playlist.m3u8", {"If-None-Match": plain.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_a_stream_comes_as_it_flows(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", bitrate=64_000)  # a radio: 8 KB in a second
    one.add_channel("Radio")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url(""))
    nginx.start(proxy.port)
    with nginx.viewer(nginx.links("/playlist.m3u8")[0]) as viewer:
        viewer.wait_for_bytes(24_000)
        assert viewer.first_byte_at - viewer.asked_at < 2
        # Buffered, it would come in pieces of a buffer each.
        assert len(viewer.arrivals) >= 24
        assert viewer.longest_silence() < 1
        assert viewer.headers["Content-Encoding"] is None


def test_the_site_itself_holds_nothing_back(nginx: Nginx, start_provider: StartProvider) -> None:
    one = start_provider("one", bitrate=64_000)  # in the proxy's place: says nothing of buffering
    radio = one.add_channel("Radio", path="/radio.ts")
    nginx.start(one.port)
    with nginx.viewer(radio.url) as viewer:
        viewer.wait_for_bytes(16_000)
        assert len(viewer.arrivals) >= 16


def test_a_viewer_who_leaves_through_nginx_frees_the_slot(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    one.add_channel("Sport")
    proxy = start_proxy((one, 1), BASE_URL=nginx.url("/iptv"), STREAM_LINGER="0")
    nginx.start(proxy.port)
    for link in nginx.links("/iptv/playlist.m3u8"):
        with nginx.viewer(link) as viewer:
            viewer.wait_for_source("one")
            assert one.connections == 1
        one.wait(lambda: one.connections == 0)
    proxy.wait_idle()
    assert one.max_connections_seen == 1


def test_metrics_are_not_for_the_world(
    nginx: Nginx, start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy((start_provider("one"), 1), wait=False)
    nginx.start(proxy.port)
    for path in ("/metrics", "/iptv/metrics"):
        assert nginx.get(path).status == 404
    proxy.kill()


def test_the_proxy_is_told_who_asks(nginx: Nginx, start_provider: StartProvider) -> None:
    one = start_provider("one")  # in the proxy's place, as it keeps the headers of its requests
    nginx.start(one.port)
    nginx.get("/iptv/anything", {"Host": "tv.example"})
    (request,) = one.requests_to("/anything")
    assert request.headers["host"] == "tv.example"
    assert request.headers["x-real-ip"] == request.headers["x-forwarded-for"] == "127.0.0.1"
    assert request.headers["x-forwarded-proto"] == "http"


SECRET = "abcdefghjkmnpqrstuvw"
KEY = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"/u/{SECRET}/playlist.m3u8", "/u/***/playlist.m3u8"),
        (f"/u/anna:{SECRET}/stream/a%20b?x=1", "/u/***/stream/a b"),
        (f"/u/{SECRET}", "/u/***"),
        (f"/iptv/u/{SECRET}/epg.xml.gz", "/iptv/u/***/epg.xml.gz"),
        (f"/%75/{SECRET}/stream/x", "/u/***/stream/x"),
        (f"/u%2F{SECRET}%2Fstream/x", "/u/***/stream/x"),
        (f"/x/../u/{SECRET}/stream/x", "/u/***/stream/x"),
        (f"//u//{SECRET}/stream/x", "//u//***/stream/x"),
        (f"/live/anna/{SECRET}/12.ts", "/live/***"),
        (f"/iptv/movie/anna/{SECRET}/12.mp4", "/iptv/movie/***"),
        (f"/anna/{SECRET}/12.ts", "/***"),
        (f"/iptv/anna/{SECRET}/12", "/iptv/***"),
        (f"/u/{SECRET}/hls/news.m3u8?_HLS_msn=12", "/u/***/hls/news.m3u8"),
        (f"/u/{SECRET}/hls/news/{KEY}/12.ts", "/u/***/hls/news/***/12.ts"),
        (f"/iptv/u/anna:{SECRET}/hls/news/{KEY}/12.ts", "/iptv/u/***/hls/news/***/12.ts"),
        (f"/u/{SECRET}/u/x/hls/news/0/12.ts", "/u/***/u/x/hls/news/0/12.ts"),
        (f"/hls/news/{KEY}/12.ts", "/hls/***"),
        ("/hls/news.m3u8?_HLS_msn=12", "/hls/news.m3u8"),
        (f"/player_api.php?username=anna&password={SECRET}", "/player_api.php"),
        ("/stream/news/24", "/stream/news/24"),
        ("/playlist.m3u8", "/playlist.m3u8"),
    ],
)
def test_no_secret_of_a_user_is_logged(logging_nginx: Nginx, path: str, logged: str) -> None:
    before = len(logging_nginx.log_file.read_text())
    logging_nginx.get(path, {"Referer": f"http://tv.example/u/{SECRET}/"})

    def told() -> str:
        return logging_nginx.log_file.read_text()[before:]

    eventually(lambda: told().endswith("\n"))
    assert f'"GET {logged}' in told()
    assert SECRET not in told()
    assert KEY not in told()


def test_both_sites_log_alike() -> None:
    def paths(site: str) -> str:
        return shipped(site).partition("map $uri $kptv_path {")[2].partition("}\n")[0]

    assert paths(SITE) == paths(EDGE) != ""
    for site in SITE, EDGE:
        (format_,) = re.findall(
            r"^log_format kptv (.*?);$", shipped(site), re.MULTILINE | re.DOTALL
        )
        variables = set(re.findall(r"\$\w+", format_))
        assert variables.isdisjoint({"$request", "$request_uri", "$uri", "$args", "$http_referer"})
        assert re.findall(r"^ *access_log (.*);$", shipped(site), re.MULTILINE) == [
            "/var/log/nginx/access.log kptv"
        ]


@pytest.fixture(scope="module")
def logging_nginx(
    share_provider: StartProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    """nginx before something that answers anything."""
    nginx = Nginx(tmp_path_factory.mktemp("nginx"))
    try:
        yield nginx.start(share_provider("one").port)
    finally:
        nginx.stop()
