"""Cookies of a provider that sets them without end."""

from __future__ import annotations

import time
from http.client import HTTPMessage
from types import SimpleNamespace

import requests
from requests.cookies import extract_cookies_to_jar, get_cookie_header

from kptv.formats.http import read_head
from kptv.upstream.cookies import LONGEST, MOST, Jar

REQUEST = requests.Request("GET", "http://a.example/live/1.ts").prepare()


def take(jar: Jar, *cookies: str) -> None:
    message = HTTPMessage()
    for cookie in cookies:
        message["Set-Cookie"] = cookie
    answer = SimpleNamespace(_original_response=SimpleNamespace(msg=message))
    extract_cookies_to_jar(jar, REQUEST, answer)  # type: ignore[no-untyped-call]


def sent(jar: Jar) -> str:
    request = requests.Request("GET", "http://a.example/live/2.ts").prepare()
    return get_cookie_header(jar, request) or ""  # type: ignore[no-untyped-call]


def test_the_first_ones_are_kept_and_may_change() -> None:
    jar = Jar()
    for answer in range(20):
        take(jar, *(f"c{answer}-{n}=x; path=/" for n in range(50)))
    assert len(jar) == MOST
    take(jar, "c0-0=new; path=/", "other=1; path=/")
    assert "c0-0=new" in sent(jar)
    assert "other" not in sent(jar)


def test_a_cookie_that_is_too_long_is_not_sent() -> None:
    jar = Jar()
    take(jar, f"long={'x' * LONGEST}; path=/", "short=1; path=/")
    assert sent(jar) == "short=1"


def test_of_one_answer_so_many_are_read() -> None:
    lines = [f"Set-Cookie: a{n}=b".encode() for n in range(4000)]
    begun = time.thread_time()
    head = read_head(b"HTTP/1.1 200 OK", [*lines, b"Content-Type: video/mp2t"])
    assert head is not None
    assert len(head.fields) == 101
    assert head.fields[-1] == ("Content-Type", "video/mp2t")
    assert time.thread_time() - begun < 1
