"""Where the proxy listens, and what is said if it cannot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from kptv.config import ALL_ADDRESSES
from kptv.errors import ConfigError
from kptv.web.listening import from_here, listen
from kptv.web.sockets import plain, public_address
from tests.functional.harness import ReservedPort


@pytest.fixture
def port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.release()


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        (ALL_ADDRESSES, {"127.0.0.1", "127.0.0.2", "::1"}),
        ("0.0.0.0", {"127.0.0.1", "127.0.0.2"}),
        ("127.0.0.1", {"127.0.0.1"}),
        ("::1", {"::1"}),
    ],
)
def test_it_is_reached_where_it_listens_and_nowhere_else(
    host: str, reached: set[str], port: int
) -> None:
    with closing(listen(host, port)):
        assert {a for a in ("127.0.0.1", "127.0.0.2", "::1") if reaches(a, port)} == reached
        assert reaches(from_here(host), port)


def test_without_ipv6_all_addresses_are_those_of_ipv4(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "has_ipv6", False)
    with closing(listen(ALL_ADDRESSES, port)) as listening:
        assert listening.family == socket.AF_INET
        assert reaches("127.0.0.1", port)


@pytest.mark.parametrize("host", [ALL_ADDRESSES, "0.0.0.0", "127.0.0.1"])
@pytest.mark.parametrize("taken_on", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken_is_named_with_what_to_do(host: str, taken_on: str) -> None:
    with socket.create_server((taken_on, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            listen(host, port)
    message = str(caught.value)
    assert f"Cannot listen on port {port}" in message
    assert "in use by another program" in message
    assert message.endswith("set another PORT.")


@pytest.mark.parametrize("host", ["192.0.2.99", "2001:db8::99", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_named(host: str, port: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"port {port} of {host}: .* HOST must be one of its own"
    ):
        listen(host, port)


def test_a_client_of_ipv4_has_its_own_address_on_a_socket_for_both(port: int) -> None:
    with (
        closing(listen(ALL_ADDRESSES, port)) as listening,
        socket.create_connection(("127.0.0.1", port), timeout=5) as client,
    ):
        connection, peer = listening.accept()
        connection.close()
        assert peer[0] == "::ffff:127.0.0.1"
        assert plain(peer) == client.getsockname()


@pytest.mark.parametrize("peer", [("::1", 80, 0, 0), ("192.0.2.1", 80), "", b""])
def test_any_other_address_stays_as_it_is(peer: object) -> None:
    assert plain(peer) == peer


@pytest.mark.parametrize(
    ("host", "public"),
    [("127.0.0.1", ""), ("::1", ""), ("192.168.1.10", ""), ("9.9.9.9", "9.9.9.9")],
)
def test_the_world_reaches_only_where_it_listens(host: str, public: str) -> None:
    assert public_address(host) == public
