"""Settings: what is accepted, what is refused and how that is said."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import FrozenInstanceError
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.guide.addresses import GuideAddress
from kptv.channels.reach import Private
from kptv.config import DEFAULT_SLATE, LOOPBACK, VARIABLES, Config, load_config
from kptv.errors import ConfigError
from kptv.formats.hls.variants import By, Selection

ROOT = Path(__file__).resolve().parents[1]
SOURCES = "http://provider.example/list.m3u|2"
MB = 1024**2


def load(**settings: str) -> Config:
    """The settings of an environment with these variables and no env file."""
    return load_config({"SOURCES": SOURCES, **settings}, env_file=None)


def complaint(**settings: str) -> str:
    """What is said of settings that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        load(**settings)
    return str(caught.value)


# variable, field, default
DEFAULTS = [
    ("HOST", "host", "::"),
    ("PORT", "port", 8080),
    ("BASE_URL", "base_url", "http://localhost:8080"),
    ("ENABLE_RESTREAMING", "enable_restreaming", True),
    ("MAX_RETRIES", "max_retries", 3),
    ("RETRY_DELAY", "retry_delay", 5.0),
    ("MAX_FAILURES_BEFORE_BLOCK", "max_failures_before_block", 5),
    ("IMPORT_REFRESH_INTERVAL", "import_refresh_interval", 43200.0),
    ("WORKER_THREADS", "worker_threads", 4),
    ("MAX_BUFFER_SIZE", "max_buffer_size", 268435456),
    ("BUFFER_SIZE_PER_STREAM", "buffer_size_per_stream", 16777216),
    ("STREAM_TIMEOUT", "stream_timeout", 10.0),
    ("STALL_TIMEOUT", "stall_timeout", 5.0),
    ("STREAM_LINGER", "stream_linger", 10.0),
    ("STANDBY", "standby", False),
    ("STREAM_GIVE_UP", "stream_give_up", 120.0),
    ("JOIN_BUFFER", "join_buffer", 2.0),
    ("HLS_SEGMENT", "hls_segment", 2.0),
    ("SLATE", "slate", DEFAULT_SLATE),
    ("MIN_DATA_SIZE", "min_data_size", 2048),
    ("SORT_FIELD", "sort_field", "tvg-name"),
    ("SORT_DIRECTION", "sort_descending", False),
    ("GUIDES", "guides", ()),
    ("GUIDE_FROM_LISTS", "guide_from_lists", True),
    ("GUIDE_REFRESH_INTERVAL", "guide_refresh_interval", 43200.0),
    ("GUIDE_DAYS", "guide_days", 3),
    ("GUIDE_FILLER", "guide_filler", False),
    ("HDHOMERUN", "hdhomerun", "http"),
    ("HDHOMERUN_TUNERS", "hdhomerun_tuners", 0),
    ("USER_AGENT", "user_agent", "VLC/3.0.18 LibVLC/3.0.18"),
    ("REQ_ORIGIN", "req_origin", ""),
    ("REQ_REFERRER", "req_referrer", ""),
    ("OBFUSCATE_URLS", "obfuscate_urls", True),
    ("DEBUG", "debug", False),
    ("CACHE_ENABLED", "cache_enabled", True),
    ("CACHE_DURATION", "cache_duration", 1800.0),
    ("LOG_FORMAT", "log_format", "text"),
    ("STATUS_PAGE", "status_page", True),
    ("ADMIN_TOKEN", "admin_token", ""),
    ("METRICS_TOKEN", "metrics_token", ""),
    ("LEASES_URL", "leases_url", ""),
    ("INSTANCE", "instance", ""),
    ("REQUIRE_LOGIN", "require_login", False),
    ("AUTH_FREE_NETWORKS", "auth_free_networks", ()),
    ("MAX_CLIENTS", "max_clients", 5000),
    ("ALLOW_PRIVATE_UPSTREAMS", "allow_private_upstreams", Private.AUTO),
    ("TRUSTED_PROXIES", "trusted_proxies", LOOPBACK),
    ("DATA_DIR", "data_dir", Path("data")),
    ("RULES", "rules_file", None),
    ("VARIANT_SELECTION", "variant_selection", Selection(By.LOWEST)),
    ("FFMPEG", "ffmpeg", "ffmpeg"),
]

