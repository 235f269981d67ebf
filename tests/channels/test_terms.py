"""What a rules file says of each source: which headers go where, and what nobody may see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kptv.channels.model import Source
from kptv.channels.rules.reading import RulesError, read_rules
from kptv.channels.terms import USUAL, CurrentTerms, secrets_of, warnings_of
from kptv.logs.redaction import Redactor

ONE = Source(1, "http://panel.example:8080/get.php", 1, name="premium")
TWO = Source(2, "file:///srv/list.m3u", 1, host="edge.example:8000")
HEADERS = '[source.%s]\nheaders = { X-Token = "s3cret-one", Referer = "http://page.example/" }\n'


def terms(text: str) -> CurrentTerms:
    return CurrentTerms((ONE, TWO), read_rules(text.encode()))


@pytest.mark.parametrize("name", ["1", "premium", "Premium"])
def test_a_source_is_meant_by_its_number_or_name(name: str) -> None:
    told = terms(f'[source.{name}]\ntimeout = 30\nuser_agent = "Box"\n')
    assert told.timeout_of(ONE) == 30
    assert told.of(ONE).headers == {"User-Agent": "Box"}
    assert told.of(TWO) == USUAL


def test_what_is_said_of_a_source_by_its_number_and_by_its_name_holds_all() -> None:
    told = terms(
        '[source.premium]\nproxy = "socks5://way:1"\nheaders = { A = "b", C = "d" }\ntimeout = 9\n'
        '[source.1]\ntls_verify = false\nheaders = { A = "e", F = "g" }\ntimeout = 5\n'
    ).of(ONE)
    assert told.proxy is not None
    assert (told.timeout, told.tls_verify) == (9, False)
    assert told.headers == {"A": "b", "C": "d", "F": "g"}


def test_user_agent_wins_over_the_same_header() -> None:
    told = terms('[source.1]\nuser_agent = "Box"\nheaders = { user-agent = "Other", A = "b" }\n')
    assert told.of(ONE).headers == {"A": "b", "User-Agent": "Box"}


@pytest.mark.parametrize(
    ("source", "url", "is_told"),
    [
        (ONE, "https://panel.example/live/1.ts", True),
        (ONE, "http://edge.example/live/1.ts", False),
        (replace(ONE, host="edge.example"), "http://edge.example/live/1.ts", True),
        (ONE, "http://panel.example.evil.example/", False),
        (TWO, "http://edge.example:8000/1.ts", True),
        (TWO, "http://elsewhere.example/1.ts", False),
        (TWO, "rubbish", False),
    ],
)
def test_secret_headers_go_to_the_sources_own_hosts_alone(
    source: Source, url: str, is_told: bool
) -> None:
    told = terms(HEADERS % source.number).of(source)
    assert ("X-Token" in told.headers_for(source, url)) is is_told
    assert told.has_secrets_for(source, url) is is_told
    assert told.headers_for(source, url)["Referer"] == "http://page.example/"
    own = "http://panel.example/" if source.number == 1 else "http://edge.example/"
    assert ("X-Token" in told.headers_for(source, own, url)) is is_told


def test_what_does_not_change_stays_the_same_value_and_certificates_are_told_once() -> None:
    told = terms(HEADERS % 1)
    before = told.of(ONE)
    rules = read_rules((HEADERS % 1 + "[source.2]\ntls_verify = false\n").encode())
    (warning,) = told.replace(rules)
    assert warning.startswith("source-2: its TLS certificates are not checked")
    assert told.of(ONE) is before
    assert not told.of(TWO).tls_verify
    assert told.replace(rules) == []
    assert warnings_of(rules, (ONE, TWO)) == [warning]
    assert told.replace(None) == []
    assert told.of(TWO) == USUAL


SECRET = """
[source.1]
user_agent = "Box/${BOX}"
headers.Authorization = "Bearer ey0.abc-1"
headers.Cookie = "id=1; session=blue77fish"
headers.Accept = "text"
proxy = "http://ann:w0rd%2Fway@vpn.example:8080"
"""


def test_secrets_are_hidden_and_what_is_ordinary_is_not() -> None:
    rules = read_rules(SECRET.encode(), {"BOX": "s3cret-box"})
    redactor = Redactor((ONE, TWO), "http://tv.example")
    redactor.keep(secrets_of(rules))
    said = redactor.redact("Box/s3cret-box Bearer x ey0.abc-1 text; session: blue77fish")
    assert said == "Box/… Bearer x … text; session: …"
    redactor.keep(secrets_of(None))
    assert "blue77fish" not in redactor.redact("blue77fish"), "a running stream has it still"
    assert redactor.redact("w0rd/way w0rd%2Fway ann:w0rd/way") == "… … …"
    for secret in ("s3cret-box", "ey0", "blue77fish", "w0rd"):
        assert secret not in repr(rules) + repr(CurrentTerms((ONE,), rules))


def test_a_secret_in_the_file_is_one_unless_the_environment_gives_it() -> None:
    assert read_rules((HEADERS % 1).encode()).has_secrets
    text = b'[source.1]\nheaders = { X-Token = "${T}", Accept = "text" }\nuser_agent = "Box"\n'
    assert not read_rules(text, {"T": "s3cret-one"}).has_secrets
    for proxy, is_secret in (("ann:a@h", True), ("ann:${T}@h", False), ("h", False)):
        text = f"[source.1]\nproxy = 'http://{proxy}:80'\n".encode()
        assert read_rules(text, {"T": "s3cret-one"}).has_secrets is is_secret


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("headers = { Connection = 'close' }", "headers.Connection: the proxy says that itself"),
        ("headers = { range = 'bytes=0-' }", "headers.range: the proxy says that itself"),
        ("user_agent = '${LINES}'", "user_agent: the environment gives no text of one line"),
        ("user_agent = '${NOTHING}'", "user_agent: the environment gives no text of one line"),
    ],
)
def test_what_cannot_be_sent_is_refused(value: str, told: str) -> None:
    with pytest.raises(RulesError, match=told) as refused:
        read_rules(f"[source.1]\n{value}\n".encode(), {"LINES": "a\nb: s3cret", "NOTHING": ""})
    assert "s3cret" not in str(refused.value)
