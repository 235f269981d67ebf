"""The account as applications read it, field by field."""

from __future__ import annotations

import pytest

from kptv.channels.users.model import User
from kptv.channels.xtream.account import Account, answer
from tests.channels.xtream.field_types import ACCOUNT, SERVER, USER, check

NOW = 1_790_000_000.7
ADDRESS = "http://192.168.1.10:8080"
ANYONE = Account("user", "pass")


@pytest.mark.parametrize(
    "account",
    [
        ANYONE,
        Account("anna", "s", User(id=1, name="anna")),
        Account("anna", "s", User(id=1, name="anna", created=5, expires=7, max_streams=2), 3),
    ],
    ids=["anyone", "user", "bounded"],
)
@pytest.mark.parametrize("address", [ADDRESS, "https://tv.example/iptv", "http://[::1]:80"])
def test_every_field_has_the_type_that_clients_insist_on(account: Account, address: str) -> None:
    told = answer(account, address, NOW)
    check(told, ACCOUNT)
    check(told["user_info"], USER)
    check(told["server_info"], SERVER)


def test_the_login_comes_back_as_it_was_given_and_nothing_ends() -> None:
    told = answer(ANYONE, ADDRESS, NOW)["user_info"]
    assert (told["username"], told["password"]) == ("user", "pass")
    assert (told["auth"], told["status"]) == (1, "Active")
    assert told["exp_date"] == "2145916800"
    assert told["max_connections"] == "0"
    assert told["allowed_output_formats"] == ["m3u8", "ts"]


def test_a_users_bounds_are_told() -> None:
    user = User(id=1, name="anna", created=1_700_000_000, expires=1_800_000_000, max_streams=2)
    told = answer(Account("anna", "s", user, open_streams=1), ADDRESS, NOW)["user_info"]
    assert told["exp_date"] == "1800000000"
    assert told["created_at"] == "1700000000"
    assert (told["max_connections"], told["active_cons"]) == ("2", "1")


@pytest.mark.parametrize(
    ("user", "status"),
    [
        (User(id=1, name="a"), "Active"),
        (User(id=1, name="a", expires=int(NOW) + 1), "Active"),
        (User(id=1, name="a", expires=int(NOW)), "Expired"),
        (User(id=1, name="a", enabled=False), "Disabled"),
    ],
    ids=["active", "until", "expired", "disabled"],
)
def test_the_status_says_how_the_user_stands(user: User, status: str) -> None:
    account = Account("a", "s", user)
    told = answer(account, ADDRESS, NOW)["user_info"]
    assert (told["status"], told["auth"]) == (status, 1)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (ADDRESS, ("192.168.1.10", "8080", "", "http")),
        ("https://tv.example/iptv", ("tv.example", "443", "443", "https")),
        ("http://tv.example", ("tv.example", "80", "", "http")),
        ("https://[2001:db8::1]:8443", ("[2001:db8::1]", "8443", "8443", "https")),
    ],
    ids=["port", "https", "http", "ipv6"],
)
def test_the_server_is_where_the_client_found_it(
    address: str, told: tuple[str, str, str, str]
) -> None:
    server = answer(ANYONE, address, NOW)["server_info"]
    assert told == tuple(server[k] for k in ("url", "port", "https_port", "server_protocol"))
    assert (server["timezone"], server["time_now"]) == ("UTC", "2026-09-21 14:13:20")
    assert server["timestamp_now"] == int(NOW)


def test_a_password_is_in_no_repr() -> None:
    assert "hidden-one" not in repr(Account("anna", "hidden-one"))
