"""Once a login is needed: through gunicorn, over real sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kptv.app import build_web
from kptv.channels.users.model import User
from kptv.users.store import MadeSecret, UsersFile
from kptv.web.access import ALWAYS_OPEN
from kptv.web.page.status import asset_paths
from tests.functional.harness import Answer, Proxy, eventually
from tests.parts import CONFIG, built
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

TOKEN = "open-sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TYPED = "berts-own-word"
WRONG = "abcdefghjkmnpqrstuvw"
BLINK = 0.5  # seconds without data that a busy machine may cause


class Rig:
    """A proxy of one channel, with anna's made secret and bert's own."""

    def __init__(self, one: Provider, proxy: Proxy) -> None:
        self.one, self.proxy = one, proxy
        self.users = UsersFile(Path(proxy.settings["DATA_DIR"]))
        self.anna: MadeSecret = self.users.add(User(id=0, name="anna"))
        self.users.add(User(id=0, name="bert"), typed=TYPED)
        eventually(lambda: proxy.get("/playlist.m3u8").status == 401)
        eventually(lambda: proxy.get(self.own("/playlist.m3u8")).status == 200)

    def own(self, path: str) -> str:
        """``path`` as anna has it."""
        return f"/u/{self.anna.text}{path}"


@pytest.fixture(scope="module")
def rig(share_provider: StartProvider, share_proxy: StartProxy) -> Rig:
    one = share_provider("one")
    one.add_channel("News")
    return Rig(one, share_proxy((one, 0), ADMIN_TOKEN=TOKEN, STREAM_LINGER="100ms"))


def at(number: int) -> dict[str, str]:
    """A household of its own: a proxy on this machine is believed whom it speaks for."""
    return {"X-Forwarded-For": f"198.51.100.{number}"}


def seen(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(name, value) for name, value in answer.headers.items() if name != "Date"]
    return answer.status, headers, answer.body


def routes(folder: Path) -> set[tuple[str, str]]:
    """A path and a method for each route that there is."""
    with built(replace(CONFIG, admin_token=TOKEN), folder) as parts:
        rules = list(build_web(parts).url_map.iter_rules())
    filled = [re.sub(r"<[^>]*>", "5", rule.rule) for rule in rules]
    return {(path, m) for path, rule in zip(filled, rules, strict=True) for m in rule.methods or ()}


def test_no_route_answers_without_a_login_but_those_that_are_open(rig: Rig, tmp_path: Path) -> None:
    asked = routes(tmp_path)
    assert len(asked) > 80
    for path, method in sorted(asked):
        status = rig.proxy.get(path, method=method).status
        is_open = path in ALWAYS_OPEN | asset_paths()
        assert (status == 401) is not is_open, (method, path)
    for path in ("/u/x/../../metrics", "//metrics", "/%2e%2e/metrics", "/assets/%2e%2e/api/status"):
        assert rig.proxy.get(path).status == 401


def test_a_request_target_without_a_slash_is_read_as_one_with(rig: Rig) -> None:
    """gunicorn lets it through if it has `://` somewhere, and Flask adds the slash."""
    login = f"username=anna&password={rig.anna.text}"
    for target in (
        "metrics?{}&://",
        "api/status?{}&://",
        "x:metrics?{}&://",
        "x:api/groups?{}&://",
    ):
        assert rig.proxy.get(target.format(login)).status == 401


def test_unknown_and_wrong_are_the_same_bytes_by_each_way_in(rig: Rig) -> None:
    ways = (
        "/u/{}:{}/playlist.m3u8",
        "/live/{}/{}/1.ts",
        "/player_api.php?username={}&password={}",
    )
    for number, way in enumerate(ways):
        paths = [
            way.format(n, s)
            for n, s in (("bert", WRONG), ("nobody", WRONG), ("anna", "wrong-word"))
        ]
        first, *others = (seen(rig.proxy.get(path, at(number))) for path in paths)
        assert first[0] == 401
        assert all(other == first for other in others)
    assert json.loads(first[2]) == {"user_info": {"auth": 0}}


def test_a_users_links_show_the_secret_and_play(rig: Rig) -> None:
    answer = rig.proxy.get(rig.own("/playlist.m3u8"))
    (link,) = (line for line in answer.text.splitlines() if not line.startswith("#"))
    assert link.endswith(rig.own("/stream/news"))
    assert "private" in answer.headers["Cache-Control"]
    for path in (rig.own("/stream/news"), f"/u/bert:{TYPED}/stream/news"):
        with rig.proxy.viewer(path) as viewer:
            viewer.wait_for_source("one")
            assert viewer.headers["Referrer-Policy"] == "no-referrer"
    assert rig.proxy.get("/stream/news").status == 401
    with rig.proxy.viewer("/stream/news", headers=BEARER) as viewer:
        viewer.wait_for_source("one")


def test_twenty_wrong_logins_at_once_hold_up_no_stream_and_no_household(rig: Rig) -> None:
    known = f"/get.php?username=bert&password={TYPED}"
    with rig.proxy.viewer(rig.own("/stream/news")) as viewer, ThreadPoolExecutor(20) as pool:
        viewer.wait_for_bytes(50_000)
        assert rig.proxy.get(known, at(10)).status == 200
        began = viewer.arrivals[-1][0]

        def guess(number: int) -> int:
            path = f"/get.php?username=clara&password=guess-number-{number}"
            return rig.proxy.get(path, at(10), timeout=60).status

        guesses = [pool.submit(guess, number) for number in range(20)]
        while not all(each.done() for each in guesses):
            assert rig.proxy.get(known, at(10)).status == 200
            viewer.wait_for_bytes(20_000)
        assert {each.result() for each in guesses} == {401}
        assert viewer.longest_silence(began) < BLINK
        assert not viewer.ended


def test_what_a_user_may_no_more_ends_within_seconds(rig: Rig) -> None:
    clara = rig.users.add(User(id=0, name="clara"))
    path = f"/u/{clara.text}/stream/news"
    eventually(lambda: rig.proxy.get(path, method="HEAD").status == 200)
    with rig.proxy.viewer(path) as viewer:
        viewer.wait_for_bytes(20_000)
        rig.users.revoke("clara", clara.secret.number)
        viewer.wait_for_end(5)
    assert rig.proxy.get(path).status == 401


def test_the_log_and_the_figures_have_no_secret_of_a_user(rig: Rig) -> None:
    with rig.proxy.viewer(f"/u/bert:{TYPED}/stream/news") as viewer:
        viewer.wait_for_source("one")
    told = rig.proxy.log + rig.proxy.get("/metrics", BEARER).text
    told += rig.proxy.get("/api/status", BEARER).text
    assert not [secret for secret in (TYPED, rig.anna.text, WRONG) if secret in told]
    assert "A login is needed" in told
    assert "shows a login that nobody has" in told


def test_the_first_user_ends_what_was_open_to_all(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 0))
    users = UsersFile(Path(proxy.settings["DATA_DIR"]))
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(20_000)
        users.add(User(id=0, name="anna"))
        viewer.wait_for_end(6)
    assert proxy.get("/playlist.m3u8").status == 401
    users.path.unlink()
    eventually(lambda: proxy.get("/readyz").status == 503)
    assert "users.db" in proxy.get("/readyz").text
    assert proxy.get("/playlist.m3u8").status == 401
