"""What is said to proxies: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT (RFC 9110, 9.3.6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kptv.formats.http_connect import HttpConnect
from kptv.formats.socks5 import Socks5
from kptv.formats.tunnel import Handshake, ProxyAddress, ProxyFailed, TargetRefused, read_proxy

LOGIN = ("ann", "s3cret")
NAME = b"\x05\x01\x00\x03\x0dpanel.example\x1f\x90"
BOUND = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def spoken(handshake: Handshake, answers: list[bytes], size: int) -> list[bytes]:
    """What is said, in turn with the answers; these come in pieces."""
    said = [handshake.start()]
    for answer in answers:
        said.append(b"".join([handshake.feed(piece) for piece in pieces(answer, size)]))
    return said


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_name_is_looked_up_by_the_proxy(size: int) -> None:
    socks = Socks5("panel.example", 8080)
    assert spoken(socks, [b"\x05\x00", BOUND], size) == [b"\x05\x01\x00", NAME, b""]
    assert socks.done


@pytest.mark.parametrize("size", [1, 100])
def test_user_and_password_are_told_if_the_proxy_wants_them(size: int) -> None:
    socks = Socks5("panel.example", 8080, LOGIN)
    said = spoken(socks, [b"\x05\x02", b"\x01\x00", BOUND], size)
    assert said == [b"\x05\x02\x00\x02", b"\x01\x03ann\x06s3cret", NAME, b""]
    assert socks.done
    wanted_by_none = Socks5("panel.example", 8080, LOGIN)
    assert spoken(wanted_by_none, [b"\x05\x00"], size)[1] == NAME


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("10.0.0.9", b"\x01\x0a\x00\x00\x09"),
        ("[2001:db8::1]", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
    ],
)
def test_an_address_is_sent_as_one(host: str, asked: bytes) -> None:
    said = spoken(Socks5(host, 80), [b"\x05\x00"], 9)[1]
    assert said == b"\x05\x01\x00" + asked + b"\x00\x50"


@pytest.mark.parametrize(
    "bound",
    [
        b"\x05\x00\x00\x01" + bytes(6),
        b"\x05\x00\x00\x04" + bytes(18),
        b"\x05\x00\x00\x03\x05a.bcd" + bytes(2),
        b"\x05\x00\x00\x03\x00" + bytes(2),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 100])
def test_the_answer_may_name_any_address(bound: bytes, size: int) -> None:
    socks = Socks5("panel.example", 8080)
    spoken(socks, [b"\x05\x00", bound[:-1]], size)
    assert not socks.done
    socks.feed(bound[-1:])
    assert socks.done


@pytest.mark.parametrize(
    ("answers", "login", "error", "told", "asked"),
    [
        ([b"HT"], None, ProxyFailed, "does not speak SOCKS5", False),
        ([b"\x05\xff"], None, ProxyFailed, "wants a login", False),
        ([b"\x05\xff"], LOGIN, ProxyFailed, "wants another login", False),
        ([b"\x05\x02"], None, ProxyFailed, "another kind", False),
        ([b"\x05\x01"], LOGIN, ProxyFailed, "another kind", False),
        ([b"\x05\x02", b"\x01\x01"], LOGIN, ProxyFailed, "refuses the login", False),
        ([b"\x05\x00\x00"], None, ProxyFailed, "more than it was asked", True),
        ([b"\x05\x00", BOUND + b"x"], None, ProxyFailed, "more than it was asked", True),
        ([b"\x05\x00", b"\x04\x00\x00\x01"], None, ProxyFailed, "does not speak", True),
        ([b"\x05\x00", b"\x05\x00\x00\x09"], None, ProxyFailed, "does not speak", True),
        ([b"\x05\x00", b"\x05\x01\x00\x01"], None, TargetRefused, "failed", True),
        ([b"\x05\x00", b"\x05\x02\x00\x01"], None, TargetRefused, "not allowed", True),
        ([b"\x05\x00", b"\x05\x05\x00\x03"], None, TargetRefused, "connection refused", True),
        ([b"\x05\x00", b"\x05\x7f\x00\x01"], None, TargetRefused, "failed", True),
    ],
)
def test_what_goes_wrong_is_the_proxys_fault_or_the_addresss(
    answers: list[bytes],
    login: tuple[str, str] | None,
    error: type[Exception],
    told: str,
    asked: bool,
) -> None:
    socks = Socks5("panel.example", 8080, login)
    with pytest.raises(error, match=told) as failed:
        spoken(socks, answers, 100)
    assert socks.asked is asked
    assert LOGIN[1] not in repr(failed.value) + repr(socks)


@pytest.mark.parametrize("host", ["", "a" * 256, "bücher.example"])
def test_a_host_that_cannot_be_asked_for_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Socks5(host, 80)


# --- HTTP ---


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 OK\nProxy-agent: x\n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Yes\r\nA: b\r\n\r\n",
    ],
)
def test_a_success_of_any_kind_opens_the_tunnel(size: int, answer: bytes) -> None:
    connect = HttpConnect("panel.example", 8080)
    spoken(connect, [answer[:-1]], size)
    assert not connect.done
    connect.feed(answer[-1:])
    assert connect.done


def test_the_request_names_host_and_port_and_logs_in() -> None:
    assert HttpConnect("panel.example", 8080).start() == (
        b"CONNECT panel.example:8080 HTTP/1.1\r\nHost: panel.example:8080\r\n\r\n"
    )
    told = HttpConnect("2001:db8::1", 443, LOGIN).start()
    assert told.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
    assert told.endswith(b"\r\nProxy-Authorization: Basic YW5uOnMzY3JldA==\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "login", "error", "told"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", None, ProxyFailed, "wants a login"),
        (b"HTTP/1.1 407 No\r\n\r\n", LOGIN, ProxyFailed, "refuses the login"),
        (b"HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\n<html>", None, TargetRefused, "HTTP 403"),
        (b"HTTP/1.1 503 No\r\n\r\n", None, TargetRefused, "HTTP 503"),
        (b"\x05\x00rubbish\r\n\r\n", None, ProxyFailed, "does not speak HTTP"),
        (b"\r\n\r\n", None, ProxyFailed, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nx", None, ProxyFailed, "more than it was asked"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, None, ProxyFailed, "no end"),
        (b"HTTP/1.1 100 Go on\r\n\r\n" * 5000, None, ProxyFailed, "no end"),
    ],
)
def test_any_other_answer_does_not(
    answer: bytes, login: tuple[str, str] | None, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        spoken(HttpConnect("panel.example", 8080, login), [answer], 1000)


@pytest.mark.parametrize("host", ["a\r\nb", "a b", "ü"])
def test_no_host_breaks_out_of_the_request(host: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        HttpConnect(host, 80)


# --- where the proxy is ---


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("socks5://10.0.0.1:1080", ProxyAddress("socks5", "10.0.0.1", 1080)),
        ("socks5h://ann:s3cret@vpn:1080/", ProxyAddress("socks5", "vpn", 1080, LOGIN)),
        ("http://a%40b:c%3Ad@[::1]:3128", ProxyAddress("http", "::1", 3128, ("a@b", "c:d"))),
        ("http://ann@vpn:8888", ProxyAddress("http", "vpn", 8888, ("ann", ""))),
        ("https://vpn:443", None),
        ("socks4://vpn:1080", None),
        ("socks5://vpn", None),
        ("socks5://vpn:0", None),
        ("socks5://vpn:70000", None),
        ("socks5://:1080", None),
        ("socks5://@vpn:1080", None),
        ("http://a%3Ab:c@vpn:80", None),
        ("http://vpn:80/path", None),
        ("http://vpn:80?x", None),
        ("http://[bad:80", None),
        ("socks5://" + "a" * 256 + ":b@vpn:1080", None),
        ("vpn:1080", None),
    ],
)
def test_a_proxy_is_read_or_refused(text: str, proxy: ProxyAddress | None) -> None:
    assert read_proxy(text) == proxy
    assert "s3cret" not in repr(proxy)
