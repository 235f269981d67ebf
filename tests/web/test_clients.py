"""Applications by a short name, addresses as far as they can be trusted."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from flask import Flask, request

from kptv.config import LOOPBACK
from kptv.web.clients import Clients, app_of


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("VLC/3.0.18 LibVLC/3.0.18", "VLC 3.0.18"),
        ("Kodi/21.0 (X11; Linux x86_64) App_Bitness/64 Version/21.0", "Kodi 21"),
        ("TiviMate/5.0.4 (Android 12)", "TiviMate 5.0.4"),
        ("Lavf/60.16.100", "FFmpeg 60"),
        ("Jellyfin-Server/10.9.1", "Jellyfin-Server 10.9.1"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36", "Samsung TV 6"),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/79.0", "LG TV"),
        ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/120.0 Safari/537.36", "Chrome 120"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/17.1 Safari/605.1.15", "Safari 17"),
        ("Mozilla/5.0 (X11; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox 121"),
        ("IPTV Smarters Pro", "IPTV Smarters Pro"),
        ("", ""),
        ("(compatible)", ""),
    ],
)
def test_an_application_has_a_short_name(agent: str, name: str) -> None:
    assert app_of(agent) == name


TRUSTED = (*LOOPBACK, ip_network("172.20.0.0/24"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.5", "203.0.113.5"),  # what stands before is a claim
        ("127.0.0.1", "203.0.113.5, 172.20.0.1", "203.0.113.5"),  # a proxy behind a proxy
        ("172.20.0.1", "10.0.0.1", "10.0.0.1"),
        ("172.20.0.1", "127.0.0.1, 172.20.0.9", "127.0.0.1"),  # nobody but proxies of ours
        ("::ffff:127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("127.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("127.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("", "203.0.113.5", "203.0.113.5"),  # a Unix socket
        ("192.168.1.2", "203.0.113.5", "192.168.1.2"),
        ("10.0.0.1", "203.0.113.5", "10.0.0.1"),
        ("9.9.9.9", "203.0.113.5", "9.9.9.9"),
        ("127.0.0.1", "not an address", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.5, not an address", "127.0.0.1"),
        ("127.0.0.1", "not an address, 172.20.0.3", "172.20.0.3"),
        ("127.0.0.1", "," * 8000, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_believed_and_no_other(peer: str, forwarded: str, address: str) -> None:
    with Flask("test").test_request_context(
        headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}
    ):
        assert Clients(TRUSTED).of(request).address == address


def test_a_proxy_that_is_not_trusted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    clients = Clients(LOOPBACK)
    for peer in ("172.18.0.1", "172.18.0.1", "10.0.0.9"):
        with Flask("test").test_request_context(
            headers={"X-Forwarded-For": "203.0.113.5"}, environ_base={"REMOTE_ADDR": peer}
        ):
            clients.of(request)
    assert clients.not_believed == "172.18.0.1"
    (told,) = caplog.messages
    assert "TRUSTED_PROXIES=172.18.0.1" in told


@pytest.mark.parametrize(
    ("peer", "forwarded", "told"),
    [
        ("8.8.8.8", "", "8.8.8.8"),
        ("2606:4700::1", "", "2606:4700::1"),
        ("192.168.1.7", "", ""),
        ("fd00::7", "", ""),
        ("100.64.0.9", "", ""),
        ("127.0.0.1", "8.8.8.8", ""),  # a proxy before may ask for a password
    ],
)
def test_a_client_from_the_world_shows_that_anyone_can_come_in(
    peer: str, forwarded: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    clients = Clients(LOOPBACK)
    for _ in range(2):
        with Flask("test").test_request_context(
            headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}
        ):
            clients.of(request)
    assert clients.exposed_at == told
    assert len(caplog.messages) == bool(told)


def test_where_a_login_is_needed_the_world_is_no_danger_but_those_on_the_way_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    needs_login = True
    clients = Clients(LOOPBACK, lambda: needs_login)
    with caplog.at_level("INFO"):
        clients.tell_exposed("8.8.8.8", "A client came from 8.8.8.8")
    assert clients.exposed_at == ""
    (told,) = caplog.messages
    assert "only users with a login can watch" in told
    assert "certificate" in told
    needs_login = False
    assert clients.exposed_at == "8.8.8.8", "the login was ended"


def test_without_a_login_one_is_told_how_to_have_one(caplog: pytest.LogCaptureFixture) -> None:
    Clients(LOOPBACK).tell_exposed("8.8.8.8", "A client came from 8.8.8.8")
    assert "python -m kptv.users add NAME" in caplog.text
