"""What callers may have of the current catalog, and of channels that it has lost."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel
from kptv.channels.users.model import ALL_RIGHTS, Rights
from kptv.web.players import allowed as module
from kptv.web.players import profiles
from kptv.web.players.lists import ServedLists
from tests.web.test_playlist import catalog_of, make_lists
from tests.web.test_profile_lists import LIST, RULES

KIDS, NEWS = Rights(frozenset(["kids"])), Rights(frozenset(["news"]))
KIDS_LIST, KIDS_NEWS = Rights(None, "kids"), Rights(frozenset(["news"]), "kids")
WITHOUT_TEN = LIST.replace(",Ten\n", ",Eleven\n")


@pytest.fixture
def lists() -> Iterator[ServedLists]:
    lists = make_lists()
    with gevent.Timeout(30):
        lists.replace(catalog_of(LIST, RULES))
        yield lists


def channel(catalog: Catalog | None, slug: str) -> Channel:
    found = None if catalog is None else catalog.find(slug)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rights", "slugs"),
    [
        (ALL_RIGHTS, ["ten", "news", "odd"]),
        (KIDS, ["ten"]),
        (NEWS, ["news"]),
        (KIDS_LIST, ["ten"]),
        (KIDS_NEWS, []),
        (Rights(None, "nowhere"), []),
        (Rights(frozenset()), []),
    ],
    ids=["all", "kids", "news", "profile", "profile and groups", "no such profile", "no group"],
)
def test_rights_decide_channel_by_channel_as_the_lists_do(
    lists: ServedLists, rights: Rights, slugs: list[str]
) -> None:
    for _ in "before it is kept", "after":
        for slug in "ten", "news", "odd":
            one = channel(lists.catalog, slug)
            assert lists.may_have(rights, one) is (slug in slugs)
            allowed = lists.allowed(rights)
            assert allowed is not None
            assert (allowed.find(slug) is not None) is (slug in slugs)
    assert lists.alive


def test_before_the_first_import_nothing_is_ready() -> None:
    assert make_lists().allowed(ALL_RIGHTS) is None
    assert make_lists().allowed(KIDS) is None


def test_what_is_made_is_kept_until_the_next_catalog(lists: ServedLists) -> None:
    first = lists.allowed(KIDS)
    assert lists.allowed(KIDS) is first
    assert first is not None
    newer = catalog_of(LIST.replace('group-title="News"', 'group-title="Kids"'), RULES)
    lists.replace(newer)
    second = lists.allowed(KIDS)
    assert second is not None
    assert second.catalog is newer
    assert len(second.positions) == len(first.positions) + 1
    assert lists.may_have(KIDS, channel(newer, "news"))
    assert not lists.may_have(NEWS, channel(newer, "news"))


def test_a_few_rights_are_kept(lists: ServedLists) -> None:
    first = lists.allowed(KIDS)
    for number in range(module.MOST_KEPT):
        lists.allowed(Rights(frozenset([str(number)])))
    assert lists.allowed(KIDS) is not first


def test_all_who_wait_share_one_making(lists: ServedLists) -> None:
    waiting = [gevent.spawn(lists.allowed, KIDS_NEWS) for _ in range(5)]
    gevent.joinall(waiting)
    assert waiting[0].value is not None
    assert all(greenlet.value is waiting[0].value for greenlet in waiting)


def test_who_waits_when_the_catalog_changes_gets_that_of_the_new_one() -> None:
    many = "".join(f'#EXTINF:-1 group-title="Kids",CH {n}\nhttp://a/{n}\n' for n in range(3000))
    newer = catalog_of(many.replace("CH", "TV"), RULES)
    lists = make_lists()
    with gevent.Timeout(30):
        lists.replace(catalog_of(many, RULES))
        waiting = [gevent.spawn(lists.allowed, rights) for rights in (KIDS_LIST, KIDS)]
        gevent.sleep(0)
        assert not any(greenlet.ready() for greenlet in waiting)
        lists.replace(newer)
        gevent.joinall(waiting)
    assert all(greenlet.value.catalog is newer for greenlet in waiting)


@pytest.mark.parametrize("rights", [KIDS, KIDS_LIST], ids=["groups", "profile"])
def test_of_a_lost_channel_holds_what_was_said_before(lists: ServedLists, rights: Rights) -> None:
    ten = channel(lists.catalog, "ten")
    assert lists.may_have(rights, ten)
    for _ in range(3):
        lists.replace(catalog_of(WITHOUT_TEN, RULES))
        assert lists.may_have(rights, ten)
        assert not lists.may_have(KIDS_NEWS, ten)


def test_of_a_lost_channel_nothing_was_said_of_its_groups_count(lists: ServedLists) -> None:
    ten = channel(lists.catalog, "ten")
    lists.replace(catalog_of(WITHOUT_TEN, RULES))
    assert lists.may_have(KIDS, ten)
    assert not lists.may_have(NEWS, ten)
    assert not lists.may_have(KIDS_LIST, ten)
    assert lists.may_have(ALL_RIGHTS, ten)


def test_while_a_profile_is_made_what_was_said_before_holds(
    lists: ServedLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten, news = channel(lists.catalog, "ten"), channel(lists.catalog, "news")
    assert lists.may_have(KIDS_LIST, ten)
    assert not lists.may_have(KIDS_LIST, news)
    go, make = Event(), profiles.make_profile

    def late(*given: object) -> Iterator[None]:
        go.wait()
        return (yield from make(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(profiles, "make_profile", late)
    lists.replace(catalog_of(LIST, RULES.replace("Kids", "News")))
    assert lists.may_have(KIDS_LIST, ten)
    assert not lists.may_have(KIDS_LIST, news)
    new_one = gevent.spawn(lists.may_have, KIDS_LIST, channel(lists.catalog, "odd"))
    gevent.sleep(0)
    assert not new_one.ready()
    go.set()
    new_one.join()
    assert new_one.value is False
    assert lists.may_have(KIDS_LIST, news)
    assert not lists.may_have(KIDS_LIST, ten)
