"""Applications that speak Xtream, through gunicorn: they log in, list, and play; ids stay."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from kptv.channels.users.links import prefix_of
from kptv.channels.users.model import User
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, eventually
from tests.numbered_ts import check_ts
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

FORMS = ("/live/{}/{}/{}.ts", "/live/{}/{}/{}", "/{}/{}/{}", "/{}/{}/{}.ts")


def told(proxy: Proxy, login: tuple[str, str], **query: object) -> Any:
    named = {"username": login[0], "password": login[1], **query}
    return json.loads(proxy.get(f"/player_api.php?{urlencode(named)}").body)


def ids_of(proxy: Proxy, login: tuple[str, str]) -> dict[str, int]:
    streams = told(proxy, login, action="get_live_streams")
    return {each["name"]: each["stream_id"] for each in streams}


def post(proxy: Proxy, path: str, **form: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(form), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def links_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] != "#"]


def first_segment(proxy: Proxy, path: str) -> str:
    """The path of the first segment of a playlist, which gives whole packets."""
    playlist = proxy.get(path)
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl", playlist.text
    segment = urljoin(path, links_of(playlist.text)[0])
    answer = proxy.get(segment)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "video/mp2t")
    check_ts(answer.body)
    return segment


def test_every_form_of_a_streams_address_plays_and_a_head_opens_nothing(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News", group_title="UK")
    proxy = start_proxy((one, 1), STREAM_LINGER="0s")
    login = ("any", "thing")
    news = ids_of(proxy, login)["News"]
    for form in FORMS:
        head = proxy.get(form.format(*login, news), method="HEAD")
        assert (head.status, head.headers["Content-Type"]) == (200, "video/mp2t")
    assert one.max_connections_seen == 0
    for form in FORMS:
        with proxy.viewer(form.format(*login, news)) as viewer:
            viewer.wait_for_source("one")
            assert viewer.status == 200
    for form in ("/live/{}/{}/{}.m3u8", "/{}/{}/{}.m3u8"):
        path = form.format(*login, news)
        assert proxy.get(path, method="HEAD").status == 200
        assert first_segment(proxy, path).startswith("/hls/news/")
    assert proxy.get("/any/thing/4711").status == 404
    assert post(proxy, "/player_api.php", username="a", password="b")["user_info"]["auth"] == 1
    assert post(proxy, "/player_api.php", action="get_live_streams")[0]["stream_id"] == news
    one.add_channel("A new one")
    proxy.stop()
    proxy.start()
    eventually(lambda: "A new one" in ids_of(proxy, login))
    assert ids_of(proxy, login)["News"] == news


@pytest.mark.parametrize("typed", [None, "typed-by-anna"], ids=["made", "typed"])
def test_a_user_sees_and_plays_what_is_allowed_and_while_it_is(
    start_provider: StartProvider, start_proxy: StartProxy, typed: str | None
) -> None:
    one = start_provider("one", limit=2)
    one.add_channel("News", group_title="UK")
    one.add_channel("Sport 1", group_title="Sport")
    proxy = start_proxy((one, 2))
    every = ids_of(proxy, ("any", "thing"))
    users = UsersFile(proxy.folder / "data")
    shown = users.add(User(id=0, name="anna", groups=("sport",)), typed=typed)
    login = ("anna", shown.text)
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    assert told(proxy, login)["user_info"]["username"] == "anna"
    assert told(proxy, login)["user_info"]["password"] == shown.text
    assert ids_of(proxy, login) == {"Sport 1": every["Sport 1"]}
    wrong = [told(proxy, other) for other in (("anna", "wrong-one"), ("nobody", shown.text))]
    assert wrong == [{"user_info": {"auth": 0}}] * 2

    playlist = proxy.get(f"/get.php?username=anna&password={shown.text}&type=m3u_plus").text
    [link] = links_of(playlist)
    assert link == proxy.url(f"/live/anna/{shown.text}/{every['Sport 1']}.ts")
    hidden = proxy.get(f"/live/anna/{shown.text}/{every['News']}.ts")
    unknown = proxy.get(f"/live/anna/{shown.text}/4711.ts")
    assert (hidden.status, hidden.body) == (unknown.status, unknown.body)
    assert hidden.status == 404
    assert proxy.get(f"/live/anna/wrong-one/{every['Sport 1']}.ts").status == 401
    with proxy.viewer(link.removeprefix(proxy.url(""))) as viewer:
        viewer.wait_for_source("one")
        assert told(proxy, login)["user_info"]["active_cons"] == "1"
        users.change("anna", enabled=False)
        viewer.wait_for_end()
    assert proxy.get(link.removeprefix(proxy.url("")), method="HEAD").status == 403
    assert proxy.get(f"/live/anna/{shown.text}/{every['Sport 1']}.m3u8").status == 403
    assert told(proxy, login)["user_info"]["status"] == "Disabled"
    assert told(proxy, login, action="get_live_streams") == []
    assert shown.text not in proxy.log


@pytest.mark.parametrize("typed", [None, "typed-by-anna"], ids=["made", "typed"])
def test_a_users_lists_for_hls_lead_to_segments_of_that_user(
    start_provider: StartProvider, start_proxy: StartProxy, typed: str | None
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("Sport 1")
    proxy = start_proxy((one, 1))
    secret = UsersFile(proxy.folder / "data").add(User(id=0, name="anna"), typed=typed).text
    own, login = prefix_of("anna", secret), f"username=anna&password={secret}"
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
    for path in (f"/get.php?{login}&output=m3u8", f"{own}/playlist.m3u8?output=hls"):
        [link] = links_of(proxy.get(path).text)
        segment = first_segment(proxy, urlsplit(link).path)
        assert segment.startswith(f"{own}/hls/sport-1/")
        assert proxy.get(segment.removeprefix(own)).status == 401
        for asked in (urlsplit(link).path, segment):
            leave = proxy.get(asked, {"Origin": "http://other"}, "OPTIONS")
            assert (leave.status, leave.headers["access-control-allow-origin"]) == (204, "*")
    assert one.max_connections_seen == 1
    assert secret not in proxy.log