# variable, field, what is written, what it means
ACCEPTED = [
    ("HOST", "host", "127.0.0.1", None),
    ("HOST", "host", "0.0.0.0", None),
    ("HOST", "host", "[2001:DB8::1]", "2001:db8::1"),
    ("HOST", "host", "localhost", "127.0.0.1"),
    ("HOST", "host", socket.gethostname(), "::"),  # as some shells set it by themselves
    ("PORT", "port", "1", 1),
    ("MAX_CLIENTS", "max_clients", "1", 1),
    ("ALLOW_PRIVATE_UPSTREAMS", "allow_private_upstreams", "Yes", Private.ALWAYS),
    ("ALLOW_PRIVATE_UPSTREAMS", "allow_private_upstreams", "0", Private.NEVER),
    ("ALLOW_PRIVATE_UPSTREAMS", "allow_private_upstreams", "AUTO", Private.AUTO),
    ("TRUSTED_PROXIES", "trusted_proxies", "172.20.0.1", (ip_network("172.20.0.1/32"),)),
    (
        "TRUSTED_PROXIES",
        "trusted_proxies",
        "10.1.2.3/8, fd00::/8",
        (ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
    ),
    ("PORT", "port", "65535", 65535),
    ("BASE_URL", "base_url", "https://tv.example/iptv/", "https://tv.example/iptv"),
    ("BASE_URL", "base_url", "http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ("BASE_URL", "base_url", "http://wohnzimmer-tv.überall.example", None),
    ("ENABLE_RESTREAMING", "enable_restreaming", "No", False),
    ("MAX_RETRIES", "max_retries", "0", 0),
    ("RETRY_DELAY", "retry_delay", "500ms", 0.5),
    ("MAX_FAILURES_BEFORE_BLOCK", "max_failures_before_block", "1", 1),
    ("IMPORT_REFRESH_INTERVAL", "import_refresh_interval", "1h30m", 5400.0),
    ("WORKER_THREADS", "worker_threads", "16", 16),
    (
        "GUIDES",
        "guides",
        "http://a.example/g,1.xml|offset=-1h30m|zone=Europe/London,file:///g.xml|zone=+0200,/g.xml",
        (
            GuideAddress("http://a.example/g,1.xml", -5400, "Europe/London"),
            GuideAddress("file:///g.xml", zone="+0200"),
            GuideAddress("/g.xml"),
        ),
    ),
    ("GUIDE_FROM_LISTS", "guide_from_lists", "no", False),
    ("GUIDE_REFRESH_INTERVAL", "guide_refresh_interval", "1h", 3600.0),
    ("GUIDE_DAYS", "guide_days", "14", 14),
    ("GUIDE_FILLER", "guide_filler", "on", True),
    ("HDHOMERUN", "hdhomerun", "OFF", "off"),
    ("HDHOMERUN", "hdhomerun", "on", "on"),
    ("HDHOMERUN_TUNERS", "hdhomerun_tuners", "32", 32),
    ("MAX_BUFFER_SIZE", "max_buffer_size", "64MiB", 64 * MB),
    ("BUFFER_SIZE_PER_STREAM", "buffer_size_per_stream", "512KB", 512 * 1024),
    ("STREAM_TIMEOUT", "stream_timeout", "2.5", 2.5),
    ("STALL_TIMEOUT", "stall_timeout", "3s", 3.0),
    ("STREAM_LINGER", "stream_linger", "0", 0.0),
    ("STANDBY", "standby", "on", True),
    ("STREAM_GIVE_UP", "stream_give_up", "0s", 0.0),
    ("JOIN_BUFFER", "join_buffer", "0", 0.0),
    ("HLS_SEGMENT", "hls_segment", "2", 2.0),
    ("HLS_SEGMENT", "hls_segment", "6s", 6.0),
    ("SLATE", "slate", str(DEFAULT_SLATE), DEFAULT_SLATE),
    ("MIN_DATA_SIZE", "min_data_size", "188", 188),
    ("SORT_FIELD", "sort_field", "Group-Title", "group-title"),
    ("SORT_DIRECTION", "sort_descending", "DESC", True),
    ("USER_AGENT", "user_agent", "Kodi/21.0 (X11; Linux)", None),
    ("REQ_ORIGIN", "req_origin", "https://player.example", None),
    ("REQ_REFERRER", "req_referrer", "https://player.example/watch", None),
    ("OBFUSCATE_URLS", "obfuscate_urls", "off", False),
    ("DEBUG", "debug", "1", True),
    ("CACHE_ENABLED", "cache_enabled", "FALSE", False),
    ("CACHE_DURATION", "cache_duration", "0", 0.0),
    ("LOG_FORMAT", "log_format", "JSON", "json"),
    ("STATUS_PAGE", "status_page", "no", False),
    ("ADMIN_TOKEN", "admin_token", "open-sesame!", None),
    ("METRICS_TOKEN", "metrics_token", "open-sesame!", None),
    ("LEASES_URL", "leases_url", "rediss://u:p@valkey.example:6380/2", None),
    ("LEASES_URL", "leases_url", "unix:///run/valkey.sock?db=1", None),
    ("LEASES_URL", "leases_url", "redis://[::1]", None),
    ("INSTANCE", "instance", "tv-1.example:8080", None),
    ("REQUIRE_LOGIN", "require_login", "yes", True),
    ("AUTH_FREE_NETWORKS", "auth_free_networks", "10.0.0.1", (ip_network("10.0.0.1/32"),)),
    ("DATA_DIR", "data_dir", "/var/lib/kptv", Path("/var/lib/kptv")),
    ("RULES", "rules_file", "/no/such/rules.toml", Path("/no/such/rules.toml")),
    ("VARIANT_SELECTION", "variant_selection", "720p", Selection(By.HEIGHT, 720)),
    ("FFMPEG", "ffmpeg", "/opt/ffmpeg", None),
]

# variable, what is written and cannot be used
REFUSED = [
    ("HOST", ("tv.example", "127.0.0.1:8080", "http://127.0.0.1", "192.168.1.0/24", "*")),
    ("PORT", ("0", "65536", "-1", "80a", "8080.0", "9" * 400)),
    (
        "BASE_URL",
        (
            "tv.example",
            "ftp://tv.example",
            "http://",
            "http://tv.example:0",
            "http://tv.example:99999",
            "http://[::1",
            "http://tv.example/?a=b",
            "http://tv.example/#a",
            "http://user:password@tv.example",
            "http://tv example",
            'http://tv.example/"',
            "http://tv.example/\udcff",
            "http://tv.example:8080/playlist.m3u8",
            "http://tv.example/Playlist.M3U/",
            "http://tv.example/sport/playlist.m3u8",
        ),
    ),
    ("ENABLE_RESTREAMING", ("2", "maybe", "truee")),
    ("STANDBY", ("warm", "2")),
    ("MAX_RETRIES", ("-1", "1.5", "many", "1001")),
    ("RETRY_DELAY", ("0", "-5s", "5 s", "5x", "1e3", "nan", "inf", "2h", "s")),
    ("MAX_FAILURES_BEFORE_BLOCK", ("0", "-1", "five")),
    ("IMPORT_REFRESH_INTERVAL", ("0", "500ms", "366000h", "9" * 400, "9" * 400 + "h")),
    ("WORKER_THREADS", ("0", "65", "four")),
    (
        "GUIDES",
        ("ftp://a.example/", "http://a.example/|offset=x", "http://a.example/|zone=Nowhere"),
    ),
    ("GUIDE_FROM_LISTS", ("maybe",)),
    ("GUIDE_REFRESH_INTERVAL", ("5s", "often")),
    ("GUIDE_DAYS", ("0", "15", "three")),
    ("HDHOMERUN", ("true", "udp")),
    ("HDHOMERUN_TUNERS", ("33", "-1", "many")),
    ("GUIDE_FILLER", ("maybe",)),
    ("MAX_BUFFER_SIZE", ("1023KB", "-1", "16XB", "2000000GB", "9" * 400, "1e9")),
    ("BUFFER_SIZE_PER_STREAM", ("1KB", "2GB", "much")),
    ("STREAM_TIMEOUT", ("0", "99ms", "601s", "soon")),
    ("STALL_TIMEOUT", ("0", "11m")),
    ("STREAM_LINGER", ("-1", "2h", "forever")),
    ("STREAM_GIVE_UP", ("25h", "never")),
    ("JOIN_BUFFER", ("2m", "soon")),
    ("HLS_SEGMENT", ("1999ms", "6.1", "0", "long")),
    ("SLATE", ("/no/such/file.ts", str(Path(__file__)))),
    ("MIN_DATA_SIZE", ("187", "17MB")),
    ("SORT_FIELD", ("tvg name", "tvg-name,tvg-id", "a" * 65)),
    ("SORT_DIRECTION", ("up", "ascending")),
    ("USER_AGENT", ("a\r\nX: y", "a\nb", "Fernseher für alle")),
    ("REQ_ORIGIN", ("a\nb",)),
    ("REQ_REFERRER", ("a\nb",)),
    ("OBFUSCATE_URLS", ("nope",)),
    ("DEBUG", ("verbose",)),
    ("CACHE_ENABLED", ("2",)),
    ("CACHE_DURATION", ("-1", "long")),
    ("LOG_FORMAT", ("xml", "logfmt")),
    ("STATUS_PAGE", ("read-only",)),
    ("ALLOW_PRIVATE_UPSTREAMS", ("maybe", "10.0.0.0/8")),
    ("MAX_CLIENTS", ("0", "-1", "many", "100001")),
    ("TRUSTED_PROXIES", ("nginx", "1.2.3.4/33", "10.0.0.1,,10.0.0.2", "all")),
    ("ADMIN_TOKEN", ("short", "two words too", "schlüssel-wort", "x" * 257)),
    ("METRICS_TOKEN", ("short", "two words too")),
    (
        "LEASES_URL",
        ("valkey:6379", "http://h", "redis://", "redis://h/x", "redis://h:x", "unix://"),
    ),
    ("INSTANCE", ("a b", "a|b", "x" * 65, "tv/1")),
    ("REQUIRE_LOGIN", ("users", "2")),
    ("AUTH_FREE_NETWORKS", ("home", "all", "192.168.1.0/33")),
    ("DATA_DIR", ("a\0b",)),
    ("RULES", ("a\0b",)),
    ("VARIANT_SELECTION", ("best", "720i", "0")),
    ("FFMPEG", ("a\0b",)),
]


@pytest.mark.parametrize(("variable", "field", "default"), DEFAULTS)
def test_each_setting_has_its_default_unset_and_empty(
    variable: str, field: str, default: Any
) -> None:
    assert getattr(load(), field) == default
    if variable != "FFMPEG":  # there, empty means none
        assert getattr(load(**{variable: " "}), field) == default


def test_a_slate_can_be_turned_off() -> None:
    assert load(SLATE="Off").slate is None


def test_an_empty_ffmpeg_is_none() -> None:
    assert load(FFMPEG="").ffmpeg == ""


@pytest.mark.parametrize(("variable", "field", "written", "meant"), ACCEPTED)
def test_each_setting_takes_its_accepted_forms(
    variable: str, field: str, written: str, meant: Any
) -> None:
    assert getattr(load(**{variable: written}), field) == (written if meant is None else meant)
    assert getattr(load(**{variable: f" {written} "}), field) is not None


@pytest.mark.parametrize(
    ("variable", "written"),
    [(variable, written) for variable, forms in REFUSED for written in forms],
)
def test_a_bad_value_stops_the_start_and_says_what_is_accepted(variable: str, written: str) -> None:
    message = complaint(**{variable: written})
    (line,) = [line for line in message.splitlines() if f" {variable}: " in line]
    assert "read " in line
    assert "accepted: " in line
    message.encode()  # what cannot be printed is escaped


def test_every_setting_is_tested_for_its_default_its_forms_and_what_it_refuses() -> None:
    expected = set(VARIABLES) - {"SOURCES"}  # which has tests of its own below
    assert {row[0] for row in DEFAULTS} == expected
    assert {row[0] for row in ACCEPTED} == expected
    assert {row[0] for row in REFUSED} == expected


@pytest.mark.parametrize("written", ["true", "1", "yes", "on", "TRUE", "Yes", "oN"])
def test_booleans_are_true_in_any_case(written: str) -> None:
    assert load(DEBUG=written).debug is True


@pytest.mark.parametrize("written", ["false", "0", "no", "off", "False", "NO", "Off"])
def test_booleans_are_false_in_any_case(written: str) -> None:
    assert load(CACHE_ENABLED=written).cache_enabled is False


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5s", 5), ("500ms", 0.5), ("30m", 1800), ("12h", 43200), ("1h30m", 5400), ("90", 90)],
)
def test_durations_are_written_with_units_or_as_seconds(written: str, seconds: float) -> None:
    assert load(CACHE_DURATION=written).cache_duration == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("16777216", 16 * MB),
        ("16777216B", 16 * MB),
        ("16MB", 16 * MB),
        ("16MiB", 16 * MB),
        ("16m", 16 * MB),
        ("16 mb", 16 * MB),
        ("0.5GB", 512 * MB),
    ],
)
def test_sizes_are_bytes_or_have_units_of_1024(written: str, size: int) -> None:
    assert load(BUFFER_SIZE_PER_STREAM=written).buffer_size_per_stream == size


