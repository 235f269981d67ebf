"""Digest authentication, by the examples of its standards."""

from __future__ import annotations

import re
from time import process_time

import pytest

from kptv.formats.digest import Challenge, authorization, read_challenge

# RFC 7616, 3.9.1
OFFER = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
    ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = ("Mufasa", "Circle of Life")


def answer(header: str, login: tuple[str, str] = MUFASA, **more: object) -> dict[str, str]:
    challenge = read_challenge(header)
    assert challenge is not None
    request = ("GET", "/dir/index.html")
    text = authorization(challenge, login, request, 1, str(more.get("cnonce", CNONCE)))
    return {name: quoted or bare for name, quoted, bare in re.findall(WORD, text)}


WORD = r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))'


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_the_examples_of_the_standard_are_answered_as_it_says(
    algorithm: str, response: str
) -> None:
    told = answer(OFFER.replace("SHA-256", algorithm))
    assert told["response"] == response
    assert (told["nc"], told["qop"], told["algorithm"]) == ("00000001", "auth", algorithm)
    assert told["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    assert told["cnonce"] == CNONCE


def test_the_example_of_the_standard_before_it_is_answered_too() -> None:  # RFC 2617, 3.5
    header = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int",'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    told = answer(header, ("Mufasa", "Circle Of Life"), cnonce="0a4f113b")
    assert told["response"] == "6629fae49393a05397450978507c4ef1"
    assert "algorithm" not in told


def test_a_server_without_quality_of_protection_is_answered_as_of_old() -> None:
    told = answer('Digest realm="r", nonce="n"', ("u", "p"))
    assert told.keys() == {"username", "realm", "nonce", "uri", "response"}


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Basic realm="a, Digest b", Digest realm="r", nonce="n"', Challenge("r", "n")),
        ('Digest nonce="n", realm="r", Basic realm="b"', Challenge("r", "n")),
        ('digest REALM="r",NONCE=n,stale=TRUE', Challenge("r", "n", stale=True)),
        (r'Digest realm="a \"b\" c", nonce = "n"', Challenge('a "b" c', "n")),
        ('Digest realm="r", nonce="n", qop=auth', Challenge("r", "n", qop="auth")),
        ('Digest realm="r", nonce="n", qop="auth-int"', Challenge("r", "n", qop="auth-int")),
        (
            'Digest realm="r", nonce="1", algorithm=X-1, Digest realm="r", nonce="2"',
            Challenge("r", "2"),
        ),
        (
            'Digest realm="r", nonce="n", algorithm="MD5-sess", opaque=""',
            Challenge("r", "n", "", "MD5-sess"),
        ),
        ('Digest realm="r"', None),
        ('Digest realm="r", nonce="n", qop="other"', None),
        ('Digest realm="r", nonce="n", algorithm=X', None),
        ('Basic realm="r"', None),
        ("Negotiate abc==", None),
        ("", None),
    ],
    ids=str,
)
def test_the_first_challenge_that_can_be_answered_is_found_among_others(
    header: str, challenge: Challenge | None
) -> None:
    assert read_challenge(header) == challenge


def test_quotes_of_a_name_cannot_break_out_of_it() -> None:
    told = answer('Digest realm="r", nonce="n"', ('a"b\\', "p"))
    assert told["username"] == r"a\"b\\"


@pytest.mark.parametrize("piece", ["a", '"', "\\", "a=", 'a="', ", ", "a ", 'a="\\'])
def test_a_challenge_made_to_be_slow_is_read_at_once(piece: str) -> None:
    begun = process_time()
    read_challenge("Digest " + piece * (60_000 // len(piece)))
    assert process_time() - begun < 1.0
