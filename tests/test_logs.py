"""The log tells nothing of a provider's address or account."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from time import localtime, strftime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.model import Source
from kptv.config import load_config
from kptv.logs import set_up_logging
from kptv.logs.filters import RepeatFilter
from kptv.logs.formatters import JsonLines, RedactingFormatter
from kptv.logs.redaction import Redactor

BASE_URL = "http://tv.example:8080/iptv"
LIST_URL = "http://panel.example:2095/get.php?username=canary-user&password=c%40n+ary&type=m3u"
SOURCES = (
    Source(1, LIST_URL, 2),
    Source(2, "https://Jane:Tr0ub4dor@lists.example/jane/list.m3u", 1),
    Source(3, "http://127.0.0.1:9999/list.m3u?u=tv&Access_Token=xyz", 1),
    Source(4, "/srv/lists/own.m3u", 0),
)
redact = Redactor(SOURCES, BASE_URL).redact
formatter = RedactingFormatter(redact)


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("kptv.test", logging.WARNING, __file__, 1, message, args, None)


@pytest.mark.parametrize(
    "url",
    [
        LIST_URL,
        "http://edge.example/live/canary-user/secret/1.ts",
        "HTTPS://edge.example:8443/a?b=c#d",
        "rtmp://edge.example/app/key",
        "http://user:p%40ss@edge.example/x|User-Agent=secret",
        "http://[2001:db8::1]:80/secret",
        r"http:\/\/edge.example\/live\/a",
        "http%3A%2F%2Fedge.example%2Fsecret",
    ],
)
def test_a_url_is_hidden_whole(url: str) -> None:
    assert redact(f"cannot open {url} now") == "cannot open … now"
    assert redact(f"at '{url}', or \"{url}\"") == "at '…', or \"…\""
    assert "edge.example" not in redact(f"x{url}")


@pytest.mark.parametrize(
    "secret",
    [
        "panel.example",
        "PANEL.example",
        "canary-user",
        "c%40n+ary",
        "c@n ary",
        "c%40n%20ary",
        "lists.example",
        "Jane",
        "Tr0ub4dor",
        "xyz",
    ],
)
def test_a_sources_host_user_and_password_are_hidden_wherever_they_stand(secret: str) -> None:
    for text in (f"login {secret} failed", f"/{secret}/x", f"({secret})", f"a%2F{secret}%2Fb"):
        assert secret.lower() not in redact(text).lower()


def test_a_short_secret_is_hidden_alone_and_not_out_of_other_words() -> None:
    assert redact("user xyz, jane/xyz: janet") == "user …, …/…: janet"


def test_words_that_are_too_short_and_this_machine_are_no_secrets() -> None:
    third, fourth = (Redactor([source], BASE_URL) for source in SOURCES[2:])
    text = "tv, xyz at 127.0.0.1:9999, list.m3u, u, Access_Token"
    assert third.redact(text) == text.replace("xyz", "…")
    assert fourth.redact("/srv/lists/own.m3u, srv lists") == "/srv/lists/own.m3u, srv lists"
    assert redact("tv at 127.0.0.1") == "tv at 127.0.0.1"


def test_paths_of_xtream_panels_are_hidden_without_their_host() -> None:
    for path in ("/live/u/p/1.ts", "/movie/u/p/2.mkv", "/series/u/p/3", "/timeshift/u/p/60/x/4.ts"):
        assert redact(f"GET {path} failed") == "GET … failed"
    assert redact("username=a&password=b token=c") == "username=…&password=… token=…"


def test_fields_that_the_list_takes_for_a_login_are_hidden_without_their_host() -> None:
    for field in ("u", "uid", "mac", "play_token", "session", "ticket", "hdnea", "Signature"):
        assert redact(f"at /x?a=1&{field}=other;b=2") == f"at /x?a=1&{field}=…"
    assert redact("at /x?type=m3u&output=ts") == "at /x?type=m3u&output=ts"


@pytest.mark.parametrize(
    "message",
    [
        "HTTPConnectionPool(host='edge.example', port=80): Max retries exceeded with url:"
        " /hidden/path/1.ts (Caused by NewConnectionError(\"HTTPConnection(host='edge.example',"
        ' port=80): Failed to establish a new connection: [Errno 111] Connection refused"))',
        "Failed to resolve 'edge.example' ([Errno -2] Name or service not known)",
        "Connection to edge.example timed out. (connect timeout=10)",
        "hostname 'edge.example' doesn't match either of 'hidden.edge.example', 'edge.example'",
        "certificate verify failed: Hostname mismatch, certificate is not valid for 'edge.example'",
        "Starting new HTTPS connection (1): edge.example:443",
        "Resetting dropped connection: edge.example",
        'http://edge.example:80 "GET /hidden/path/1.ts HTTP/1.1" 200 None',
    ],
)
def test_what_http_libraries_say_of_a_connection_names_no_host_and_no_path(message: str) -> None:
    told = redact(message)
    assert "edge.example" not in told
    assert "hidden" not in told
    assert "…" in told


def test_a_traceback_is_redacted_with_its_causes() -> None:
    failed = record("hub failed: %s", LIST_URL)
    try:
        try:
            raise OSError("no route to panel.example")
        except OSError as error:
            raise ValueError(f"bad address {LIST_URL}") from error
    except ValueError:
        failed.exc_info = sys.exc_info()
    told = formatter.format(failed)
    assert "hub failed: …" in told
    assert "ValueError: bad address …" in told
    assert "OSError: no route to …" in told
    assert "panel" not in told


def test_arguments_of_a_record_are_redacted() -> None:
    assert formatter.format(record("%s at %r", "Jane", LIST_URL)).endswith("… at '…'")


def test_the_proxys_own_links_stay_readable() -> None:
    for own in (BASE_URL, f"{BASE_URL}/playlist.m3u8", f"list: {BASE_URL}/stream/bbc-one, or"):
        assert redact(own) == own
    assert redact(f"{BASE_URL}/stream/news, not {LIST_URL}") == f"{BASE_URL}/stream/news, not …"


def test_our_own_address_may_end_a_sentence_or_stand_before_a_colon() -> None:
    for told in (
        f"{BASE_URL}: {LIST_URL}",
        f"at {BASE_URL}. {LIST_URL}",
        f"{BASE_URL}:\n{LIST_URL}",
    ):
        assert redact(told) == told.replace(LIST_URL, "…")
    assert redact(f"BASE_URL={BASE_URL}:") == f"BASE_URL={BASE_URL}:"


def test_an_address_that_only_begins_like_our_own_is_hidden() -> None:
    endings = (".example/u/p", "0/u/p", "-x/u/p", "tv/u/p", ":1/u/p", "@edge.example/u")
    for rest in (*endings, ":Jane:pass@edge.example/u", "..example/u/p", "./u/p", ":/u/p"):
        assert redact(f"{BASE_URL}{rest}") == "…"


def test_ordinary_lines_stay_as_they_are() -> None:
    line = "bbc-one: source-2 plays after source-1 stalled, 5.3 s without media"
    assert redact(line) == line


@given(st.text(), st.text())
def test_no_text_around_it_uncovers_a_password(before: str, after: str) -> None:
    assert "Tr0ub4dor" not in redact(f"{before}Tr0ub4dor{after}")


# --- set up ---


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the root logger writes; it is as before after the test."""
    root, urllib3 = logging.getLogger(), logging.getLogger("urllib3")
    before = root.handlers, root.level, urllib3.level
    yield io.StringIO()
    root.handlers = before[0]
    root.setLevel(before[1])
    urllib3.setLevel(before[2])