def test_one_message_names_every_offending_variable() -> None:
    message = complaint(PORT="http", STALL_TIMEOUT="soon", DEBUG="maybe", SORT_FIELD="tvg-id")
    assert "PORT: read 'http'; accepted: a whole number from 1 to 65535" in message
    assert "STALL_TIMEOUT: read 'soon'; accepted: a duration such as 500ms, 5s" in message
    assert "DEBUG: read 'maybe'; accepted: true, false, 1, 0, yes, no, on, off" in message
    assert "SORT_FIELD" not in message


def test_the_bounds_in_a_message_can_be_used_as_they_are_written() -> None:
    message = complaint(CACHE_DURATION="9999999h")
    assert "a duration from 0s to 8760h" in message
    assert load(CACHE_DURATION="8760h").cache_duration == 365 * 86400


def test_the_links_follow_the_port() -> None:
    assert load(PORT="9000").base_url == "http://localhost:9000"
    assert load(PORT="9000", BASE_URL="http://tv.example").base_url == "http://tv.example"
    assert load(BASE_URL="http://tv.example").base_url_is_set
    assert not load(BASE_URL="").base_url_is_set


WRONG_ROWS = """
from kptv.config.parsers import header, slate, whole
from kptv.config.settings import required, setting

parser: int = setting("A", header, 1)
default: int = setting("B", whole(1, 2), "1")
both: float = setting("C", slate, 1.0)
needed: int = required("D", header, lambda text: [])
right: int = setting("E", whole(1, 2), 1)
"""


