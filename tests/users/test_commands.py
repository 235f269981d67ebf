"""`python -m kptv.users`: what each command does and says, with which status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kptv.channels.users.links import links_of
from kptv.channels.users.names import Unfit
from kptv.channels.users.times import end_of
from kptv.command import command_line
from kptv.users.commands import main
from kptv.users.doing import Stopped, _typed
from kptv.users.schema import MARKER, NAME
from kptv.users.store import UsersFile

BASE = "http://tv.example:8080"
TYPED = "correct-horse"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def file(tmp_path: Path) -> UsersFile:
    return UsersFile(tmp_path / "data")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, with ``typed`` on its standard input; gives its status and what it says."""
    monkeypatch.setenv("SOURCES", "http://panel.example/list.m3u|3")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RULES", str(tmp_path / "rules.toml"))
    monkeypatch.setenv("BASE_URL", BASE)

    def command(*arguments: str, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, told.out + told.err

    return command


def test_the_first_user_is_made_with_links_shown_once_and_what_closes(
    run: Run, file: UsersFile, tmp_path: Path
) -> None:
    status, text = run(
        *("add", "Anna", "--streams", "2", "--groups", "News, Sport", "--group", "Film, Series"),
        *("--expires", "2027-01-31", "--profile", "kids", "--refuse", "--note", "upstairs"),
    )
    assert status == 0
    (anna,) = file.read().table
    assert anna.groups == ("News", "Sport", "Film, Series")
    assert (anna.max_streams, anna.refuses, anna.profile) == (2, True, "kids")
    assert anna.expires == end_of("2027-02-01T00:00")
    secret = text.partition("password ")[2].split()[0]
    links = links_of(BASE, "anna", secret)
    for link in (links.list_url, links.guide_url, links.tuner_url, f"server {BASE}", "name anna"):
        assert link in text
    assert links.tuner_url == f"{BASE}/u/{secret}"
    assert "closes the proxy" in text
    assert f"has its DATA_DIR in {tmp_path / 'data'}\n" in text, "not that of a service, say"
    assert "METRICS_TOKEN" in text
    assert "ADMIN_TOKEN is not set" in text
    assert command_line("kptv.users open") in " ".join(text.split())
    assert "no profile kids" in text
    for again in (run("list"), run("list", "--json"), run("add", "bob")):
        assert again[0] == 0
        assert secret not in again[1]
        assert "closes" not in again[1]


def test_a_typed_secret_comes_from_standard_input_and_is_refused_with_why(
    run: Run, file: UsersFile
) -> None:
    for bad in ("", "short", "pass#word", "pass word"):
        status, text = run("add", "anna", "--typed", typed=f"{bad}\n")
        assert status == 1
        assert "secret" in text.lower()
        assert not file.read().is_on
    status, text = run("add", "anna", "--typed", typed=f"{TYPED}\n")
    assert status == 0
    assert f"{BASE}/u/anna:{TYPED}/playlist.m3u8" in text


def test_what_was_typed_twice_must_be_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["one-secret", "other-secret", "one-secret", "one-secret"])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    with pytest.raises(Stopped, match="differ"):
        _typed()
    assert _typed() == "one-secret"


def test_users_are_changed_one_thing_at_a_time(run: Run, file: UsersFile) -> None:
    run("add", "anna", "--groups", "News")
    for arguments, field, value in (
        (("limit", "anna", "3", "--refuse"), "max_streams", 3),
        (("limit", "anna", "0"), "refuses", False),
        (("groups", "anna", "Sport,Kids"), "groups", ("Sport", "Kids")),
        (("groups", "anna", "--group", "A, B"), "groups", ("A, B",)),
        (("groups", "anna", "--profile", "kids"), "profile", "kids"),
        (("groups", "anna", "--all"), "groups", None),
        (("expire", "anna", "2027-01-31 18:30"), "expires", end_of("2027-01-31T18:30")),
        (("expire", "anna", "never"), "expires", None),
        (("disable", "ANNA"), "enabled", False),
        (("enable", "anna"), "enabled", True),
    ):
        assert run(*arguments)[0] == 0, arguments
        (anna,) = file.read().table
        assert getattr(anna, field) == value, arguments
    assert anna.profile == ""


def test_secrets_are_made_listed_and_taken_back(run: Run, file: UsersFile) -> None:
    run("add", "anna")
    status, text = run("secret", "anna", "--label", "bedroom")
    assert (status, "secret, 2" in text) == (0, True)
    assert "bedroom" in run("list")[1]
    assert run("revoke", "anna", "1")[0] == 0
    status, text = run("revoke", "anna", "2")
    assert f"none left: {command_line('kptv.users secret anna')}" in text
    assert "bedroom" not in run("list")[1]
    (anna,) = json.loads(run("list", "--json")[1])
    assert [each["number"] for each in anna["secrets"]] == [1, 2]
    assert not {"digest", "salt"} & anna["secrets"][0].keys()


