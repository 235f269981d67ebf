"""The script alone: several instances as calls, a real server, and leases of some milliseconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from time import monotonic, sleep
from typing import Any

import pytest
import redis

from kptv.instances.link import SCRIPT
from tests.instances.valkey import Valkey

pytestmark = pytest.mark.requires("redis-server")

LIMIT = 5.0  # seconds; what hangs, fails
LEASE = 50  # ms
LONG = 60_000  # ms, where nothing may end by time
Answer = dict[str, Any]
_runs = count()


class Server:
    """A server that begins anew, for all that the script knows, at each ``restart``."""

    script = SCRIPT
    clock: tuple[int, ...] = ()  # what the script is told of the time, if it asks nobody else

    def __init__(self, valkey: Valkey) -> None:
        self.client = redis.Redis.from_url(valkey.url)
        self.told = self.client.pubsub()
        self.restart()

    def restart(self) -> None:
        self.run = f"run {next(_runs)}"

    def passes(self, milliseconds: int) -> None:
        """From now on the script is told the time: so much more than before."""
        seconds, micros = self.clock or self.client.time()  # type: ignore[misc]
        micros += milliseconds * 1000
        self.clock = (seconds + micros // 1_000_000, micros % 1_000_000)
        self.script = SCRIPT.replace("redis.call('TIME')", "{ ARGV[7], ARGV[8] }")

    def messages(self, place: str) -> Callable[[], list[Answer]]:
        self.told.subscribe("{t}:to:" + place)
        assert self.told.get_message(timeout=LIMIT)

        def so_far() -> list[Answer]:
            found = []
            while message := self.told.get_message(timeout=0.05):
                found.append(json.loads(message["data"]))
            return found

        return so_far


class Instance:
    def __init__(
        self, server: Server, name: str, life: int = 1, lease: int = LONG, **limits: int
    ) -> None:
        self.server, self.owner, self.lease = server, f"{name}|{life}", lease
        self.limits = limits or {"one": 1, "two": 2}
        self.link = life  # the number of its connection

    def __call__(self, op: str, **given: object) -> Answer:
        server = self.server
        asked = (op, server.run, self.owner, self.lease, self.link, json.dumps(given))
        said = server.client.eval(server.script, 1, "{t}", *asked, *server.clock)  # type: ignore[arg-type]
        answer: Answer = json.loads(said)  # type: ignore[arg-type]
        return answer

    def join(self, *tokens: tuple[str, str]) -> Answer:
        limits = list(self.limits.items())
        return self("join", limits=limits, tokens=tokens)

    def reserve(self, token: str, *sources: str, wait: int = 0) -> str:
        answer = self("reserve", token=token, sources=sources or ("one",), wait=wait)
        return answer.get("source") or answer["is"]  # type: ignore[no-any-return]

    def renew(self) -> Answer:
        return self("renew", sources=list(self.limits))

    def dies(self) -> None:
        """It is not heard again: its lease ends in a moment, and not before this is said."""
        self.lease = LEASE
        assert self.renew()["is"] == "renewed"

    def granted(self) -> list[list[str]]:
        return self.renew()["granted"] or []

    def asked(self) -> list[str]:
        return self.renew()["asked"] or []

    def release(self, token: str, source: str = "one", settle: int = 0) -> None:
        self("release", token=token, source=source, settle=settle)

    def idle(self, token: str, source: str = "one", standby: bool = False) -> None:
        self("idle", token=token, source=source, standby=standby)

    def others(self, source: str) -> int:
        return {each[0]: each[1] for each in self.renew()["known"]}[source]  # type: ignore[no-any-return]

    def waiters(self, source: str) -> int:
        return {each[0]: each[2] for each in self.renew()["known"]}[source]  # type: ignore[no-any-return]


@pytest.fixture
def server(valkey: Valkey) -> Iterator[Server]:
    server = Server(valkey)
    yield server
    server.told.close()
    server.client.close()


@pytest.fixture
def begun(server: Server) -> Server:
    """One whose grace is over."""
    first = Instance(server, "first", lease=1)
    first.join()
    until(lambda: not first.join()["grace"])
    return server


def until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + LIMIT
    while not condition():
        assert monotonic() < deadline
        sleep(0.002)


def pair(server: Server, **limits: int) -> tuple[Instance, Instance]:
    a, b = Instance(server, "a", **limits), Instance(server, "b", **limits)
    a.join()
    b.join()
    return a, b


# --- Slots ---


def test_a_source_gives_as_many_slots_as_it_allows_to_all_together(begun: Server) -> None:
    a, b = pair(begun)
    assert [a.reserve("x", "two"), b.reserve("y", "two"), a.reserve("z", "two")] == [
        "two",
        "two",
        "full",
    ]
    assert (a.others("two"), b.others("two")) == (1, 1)


def test_the_first_source_with_room_is_given_in_the_order_of_preference(begun: Server) -> None:
    a, b = pair(begun)
    assert a.reserve("x", "one", "two") == "one"
    assert b.reserve("y", "one", "two") == "two"


def test_the_same_token_gets_the_same_answer(begun: Server) -> None:
    a, b = pair(begun)
    assert [a.reserve("x", "two") for _ in range(3)] == ["two"] * 3
    assert b.reserve("y", "two") == "two"
    assert [b.reserve("z", "two", wait=LONG) for _ in range(2)] == ["waits"] * 2
    a.release("x", "two")
    assert b.reserve("z", "two", wait=LONG) == "two"
    a.release("x", "two")
    assert a.reserve("n", "two") == "full", "it was given back once"


def test_only_its_holder_gives_a_slot_back(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.release("x")
    b("cancel", token="x", sources=["one"])
    assert b.reserve("y") == "full"


def test_a_slot_settles_after_its_holder_hung_up_also_after_its_death(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    a.release("x", settle=LEASE)
    a("leave")
    assert b.reserve("y") == "full"
    until(lambda: b.reserve("y") == "one")


def test_the_smallest_limit_holds_that_a_living_instance_knows(begun: Server) -> None:
    a, b = pair(begun, two=2)
    old = Instance(begun, "old", two=1)
    old.join()
    assert a.reserve("x", "two") == "two"
    assert b.reserve("y", "two") == "full"
    old.dies()
    until(lambda: b.reserve("y", "two") == "two")


# --- Instances ---


def test_what_an_instance_held_is_free_when_its_lease_ends(begun: Server) -> None:
    a, b = pair(begun)
    assert a.reserve("x") == "one"
    assert b.reserve("y") == "full"
    a.dies()
    until(lambda: b.reserve("y") == "one")
    assert a.renew()["is"] == "unknown"
    assert a.reserve("z") == "unknown"


def test_renewals_keep_it(begun: Server) -> None:
    begun.passes(0)
    a, b = Instance(begun, "a", lease=LEASE), Instance(begun, "b")
    a.join()
    b.join()
    a.reserve("x")
    for _ in range(5):
        begun.passes(LEASE - 1)
        assert a.renew()["is"] == "renewed"
        assert b.reserve("y") == "full"
    begun.passes(LEASE)
    assert b.reserve("y") == "one"
    assert a.renew()["is"] == "unknown"


def test_one_that_comes_back_at_its_place_frees_what_its_former_life_held(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    again = Instance(begun, "a", life=2)
    again.join()
    assert b.reserve("y") == "full", "its connections were closed a moment ago"
    until(lambda: b.reserve("y") == "one")
    assert a.renew()["is"] == "stale"


def test_of_a_waiter_whose_instance_has_died_nothing_is_left(begun: Server) -> None:
    a, b = pair(begun)
    holder = Instance(begun, "holder")
    holder.join()
    holder.reserve("x")
    assert a.reserve("y", wait=LONG) == "waits"
    assert b.reserve("z", wait=LONG) == "waits"
    a.dies()
    until(lambda: b.waiters("one") == 0)
    holder.release("x")
    assert b.granted() == [["z", "one"]]


def test_a_grant_to_one_that_dies_before_it_hears_goes_to_the_next(begun: Server) -> None:
    a, b = Instance(begun, "a", lease=LEASE), Instance(begun, "b")
    holder = Instance(begun, "holder")
    for each in (a, b, holder):
        each.join()
    holder.reserve("x")
    a.reserve("y", wait=LONG)
    b.reserve("z", wait=LONG)
    holder.release("x")
    until(lambda: b.granted() == [["z", "one"]])


def test_what_comes_late_by_an_earlier_connection_changes_nothing(begun: Server) -> None:
    a, b = pair(begun)
    late = Instance(begun, "a")
    a.link = 2
    assert a.reserve("x") == "one"
    late.release("x")
    assert late.reserve("y", "two") == "stale"
    assert late.join()["is"] == "stale"
    assert b.reserve("z") == "full"
    assert b.others("two") == 0


def test_a_late_word_of_a_former_life_does_not_bury_the_next(begun: Server) -> None:
    late, b = pair(begun)
    a = Instance(begun, "a", life=2)
    a.join()
    a.reserve("x")
    assert late.join()["is"] == "stale"
    assert a.renew()["is"] == "renewed"
    assert b.reserve("y") == "full"


# --- Waiting ---


def test_waiters_of_all_instances_are_served_in_the_order_of_coming(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("1", wait=LONG)
    a.reserve("2", wait=LONG)
    b.reserve("3", wait=LONG)
    a.release("x")
    assert (a.granted(), b.granted()) == ([], [["1", "one"]])
    assert a.reserve("new") == "full"
    b.release("1")
    assert a.granted() == [["2", "one"]]
    a.release("2")
    assert a.reserve("new") == "full", "no newcomer overtakes"
    assert b.granted() == [["3", "one"]]


def test_a_grant_is_told_at_once_and_again_until_it_was_taken(begun: Server) -> None:
    a, b = pair(begun)
    told = begun.messages("b")
    a.reserve("x")
    b.reserve("y", wait=LONG)
    a.release("x")
    assert told() == [{"granted": "y", "source": "one"}]
    assert b.granted() == b.granted() == [["y", "one"]]
    b("took", token="y")
    assert b.granted() == []
    assert a.reserve("z") == "full", "it is still held"


def test_who_waits_no_longer_gives_back_what_was_granted_meanwhile(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    a.release("x")
    b("cancel", token="y", sources=["one"])
    assert b.granted() == []
    assert a.reserve("z") == "one"


def test_who_waits_for_several_gets_the_first_that_is_free(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    a.reserve("y", "two")
    a.reserve("z", "two")
    b.reserve("w", "one", "two", wait=LONG)
    a.release("y", "two")
    assert b.granted() == [["w", "two"]]
    a.release("x")
    assert b.granted() == [["w", "two"]]


def test_a_wait_ends_by_itself(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LEASE)
    until(lambda: a.waiters("one") == 0)
    a.release("x")
    assert b.granted() == []


def test_no_newcomer_overtakes_where_time_alone_freed_a_slot(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    a.release("x", settle=LEASE)
    sleep(2 * LEASE / 1000)
    assert a.reserve("new") == "full"
    assert b.granted() == [["y", "one"]]


# --- What gives way ---


def test_a_slot_that_is_held_for_nobody_is_asked_to_give_way_to_another_instance(
    begun: Server,
) -> None:
    a, b = pair(begun)
    told = begun.messages("a")
    a.reserve("x")
    a.idle("x")
    assert b.reserve("y", wait=LONG) == "waits"
    assert told() == [{"asked": "x"}]
    assert a.asked() == ["x"]
    a.release("x", settle=LEASE)
    assert a.asked() == []
    until(lambda: b.granted() == [["y", "one"]])


def test_one_slot_is_asked_for_each_who_waits(begun: Server) -> None:
    a, b = pair(begun)
    for token in "x", "y":
        a.reserve(token, "two")
        a.idle(token, "two")
    b.reserve("z", "two", wait=LONG)
    assert a.asked() == ["x"], "the one that is idle longest"
    a.release("x", "two", settle=LONG)
    assert a.asked() == [], "it is on its way"
    b.reserve("w", "two", wait=LONG)
    assert a.asked() == ["y"]


def test_standbys_give_way_first(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x", "two")
    a.idle("x", "two")
    a.reserve("y", "two")
    a.idle("y", "two", standby=True)
    b.reserve("z", "two", wait=LONG)
    assert a.asked() == ["y"]


def test_another_is_asked_if_one_declines(begun: Server) -> None:
    a, b = pair(begun)
    for token in "x", "y":
        a.reserve(token, "two")
        a.idle(token, "two")
    b.reserve("z", "two", wait=LONG)
    assert a.asked() == ["x"]
    a("used", token="x")
    assert a.asked() == ["y"]


def test_a_slot_that_becomes_idle_while_somebody_waits_is_asked_at_once(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    assert a.asked() == []
    a.idle("x")
    assert a.asked() == ["x"]


def test_nothing_is_asked_to_give_way_to_who_has_gone(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    a.idle("x")
    b.reserve("y", wait=LONG)
    b("cancel", token="y", sources=["one"])
    assert a.asked() == []


# --- A server that began anew ---


def test_nobody_is_given_anything_before_those_who_held_slots_have_told(server: Server) -> None:
    a = Instance(server, "a", lease=LEASE)
    a.join()
    assert a.reserve("x") == "full"
    assert a.reserve("y", wait=LONG) == "waits"
    assert a.granted() == [], "nor by the queue"
    until(lambda: a.granted() == [["y", "one"]])


@pytest.mark.parametrize("op", ["join", "renew", "reserve", "waiting", "release", "cancel", "pump"])
def test_nothing_that_can_grant_does_in_grace(begun: Server, op: str) -> None:
    a, b = pair(begun)
    assert a.reserve("x") == "one"
    begun.restart()
    b.join()
    assert b.join(("other", "two"))["grace"] > LONG / 2
    b.reserve("y", wait=LONG)
    does: dict[str, Callable[[], object]] = {
        "join": b.join,
        "renew": b.renew,
        "reserve": lambda: b.reserve("n"),
        "waiting": lambda: b.reserve("m", wait=LONG),
        "release": lambda: b.release("other", "two"),
        "cancel": lambda: b("cancel", token="nothing", sources=["one", "two"]),
        "pump": lambda: b("pump"),
    }
    does[op]()
    assert b.granted() == []
    assert b.reserve("z") == "full"


def test_who_held_a_slot_before_keeps_it_and_nobody_else_gets_it_after(server: Server) -> None:
    server.passes(0)
    a, b = Instance(server, "a", lease=LEASE), Instance(server, "b", lease=LEASE)
    b.join()
    assert a.join(("x", "one"))["kept"] == ["x"]
    assert b.reserve("y", wait=LONG) == "waits"
    for grace in (1, 0):  # it lasts as long as a lease
        server.passes(LEASE - 1)
        assert a.renew()["is"] == "renewed"
        assert b.renew()["grace"] == grace
    a.renew()
    assert b.granted() == []
    a.release("x")
    assert b.granted() == [["y", "one"]]


def test_after_the_grace_nobody_says_what_it_held(begun: Server) -> None:
    a, b = pair(begun)
    assert b.reserve("y") == "one"
    assert not a.join(("x", "one"))["kept"]
    b.release("y")
    assert not a.join(("x", "one"))["kept"]


def test_what_an_old_server_knew_is_forgotten(begun: Server) -> None:
    a, _ = pair(begun)
    a.reserve("x")
    begun.restart()
    assert a.renew()["is"] == "unknown"
    assert a.join()["is"] == "joined"
    keys = begun.client.keys("{t}:slots:*")
    assert keys == []


def test_an_emptied_server_began_anew(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    begun.client.flushall()
    assert b.join()["grace"] > LONG / 2
    assert b.reserve("y") == "full"
    assert a.join(("x", "one"))["kept"] == ["x"]


# --- What stays ---


def test_of_instances_that_have_gone_nothing_is_left(begun: Server) -> None:
    for n in range(3):
        dies = Instance(begun, f"dies{n}", lease=LEASE, one=1, two=2, **{f"old{n}": 1})
        leaves = Instance(begun, f"leaves{n}", one=1, two=2, **{f"older{n}": 1})
        dies.join()
        leaves.join()
        dies.reserve("x", f"old{n}")
        dies.idle("x", f"old{n}", standby=True)
        leaves.reserve("y", "two")
        leaves.idle("y", "two")
        dies.reserve("z", "two", wait=LONG)
        leaves.reserve("w", "one", "two", wait=LONG)
        dies.reserve("v", "one", "two", wait=LONG)
        leaves("leave")
        assert leaves.renew()["is"] == "unknown"  # it comes late
        sleep(2 * LEASE / 1000)
    sleep(0.1)  # what the last one held settles
    last = Instance(begun, "last")
    last.limits = {}
    last.join()
    last.renew()
    last("leave")
    left = {key.decode().removeprefix("{t}:") for key in begun.client.keys("{t}:*")}  # type: ignore[union-attr]
    assert left <= {"run", "grace", "numbers", "clock"}