def test_a_row_whose_parser_or_default_has_another_type_than_its_field_fails_mypy(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.py"
    file.write_text(WRONG_ROWS)
    command = [sys.executable, "-m", "mypy", "--strict", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wrong = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error: " in line]
    assert wrong == [5, 6, 7, 8], done.stdout


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(FrozenInstanceError):
        load().port = 1  # type: ignore[misc]


# --- the env file ---


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"SOURCES={SOURCES}\nPORT=9000\nDEBUG=true\nMAX_RETRIES=7  # enough\n")
    config = load_config({"PORT": "9001", "DEBUG": ""}, env_file=file)
    assert (config.port, config.debug, config.max_retries) == (9001, False, 7)
    assert config.sources[0].max_connections == 2


def test_an_env_file_may_have_a_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f'SOURCES="{SOURCES},\n  http://second.example/l.m3u|1"\n', "utf-8-sig")
    assert [s.url for s in load_config({}, env_file=file).sources] == [
        "http://provider.example/list.m3u",
        "http://second.example/l.m3u",
    ]


def test_no_env_file_is_no_trouble(tmp_path: Path) -> None:
    config = load_config({"SOURCES": SOURCES}, env_file=tmp_path / ".env")
    assert config.port == 8080


def test_an_env_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes("SOURCES=http://provider.example/\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config({}, env_file=file)


# --- SOURCES ---


def sources(text: str) -> list[tuple[str, int]]:
    return [(source.url, source.max_connections) for source in load(SOURCES=text).sources]


def test_sources_are_separated_by_commas_and_numbered() -> None:
    config = load(SOURCES="http://a.example/l.m3u|2, https://b.example/l.m3u.gz|0")
    assert sources("http://a.example/l.m3u|2, https://b.example/l.m3u.gz|0") == [
        ("http://a.example/l.m3u", 2),
        ("https://b.example/l.m3u.gz", 0),
    ]
    assert [source.tag for source in config.sources] == ["source-1", "source-2"]
    assert config.warnings == ()


def test_sources_may_have_names() -> None:
    config = load(
        SOURCES="premium=http://a.example/l.m3u?x=1,2,http://b.example/l|0, Back-up2 = /srv/c.m3u|3"
    )
    assert [(s.number, s.tag, s.url, s.max_connections) for s in config.sources] == [
        (1, "premium", "http://a.example/l.m3u?x=1,2", 1),
        (2, "source-2", "http://b.example/l", 0),
        (3, "Back-up2", "/srv/c.m3u", 3),
    ]
    one, two = load(SOURCES="one=http://a.example/l,two=http://b.example/l").sources
    assert (one.tag, one.url, two.tag) == ("one", "http://a.example/l", "two")
    (plain,) = load(SOURCES="http://a.example/l?next=1,two=http://b.example/l|2").sources
    assert plain.url == "http://a.example/l?next=1,two=http://b.example/l", "no name begins it"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a=http://a.example/l|1,A=http://b.example/l|1", "the name A is there twice"),
        ("2=http://a.example/l|1", "a name is no number"),
        ("source-7=http://a.example/l|1", "a name is no number"),
        ("my_tv=http://a.example/l|1", "a name has letters, digits and -"),
        (f"{'a' * 33}=http://a.example/l|1", "a name has letters, digits and -"),
        ("a=http://a.example/l|1,Fernsehen Süd=http://b.example/l|1", "a name has letters"),
        ("=http://a.example/l|1", "a name has letters, digits and -"),
        ("a=|2", "read '…|2' as source 1"),
    ],
)
def test_names_of_sources_that_cannot_be_used_are_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(SOURCES=text)
    assert told in str(refused.value)
    assert "example" not in str(refused.value)