def set_up(log: io.StringIO, **settings: str) -> logging.Logger:
    """A logger as a module has it, after the set-up; what it logs goes to ``log``."""
    sources = "http://canary-user:canary-password@panel.example/l.m3u|1"
    set_up_logging(load_config({"SOURCES": sources, **settings}, env_file=None))
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    return logging.getLogger("kptv.test")


def test_urls_are_hidden_unless_the_operator_wants_them(log: io.StringIO) -> None:
    set_up(log).warning("at %s", LIST_URL)
    assert log.getvalue().endswith("at …\n")
    set_up(log, OBFUSCATE_URLS="false").warning("at %s", LIST_URL)
    assert log.getvalue().endswith(f"at {LIST_URL}\n")


def test_debug_lines_are_logged_only_when_asked_for(log: io.StringIO) -> None:
    set_up(log).debug("quiet")
    set_up(log, DEBUG="true").debug("loud")
    assert "quiet" not in log.getvalue()
    assert "loud" in log.getvalue()


def test_the_libraries_own_lines_of_each_request_are_not_logged(log: io.StringIO) -> None:
    set_up(log, DEBUG="true", OBFUSCATE_URLS="false")
    logging.getLogger("urllib3.connectionpool").debug("Starting new connection")
    assert log.getvalue() == ""


