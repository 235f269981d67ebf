"""The gate: nothing is open but what is meant to be, and every caller is who they show to be."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import gevent
import pytest
from flask import Flask, request
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app

from kptv.app import build_web
from kptv.channels.users.model import Rights, User
from kptv.config import Config
from kptv.parts import AppParts
from kptv.users.store import UsersFile
from kptv.web.access import ALWAYS_OPEN, NO_LOGIN, UNKNOWN
from kptv.web.caller import CALLER, Caller, CallerKind
from kptv.web.credentials import in_live_path
from kptv.web.page.status import asset_paths
from tests.channels.test_catalog import catalog, listing
from tests.parts import CONFIG, built

TOKEN, METRICS_TOKEN = "open-sesame", "scrape-sesame"
TYPED = "berts-own-word"
WRONG = "abcdefghjkmnpqrstuvw"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HOME = ip_network("192.168.1.0/24")
LIMIT = 30.0
OPEN = ("ops.healthz", "ops.readyz", "status.index", "status.asset")
OPEN_OF_SESSIONS = ("session.session", "session.log_in", "session.log_out")


class Rig:
    """The whole application without a server; its views only tell that they were reached."""

    def __init__(self, parts: AppParts, secret: str) -> None:
        self.parts, self.secret = parts, secret
        self.app = build_web(parts)
        self.gate = parts.entrance.gate
        self.reached: list[str] = []
        self.caller = Caller()

    def catch(self) -> None:
        """From now on, no view does anything."""
        for endpoint in self.app.view_functions:
            self.app.view_functions[endpoint] = self._caught(endpoint)

    def _caught(self, endpoint: str) -> Callable[..., str]:
        def view(**_: object) -> str:
            self.reached.append(endpoint)
            return "reached"

        return view

    def ask(
        self, path: str, method: str = "GET", peer: str = "203.0.113.5", **options: Any
    ) -> TestResponse:
        """The answer to a request for ``path``, which is not tidied as clients do."""
        path, _, query = path.partition("?")
        builder = EnvironBuilder(method=method, query_string=query, **options)
        environ = builder.get_environ()
        environ.update(PATH_INFO=path, REMOTE_ADDR=peer)
        answer = run_wsgi_app(self._app, environ, buffered=True)
        return TestResponse(*answer, request=builder.get_request())

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = self.app(environ, start_response)
        self.caller = environ.get(CALLER, Caller())
        return body

    def status(self, path: str, **options: Any) -> int:
        return self.ask(path, **options).status_code


def users_in(folder: Path) -> str:
    """Anna with a made secret, which this gives, and bert with one that was typed."""
    file = UsersFile(folder)
    shown = file.add(User(id=0, name="anna", groups=("News",)))
    file.add(User(id=0, name="bert"), typed=TYPED)
    return shown.text


Start = Callable[..., Rig]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an application; ``has_users`` False: no login is needed."""
    rigs = []

    def begin(*, has_users: bool = True, **settings: Any) -> Rig:
        secret = users_in(tmp_path) if has_users else WRONG
        settings = {"admin_token": TOKEN, "metrics_token": METRICS_TOKEN, **settings}
        running = built(replace(CONFIG, **settings), tmp_path)
        rigs.append(running)
        return Rig(running.__enter__(), secret)

    with gevent.Timeout(LIMIT):
        yield begin
    for running in rigs:
        running.__exit__(None, None, None)


@pytest.fixture
def rig(start: Start) -> Rig:
    rig = start()
    rig.catch()
    return rig


def path_of(rule: str) -> str:
    rule = re.sub(r"<(?:int|stream_id):[^>]*>", "5", rule)
    rule = re.sub(r"<playlist_id:[^>]*>", "5.m3u8", rule)
    return re.sub(r"<[^>]*>", "x", rule)


