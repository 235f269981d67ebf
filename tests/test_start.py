"""What the log says at the start: where everything is, and what will probably not work."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from kptv.command import command_line
from kptv.config import Config, load_config
from kptv.logs import Log
from kptv.logs.filters import RecentLines, RepeatFilter
from kptv.logs.formatters import RedactingFormatter
from kptv.logs.redaction import Redactor
from kptv.start import Surroundings, about_login, facts, greet, look_around, suggested_url, warnings

HOME = Surroundings(own_address="192.168.1.10")
GOOD = "http://192.168.1.10:8080"


def load(**settings: str) -> Config:
    texts = {"SOURCES": "http://provider.example/list.m3u|2", "BASE_URL": GOOD, **settings}
    return load_config(texts, env_file=None)


def told(around: Surroundings = HOME, **settings: str) -> list[str]:
    return warnings(load(**settings), around)


# --- where everything is ---


def test_the_start_tells_the_version_the_addresses_and_the_folder() -> None:
    lines = facts(load(DATA_DIR="lists"), replace(HOME, env_file=Path("/opt/kptv/.env")))
    assert lines[0].startswith("KPTV Proxy ")
    text = "\n".join(lines)
    assert f"{GOOD}/playlist.m3u8" in text
    assert f"Status page: {GOOD}/\n" in text
    assert f"Data: {Path.cwd() / 'lists'}" in text
    assert "/opt/kptv/.env and the environment" in text


def test_without_a_status_page_or_an_env_file_the_start_says_so() -> None:
    text = "\n".join(facts(load(STATUS_PAGE="false"), HOME))
    assert "Status page: none (STATUS_PAGE)" in text
    assert "Settings: the environment. " in text


def test_settings_as_one_would_wish_them_are_no_cause_for_a_warning() -> None:
    assert told() == []
    assert told(BASE_URL="http://tv.example") == []
    assert told(BASE_URL="https://tv.example/iptv") == []
    assert told(BASE_URL="http://192.168.1.10", HOST="127.0.0.1") == [], "nginx, on port 80"


# --- BASE_URL ---


@pytest.mark.parametrize(
    "base_url",
    ["", *(f"http://{h}:8080" for h in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"))],
)
def test_a_base_url_that_only_this_machine_reaches_is_told_with_a_better_one(base_url: str) -> None:
    (warning,) = told(BASE_URL=base_url)
    assert warning.startswith(
        f"BASE_URL={base_url or 'http://localhost:8080'}: only players on this machine"
    )
    assert warning.endswith(f"set it to {GOOD}")


def test_the_better_base_url_has_the_port_and_brackets() -> None:
    around = Surroundings(own_address="fd00::10")
    (warning,) = told(around, BASE_URL="", PORT="8090")
    assert warning.endswith("set it to http://[fd00::10]:8090")


@pytest.mark.parametrize(
    ("around", "settings", "whom"),
    [
        (Surroundings(), {}, "it"),
        (HOME, {"HOST": "127.0.0.1"}, "nginx"),
        (HOME, {"LEASES_URL": "redis://127.0.0.1"}, "the router"),
    ],
)
def test_without_an_address_of_its_own_the_start_says_what_to_look_for(
    around: Surroundings, settings: dict[str, str], whom: str
) -> None:
    (warning,) = told(around, BASE_URL="", **settings)
    assert warning.endswith(f"set it to http:// and the address by which they reach {whom}")


@pytest.mark.parametrize(
    ("base_url", "port"),
    [
        ("http://192.168.1.10:8080", "8090"),
        ("http://tv.example:8080", "8090"),
        ("http://192.168.1.10", "8080"),
    ],
)
def test_a_base_url_with_another_port_is_told(base_url: str, port: str) -> None:
    (warning,) = told(BASE_URL=base_url, PORT=port)
    expected = "80" if base_url.endswith("10") else "8080"
    assert warning.startswith(f"BASE_URL leads to port {expected}, but PORT={port}: ")


def test_several_instances_have_ports_of_their_own_behind_the_routers() -> None:
    several = {"LEASES_URL": "redis://127.0.0.1", "PORT": "8081"}
    assert told(BASE_URL="http://tv.example:8080", **several) == []


def test_a_port_of_the_environment_counts_as_one_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"SOURCES=http://a.example/l.m3u|1\nBASE_URL={GOOD}\nPORT=8080\n")
    config = load_config({"PORT": "8090"}, env_file=file)
    (warning,) = warnings(config, HOME)
    assert "port 8080, but PORT=8090" in warning


def test_a_base_url_that_ends_as_a_list_does_is_told() -> None:
    (warning,) = told(BASE_URL=f"{GOOD}/playlist")
    assert f"the list is at {GOOD}/playlist/playlist.m3u8" in warning


# --- programs and files ---


def test_a_missing_ffmpeg_is_told_and_one_that_is_not_wanted_is_not() -> None:
    without = replace(HOME, has_ffmpeg=False)
    (warning,) = told(without)
    assert warning.startswith("ffmpeg is not installed: ")
    (warning,) = told(without, FFMPEG="/opt/ffmeg")
    assert warning.startswith("FFMPEG=/opt/ffmeg: there is no such program")
    assert told(without, FFMPEG="") == []


def test_an_env_file_that_others_can_read_is_told_with_the_command() -> None:
    path = Path("/opt/kptv/.env")
    (warning,) = told(replace(HOME, env_file=path, is_env_file_open=True))
    assert warning.endswith(f"chmod 600 {path}")


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True)])
def test_who_can_read_the_env_file_is_looked_up(tmp_path: Path, mode: int, is_open: bool) -> None:
    file = tmp_path / ".env"
    assert look_around(load(), file).env_file is None
    file.touch()
    file.chmod(mode)
    around = look_around(load(), file)
    assert (around.env_file, around.is_env_file_open) == (file, is_open)


def test_programs_are_looked_for_as_they_will_be_started(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.touch()
    assert not look_around(load(FFMPEG=str(program))).has_ffmpeg, "it may not be run"
    program.chmod(0o755)
    assert look_around(load(FFMPEG=str(program))).has_ffmpeg
    assert look_around(load(FFMPEG="sh")).has_ffmpeg


def test_in_a_container_no_address_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    around = look_around(load(HOST="192.168.1.10"))
    assert around.own_address == ""
    assert suggested_url(load(), around) == ""


# --- who is let in ---


def test_without_users_the_start_says_that_all_is_open_and_how_to_close_it() -> None:
    (line,) = about_login(load(), 0, is_on=False)
    assert line.startswith("No login is needed: whoever reaches the port can watch.")
    assert command_line("kptv.users add NAME") in line


def test_with_users_the_start_says_what_is_closed_and_what_is_open_still() -> None:
    config = load(ADMIN_TOKEN="open-sesame", AUTH_FREE_NETWORKS="192.168.1.0/24,::1")
    closed, free = about_login(config, 3, is_on=True)
    for word in ("3 users", "lists", "streams", "/metrics", "/healthz"):
        assert word in closed
    assert free == "No login is needed from 192.168.1.0/24, ::1/128 (AUTH_FREE_NETWORKS)"
    assert about_login(load(), 1, is_on=True)[1] == (
        "ADMIN_TOKEN is not set, so nobody can open the page"
    )


# --- how it is told ---


def test_the_log_shows_the_proxys_own_addresses_and_none_of_a_provider(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.start.look_around", lambda _: HOME)
    config = load(SOURCES="http://provider.example/l?password=canary-password", BASE_URL="")
    redactor = Redactor(config.sources, config.base_url)
    log = Log(redactor, RecentLines(redactor.redact), RepeatFilter())
    with caplog.at_level(logging.INFO):
        greet(config, log)
    form = RedactingFormatter(redactor.redact)
    text = "\n".join(form.format(record) for record in caplog.records)
    assert "http://localhost:8080/playlist.m3u8" in text
    assert "BASE_URL=http://localhost:8080: only players on this machine" in text
    assert f"set it to {GOOD}" in text
    assert "source 1 names no limit" in text
    assert "canary" not in text
    assert "provider.example" not in text
    assert redactor.redact("http://192.168.1.10:80801/x http://192.168.1.10/x") == "… …"
