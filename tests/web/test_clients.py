"""Applications by a short name, addresses as far as they can be trusted."""

from __future__ import annotations

import pytest
from flask import Flask, request

from kptv.web.clients import app_of, client_of


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


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("192.168.1.2", "10.0.0.1, 203.0.113.5", "203.0.113.5"),
        ("9.9.9.9", "203.0.113.5", "9.9.9.9"),
        ("127.0.0.1", "not an address", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_a_near_proxy_is_believed_and_no_other(peer: str, forwarded: str, address: str) -> None:
    with Flask("test").test_request_context(
        headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}
    ):
        assert client_of(request).address == address
