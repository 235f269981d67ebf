"""Where a list may lead: a private address only for a private list, a cloud's keys never."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from kptv.channels.reach import Private, is_private, parse_address, refusal

PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "0.1.2.3",
    "100.64.0.1",
    "100.127.255.254",
    "169.254.1.1",
    "255.255.255.255",
    "::1",
    "::",
    "fc00::1",
    "fdab::1",
    "fe80::1",
    "::ffff:192.168.1.1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:c0a8:0101::1",
]
PUBLIC = [
    "8.8.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "100.128.0.1",
    "239.1.1.1",  # multicast: television at home
    "232.0.0.1",
    "ff3e::1",
    "2606:4700::1",
    "64:ff9b::8.8.8.8",
    "2002:0808:0808::1",
    "203.0.113.7",
]
METADATA = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"]


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_is_for_private_lists_only(text: str) -> None:
    address = ip_address(text)
    assert is_private(address)
    assert refusal(address, Private.AUTO, list_is_private=True) == ""
    assert "ALLOW_PRIVATE_UPSTREAMS" in refusal(address, Private.AUTO, list_is_private=False)
    assert refusal(address, Private.ALWAYS, list_is_private=False) == ""
    assert "ALLOW_PRIVATE_UPSTREAMS" in refusal(address, Private.NEVER, list_is_private=True)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_for_all(text: str) -> None:
    for policy in Private:
        assert refusal(ip_address(text), policy, list_is_private=False) == ""


@pytest.mark.parametrize("text", METADATA)
def test_a_clouds_keys_are_for_nobody(text: str) -> None:
    for policy in Private:
        assert "metadata" in refusal(ip_address(text), policy, list_is_private=True)


@pytest.mark.parametrize(
    ("text", "is_address"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("fe80::1%eth0", True),
        ("localhost", False),
        ("127.1", False),  # a name for us; the system looks it up, and what it says is checked
        ("0x7f000001", False),
        ("", False),
    ],
)
def test_an_address_in_figures_is_told_from_a_name(text: str, is_address: bool) -> None:
    assert (parse_address(text) is not None) is is_address
