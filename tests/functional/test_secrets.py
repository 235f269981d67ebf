"""What a list says of its own provider stays here; what a player needs goes out."""

from __future__ import annotations

from collections.abc import Callable

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
    one.list.entries += (one.url(f"/live/{account}/99.ts"),)  # no #EXTINF: named after its address
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