def test_a_url_may_hold_commas() -> None:
    url = "http://a.example/get.php?groups=uk,de,fr&x=1,2"
    assert sources(f"{url}|3,{url}") == [(url, 3), (url, 1)]


def test_a_source_may_be_a_file_or_a_plain_path() -> None:
    assert sources("lists/a.m3u|1,/srv/b.m3u.gz|128 ,file:///srv/c.m3u|0") == [
        ("lists/a.m3u", 1),
        ("/srv/b.m3u.gz", 128),
        ("file:///srv/c.m3u", 0),
    ]


def test_a_source_without_a_limit_gets_one_connection_and_a_warning() -> None:
    config = load(SOURCES="http://a.example/l.m3u|2,http://b.example/l.m3u?password=canary")
    assert config.sources[1].max_connections == 1
    (warning,) = config.warnings
    assert "source 2 names no limit" in warning
    assert "canary" not in warning


@pytest.mark.parametrize(
    "limit", ["", "two", "2x", "1.5", "-1", "9999999", "3 connections", "unlimited"]
)
def test_a_limit_that_is_no_number_is_shown_as_it_was_read(limit: str) -> None:
    message = complaint(SOURCES=f"http://canary.example/l.m3u?password=canary|{limit}")
    assert f"read 'http://…|{limit}' as source 1; accepted: URL|MaxConnections" in message
    assert "MaxConnections is a whole number" in message
    assert "canary" not in message


