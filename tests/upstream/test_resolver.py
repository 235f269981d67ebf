"""Lookups: a deadline for each, some at a time for each source, and the last good answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import gevent
import pytest
from gevent.monkey import get_original

from kptv.channels.model import Source
from kptv.upstream import resolver as resolver_module
from kptv.upstream.resolver import AT_A_TIME, Endpoint, Resolver, ask_system

ONE, TWO = Source(1, "http://one.example/", 1), Source(2, "http://two.example/", 1)
HOME = Endpoint(socket.AF_INET, ip_address("192.0.2.7"))


class Server:
    """A name server; its methods run in threads of the system."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.fails = False

    def ask(self, name: str) -> list[Endpoint]:
        self.asked.append(name)
        if name.startswith("hang"):
            self.go_on.wait(20)
        if self.fails or name.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [HOME, HOME]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(resolver_module, "LOOKUP_TIMEOUT", 0.3)
    monkeypatch.setattr(resolver_module, "KNOWN_PATIENCE", 0.1)
    server = Server()
    with gevent.Timeout(20):
        yield server
    server.go_on.set()


@pytest.fixture
def names(server: Server) -> Iterator[Resolver]:
    names = Resolver(server.ask)
    yield names
    server.go_on.set()
    names.close()


def test_a_name_has_its_addresses_each_once(names: Resolver) -> None:
    assert names.look_up(ONE, "tv.example", 5) == (HOME,)


@pytest.mark.parametrize("figures", ["192.0.2.9", "::1", "[2001:db8::1]", "fe80::1%lo"])
def test_an_address_in_figures_asks_nobody(names: Resolver, server: Server, figures: str) -> None:
    (place,) = names.look_up(ONE, figures, 5)
    assert place.host == figures.strip("[]")
    assert not server.asked


def test_names_that_hang_hold_up_no_other_source_and_no_address(
    names: Resolver, server: Server
) -> None:
    hanging = [gevent.spawn(names.look_up, ONE, f"hang{n}.example", 5) for n in range(12)]
    gevent.sleep(0.05)
    assert names.look_up(TWO, "tv.example", 5) == (HOME,)
    assert names.look_up(ONE, "192.0.2.9", 5)
    gevent.joinall(hanging)
    assert all(isinstance(one.exception, TimeoutError) for one in hanging)
    assert len(server.asked) == AT_A_TIME + 1


def test_a_name_is_asked_for_once_however_many_want_it(names: Resolver, server: Server) -> None:
    asking = [gevent.spawn(names.look_up, ONE, "hang.example", 5) for _ in range(20)]
    gevent.sleep(0.05)
    server.go_on.set()
    gevent.joinall(asking)
    assert [one.value for one in asking] == [(HOME,)] * 20
    assert server.asked == ["hang.example"]


def test_the_last_good_answer_is_taken_where_there_is_none(
    names: Resolver, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    names.look_up(ONE, "tv.example", 5)
    server.fails = True
    assert names.look_up(ONE, "tv.example", 5) == (HOME,)
    assert names.look_up(ONE, "tv.example", 5) == (HOME,)
    assert names.stale[1] == 2
    assert len(caplog.messages) == 1  # told once
    assert "example" not in caplog.text
    server.fails = False
    names.look_up(ONE, "tv.example", 5)
    server.fails = True
    names.look_up(ONE, "tv.example", 5)
    assert len(caplog.messages) == 2


def test_the_last_good_answer_is_taken_where_none_comes(names: Resolver, server: Server) -> None:
    server.go_on.set()
    names.look_up(ONE, "hang.example", 5)
    server.go_on.clear()
    assert names.look_up(ONE, "hang.example", 5) == (HOME,)


def test_a_name_that_is_not_there_is_said_so(names: Resolver) -> None:
    with pytest.raises(socket.gaierror):
        names.look_up(ONE, "none.example", 5)


@pytest.mark.parametrize("name", ["", "a" * 300, "a..b", "\udcff.example", "a b"])
def test_what_is_no_name_is_no_fault_of_ours(name: str) -> None:
    names = Resolver(ask_system)
    with pytest.raises(OSError):  # noqa: PT011  # any of a lookup
        names.look_up(ONE, name, 5)
    names.close()


def test_a_greenlet_killed_while_it_waits_leaves_the_lookup_to_the_others(
    names: Resolver, server: Server
) -> None:
    first = gevent.spawn(names.look_up, ONE, "hang.example", 5)
    second = gevent.spawn(names.look_up, ONE, "hang.example", 5)
    gevent.sleep(0.05)
    first.kill()
    server.go_on.set()
    second.join()
    assert second.value == (HOME,)


def test_the_system_is_asked_past_gevents_own_pool() -> None:
    assert resolver_module._getaddrinfo is get_original("socket", "getaddrinfo")
    assert {str(place.address) for place in ask_system("localhost")} <= {"127.0.0.1", "::1"}