def all_requests(app: Flask) -> list[tuple[str, str, str]]:
    """Of each route: its endpoint, a path, and a method."""
    return [
        (rule.endpoint, path_of(rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
    ]


# --- default-deny ---


def test_no_route_is_reached_without_a_login_but_those_that_are_named_here(rig: Rig) -> None:
    requests = all_requests(rig.app)
    assert len(requests) > 80
    for endpoint, path, method in requests:
        answer = rig.ask(path, method)
        expected = endpoint in OPEN_OF_SESSIONS or (endpoint in OPEN and path in ALWAYS_OPEN)
        assert (answer.status_code != 401) is expected, (path, method)
        if not expected:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
    assert set(rig.reached) <= {*OPEN, *OPEN_OF_SESSIONS}


def test_no_route_of_the_operators_is_reached_with_a_users_secret(rig: Rig) -> None:
    for _, path, method in all_requests(rig.app):
        is_operators = path.startswith("/api/") or path == "/metrics"
        if is_operators and path not in ALWAYS_OPEN:
            assert rig.ask(f"/u/{rig.secret}{path}", method).status_code == 401, (path, method)
            assert rig.ask(f"{path}?username=bert&password={TYPED}", method).status_code == 401
    assert rig.reached == []


TRICKS = [
    "",
    "//",
    "/healthz/",
    "//healthz",
    "/healthz;x=1",
    "/healthz.",
    "/HEALTHZ",
    "/./healthz",
    "/x/../healthz",
    "/healthz/../metrics",
    "/healthz/..;/metrics",
    "/healthz%2f..%2fmetrics",
    "/readyz/playlist.m3u8",
    "/healthz/playlist.m3u8?x",
    "/assets/../metrics",
    "/assets/..%2fapi/status",
    "/assets/page/../../api/status",
    "/assets//page/main.js",
    "/assets/page/main.js/",
    "/assets/page/main.js;x",
    "/assets/page/main.js/playlist.m3u8",
    "/assets/playlist.m3u8",
    "/assets/page/playlist.m3u8",
    "/assets/playlist.m3u",
    "/api/session/",
    "/api/session/../status",
    "/api/session/playlist.m3u8",
    "/api/session;/../status",
    "/api//session",
    "//api/status",
    "/API/status",
    "/api/status/",
    "/api/status.",
    "//metrics",
    "/metrics/",
    "/metrics;x",
    "/METRICS",
    "/./metrics",
    "///playlist.m3u8",
    "/playlist",
    "/playlist.m3u8/",
    "/playlist.m3u8#x",
    "/Playlist.M3U8",
    "/;/playlist.m3u8",
    "/healthz\n/playlist.m3u8",
    "/\\playlist.m3u8",
    "/Stream/news",
    "//stream//news",
    "/stream/../healthz",
    "/stream/",
    "/u/",
    "/u//",
    "/u/x/u/y/playlist.m3u8",
    "/u/../healthz",
    "/u/../playlist.m3u8",
    "/U/x/playlist.m3u8",
    "/epg.xml.gz",
    "/xmltv.php?username=&password=",
    "/get.php?username=anna",
    "/x/y/5.ts",
    "/live/x/y/5.ts",
    "/nowhere",
    "\0",
    "playlist.m3u8",
    "http://tv.example/playlist.m3u8",
]


@pytest.mark.parametrize("path", TRICKS, ids=[ascii(path) for path in TRICKS])
def test_no_way_to_write_a_path_leads_past_the_gate(start: Start, path: str) -> None:
    rig = start()
    rig.catch()
    for method in ("GET", "HEAD", "POST"):
        rig.ask(path, method)
    assert set(rig.reached) <= {*OPEN, *OPEN_OF_SESSIONS}, "what these show is open"
    rig.reached.clear()
    for method in ("GET", "HEAD", "POST"):
        rig.ask(f"/u/{WRONG}{path}", method)
    assert set(rig.reached) <= {*OPEN, *OPEN_OF_SESSIONS}


PLACES = ["{}", "/{}", "//{}", "///{}", "/u/{secret}/{}", "/u/{secret}//{}", "//u//{secret}///{}"]


@pytest.mark.parametrize("place", PLACES)
def test_no_way_to_write_a_path_leads_a_user_to_what_is_the_operators(rig: Rig, place: str) -> None:
    for path in ("metrics", "api/status", "api//status", "api/users", "api/../api/events"):
        asked = place.replace("{secret}", rig.secret).replace("{}", path)
        for query in (f"?username=anna&password={rig.secret}", f"?username=bert&password={TYPED}"):
            assert rig.status(f"{asked}{query}") == 401, asked
    assert rig.reached == []


def test_no_login_is_told_again_in_a_redirect(rig: Rig) -> None:
    answer = rig.ask(f"?username=anna&password={rig.secret}")
    assert answer.status_code == 200
    assert rig.secret not in answer.text + str(answer.headers)


def test_the_page_without_what_it_shows_is_open(start: Start) -> None:
    rig = start()
    for path in (*ALWAYS_OPEN - {"/readyz", "/healthz", "/api/login", "/api/logout"}, "/assets/"):
        paths = asset_paths() if path == "/assets/" else {path}
        assert {rig.status(each) for each in paths} == {200}
    assert rig.status("/api/login", method="POST", json={"token": "x"}) == 403
    assert rig.status("/api/logout", method="POST") == 200
    assert rig.status("/readyz") == rig.status("/healthz") == 503, "no list, and no import runs"


def test_without_a_status_page_its_files_are_no_reason_to_open_anything(start: Start) -> None:
    rig = start(status_page=False)
    assert rig.status("/assets/page/main.js") == 401
    assert rig.status("/") == 200


# --- who somebody is ---


def test_a_user_is_known_by_a_secret_wherever_it_is_shown(rig: Rig) -> None:
    made = rig.secret
    for path, prefix, login in (
        (f"/u/{made}/playlist.m3u8", f"/u/{made}", ("anna", made)),
        (f"/u/anna:{made}/playlist.m3u8", f"/u/{made}", ("anna", made)),
        (f"/playlist.m3u8?username=ANNA&password={made}", f"/u/{made}", ("ANNA", made)),
        (f"/u/bert:{TYPED}/stream/x", f"/u/bert:{TYPED}", ("bert", TYPED)),
        (f"/get.php?username=bert&password={TYPED}", f"/u/bert:{TYPED}", ("bert", TYPED)),
        (f"/live/bert/{TYPED}/5.ts", f"/u/bert:{TYPED}", ("bert", TYPED)),
        (f"/bert/{TYPED}/5", f"/u/bert:{TYPED}", ("bert", TYPED)),
    ):
        rig.ask(path)
        assert (rig.caller.kind, rig.caller.name) == (CallerKind.USER, login[0].lower())
        assert (rig.caller.prefix, rig.caller.login) == (prefix, login)
        assert rig.gate.still(rig.caller)
    rig.ask(f"/u/{made}/playlist.m3u8")
    assert rig.caller.rights == Rights(frozenset(("news",)))
    assert rig.reached.count("playlist.playlist") == 4


def test_a_form_is_read_once_and_is_there_for_whoever_comes_next(start: Start) -> None:
    rig = start()
    form = {"username": "bert", "password": TYPED, "action": "get_live_streams"}
    seen = []

    def view() -> str:
        seen.append(request.form.to_dict())
        return "seen"

    rig.app.view_functions = dict.fromkeys(rig.app.view_functions, view)
    assert rig.status("/player_api.php", method="POST", data=form) == 200
    assert seen == [form]
    long = {**form, "password": "x" * 5000}
    assert rig.status("/player_api.php", method="POST", data=long) == 401
    assert rig.status("/player_api.php", method="POST", json=form) == 401
    assert rig.status("/playlist.m3u8", method="POST", data=form) == 401


def test_a_form_in_chunks_is_read_no_further_than_a_form_goes(start: Start) -> None:
    rig = start()
    body = BytesIO(b"username=bert&password=" + b"x" * 50_000)
    answer = rig.ask(
        "/player_api.php",
        "POST",
        input_stream=body,
        content_type="application/x-www-form-urlencoded",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 401
    assert body.tell() <= 4097


@pytest.mark.parametrize(
    "headers", [BEARER, {"X-Admin-Token": TOKEN, "Authorization": "Basic bWU6aHVudGVyMg=="}]
)
def test_the_operators_token_opens_everything(rig: Rig, headers: dict[str, str]) -> None:
    for endpoint, path, method in all_requests(rig.app):
        rig.ask(path, method, headers=headers)
        is_login = in_live_path(path) is not None  # a user's, whoever else asks
        assert method == "OPTIONS" or is_login or endpoint in rig.reached, path
    rig.ask("/stream/x", headers=headers)
    assert (rig.caller.kind, rig.caller.prefix) == (CallerKind.OPERATOR, "")
    assert rig.gate.still(rig.caller)


def test_a_session_of_the_page_opens_what_the_page_shows_and_plays(start: Start) -> None:
    rig = start()
    answer = rig.ask("/api/login", "POST", json={"token": TOKEN})
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    rig.catch()
    for path in ("/api/status", "/api/events", "/metrics", "/stream/x", "/logo/x"):
        rig.ask(path, headers=cookie)
        assert rig.caller.kind is CallerKind.OPERATOR, path
    rig.ask(f"/u/{rig.secret}/playlist.m3u8", headers=cookie)
    assert rig.caller.name == "anna", "the operator sees what a user sees"
    assert rig.status("/stream/x", headers={"Cookie": "kptv_session=guess"}) == 401


def test_the_metrics_token_opens_the_metrics_and_nothing_else(rig: Rig) -> None:
    bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert rig.status("/metrics", headers=bearer) == 200
    for path in ("/api/status", "/playlist.m3u8", "/stream/x", "/"):
        rig.ask(path, headers=bearer)
        assert rig.caller.kind is CallerKind.ANYONE
    assert rig.reached == ["prometheus_metrics", "status.index"]


def test_a_wrong_token_is_refused_however_it_is_shown(rig: Rig) -> None:
    for token in ("guess-guess", METRICS_TOKEN, "", "é" * 9):
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-Admin-Token": token}):
            answer = rig.ask("/api/status", headers=headers)
            assert answer.status_code == 401
            assert "ADMIN_TOKEN is needed" in json.loads(answer.data)["error"]
        rig.gate._operator._failures._counts.clear()  # type: ignore[attr-defined]
    assert rig.reached == []


# --- refusals ---


def seen(answer: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.data


def test_unknown_and_wrong_are_the_same_bytes(rig: Rig) -> None:
    rig.gate._tries._throttle._sleep = lambda seconds: None
    for form in ("/u/{}:{}/playlist.m3u8", "/live/{}/{}/5.ts", "/{}/{}/5", "/stream/x?username={}"):
        form = form if form.count("{}") == 2 else f"{form}&password={{}}"
        answers = [
            seen(rig.ask(form.format(name, secret)))
            for name, secret in (
                ("bert", "not-berts-word"),
                ("nobody", "not-berts-word"),
                ("anna", WRONG),
                ("nobody", WRONG),
                ("bert", rig.secret),  # somebody else's
                ("nobody", TYPED),
                ("bert", "short"),
                ("anna", "bad&signs"),
            )
        ]
        assert all(answer == answers[0] for answer in answers)
        assert (answers[0][0], answers[0][2].decode()) == (401, f"{UNKNOWN}\n")
    assert seen(rig.ask(f"/u/{WRONG}/x")) == seen(rig.ask("/u/x/x")) == answers[0]
    assert rig.reached == []


def test_an_application_of_xtreams_is_refused_in_its_own_words(rig: Rig) -> None:
    for file in ("player_api.php", "panel_api.php"):
        answers = [
            seen(rig.ask(f"/{file}{query}"))
            for query in ("", "?username=bert&password=wrongword", "?username=x&password=wrongword")
        ]
        assert answers[0] == answers[1] == answers[2]
        assert (answers[0][0], json.loads(answers[0][2])) == (401, {"user_info": {"auth": 0}})
        assert answers[0][1]["Content-Type"] == "application/json"
    assert rig.ask("/get.php").data.decode() == f"{NO_LOGIN}\n"


def test_head_is_refused_as_get_is(rig: Rig) -> None:
    get, head = rig.ask("/stream/x"), rig.ask("/stream/x", "HEAD")
    assert head.data == b""
    assert (head.status_code, dict(head.headers)) == (get.status_code, dict(get.headers))


@pytest.mark.parametrize(
    ("change", "line"),
    [({"enabled": False}, "Your login is switched off."), ({"expires": 5}, "Your login has exp")],
    ids=["disabled", "expired"],
)
def test_who_is_let_in_no_more_is_told_so_if_the_secret_is_right(
    rig: Rig, change: dict[str, Any], line: str
) -> None:
    rig.ask(f"/u/{rig.secret}/playlist.m3u8")
    before = rig.caller
    rig.parts.users.changed_by(lambda file: file.change("anna", **change))
    assert not rig.gate.still(before)
    rig.reached.clear()
    for path in ("/playlist.m3u8", "/stream/x", "/logo/x", "/get.php", "/xmltv.php"):
        answer = rig.ask(f"/u/{rig.secret}{path}")
        assert answer.status_code == 403
        assert answer.text.startswith(line)
    assert rig.reached == []
    assert rig.ask("/u/abcdefghjkmnpqrstuvx/playlist.m3u8").text == f"{UNKNOWN}\n"
    rig.ask(f"/player_api.php?username=anna&password={rig.secret}")
    assert rig.caller.user is not None, "which says itself how the user stands"


def test_a_revoked_secret_is_one_that_nobody_has(rig: Rig) -> None:
    rig.ask(f"/u/{rig.secret}/playlist.m3u8")
    before = rig.caller
    number = before.secret_number
    rig.parts.users.changed_by(lambda file: file.revoke("anna", number))
    assert not rig.gate.still(before)
    assert rig.ask(f"/u/{rig.secret}/playlist.m3u8").text == f"{UNKNOWN}\n"


def test_a_user_who_is_gone_or_made_anew_is_not_let_in_by_what_was_open(rig: Rig) -> None:
    rig.ask(f"/u/bert:{TYPED}/playlist.m3u8")
    before = rig.caller

    def anew(file: UsersFile) -> None:
        file.delete("bert")
        file.add(User(id=0, name="bert"), typed=TYPED)

    rig.parts.users.changed_by(anew)
    assert not rig.gate.still(before)
    rig.ask(f"/u/bert:{TYPED}/playlist.m3u8")
    assert rig.caller.user_id != before.user_id
    assert rig.gate.still(rig.caller)


def test_too_many_tries_are_told_when_to_come_again(rig: Rig) -> None:
    tries = rig.gate._tries
    tries._throttle._held_in_all = 10_000
    for number in range(6):
        answer = rig.ask(f"/u/bert:guess-number-{number}/playlist.m3u8")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "login" in answer.text


@pytest.mark.parametrize(
    ("place", "held"),
    [("2001:db8:1:2::{}", 1), ("2001:db8:1:{}::1", 0), ("::ffff:203.0.113.{}", 0)],
    ids=["a network of 64 bits", "several such", "several of IPv4"],
)
def test_guesses_of_a_household_count_together(rig: Rig, place: str, held: int) -> None:
    waits: list[float] = []
    rig.gate._tries._throttle._sleep = waits.append
    for number in range(2, 8):
        guess = f"{WRONG[:-1]}{number}"  # of the form that takes no slow digest
        assert rig.status(f"/u/{guess}/x", peer=place.format(number)) == 401
    assert waits == [1.0] * held


def test_wrong_logins_do_not_fill_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.gate._tries._throttle._sleep = lambda seconds: None
    with caplog.at_level(logging.INFO):
        for number in range(8):
            rig.ask(f"/u/bert:guess-number-{number}/x")
            rig.ask(f"/u/bert:guess-number-{number}/x", peer=f"198.51.100.{number % 2}")
    assert len(caplog.messages) == 3
    assert not any("guess" in told for told in caplog.messages)


def test_whoever_is_not_let_in_is_counted_by_reason(rig: Rig) -> None:
    for path in ("/playlist.m3u8", "/u/nobody:not-a-secret/x", "/metrics", "/api/status"):
        rig.ask(path)
    assert rig.parts.metrics.users.turned_away == {
        "no login": 1,
        "unknown login": 1,
        "not the operator": 2,
    }


# --- networks that need no login ---


@pytest.mark.parametrize(
    ("peer", "headers", "is_free"),
    [
        ("192.168.1.7", {}, True),
        ("::ffff:192.168.1.7", {}, True),
        ("192.168.2.7", {}, False),
        ("203.0.113.5", {}, False),
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "192.168.1.7"}, True),
        ("127.0.0.1", {"X-Forwarded-For": "192.168.1.7, 203.0.113.5"}, False),
        ("127.0.0.1", {"X-Forwarded-For": "nonsense"}, False),
        ("192.168.1.7", {"X-Forwarded-For": "192.168.1.8"}, False),
        ("192.168.1.7", {"X-Forwarded-For": "203.0.113.5"}, False),
        ("192.168.1.7", {"X-Forwarded-For": ""}, False),
        ("192.168.1.7", {"Forwarded": "for=203.0.113.5"}, False),
        ("192.168.1.7", {"X-Real-IP": "203.0.113.5"}, False),
        ("192.168.1.7", {"Via": "1.1 proxy"}, False),
        ("203.0.113.5", {"X-Forwarded-For": "192.168.1.7"}, False),
        ("", {}, False),
    ],
)
def test_a_network_that_is_named_needs_no_login_unless_somebody_unknown_speaks_for_it(
    start: Start, peer: str, headers: dict[str, str], is_free: bool
) -> None:
    rig = start(auth_free_networks=(HOME,))
    rig.catch()
    for path in ("/playlist.m3u8", "/stream/x", "/api/status", "/metrics"):
        status = rig.status(path, peer=peer, headers=headers)
        assert (status == 200) is is_free, path
        assert rig.caller.is_free is is_free
        assert rig.gate.still(rig.caller) is is_free


def test_whoever_shows_a_secret_is_that_user_in_a_free_network_too(start: Start) -> None:
    rig = start(auth_free_networks=(HOME,))
    rig.ask(f"/u/{rig.secret}/playlist.m3u8", peer="192.168.1.7")
    assert rig.caller.name == "anna"
    assert rig.status(f"/u/{WRONG}/playlist.m3u8", peer="192.168.1.7") == 401


# --- on and off ---


def test_while_no_login_is_needed_everybody_is_let_in_as_before(start: Start) -> None:
    rig = start(has_users=False)
    rig.catch()
    for endpoint, path, method in all_requests(rig.app):
        answer = rig.ask(path, method)
        if path == "/metrics":
            continue
        assert method == "OPTIONS" or endpoint in rig.reached, path
        assert "Referrer-Policy" not in answer.headers
        assert rig.caller == Caller()
    rig.reached.clear()
    for name, secret in (("anna", "any-word"), ("x", "y")):
        rig.ask(f"/player_api.php?username={name}&password={secret}")
        assert rig.caller == Caller(), "what is typed where no login is needed is nobody's"
    rig.reached.clear()
    rig.ask(f"/u/{WRONG}/playlist.m3u8")
    assert rig.reached == ["playlist.playlist"], "links of before the login was ended work"
    rig.ask("/u/playlist.m3u8")
    rig.ask("/u/news/playlist.m3u8")
    assert rig.reached[1:] == ["playlist.group_playlist"] * 2, "of groups that are called so"


def test_a_token_for_metrics_closes_them_also_without_a_login(start: Start) -> None:
    rig = start(has_users=False, auth_free_networks=(HOME,))
    assert rig.status("/metrics") == 401
    assert rig.status("/metrics", headers=BEARER) == 200
    assert rig.status("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}) == 200
    assert rig.status("/metrics", peer="192.168.1.7") == 200
    assert start(has_users=False, metrics_token="").status("/metrics") == 200


def test_the_first_user_ends_what_was_open_to_all(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = start(has_users=False, auth_free_networks=(HOME,))
    rig.ask("/playlist.m3u8")
    anyone = rig.caller
    rig.ask("/playlist.m3u8", peer="192.168.1.7")
    at_home = rig.caller
    listening = Client(rig.app).get("/api/events")
    assert (rig.gate.still(anyone), rig.gate.still(at_home)) == (True, True)
    with caplog.at_level(logging.INFO):
        rig.parts.users.changed_by(lambda file: file.add(User(id=0, name="anna")))
    assert (rig.gate.still(anyone), rig.gate.still(at_home)) == (False, True)
    assert rig.status("/playlist.m3u8") == 401
    assert any(told.startswith("A login is needed, and 1 user") for told in caplog.messages)
    assert b"event: status" not in listening.data, "the page is let go"
    rig.parts.users.changed_by(lambda file: file.delete("anna"))
    assert rig.status("/playlist.m3u8") == 401, "also with no user left"
    rig.parts.users.changed_by(lambda file: file.open_to_all())
    assert rig.gate.still(anyone)


def test_a_log_out_ends_what_is_open_to_that_session_alone(start: Start) -> None:
    rig = start()
    mine, others = Client(rig.app), Client(rig.app)
    for client in (mine, others):
        assert client.post("/api/login", json={"token": TOKEN}).status_code == 200
    listening = [client.get("/api/events") for client in (mine, others)]
    rig.ask("/playlist.m3u8", headers=BEARER)
    by_token = rig.caller
    mine.post("/api/logout")
    assert b"event: status" not in listening[0].data, "the page is let go"
    told = b"".join(islice(listening[1].iter_encoded(), 2))
    assert b"event: status" in told, "the other one goes on"
    assert rig.gate.still(by_token)
    assert others.get("/api/status").status_code == 200
    assert mine.get("/api/status").status_code == 401


def test_without_the_users_file_nobody_is_let_in_and_readiness_says_why(
    start: Start, tmp_path: Path
) -> None:
    secret = users_in(tmp_path)
    (tmp_path / "users.db").unlink()
    rig = start(has_users=False)
    assert rig.status(f"/u/{secret}/playlist.m3u8") == 401
    assert rig.status("/playlist.m3u8", headers=BEARER) == 503, "the operator is: no list yet"
    rig.parts.catalog.replace(catalog(listing(",News")))
    answer = rig.ask("/readyz")
    assert answer.status_code == 503
    assert "users.db" in answer.text


def test_a_login_can_be_required_though_there_is_no_user(start: Start) -> None:
    rig = start(has_users=False, require_login=True)
    assert rig.status("/playlist.m3u8") == 401
    assert rig.status("/playlist.m3u8", headers=BEARER) == 503


# --- what goes no further ---


def test_pictures_for_a_user_are_kept_by_no_shared_cache(start: Start) -> None:
    rig = start(auth_free_networks=(HOME,))
    headers = {"Cache-Control": "public, max-age=86400"}
    rig.app.view_functions["logo.logo"] = lambda slug: ("", 200, headers)
    for path, peer, expected in (
        (f"/u/{rig.secret}/logo/x", "203.0.113.5", "private, max-age=86400"),
        ("/logo/x", "192.168.1.7", "public, max-age=86400"),
    ):
        answer = rig.ask(path, peer=peer)
        assert answer.headers["Cache-Control"] == expected
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_typed_secret_is_hidden_in_the_log_once_it_was_used_and_a_made_one_always(
    start: Start,
) -> None:
    rig = start()
    redact = rig.parts.log.redactor.redact
    assert redact(f"at {rig.secret}!") == "at …!"
    rig.ask(f"/u/bert:{TYPED}/playlist.m3u8")
    assert redact(f"at {TYPED}!") == "at …!"


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1"])
def test_a_trusted_proxy_says_that_its_client_came_by_https(start: Start, peer: str) -> None:
    rig = start()
    schemes = []

    def view() -> str:
        schemes.append(request.scheme)
        return ""

    rig.app.view_functions["ops.healthz"] = view
    for proto in ("https", "http", "http, https", ""):
        rig.ask("/healthz", peer=peer, headers={"X-Forwarded-Proto": proto})
    trusted = peer == "127.0.0.1"
    expected = ["https", "http", "https", "http"] if trusted else ["http"] * 4
    assert schemes == expected


def test_the_gate_needs_no_login_by_default() -> None:
    config = Config(sources=CONFIG.sources)
    assert not config.require_login
    assert config.auth_free_networks == ()