@pytest.mark.parametrize("limit", ["canary", "12canary", "x|canary", "one canary", "cn"])
def test_what_may_be_a_part_of_a_password_is_not_shown(limit: str) -> None:
    message = complaint(SOURCES=f"http://canary.example/l.m3u?password=canary|{limit}")
    assert "|…' as source 1; accepted: " in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "address",
    [
        "canary.example/get.php?username=canary",
        "canary.example:8080/l.m3u",
        "canary.example:8080",
        "localhost:8080/canary.m3u",
        "192.168.1.5:9981/canary",
        "192.168.1.5/canary?x=1",
        "canary:canary@provider.example/l.m3u",
        "www.canary.example?list=1",
    ],
)
def test_an_address_without_http_is_no_path(address: str) -> None:
    message = complaint(SOURCES=f"http://good.example/l.m3u|1,http://b.example/l|1, {address}|2")
    assert "read '…|2' as source 3; accepted: URL|MaxConnections" in message
    assert "an address begins with http:// or https://" in message
    assert "canary" not in message


def test_a_path_that_looks_like_an_address_is_one_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iptv.d").mkdir()
    (tmp_path / "iptv.d/list.m3u").touch()
    assert sources("iptv.d/list.m3u|1,./tv.d/later.m3u|1,later.m3u|1") == [
        ("iptv.d/list.m3u", 1),
        ("./tv.d/later.m3u", 1),
        ("later.m3u", 1),
    ]


