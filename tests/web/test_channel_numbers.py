"""The numbers by which applications know channels, while catalogs come and go."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
from gevent.event import Event

from kptv.channels.catalog import Catalog
from kptv.channels.given import Given, Numbered
from kptv.pace import drive, give_turn
from kptv.web.players.numbers import ChannelNumbers
from tests.web.test_playlist import catalog_of

LIMIT = 10.0
RULES = "[numbers]\nKids = 100\n"


class Kept:
    """Numbers in memory; keeping some takes a turn."""

    def __init__(self) -> None:
        self.is_keeping = False
        self.may_read = Event()
        self.may_read.set()
        self.kept: list[int] = []  # of how many channels, each time

    def given(self, name: str) -> Given:
        assert not self.is_keeping, "one who reads now would read half"
        self.may_read.wait(LIMIT)
        return Given()

    def keep(self, numbered: Numbered, name: str) -> None:
        self.is_keeping = True
        give_turn()
        self.kept.append(len(numbered.numbers))
        self.is_keeping = False


def listed(channels: int, rules: str | None = None) -> Catalog:
    names = "".join(f'#EXTINF:-1 group-title="Kids",C{n}\nhttp://a/{n}\n' for n in range(channels))
    return catalog_of(names, rules)


def numbers_of(numbers: ChannelNumbers, catalog: Catalog) -> Sequence[int] | None:
    with gevent.Timeout(LIMIT):
        return numbers.of(catalog)


def test_each_channel_has_a_number_and_rules_have_the_last_word() -> None:
    numbers = ChannelNumbers(Kept())
    for catalog in listed(3), listed(3, RULES):
        numbers.replace(catalog)
        found = numbers_of(numbers, catalog)
        assert found is not None
        assert len({*found}) == len(found) == 3
    assert found is not None
    assert {*found} == {100, 101, 102}


def test_numbers_are_read_only_when_those_of_before_are_kept() -> None:
    kept = Kept()
    numbers = ChannelNumbers(kept)
    for size in 2, 3:
        catalog = listed(size)
        numbers.replace(catalog)
        assert numbers_of(numbers, catalog) is not None
    with gevent.Timeout(LIMIT):
        while len(kept.kept) < 2:
            give_turn()
    assert kept.kept == [2, 3]


def test_a_catalog_that_was_replaced_is_not_numbered_and_nothing_of_it_is_kept() -> None:
    kept = Kept()
    numbers = ChannelNumbers(kept)
    older, newer = listed(3), listed(2)
    numbers.replace(older)
    kept.may_read.clear()  # so it is still being numbered, however fast this machine is
    waiting = gevent.spawn(numbers.of, older)
    give_turn()
    numbers.replace(newer)
    kept.may_read.set()
    drive(older.take_apart())
    with gevent.Timeout(LIMIT):
        assert waiting.get() is None
    assert numbers_of(numbers, older) is None
    assert len(numbers_of(numbers, newer) or ()) == 2
    with gevent.Timeout(LIMIT):
        while not kept.kept:
            give_turn()
    assert kept.kept == [2]
