"""What a list says of its own provider stays here; what a player needs goes out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from tests.functional.failing import assert_nothing_leaked
from tests.functional.harness import Proxy
from tests.provider import Provider


def test_attributes_that_hold_the_account_are_not_served(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one")
    account = f"{one.user}/{one.password}"
    guide = one.url(f"/xmltv.php?username={one.user}&password={one.password}")
    one.list.head = f'#EXTM3U x-tvg-url="{guide}" url-tvg="{guide}"'
    one.add_channel(
        "News",
        tvg_id="news.1",
        tvg_logo="https://logos.example/news.png",
        group_title="World",
        catchup="append",
        catchup_source=one.url(f"/timeshift/{account}/60/${{start}}/1.ts"),
        tvg_rec=f"{account}",
    )
    nameless = one.url(f"/live/{account}/99.ts")  # no #EXTINF: named after its address
    one.list.entries = (nameless, *one.list.entries)
    proxy = start_proxy((one, 1), DEBUG="true")
    served = proxy.get("/playlist.m3u8").text
    assert 'tvg-id="news.1"' in served
    assert 'tvg-logo="https://logos.example/news.png"' in served
    assert 'group-title="World"' in served
    assert len(proxy.playlist()) == 2
    assert_nothing_leaked(proxy, one)


def test_a_log_that_may_name_addresses_still_answers_clients_without_them(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one")
    one.add_channel("News").fail_with(404)
    proxy = start_proxy((one, 1), OBFUSCATE_URLS="false", MAX_RETRIES="0")
    with proxy.viewer("news") as viewer:
        assert viewer.wait_for_status() == 503
        viewer.wait_for_end()
    said = f"{viewer.headers}{viewer.text}{proxy.get('/metrics').text}{proxy.get('/readyz').text}"
    assert not [secret for secret in one.secrets if secret in said]


def test_a_list_from_a_file_tells_nothing_of_the_account_in_its_links(
    tmp_path: Path, start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one = start_provider("one")
    account, logos = f"{one.user}/{one.password}", "http://logos.example"
    one.add_channel("News", url=one.url(f"/live/{account}/1.ts"))
    one.add_channel("Sport", url=one.url(f"/live/{account}/2.ts"), tvg_logo=f"{logos}/{account}/a")
    one.add_channel(
        "Films", url="http://cdn.example/films/a.ts", tvg_logo=f"{logos}/?p={one.password}"
    )
    one.add_channel(
        "Kids", url="http://cdn.example/kids/a.ts", tvg_logo="http://cdn.example/kids/b"
    )
    path = tmp_path / "own.m3u"
    path.write_bytes(urlopen(one.list_url).read())
    proxy = start_proxy(f"{path}|1", DEBUG="true", MAX_RETRIES="0", ADMIN_TOKEN="open-sesame")
    served = proxy.get("/playlist.m3u8").text
    assert 'tvg-logo="http://cdn.example/kids/b"' in served
    assert re.findall(r'tvg-logo="http://[^/"]+(/logo/\w+)"', served) == [
        "/logo/films",
        "/logo/sport",
    ]
    assert served.count("tvg-logo") == 3
    page = proxy.get("/api/channels").text + proxy.get("/api/status").text
    assert not [secret for secret in one.secrets if secret in page]
    assert_nothing_leaked(proxy, one)


def test_a_past_that_no_link_shows_is_not_promised(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    one, two = start_provider("one"), start_provider("two")
    one.list.head = '#EXTM3U catchup="append" catchup-days="7" catchup-source="?utc={utc}"'
    one.add_channel("News", tvg_id="news.1", catchup="shift", catchup_days="3", tvg_shift="2")
    two.add_channel("News", timeshift="3", tvg_rec="3", catchup_type="xc", tvg_chno="5")
    served = start_proxy((one, 1), (two, 1)).get("/playlist.m3u8").text
    assert served.splitlines()[:2] == [
        "#EXTM3U",
        '#EXTINF:-1 tvg-id="news.1" tvg-chno="5" tvg-shift="2",News',
    ]
