"""The script's part on users' streams alone (see test_script)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.instances.test_script import LEASE, LONG, Answer, Instance, Server, server, until

__all__ = ["server"]  # a fixture

pytestmark = pytest.mark.requires("redis-server")

USER = "7"


class Judge(Instance):
    """An instance that knows the version that it was told last."""

    version = ""

    def claim(self, *adds: str, ends: tuple[str, ...] = (), **more: Any) -> Answer:
        told = [(token, f"seat {token}", "client") for token in adds]
        given = {"version": self.version, "adds": told, "ends": ends, **more}
        return self.heard(self("claim", user=USER, **given))

    def unclaim(self, *tokens: str) -> Answer:
        return self.heard(self("unclaim", user=USER, tokens=tokens))

    def heard(self, answer: Answer) -> Answer:
        self.version = answer["version"]
        return answer

    def has_to_end(self) -> list[list[str]]:
        return self.renew()["streams"] or []


@pytest.fixture
def pair(server: Server) -> tuple[Judge, Judge]:
    a, b = Judge(server, "a"), Judge(server, "b")
    a.join()
    b.join()
    return a, b


def tokens(answer: Answer) -> list[str]:
    return [token for token, _, _ in answer["claims"] or ()]


def test_what_is_judged_of_the_version_that_there_is_is_carried_out(
    pair: tuple[Judge, Judge],
) -> None:
    a, b = pair
    assert a.claim("x")["is"] == "claimed"
    late = b.claim("y")
    assert (late["is"], tokens(late)) == ("changed", ["x"])
    assert late["claims"] == [["x", "seat x", "client"]]
    again = b.claim("y")
    assert (again["is"], tokens(again)) == ("claimed", ["x", "y"])  # in the order of coming


def test_the_same_call_twice_is_carried_out_once(pair: tuple[Judge, Judge]) -> None:
    a, b = pair
    a.claim("x")
    b.claim()
    before = b.version
    b.claim("y", ends=("x",))
    b.version = before
    twice = b.claim("y", ends=("x",))
    assert (twice["is"], tokens(twice)) == ("changed", ["y"])
    assert b.unclaim("y")["version"] == b.unclaim("y")["version"] == ""


def test_no_grace_is_needed(pair: tuple[Judge, Judge]) -> None:
    a, _ = pair
    answer = a.claim("x")
    assert answer["grace"] > 0
    assert tokens(answer) == ["x"]


def test_a_version_is_no_other_servers(pair: tuple[Judge, Judge], server: Server) -> None:
    a, b = pair
    a.claim("x")
    server.restart()
    a.join()
    b.join()
    b.claim("y")
    late = a.claim("z")
    assert (late["is"], tokens(late)) == ("changed", ["y"])


def test_claims_count_as_long_as_their_owner_lives(server: Server) -> None:
    a, b = Judge(server, "a", lease=LEASE), Judge(server, "b", lease=LONG)
    a.join()
    b.join()
    a.claim("x")
    assert tokens(b.claim()) == ["x"]
    until(lambda: not tokens(b.claim()))
    assert server.client.keys("{t}:streams:*") == []


def test_users_who_never_come_back_leave_nothing(server: Server, pair: tuple[Judge, Judge]) -> None:
    a, b = pair
    a.claim("x", calm=LONG)
    a.unclaim("x")
    (of_user,) = server.client.keys("{t}:streams:*")  # type: ignore[misc]
    assert 0 < server.client.pttl(of_user) <= LONG  # type: ignore[operator]
    a.claim("y", calm=0)
    assert server.client.pttl(of_user) == -1
    a("leave")
    b.join()
    assert server.client.keys("{t}:streams:*") == []


def test_one_that_is_back_has_no_claims_of_its_former_life(
    server: Server, pair: tuple[Judge, Judge]
) -> None:
    a, b = pair
    a.claim("x")
    Judge(server, "a", life=2).join()
    assert tokens(b.claim()) == []


def test_whose_claim_is_ended_is_told_at_once_and_until_it_says_so(
    server: Server, pair: tuple[Judge, Judge]
) -> None:
    a, b = pair
    told = server.messages("a")
    a.claim("x", "y")
    b.claim()
    assert tokens(b.claim("z", ends=("x",))) == ["y", "z"]
    assert [message for message in told() if "streams" in message] == [{"streams": [["x", USER]]}]
    assert a.has_to_end() == a.has_to_end() == [["x", USER]]
    assert b.has_to_end() == []
    a.unclaim("x")
    assert a.has_to_end() == []


def test_what_one_ends_of_its_own_is_told_by_the_answer_alone(pair: tuple[Judge, Judge]) -> None:
    a, _ = pair
    a.claim("x")
    assert tokens(a.claim("y", ends=("x",))) == ["y"]
    assert a.has_to_end() == []


def test_what_is_remembered_is_told_by_the_servers_clock(pair: tuple[Judge, Judge]) -> None:
    a, b = pair
    a.claim("x", over=[3000, "client"], calm=5000)
    seen = b.claim()
    assert 2000 < seen["over"][0] <= 3000
    assert seen["over"][1] == "client"
    assert 4000 < seen["calm"] <= 5000
    kept = b.claim("y")
    assert kept["over"][0] <= seen["over"][0]  # it does not grow with each telling
    assert "over" not in b.claim(over=False)


def test_without_claims_only_what_is_to_be_remembered_is_kept(
    server: Server, pair: tuple[Judge, Judge]
) -> None:
    a, _ = pair
    a.claim("x", over=[3000, None], calm=LEASE)
    left = a.unclaim("x")
    assert "over" not in left
    assert left["version"] != ""
    assert server.client.keys("{t}:streams:*")
    until(lambda: a("unclaim", user=USER, tokens=["x"]).get("calm", 0) <= 0)  # or it is forgotten
    a.claim("y")
    a.unclaim("y")
    assert server.client.keys("{t}:streams:*") == []
