"""`/api/users…`: for the operator, and secrets in one answer only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kptv.channels.users.model import User
from kptv.channels.users.names import looks_made
from kptv.restream.lease import Client, Lease, LeaseKind
from kptv.users.schema import NAME
from kptv.users.store import UsersFile
from kptv.web.caller import ANYONE, Caller, CallerKind
from kptv.web.page.admin import CSRF_HEADER
from kptv.web.players.open_streams import OpenStream
from tests.web.status_rig import TOKEN, StatusRig

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def rig() -> Iterator[StatusRig]:
    rig = StatusRig()
    yield rig
    rig.close()


def ask(rig: StatusRig, method: str, path: str, status: int, **sent: object) -> Any:
    response = rig.client().open(path, method=method, headers=BEARER, json=sent)
    assert response.status_code == status, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return response.get_json()


def watch(rig: StatusRig, caller: Caller, kind: LeaseKind = LeaseKind.BODY) -> Lease:
    assert rig.catalog is not None
    channel = rig.catalog.find("News")
    assert channel is not None
    lease = Lease(kind, client=Client("192.0.2.7", "VLC/3.0.18 LibVLC/3.0.18"))
    assert rig.streams.enter(OpenStream(caller, channel, lease)) == 0.0
    return lease


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("PATCH", "/api/users/anna"),
        ("DELETE", "/api/users/anna"),
        ("POST", "/api/users/anna/secrets"),
        ("DELETE", "/api/users/anna/secrets/1"),
        ("POST", "/api/viewers/1/end"),
    ],
)
def test_all_of_it_is_for_the_operator(rig: StatusRig, method: str, path: str) -> None:
    client = rig.client()
    assert client.open(path, method=method, json={}).status_code == 401
    client.post("/api/login", json={"token": TOKEN})
    without_csrf = client.open(path, method=method, json={})
    assert (without_csrf.status_code, CSRF_HEADER in without_csrf.text) == (401, True)
    closed = StatusRig(token="")
    try:
        assert closed.client().open(path, method=method, json={}).status_code == 403
    finally:
        closed.close()


def test_a_user_is_made_with_links_in_one_answer(rig: StatusRig) -> None:
    made = ask(
        *(rig, "POST", "/api/users", 201),
        name="Anna",
        label="TV",
        max_streams=2,
        refuses=True,
        profile="kids",
        groups=["News", "Sport"],
        expires=1_900_000_000,
        note="upstairs",
    )
    secret = made["links"]["secret"]
    base = f"http://tv.example/u/{secret}"
    assert looks_made(secret)
    assert made["links"] == {
        "list_url": f"{base}/playlist.m3u8",
        "guide_url": f"{base}/epg.xml.gz",
        "server": "http://tv.example",
        "name": "anna",
        "secret": secret,
        "tuner_url": base,
    }
    assert rig.users.is_on
    found = ask(rig, "GET", "/api/users", 200)
    assert found == {"trouble": "", "users": [made["user"]]}
    [anna] = found["users"]
    assert (anna["name"], anna["standing"], anna["streams"]) == ("anna", "Active", [])
    assert anna["groups"] == ["News", "Sport"]
    [kept] = anna["secrets"]
    assert {key: kept[key] for key in ("number", "kind", "label", "revoked")} == {
        "number": 1,
        "kind": "made",
        "label": "TV",
        "revoked": None,
    }
    everything = json.dumps(found) + rig.client().get("/api/status").text
    assert secret not in everything
    assert not any(secret in line.text for line in rig.log.recent.lines)


def test_a_typed_secret_is_taken_or_refused_with_why(rig: StatusRig) -> None:
    for bad in ("short", "pass#word", 5):
        refused = ask(rig, "POST", "/api/users", 422, name="anna", secret=bad)
        assert "secret" in refused["error"].lower()
        assert str(bad) not in refused["error"]
    assert not rig.users.is_on
    made = ask(rig, "POST", "/api/users", 201, name="anna", secret="correct-horse")
    assert made["links"]["tuner_url"] == "http://tv.example/u/anna:correct-horse"
    more = ask(rig, "POST", "/api/users/anna/secrets", 201, label="phone", secret="other-horse")
    assert (more["number"], more["links"]["secret"]) == (2, "other-horse")


def test_users_are_changed_barred_and_forgotten(rig: StatusRig) -> None:
    ask(rig, "POST", "/api/users", 201, name="anna", groups=["News"], max_streams=1)
    ask(rig, "POST", "/api/users/ANNA/secrets", 201)

    def anna() -> Any:
        return ask(rig, "GET", "/api/users", 200)["users"][0]

    ask(rig, "PATCH", "/api/users/Anna", 200, groups=None, max_streams=3.0)
    assert (anna()["groups"], anna()["max_streams"]) == (None, 3)
    assert "disabled" in ask(rig, "PATCH", "/api/users/anna", 200, enabled=False)["done"]
    assert anna()["standing"] == "Disabled"
    ask(rig, "PATCH", "/api/users/anna", 200, enabled=True, expires=1)
    assert anna()["standing"] == "Expired"
    ask(rig, "DELETE", "/api/users/anna/secrets/1", 200)
    assert [each["revoked"] is None for each in anna()["secrets"]] == [False, True]
    ask(rig, "DELETE", "/api/users/anna", 200)
    assert ask(rig, "GET", "/api/users", 200)["users"] == []
    assert rig.users.is_on


@pytest.mark.parametrize(
    ("method", "path", "status", "sent"),
    [
        ("POST", "/api/users", 422, {}),
        ("POST", "/api/users", 409, {"name": "api"}),
        ("POST", "/api/users", 409, {"name": "ANNA"}),
        ("POST", "/api/users", 422, {"name": "bob", "groups": []}),
        ("POST", "/api/users", 422, {"name": "bob", "groups": [5]}),
        ("POST", "/api/users", 422, {"name": "bob", "note": "\ud800"}),
        ("PATCH", "/api/users/anna", 422, {"max_streams": True}),
        ("PATCH", "/api/users/anna", 422, {"max_streams": 1.5}),
        ("PATCH", "/api/users/anna", 422, {"enabled": "no"}),
        ("PATCH", "/api/users/anna", 422, {"expires": "2027-01-31"}),
        ("PATCH", "/api/users/nobody", 404, {"enabled": False}),
        ("DELETE", "/api/users/nobody", 404, {}),
        ("POST", "/api/users/nobody/secrets", 404, {}),
        ("DELETE", "/api/users/anna/secrets/9", 404, {}),
        ("DELETE", "/api/users/anna/secrets/x", 404, {}),
        ("DELETE", f"/api/users/anna/secrets/{'9' * 30}", 404, {}),
        ("POST", "/api/viewers/999999/end", 404, {}),
        ("POST", "/api/users", 413, {"name": "bob", "note": "x" * 70_000}),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    rig: StatusRig, method: str, path: str, status: int, sent: dict[str, object]
) -> None:
    ask(rig, "POST", "/api/users", 201, name="anna")
    before = list(rig.users.table)
    assert ask(rig, method, path, status, **sent)["error"]
    assert list(rig.users.table) == before


def test_trouble_with_the_file_is_told(rig: StatusRig) -> None:
    ask(rig, "POST", "/api/users", 201, name="anna")
    rig.users._file.path.write_bytes(b"noise" * 2000)
    refused = ask(rig, "PATCH", "/api/users/anna", 503, enabled=False)
    assert refused["error"].startswith(f"{NAME}: it is broken")
    rig.users.refresh()
    found = ask(rig, "GET", "/api/users", 200)
    assert (found["users"], found["trouble"]) == ([], rig.users.trouble)


def test_who_watches_what_is_told_and_a_stream_is_ended_by_its_number(rig: StatusRig) -> None:
    anna = rig.users.changed_by(lambda file: file.add(User(id=0, name="anna"))).user
    rig.users.changed_by(lambda file: file.add(User(id=0, name="bob")))
    watched = watch(rig, Caller(CallerKind.USER, anna, 1, "/u/never-shown"))
    other = watch(rig, ANYONE)
    first, second = ask(rig, "GET", "/api/users", 200)["users"]
    [stream] = first["streams"]
    assert second["streams"] == []
    assert isinstance(stream.pop("since"), float)
    assert stream == {
        "viewer": watched.number,
        "kind": "stream",
        "channel": "news",
        "name": "News",
        "address": "192.0.2.7",
        "app": "VLC 3.0.18",
    }
    for lease in (watched, other):
        ask(rig, "POST", f"/api/viewers/{lease.number}/end", 202)
    assert [stream.ending for stream in rig.streams] == ["operator", "operator"]


def test_whoever_watches_by_hls_is_told_and_ended_likewise(rig: StatusRig) -> None:
    anna = rig.users.changed_by(lambda file: file.add(User(id=0, name="anna"))).user
    followed = watch(rig, Caller(CallerKind.USER, anna, 1, "/u/never-shown"), LeaseKind.FOLLOWER)
    [user] = ask(rig, "GET", "/api/users", 200)["users"]
    [stream] = user["streams"]
    assert (stream["viewer"], stream["kind"]) == (followed.number, "hls")
    ask(rig, "POST", f"/api/viewers/{followed.number}/end", 202)
    assert followed.dropped


def test_users_of_a_command_are_shown(rig: StatusRig) -> None:
    UsersFile(rig.users._file.path.parent).add(User(id=0, name="anna"))
    rig.users.refresh()
    assert [user["name"] for user in ask(rig, "GET", "/api/users", 200)["users"]] == ["anna"]