# --- for machines ---


def test_json_lines_are_json_with_the_secrets_out(log: io.StringIO) -> None:
    logger = set_up(log, LOG_FORMAT="json")
    logger.warning('at "%s" and\n%s', LIST_URL, "canary-user", extra={"channel": "news"})
    try:
        raise ValueError(f"no route to {LIST_URL} for canary-password")
    except ValueError:
        logger.exception("failed")
    first, second = (json.loads(line) for line in log.getvalue().splitlines())
    assert first["level"] == "WARNING"
    assert first["logger"] == "kptv.test"
    assert first["message"] == 'at "…" and\n…'
    assert first["channel"] == "news"
    assert re.match(r"\d{4}-\d\d-\d\dT", first["time"])
    assert "ValueError: no route to … for …" in second["exc_info"]
    assert "canary" not in log.getvalue()


@given(st.text(), st.text())
def test_json_lines_stay_json_whatever_is_in_them(before: str, after: str) -> None:
    redactor = Redactor(load_config({"SOURCES": f"{LIST_URL}|1"}, env_file=None).sources, BASE_URL)
    formatter = JsonLines(redactor.redact)
    text = f"{before}{LIST_URL}{after}"
    assert "canary-user" not in json.loads(formatter.format(record("%s", text)))["message"]


# --- trouble that comes again ---


def test_the_same_trouble_is_told_once_and_then_counted() -> None:
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])

    def passes(text: str, level: int = logging.WARNING) -> bool:
        return repeats.filter(logging.LogRecord("kptv", level, "", 0, text, (), None))

    assert passes("news: source-1: stalled (nothing for 5.0 s)")
    assert not passes("news: source-1: stalled (nothing for 5.1 s)")
    assert not passes("news: source-1: stalled (nothing for 5.2 s)")
    assert passes("news: source-2: stalled (nothing for 5.0 s)")
    assert passes("news: source-1 plays", logging.INFO)
    assert passes("news: source-1 plays", logging.INFO)
    assert repeats.due() == []
    now[0] = 61.0
    before = time()
    (told,) = repeats.due()
    expected = r"news: source-1: stalled \(nothing for 5.2 s\) \(2 times more in 61 s, last at {}\)"
    assert re.fullmatch(expected.format(r"\d\d:\d\d:\d\d"), told.getMessage())
    assert before <= told.created <= time(), "lines stand in the log in their order"
    assert repeats.filter(told)
    now[0] = 130.0
    assert repeats.due() == []
    assert passes("news: source-1: stalled (nothing for 5.0 s)")


def test_a_repeated_line_says_when_the_last_was_and_has_the_time_of_its_telling() -> None:
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    for created in (1e9, 1e9 + 5.0):
        line = record("refused")
        line.levelno, line.created = logging.WARNING, created
        repeats.filter(line)
    now[0] = 63.0
    (told,) = repeats.due()
    last = strftime("%H:%M:%S", localtime(1e9 + 5.0))
    assert told.getMessage() == f"refused (once more in 63 s, last at {last})"
    assert told.created == pytest.approx(time(), abs=5.0)
    assert formatter.format(told).startswith(strftime("%Y-%m-%d %H:%M", localtime(told.created)))


def test_what_is_told_again_is_told_where_it_came_from(log: io.StringIO) -> None:
    config = load_config({"SOURCES": f"{LIST_URL}|1"}, env_file=None)
    process_log = set_up_logging(config)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    for _ in range(3):
        logging.getLogger("kptv.test").warning("refused at %s", LIST_URL)
    process_log.repeats._now = lambda: 1e9
    process_log.tell_repeats()
    first, second = log.getvalue().splitlines()
    assert first.endswith("WARNING kptv.test: refused at …")
    assert "WARNING kptv.test: refused at … (2 times more in" in second
    assert first[:23] <= second[:23]
    assert process_log.recent.lines[0].text == "refused at …"


def test_the_page_gets_no_secret_even_where_the_log_shows_them(log: io.StringIO) -> None:
    settings = {"SOURCES": f"{LIST_URL}|1", "OBFUSCATE_URLS": "false"}
    process_log = set_up_logging(load_config(settings, env_file=None))
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    logging.getLogger("kptv.test").warning("at %s", LIST_URL)
    assert LIST_URL in log.getvalue()
    assert process_log.recent.lines[-1].text == "at …"