def test_sources_without_a_comma_between_them_are_told() -> None:
    message = complaint(SOURCES="http://a.example/canary|1 http://b.example/canary|1")
    assert "between two sources stands a comma" in message
    assert "canary" not in message
    (warning,) = load(SOURCES="http://a.example/l?o=tshttp://b.example/canary|1").warnings
    assert warning.startswith("SOURCES: source 1 has :// twice")
    assert "canary" not in warning


def test_an_address_in_a_query_is_no_second_source() -> None:
    url = "http://a.example/get?url=http://b.example/l.m3u&also=https://c.example"
    assert load(SOURCES=f"{url}|1").warnings == ()


def test_a_url_that_stands_twice_is_told() -> None:
    url = "http://a.example/l?password=canary"
    (warning,) = load(SOURCES=f"{url}|1,http://b.example/l|1,{url}|2").warnings
    assert warning.startswith("SOURCES: source 3 has the URL of source 1: ")
    assert "canary" not in warning


def test_no_sources_say_what_to_set() -> None:
    for settings in ({}, {"SOURCES": ""}):
        with pytest.raises(ConfigError, match=r"SOURCES: read nothing; .* SOURCES=http://"):
            load_config(settings, env_file=None)


SECRET_URLS = [
    "http://canary-user:canary-password@bad host/l.m3u|2",
    "ftp://canary-user:canary-password@provider.example/l.m3u|2",
    "http://provider.example/get.php?username=canary-user&password=canary-password|two",
    "http://provider.example/get.php?password=x|canary-password",
    "canary-user:canary-password@provider.example/l?u=http://canary-user.example|x",
    "http://:99999/canary-user/canary-password|-1",
    "http://canary-user.example:99999/canary-password",
    "http://[canary-user/canary-password|1",
    "http://canary-user.example:0/canary-password|1",
    "http://canary-user.example/canary-password|",
    "http://canary-user.example/canary-password|1.5",
    "http://canary-user.example/canary-password|9999999",
]


@pytest.mark.parametrize("text", SECRET_URLS)
def test_a_bad_source_is_named_by_its_number_and_keeps_its_secrets(text: str) -> None:
    message = complaint(SOURCES=f"http://good.example/canary-user|1,{text}", PORT="x")
    assert "as source 2; accepted: URL|MaxConnections" in message
    assert "PORT: read 'x'" in message
    assert "canary" not in message
    assert "good.example" not in message


def test_a_providers_url_put_into_the_wrong_variable_keeps_its_secrets() -> None:
    message = complaint(BASE_URL="http://canary-user:canary-password@h.example/")
    message += complaint(BASE_URL="http://h.example/get.php?username=canary-user&password=canary")
    assert "canary" not in message


def test_settings_keep_the_secrets_of_sources_when_printed() -> None:
    config = load(SOURCES="http://canary-user:canary-password@provider.example/l.m3u|2")
    assert "canary" not in repr(config)
    assert "provider.example" not in repr(config)


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text()))
def test_any_text_in_a_setting_is_taken_or_refused_with_the_message(
    settings: dict[str, str],
) -> None:
    try:
        told = load_config(settings, env_file=None).sources or ""
    except ConfigError as error:
        told = str(error)
    assert told


def test_nothing_of_the_url_of_a_valkey_is_said_where_it_is_wrong() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({"SOURCES": "http://h/l|1", "LEASES_URL": "redis://u:s3cret@h/x"}, None)
    assert "LEASES_URL" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    config = load_config({"SOURCES": "http://h/l|1", "LEASES_URL": "redis://u:s3cret@h"}, None)
    assert "s3cret" not in repr(config)
