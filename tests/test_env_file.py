"""The file `.env`: what makes no sense in it is told, with its line, and without any value."""

from __future__ import annotations

from pathlib import Path

import pytest

from kptv.config import load_config
from kptv.errors import ConfigError

SOURCES = "SOURCES=http://provider.example/list.m3u|2\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def warnings_of(file: Path, text: str) -> tuple[str, ...]:
    file.write_text(text)
    return load_config({}, env_file=file).warnings


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("STALL_TIMOUT=5s", "STALL_TIMEOUT"),
        ("SOURCE=http://b.example/canary", "SOURCES"),
        ("base_url=http://tv.example", "BASE_URL"),
        ("export PROT=80", "PORT"),
        ("TRUSTED_PROXY=10.0.0.1", "TRUSTED_PROXIES"),
    ],
)
def test_a_name_that_is_no_setting_is_told_with_the_nearest(
    file: Path, written: str, nearest: str
) -> None:
    (warning,) = warnings_of(file, f"# mine\n{SOURCES}{written}\n")
    name = written.removeprefix("export ").partition("=")[0]
    assert warning == f".env, line 3: {name} is no setting; {nearest} is one"


def test_a_name_like_no_other_is_told_by_itself(file: Path) -> None:
    (warning,) = warnings_of(file, f"{SOURCES}COMPOSE_PROJECT_NAME=tv\n")
    assert warning == ".env, line 2: COMPOSE_PROJECT_NAME is no setting"


def test_names_of_the_environment_are_nobodys_business(file: Path) -> None:
    file.write_text(SOURCES)
    assert load_config({"STALL_TIMOUT": "5s", "PATH": "/bin"}, env_file=file).warnings == ()


def test_what_only_the_environment_can_set_is_told(file: Path) -> None:
    (warning,) = warnings_of(file, f"{SOURCES}REQUESTS_CA_BUNDLE=/etc/ca.pem\n")
    assert warning == ".env, line 2: REQUESTS_CA_BUNDLE counts in the environment only"


@pytest.mark.parametrize(
    "line",
    [
        "http://canary.example/get.php?username=canary&password=canary|1",
        "http://canary.example/list.m3u|1",
        '"canary',
        "CANARY NAME=canary",
    ],
)
def test_a_line_that_sets_nothing_is_told_by_its_number_alone(file: Path, line: str) -> None:
    (warning,) = warnings_of(file, f"{SOURCES}{line}\n")
    assert warning.startswith(".env, line 2: not NAME=value. Several sources stand in one line")
    assert "canary" not in warning.lower()


def test_a_setting_that_stands_twice_is_told(file: Path) -> None:
    (warning,) = warnings_of(file, f"{SOURCES}\nPORT=8081\n{SOURCES}")
    assert warning == ".env, line 4: SOURCES is set again, and this one counts (before: line 1)"


def test_nothing_is_said_of_a_file_in_order(file: Path) -> None:
    text = f'# a comment\n\n{SOURCES}export PORT=8081\nUSER_AGENT="a # b"\nADMIN_TOKEN=\n'
    assert warnings_of(file, text) == ()


def test_what_was_mistyped_stands_beside_what_is_missing(file: Path) -> None:
    file.write_text("SOURCE=http://canary.example/list.m3u|1\nPORT=http\n")
    with pytest.raises(ConfigError) as caught:
        load_config({}, env_file=file)
    message = str(caught.value)
    assert "SOURCES: read nothing; accepted: " in message
    assert "SOURCES=http://provider.example/list.m3u|2" in message
    assert "PORT: read 'http'" in message
    assert ".env, line 1: SOURCE is no setting; SOURCES is one" in message
    assert "canary" not in message


def test_a_folder_in_the_files_place_is_told(file: Path) -> None:
    file.mkdir()  # as Docker makes one where it is to mount a file that is not there
    with pytest.raises(ConfigError, match=r"\.env: Is a directory"):
        load_config({}, env_file=file)