def test_what_is_remembered_of_long_texts_is_nothing() -> None:
    redactor = Redactor(SOURCES, BASE_URL)
    for number in range(2100):
        redactor.redact_again(f"{number}" + "x" * 600)
        redactor.redact_again(f"{number} canary-user")
    assert redactor._remembered.cache_info().currsize == 2048
    assert redactor.redact_again("short canary-user") == "short …"
    assert redactor.redact_again("long" * 200 + " canary-user") == "long" * 200 + " …"


def test_a_text_without_an_end_is_shown_as_far_as_anybody_reads() -> None:
    text = Redactor(SOURCES, BASE_URL).redact("x" * 1_000_000 + " canary-user")
    assert text == "x" * 65_536 + "…"


def test_a_secret_of_any_length_is_hidden_whole() -> None:
    secret = "s3cret" * 500
    redactor = Redactor([Source(1, f"http://a.example/get?password={secret}", 1)], BASE_URL)
    assert redactor.redact(f"before {secret} after") == "before … after"
    assert redactor.redact(f"before/{secret}/7.ts 'after'") == "before/… 'after'"


# --- users' secrets ---

MADE, TYPED = "abcdefghjkmnpqrstuvw", "annas-own-word"


@pytest.fixture
def of_users() -> Redactor:
    redactor = Redactor(SOURCES, BASE_URL)
    redactor.know_users(lambda word: word == MADE)
    redactor.learn_of_user(TYPED)
    return redactor


@pytest.mark.parametrize("secret", [MADE, TYPED])
@pytest.mark.parametrize(
    "text",
    [
        "at {}!",
        "/u/{}/playlist.m3u8",
        "/u/anna:{}/stream/x",
        "/anna/{}/12.ts",
        "/live/anna/{}/12.m3u8",
        "GET /anna/{}/12.ts HTTP/1.1",
        "/player_api.php?username=anna&password={}",
        "password%3D{}%26x",
        "%2Fu%2F{}%2Fx",
        "user={{'password': '{}'}}",
        "anna:{}@",
    ],
)
def test_a_users_secret_is_hidden_wherever_it_stands_also_if_urls_are_shown(
    of_users: Redactor, text: str, secret: str
) -> None:
    encoded = "".join(f"%{ord(sign):02X}" for sign in secret)
    for written in (
        secret,
        encoded,
        encoded.replace("%", "%25"),
        f"%{ord(secret[0]):x}{secret[1:]}",
    ):
        for hide in (of_users.redact, of_users.redact_again, of_users.redact_users):
            told = hide(text.format(written))
            assert "…" in told
            assert written not in told


def test_what_stands_where_secrets_stand_is_hidden_though_nobody_has_it(of_users: Redactor) -> None:
    for hide in (of_users.redact, of_users.redact_users):
        assert hide("at /u/slip/x") == "at /u/…/x"
        assert hide(f"at {BASE_URL}/u/slip/x") == f"at {BASE_URL}/u/…/x"
        assert hide("GET /anna/slip/12.ts") == "GET /…"


def test_words_that_are_no_secrets_stay(of_users: Redactor) -> None:
    text = f"Data: /home/u2/data, {MADE}x, {TYPED}s, abcdefghjkmnpqrstuvx, GET /stream/news"
    assert of_users.redact_users(text) == text


def test_a_text_that_was_remembered_is_looked_at_anew_once_a_secret_is_learned() -> None:
    redactor = Redactor(SOURCES, BASE_URL)
    assert redactor.redact_again("at a-new-word") == "at a-new-word"
    before = redactor.learned
    redactor.learn_of_user("a-new-word")
    assert redactor.learned > before
    assert redactor.redact_again("at a-new-word") == "at …"


def test_as_many_typed_secrets_are_known_as_are_in_use() -> None:
    redactor = Redactor(SOURCES, BASE_URL)
    for number in range(1500):
        redactor.learn_of_user(f"word-{number:04}")
        redactor.learn_of_user("word-0000")
    assert redactor.redact("word-0000 word-0001 word-1499") == "… word-0001 …"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("obfuscate", ["true", "false"])
def test_no_line_shows_a_users_secret_whatever_is_set(
    log: io.StringIO, log_format: str, obfuscate: str
) -> None:
    set_up(log, OBFUSCATE_URLS=obfuscate, LOG_FORMAT=log_format).warning("GET /u/%s/x", MADE)
    assert MADE not in log.getvalue()
