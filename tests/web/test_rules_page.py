"""The Rules view's API: what rules did, what becomes of a name, and reading the file again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient

from tests.web.status_rig import TOKEN, StatusRig

BEARER = {"Authorization": f"Bearer {TOKEN}"}
RULES = """[names]
clean = ["quality"]

[alias]
"News" = ["News from São Paulo"]

[[rule]]
when.group = "Films"
drop = true

[[rule]]
when.name = "Nothing*"
rank = 1
"""


@pytest.fixture
def rig() -> Iterator[StatusRig]:
    rig = StatusRig()
    with gevent.Timeout(30):
        yield rig
    rig.close()


@pytest.fixture
def client(rig: StatusRig) -> FlaskClient:
    return rig.client()


@pytest.fixture
def path(rig: StatusRig, tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    rig.follow(path)
    return path


def asked(client: FlaskClient, path: str) -> Any:
    answer = client.get(f"/api/{path}", headers=BEARER)
    assert answer.status_code == 200
    for secret in ("canary", "one.example", "two.example"):
        assert secret not in answer.text
    return answer.get_json()


def test_without_a_file_there_is_nothing_to_show(client: FlaskClient) -> None:
    rules = asked(client, "rules")
    assert (rules["file"]["present"], rules["ruled"], rules["report"]) == (False, None, None)
    assert rules["file"]["followed"]
    for part in ("merged", "dropped", "explain?name=News"):
        answer = client.get(f"/api/rules/{part}", headers=BEARER)
        assert answer.status_code == 404
        assert answer.get_json() == {"error": "There are no rules."}


def test_each_rule_is_told_with_its_hits_and_what_has_no_effect(
    client: FlaskClient, path: Path
) -> None:
    rules = asked(client, "rules")
    assert rules["file"]["followed"]
    first, second = rules["ruled"]["rules"]
    assert (first["line"], first["when"], first["does"]) == (7, "group: Films", "drop")
    assert (first["hits"], first["samples"]) == (1, ["Old Film"])
    assert second["hits"] == 0
    counts = [rules["ruled"][key] for key in ("entries", "names", "channels", "dropped", "merged")]
    assert counts == [4, 2, 1, 1, 1]
    assert [found["text"] for found in rules["report"]["no_match"]] == ["Nothing*"]


def test_merged_channels_are_told_with_their_entries(client: FlaskClient, path: Path) -> None:
    merged = asked(client, "rules/merged")
    assert merged["total"] == 1
    (channel,) = merged["channels"]
    assert channel["name"] == "News"
    assert [(entry["name"], entry["source"]) for entry in channel["entries"]] == [
        ("News", 1),
        ("NEWS", 2),
        ("News from São Paulo", 2),
    ]
    assert asked(client, "rules/merged?page=1")["channels"] == []


@pytest.mark.parametrize(("words", "found"), [("", 1), ("FILM old", 1), ("news", 0)])
def test_dropped_entries_are_searched(
    client: FlaskClient, path: Path, words: str, found: int
) -> None:
    dropped = asked(client, f"rules/dropped?q={words}")
    assert dropped["total"] == found
    assert dropped["entries"] == [{"name": "Old Film", "source": 1, "line": 7}][:found]


def test_a_name_is_explained_to_the_operator_alone(client: FlaskClient, path: Path) -> None:
    assert client.get("/api/rules/explain?name=News").status_code == 401
    told = asked(client, "rules/explain?name=News+from+S%C3%A3o+Paulo")
    (entry,) = told["entries"]
    assert (told["total"], entry["source"], entry["channel"]) == (1, 2, "news")
    assert [(step["what"], step["result"]) for step in entry["steps"]] == [("alias", "News")]
    assert [each["is_this"] for each in entry["candidates"]] == [False, False, True]
    film = asked(client, "rules/explain?name=old+film")["entries"][0]
    assert (film["is_dropped"], film["channel"], film["steps"][0]["line"]) == (True, "", 7)
    other = asked(client, "rules/explain?name=News+HD")
    assert (other["total"], other["entries"][0]["is_listed"]) == (0, False)
    assert other["entries"][0]["channel"] == "news"


def test_a_bad_file_is_refused_with_its_lines_and_noted_until_it_is_mended(
    client: FlaskClient, path: Path
) -> None:
    assert client.post("/api/rules/reload").status_code == 401
    before = asked(client, "status")["rules"]
    assert (before["present"], before["bad_since"], before["complaints"]) == (True, None, [])
    path.write_text(f"{RULES}\n[[rule]]\ndorp = true\n")
    answer = client.post("/api/rules/reload", headers=BEARER)
    assert answer.status_code == 422
    assert "rules.toml:16: " in answer.get_json()["error"]
    noted = asked(client, "status")["rules"]
    assert noted["present"]
    assert 16 in [complaint["line"] for complaint in noted["complaints"]]
    assert noted["bad_since"] is not None
    path.write_text(RULES)
    answer = client.post("/api/rules/reload", headers=BEARER)
    assert (answer.status_code, answer.get_json()) == (200, {"done": "The rules are as before."})
    after = asked(client, "status")["rules"]
    assert (after["bad_since"], after["followed"]) == (None, True)


def test_a_changed_file_is_followed_at_once(
    rig: StatusRig, client: FlaskClient, path: Path
) -> None:
    path.write_text(RULES.replace("Films", "News"))
    rig.rules_file.look()  # read, and the channels are still those from before
    assert not asked(client, "status")["rules"]["followed"]
    path.unlink()
    answer = client.post("/api/rules/reload", headers=BEARER)
    assert answer.get_json() == {"done": "The rules are gone: all is as listed."}
    assert asked(client, "channels")["total"] == 3


def test_no_place_for_a_file_is_told(client: FlaskClient) -> None:
    assert client.post("/api/rules/reload", headers=BEARER).status_code == 409