def test_a_login_stays_until_it_is_opened(run: Run, file: UsersFile, tmp_path: Path) -> None:
    assert "No login is needed" in run("list")[1]
    assert "No login was needed" in run("open")[1]
    run("add", "anna")
    assert run("delete", "anna")[1].endswith("secrets. A login is needed.\n")
    assert file.read().is_on
    assert "A login is needed." in run("list")[1]
    assert "Everybody is let in" in run("open")[1]
    assert not (tmp_path / "data" / MARKER).exists()
    assert "closes the proxy" in run("add", "bob")[1]
    run("open")
    assert "No login is needed" in run("delete", "bob")[1]


@pytest.mark.parametrize(
    ("python", "shown"),
    [("{here}/.venv/bin/python", ".venv/bin/python"), ("/usr/bin/python3", "/usr/bin/python3")],
    ids=["in this folder", "elsewhere"],
)
def test_what_is_to_be_typed_names_the_python_that_runs(
    python: str, shown: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", python.format(here=tmp_path))
    assert f"Make one: {shown} -m kptv.users add NAME\n" in run("list")[1]


def test_a_group_that_may_be_misspelt_and_an_end_that_is_over_are_told(run: Run) -> None:
    hint = "A group that no list has shows nothing"
    assert hint not in run("add", "anna", "--expires", "never")[1]
    assert hint in run("add", "bob", "--groups", "Nwes")[1]
    assert hint in run("groups", "anna", "Nwes")[1]
    assert hint not in run("groups", "anna", "--all")[1]
    assert ", which is over." in run("add", "cora", "--expires", "2020-01-31")[1]
    assert ", which is over." in run("expire", "anna", "2020-01-31")[1]
    assert "over" not in run("expire", "anna", "2999-01-31")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("disable", "nobody"), 1, "no user of that name"),
        (("add", "live"), 1, "our own addresses"),
        (("add", "a b"), 1, "1 to 32"),
        (("add", "anna"), 1, "a user anna already"),
        (("add", "bob", "--expires", "tomorrow"), 1, "2027-01-31"),
        (("expire", "anna", "2027-02-30"), 1, "2027-01-31"),
        (("revoke", "anna", "9"), 1, "no secret 9"),
        (("groups", "anna"), 1, "Name groups"),
        (("limit", "anna", "-1"), 2, ""),
        (("limit", "anna", "many"), 2, "0 to 1000"),
        (("add",), 2, ""),
        ((), 2, "add|list"),
        (("paint",), 2, ""),
    ],
)
def test_what_cannot_be_done_says_why(
    run: Run, arguments: tuple[str, ...], status: int, why: str
) -> None:
    run("add", "anna")
    got, text = run(*arguments)
    assert got == status, text
    assert why in text


def test_commands_work_with_rules_that_do_not(run: Run, file: UsersFile, tmp_path: Path) -> None:
    run("add", "anna")
    (tmp_path / "rules.toml").write_text("no rules [")
    assert run("disable", "anna")[0] == 0
    (anna,) = file.read().table
    assert not anna.enabled
    (tmp_path / "rules.toml").write_text('[profile.kids]\nwhen.name = "A"\n')
    assert "no profile" not in run("groups", "anna", "--profile", "kids")[1]
    assert "no profile" in run("groups", "anna", "--profile", "kid")[1]


def test_a_file_that_cannot_be_read_is_told(run: Run, tmp_path: Path) -> None:
    run("add", "anna")
    (tmp_path / "data" / NAME).write_bytes(b"noise" * 2000)
    for arguments in (("list",), ("disable", "anna"), ("add", "bob"), ("open",)):
        status, text = run(*arguments)
        assert status == 1
        assert text.startswith(f"{NAME}: it is broken")
    (tmp_path / "data" / NAME).unlink()
    status, text = run("add", "bob")
    assert status == 0
    assert "a new file was begun" in text


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kptv.users", "add", "anna"],
        env={**os.environ, "SOURCES": "http://x.example/l|1", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "/playlist.m3u8" in done.stdout


def test_the_end_is_the_last_moment_of_a_day() -> None:
    first, next_day = end_of("2027-01-31"), end_of("2027-02-01 00:00")
    assert first == next_day
    for text in ("", "31.1.2027", "2027-13-01", "9999-12-31", "2027-01-31T25:00", "2027-01-31x"):
        with pytest.raises(Unfit):
            end_of(text)
