"""The API: what it shows, who may change something, and that it is what openapi.json says."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from time import monotonic
from typing import Any

import gevent
import pytest
import schemathesis
from flask.testing import FlaskClient
from gevent.event import Event
from hypothesis import given, settings
from werkzeug.test import TestResponse

from kptv.channels.rules.model import Rules
from kptv.channels.users.model import User
from kptv.errors import Reason, UpstreamError
from kptv.restream.lease import Client, Lease, LeaseKind
from kptv.web.page.admin import CSRF_HEADER, TOKEN_HEADER
from kptv.web.page.openapi import description
from tests.channels.rules.ruled import ruled
from tests.channels.test_catalog import listing
from tests.restream.test_hub import until
from tests.web.status_rig import LIMIT, LISTS, MARK, TOKEN, StatusRig, catalog_of

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = {"Authorization": "Basic bWU6aHVudGVyMg=="}  # for a proxy in front


@pytest.fixture
def rig() -> Iterator[StatusRig]:
    rig = StatusRig()
    with gevent.Timeout(30):
        yield rig
    rig.close()


@pytest.fixture
def client(rig: StatusRig) -> FlaskClient:
    return rig.client()


def status(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/api/status").get_json()
    assert isinstance(answer, dict)
    return answer


# --- what it shows ---


def test_a_channel_that_plays_is_shown_with_its_viewer_and_its_candidates(
    rig: StatusRig, client: FlaskClient
) -> None:
    assert rig.play("News")() == MARK
    (hub,) = status(client)["hubs"]
    assert (hub["id"], hub["state"], hub["source"], hub["viewers"]) == ("news", "playing", 1, 1)
    assert [(c["source"], c["standing"]) for c in hub["candidates"]] == [(1, "open"), (2, "ready")]
    assert {c["patience"] for c in hub["candidates"]} == {5.0}, "STALL_TIMEOUT: no rhythm known"
    (viewer,) = hub["watching"]
    assert (viewer["address"], viewer["app"], viewer["skips"]) == ("192.0.2.7", "VLC 3.0.18", 0)
    assert viewer["user"] == "anna"
    (one, two) = status(client)["sources"]
    assert (one["in_use"], one["limit"], two["in_use"]) == (1, 1, 0)


def test_whoever_watches_by_hls_is_shown_beside_the_others(
    rig: StatusRig, client: FlaskClient
) -> None:
    assert rig.play("News")() == MARK
    (hub,) = rig.hubs.all()
    follower = Lease(LeaseKind.FOLLOWER, Client("192.0.2.8", "AppleCoreMedia/1.0.0.21A329"))
    hub.audience.follow(follower)
    (shown,) = status(client)["hubs"]
    assert (shown["viewers"], shown["hls_viewers"]) == (2, 1)
    one, two = shown["watching"]
    assert (one["kind"], two["kind"], two["address"]) == ("stream", "hls", "192.0.2.8")
    assert (two["viewer"], two["app"]) == (follower.number, "AppleCoreMedia 1.0.0.21A329")
    assert isinstance(one["behind"], float)
    assert two["behind"] is None
    figures = rig.view.figures()["hubs"][0]
    assert (figures["viewers"], figures["hls_viewers"]) == (2, 1)
    hub.audience.unfollow(follower)
    assert len(status(client)["hubs"][0]["watching"]) == 1


def test_a_failure_is_shown_where_it_happened_and_why(rig: StatusRig, client: FlaskClient) -> None:
    read = rig.play("News")
    assert read() == MARK
    rig.give(rig.stream("News", 1), UpstreamError(Reason.STALLED, "nothing for 5.0 s"))
    assert read() == MARK
    (hub,) = status(client)["hubs"]
    assert hub["source"] == 2
    assert hub["failovers"] == 1
    failed = next(c for c in hub["candidates"] if c["source"] == 1)
    assert (failed["standing"], failed["reason"]) == ("resting", "stalled")
    assert failed["detail"] == "nothing for 5.0 s"
    assert failed["until"] >= failed["failed_at"]
    assert [(e["kind"], e["source"]) for e in hub["history"]] == [
        ("opened", None),
        ("started", 1),
        ("failed", 1),
        ("started", 2),
    ]


def test_log_lines_are_shown_without_secrets(rig: StatusRig, client: FlaskClient) -> None:
    rig.logged("cannot open %s", "http://one.example/live/canary-user/canary-pass/1.ts")
    (line,) = status(client)["log"]
    assert line["text"] == "cannot open …"


def test_the_number_of_a_channel_is_shown_as_the_list_has_it(
    rig: StatusRig, client: FlaskClient
) -> None:
    def numbers() -> dict[str, str]:
        channels = client.get("/api/channels").get_json()["channels"]
        return {channel["name"]: channel["number"] for channel in channels}

    listed = LISTS[0].replace('group-title="Films"', 'tvg-chno="5.1" group-title="Films"')
    rig.catalog = catalog_of(listed, LISTS[1])
    assert numbers() == {"News": "", "News from São Paulo": "", "Old Film": "5.1"}
    rig.catalog = catalog_of(listed, LISTS[1], rules=Rules(numbers={"Films": 70}))
    assert numbers() == {"News": "1", "News from São Paulo": "2", "Old Film": "70"}


def test_logos_are_shown_unless_they_are_on_a_providers_host(client: FlaskClient) -> None:
    channels = client.get("/api/channels").get_json()["channels"]
    logos = {channel["name"]: channel["logo"] for channel in channels}
    assert logos["News"] == "http://logos.example/news.png"
    assert logos["Old Film"] == ""


def test_a_logo_that_holds_the_account_is_shown_by_the_proxys_own_address(
    rig: StatusRig, client: FlaskClient
) -> None:
    hidden = LISTS[0].replace("one.example/logo", "one.example/canary-user/canary-pass/logo")
    rig.catalog = catalog_of(hidden, LISTS[1])
    channels = client.get("/api/channels").get_json()["channels"]
    logos = {channel["name"]: channel["logo"] for channel in channels}
    assert logos["Old Film"] == "logo/old-film"
    assert logos["News"] == "http://logos.example/news.png"


@pytest.mark.parametrize("path", ["status", "channels", "groups", "events"])
def test_nothing_of_a_providers_url_is_told(rig: StatusRig, path: str) -> None:
    assert rig.play("News")() == MARK
    rig.give(rig.stream("News", 1), UpstreamError(Reason.HTTP_ERROR, "HTTP 404"))
    answer = rig.client().get(f"/api/{path}")
    pieces = answer.iter_encoded()
    body = next(pieces) + (next(pieces) if path == "events" else b"")  # the status is the second
    for secret in (b"canary", b"one.example", b"two.example"):
        assert secret not in body
    answer.close()


# --- channels ---


def names(client: FlaskClient, query: str) -> list[str]:
    return [c["name"] for c in client.get(f"/api/channels?{query}").get_json()["channels"]]


def test_channels_come_in_the_order_of_the_list(client: FlaskClient) -> None:
    answer = client.get("/api/channels").get_json()
    assert [c["name"] for c in answer["channels"]] == ["News", "News from São Paulo", "Old Film"]
    assert answer["total"] == 3
    assert answer["channels"][0]["sources"] == [1, 2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=news", ["News", "News from São Paulo"]),
        ("q=PAULO+NEWS", ["News from São Paulo"]),
        ("q=s%C3%A3o", ["News from São Paulo"]),
        ("q=nothing", []),
        ("q=film%0Anews", []),
        ("group=films", ["Old Film"]),
        ("group=News&q=paulo", ["News from São Paulo"]),
        ("page=1", []),
    ],
)
def test_channels_are_found_by_words_and_group(
    client: FlaskClient, query: str, found: list[str]
) -> None:
    assert names(client, query) == found


def test_a_search_is_made_anew_after_an_import(rig: StatusRig, client: FlaskClient) -> None:
    assert names(client, "q=later") == []
    rig.catalog = catalog_of(LISTS[0].replace("Old Film", "Later Film"), LISTS[1])
    assert names(client, "q=later") == ["Later Film"]


def test_groups_have_names_and_sizes(client: FlaskClient) -> None:
    groups = client.get("/api/groups").get_json()["groups"]
    assert [(g["id"], g["name"], g["channels"]) for g in groups] == [
        ("films", "Films", 1),
        ("news", "News", 2),
        ("world", "World", 1),
    ]


def test_profiles_are_offered_with_the_addresses_of_their_lists(
    rig: StatusRig, client: FlaskClient
) -> None:
    assert status(client)["profiles"] == []
    rig.catalog = ruled("[profile.kids]\n[profile.news]\n", listing(",News"))
    assert status(client)["profiles"] == [
        {"name": name, "list_url": f"http://tv.example/profile/{name}/playlist.m3u8"}
        for name in ("kids", "news")
    ]


def test_an_unknown_group_and_a_bad_page_are_refused(client: FlaskClient) -> None:
    assert client.get("/api/channels?group=nowhere").status_code == 404
    assert client.get("/api/channels?page=-1").status_code == 400
    assert client.get(f"/api/channels?q={'x' * 201}").status_code == 400


# --- actions ---

ACTIONS = [
    "/api/import",
    "/api/channels/news/switch",
    "/api/channels/news/stop",
    "/api/streams/0123/unblock",
]


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {CSRF_HEADER: "x"},
        {TOKEN_HEADER: "wrong"},
        {TOKEN_HEADER: "wrong", **BEARER},
        PASSWORD,
    ],
)
def test_an_action_without_the_token_is_refused(
    rig: StatusRig, client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    answer = client.post(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    wrong = "wrong" in str(headers)
    assert answer.get_json()["error"].startswith("That is not" if wrong else "ADMIN_TOKEN is")
    assert rig.imports == 0


def test_an_import_by_hand_says_what_it_found(rig: StatusRig, client: FlaskClient) -> None:
    answer = client.post("/api/import", headers=BEARER)
    assert answer.get_json() == {"done": "The lists are being fetched; the log says what comes."}
    rig.found = ("source-1: 2 entries, as before", "source-2: import failed: canary-pass is wrong")
    answer = client.post("/api/import", headers=BEARER)
    assert answer.status_code == 202
    found = "source-1: 2 entries, as before. source-2: import failed: … is wrong"
    assert answer.get_json() == {"done": found}


@pytest.mark.parametrize("path", ACTIONS)
def test_without_an_admin_token_nobody_may_act(path: str) -> None:
    rig = StatusRig(token="")
    for headers in ({}, {"Authorization": "Bearer "}, BEARER, {TOKEN_HEADER: ""}):
        assert rig.client().post(path, headers=headers).status_code == 403
    assert rig.client().post("/api/login", json={"token": ""}).status_code == 403
    assert rig.client().get("/api/session").get_json() == {"actions": False, "csrf": None}
    rig.close()


@pytest.mark.parametrize("others", [{}, PASSWORD, {"Authorization": "Bearer of-somebody-else"}])
def test_the_token_has_a_header_of_its_own_beside_authorization(
    rig: StatusRig, client: FlaskClient, others: dict[str, str]
) -> None:
    answer = client.post("/api/import", headers={TOKEN_HEADER: TOKEN, **others})
    assert (answer.status_code, rig.imports) == (202, 1)


def test_a_session_acts_also_with_a_password_for_a_proxy_in_front(
    rig: StatusRig, client: FlaskClient
) -> None:
    csrf = client.post("/api/login", json={"token": TOKEN}, headers=PASSWORD).get_json()["csrf"]
    answer = client.post("/api/import", headers={CSRF_HEADER: csrf, **PASSWORD})
    assert (answer.status_code, rig.imports) == (202, 1)


def test_a_session_acts_only_with_its_csrf_token(rig: StatusRig, client: FlaskClient) -> None:
    answer = client.post("/api/login", json={"token": TOKEN})
    csrf = answer.get_json()["csrf"]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    refused = client.post("/api/import")
    assert refused.status_code == 401
    assert CSRF_HEADER in refused.get_json()["error"]
    assert "ADMIN_TOKEN" not in refused.get_json()["error"]
    assert client.post("/api/import", headers={CSRF_HEADER: csrf[:-1]}).status_code == 401
    assert client.post("/api/import", headers={CSRF_HEADER: csrf}).status_code == 202
    assert rig.imports == 1
    assert client.get("/api/session").get_json() == {"actions": True, "csrf": csrf}
    client.post("/api/logout")
    assert client.post("/api/import", headers={CSRF_HEADER: csrf}).status_code == 401


def test_a_session_ends_by_itself(rig: StatusRig, client: FlaskClient) -> None:
    csrf = client.post("/api/login", json={"token": TOKEN}).get_json()["csrf"]
    rig.now += 13 * 3600
    assert client.post("/api/import", headers={CSRF_HEADER: csrf}).status_code == 401


def test_guesses_of_the_token_wait_longer_each_time_and_so_does_the_right_one(
    rig: StatusRig, client: FlaskClient
) -> None:
    guesses = [client.post("/api/login", json={"token": f"guess-{n}"}) for n in range(10)]
    assert {guess.status_code for guess in guesses} == {403}
    assert rig.held == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert client.post("/api/login", json={"token": TOKEN}).status_code == 200
    assert rig.held[5:] == [8.0]
    rig.now += 601  # it is forgotten
    assert client.post("/api/login", json={"token": "guess"}).status_code == 403
    assert len(rig.held) == 6


@pytest.mark.parametrize(
    "guess", [{"Authorization": "Bearer guess-guess"}, {TOKEN_HEADER: "guess-guess"}]
)
def test_wrong_tokens_in_headers_are_guesses_too(
    rig: StatusRig, client: FlaskClient, guess: dict[str, str]
) -> None:
    for _ in range(6):
        assert client.post("/api/import", headers=guess).status_code == 401
    assert rig.held == [1.0]


@pytest.mark.parametrize(
    "peer", ["10.0.0.7", "192.168.1.2", "172.18.0.1", "fd00::7", "203.0.113.9"]
)
def test_a_guesser_cannot_name_another_address_each_time(
    rig: StatusRig, client: FlaskClient, peer: str
) -> None:
    for n in range(6):
        client.post(
            "/api/login",
            json={"token": "guess-guess"},
            headers={"X-Forwarded-For": f"198.51.100.{n}"},
            environ_overrides={"REMOTE_ADDR": peer},
        )
    assert rig.held == [1.0]
    assert client.get("/api/status").get_json()["proxy_not_believed"] == peer


def test_a_guess_in_the_name_of_another_does_not_hold_that_one_back(
    rig: StatusRig, client: FlaskClient
) -> None:
    for _ in range(9):
        client.post(
            "/api/login",
            json={"token": "guess-guess"},
            headers={"X-Forwarded-For": "192.168.1.50"},
            environ_overrides={"REMOTE_ADDR": "192.168.1.66"},
        )
    rig.held.clear()
    answer = client.post(
        "/api/login", json={"token": TOKEN}, environ_overrides={"REMOTE_ADDR": "192.168.1.50"}
    )
    assert (answer.status_code, rig.held) == (200, [])


def test_behind_a_trusted_proxy_each_client_guesses_for_itself(
    rig: StatusRig, client: FlaskClient
) -> None:
    for n in range(20):
        client.post(
            "/api/login",
            json={"token": "guess-guess"},
            headers={"X-Forwarded-For": f"203.0.113.66, 198.51.100.{n % 5}"},
        )
    assert rig.held == []  # four each
    client.post(
        "/api/login",
        json={"token": "guess-guess"},
        headers={"X-Forwarded-For": "2001:db8:1:2::1"},
    )
    for n in range(5):
        client.post(
            "/api/login",
            json={"token": "guess-guess"},
            headers={"X-Forwarded-For": f"2001:db8:1:2::{n + 2}"},
        )
    assert rig.held == [1.0]  # one household's 64 bits


def test_sixty_four_tries_wait_at_once_and_one_more_is_refused(
    rig: StatusRig, client: FlaskClient
) -> None:
    for _ in range(5):
        client.post("/api/login", json={"token": "guess-guess"})
    go_on = Event()
    waiting = []

    def hold(seconds: float) -> None:
        waiting.append(seconds)
        go_on.wait()

    rig.admin._sleep = hold
    tries = [
        gevent.spawn(lambda: rig.client().post("/api/login", json={"token": TOKEN}).status_code)
        for _ in range(64)
    ]
    until(lambda: len(waiting) == 64)
    refused = client.post("/api/login", json={"token": TOKEN})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    go_on.set()
    gevent.joinall(tries, timeout=10)
    assert [one.value for one in tries] == [200] * 64
    assert client.post("/api/login", json={"token": TOKEN}).status_code == 200


@pytest.mark.parametrize("body", [b"[" * 4000, b'{"token":' * 4000, b"{", b"\xff\xfe", b"[]", b"1"])
def test_a_body_that_is_no_object_is_answered_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/login", data=body[:4096], content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "A JSON object is wanted."}


def test_one_address_has_four_event_streams_and_others_have_theirs(
    rig: StatusRig, client: FlaskClient
) -> None:
    def ask(address: str) -> int:
        answer = rig.client().get("/api/events", environ_overrides={"REMOTE_ADDR": address})
        answers.append(answer)
        return answer.status_code

    answers: list[TestResponse] = []
    assert [ask("203.0.113.1") for _ in range(5)] == [200] * 4 + [503]
    assert ask("203.0.113.2") == 200
    assert [ask(f"2001:db8::{n}") for n in range(1, 6)] == [200] * 4 + [503]
    assert ask("2001:db8:0:1::1") == 200
    answers[0].close()
    assert ask("203.0.113.1") == 200
    for answer in answers:
        answer.close()


def test_a_long_body_is_refused_also_in_chunks(client: FlaskClient) -> None:
    body = json.dumps({"token": "x" * 100_000}).encode()
    kind = "application/json"
    assert client.post("/api/login", data=body, content_type=kind).status_code == 413
    chunked = client.post(
        "/api/login",
        input_stream=io.BytesIO(body),
        content_type=kind,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert chunked.status_code == 400  # no more than the limit is read of it


def test_a_form_of_another_site_cannot_log_in(client: FlaskClient) -> None:
    assert client.post("/api/login", data={"token": TOKEN}).status_code == 415
    text = client.post("/api/login", data=json.dumps({"token": TOKEN}), content_type="text/plain")
    assert text.status_code == 415


def test_a_switch_keeps_the_viewer_and_takes_the_other_source(
    rig: StatusRig, client: FlaskClient
) -> None:
    read = rig.play("News")
    assert read() == MARK
    path = "/api/channels/news/switch"
    assert client.post(path, headers=BEARER, json={"source": 2}).status_code == 202
    assert read() == MARK
    (hub,) = status(client)["hubs"]
    assert (hub["source"], hub["viewers"]) == (2, 1)
    assert client.post(path, headers=BEARER, json={"source": 3}).status_code == 409
    assert client.post(path, headers=BEARER, json={"source": "2"}).status_code == 400
    assert client.post("/api/channels/sport/switch", headers=BEARER).status_code == 404


def test_a_source_is_switched_to_by_its_name(rig: StatusRig, client: FlaskClient) -> None:
    read = rig.play("News")
    assert read() == MARK
    path = "/api/channels/news/switch"
    assert client.post(path, headers=BEARER, json={"source": "Source-2"}).status_code == 202
    assert read() == MARK
    (hub,) = status(client)["hubs"]
    assert hub["source"] == 2
    assert client.post(path, headers=BEARER, json={"source": "premium"}).status_code == 400


def test_a_channel_of_one_source_cannot_be_switched(rig: StatusRig, client: FlaskClient) -> None:
    rig.play("Old Film")
    assert client.post("/api/channels/old-film/switch", headers=BEARER).status_code == 409


def test_a_stop_ends_the_channel(rig: StatusRig, client: FlaskClient) -> None:
    read = rig.play("News")
    assert read() == MARK
    assert client.post("/api/channels/news/stop", headers=BEARER).status_code == 202
    assert read() is None
    assert status(client)["hubs"] == []


def test_a_blocked_stream_is_shown_and_unblocked(rig: StatusRig, client: FlaskClient) -> None:
    stream = rig.stream("News", 1)
    for _ in range(5):
        rig.hubs.health.fail(stream, monotonic())
    (blocked,) = status(client)["blocked"]
    assert (blocked["name"], blocked["source"]) == ("News", 1)
    path = f"/api/streams/{blocked['id']}/unblock"
    assert client.post(path, headers=BEARER).status_code == 200
    assert status(client)["blocked"] == []
    assert client.post(path, headers=BEARER).status_code == 404


def test_streams_and_accounts_left_alone_are_shown_for_how_long_and_why(
    rig: StatusRig, client: FlaskClient
) -> None:
    stream, other = rig.stream("News", 1), rig.stream("News", 2)
    asks = UpstreamError(Reason.RATE_LIMITED, "HTTP 503", status=503, retry_after=300)
    limited = UpstreamError(Reason.RATE_LIMITED, "HTTP 429", status=429)
    rig.hubs.health.refused(stream, asks, monotonic(), busy=False)
    rig.hubs.health.refused(other, limited, monotonic(), busy=False)
    account, rest = status(client)["resting"]
    assert (account["what"], account["source"], account["detail"]) == ("account", 2, "HTTP 429")
    assert (rest["what"], rest["source"], rest["name"]) == ("stream", 1, "News")
    assert rest["until"] - rest["since"] == pytest.approx(300, abs=0.2)
    path = f"/api/streams/{rest['id']}/unblock"
    assert client.post(path, headers=BEARER).status_code == 200
    assert status(client)["resting"] == [account]
    assert client.post(path, headers=BEARER).status_code == 404


# --- events ---


def events_of(body: Iterator[bytes]) -> Iterator[tuple[str, Any]]:
    for part in body:
        fields = dict(line.split(": ", 1) for line in part.decode().strip().split("\n"))
        if "event" in fields:
            yield fields["event"], json.loads(fields["data"])


def test_events_begin_with_the_status_and_tell_what_happens(rig: StatusRig) -> None:
    answer = rig.client().get("/api/events")
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = events_of(answer.iter_encoded())
    kind, value = next(events)
    assert kind == "status"
    assert value["hubs"] == []
    rig.play("News")
    with gevent.Timeout(LIMIT):
        assert next(e["kind"] for k, e in events if k == "event") == "opened"
        whole = next(e for k, e in events if k == "status")
        assert whole["hubs"][0]["id"] == "news"
        assert next(e for k, e in events if k == "figures")["hubs"][0]["viewers"] == 1
    answer.close()


def test_a_page_too_many_is_refused_and_closed_ones_make_room(rig: StatusRig) -> None:
    answers = [rig.client().get("/api/events") for _ in range(32)]
    assert rig.client().get("/api/events").status_code == 503
    answers[0].close()
    assert rig.client().get("/api/events").status_code == 200


# --- it is what it says ---


OPERATIONS = [
    f"{method.upper()} {path}"
    for path, methods in description()["paths"].items()
    for method in methods
    if path != "/api/events"  # which has no end
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_as_described(rig: StatusRig, operation: str) -> None:
    rig.play("News")
    rig.logged("something happened")
    rig.give(rig.stream("News", 1), UpstreamError(Reason.STALLED, "nothing for 5.0 s"))
    method, path = operation.split(" ")
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", rig.app)
    headers = BEARER if method != "GET" or path == "/api/users" else {}

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    def check(case: schemathesis.Case) -> None:
        rig.now += 60  # it tries wrong tokens too, and would have to wait
        case.call_and_validate(headers=headers)

    check()


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if "/users/{id}" in each and "{number}" not in each]
)
def test_every_answer_about_a_user_who_is_there_is_as_described(
    rig: StatusRig, operation: str
) -> None:
    """Names that are made up are nobody's."""
    method, path = operation.split(" ")
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", rig.app)
    seen = set()

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=15, deadline=None, database=None, derandomize=True)
    def check(case: schemathesis.Case) -> None:
        rig.now += 60
        if rig.users.table.by_name("anna") is None:
            rig.users.changed_by(lambda file: file.add(User(id=0, name="anna")))
        case.path_parameters = {"id": "anna"}
        seen.add(case.call_and_validate(headers=BEARER).status_code)

    check()
    assert seen & {200, 201}


def test_the_description_has_every_route_and_no_other(rig: StatusRig) -> None:
    rules = {
        re.sub(r"<(\w+)>", lambda part: "{number}" if part[1] == "number" else "{id}", rule.rule)
        for rule in rig.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
    }
    assert rules - {"/api/openapi.json"} == set(description()["paths"])
