"""What rights allow of a catalog."""

from __future__ import annotations

import pytest

from kptv.channels.profiles import make_profile, profiles_of
from kptv.channels.users.allowed import Allowed, is_in, make_allowed, tag_of, was_in
from kptv.channels.users.model import ALL_RIGHTS, Rights
from kptv.pace import drive
from tests.web.test_playlist import catalog_of

LIST = """#EXTM3U
#EXTINF:-1 group-title="News",Alpha
http://a/1
#EXTINF:-1 group-title="Kids;UK | Junior",Beta
http://a/2
#EXTINF:-1 group-title="Kids",Delta
http://a/3
#EXTINF:-1,Gamma
http://a/4
#EXTINF:-1 group-title="Late",Delta
http://a/5
"""
RULES = """
[profile.odd]
group = ["Kids", "News"]
sort = "tvg-name"
direction = "desc"
numbers = { Kids = 20 }
"""
CATALOG = catalog_of(LIST, RULES)


def allowed(rights: Rights) -> Allowed:
    profile = None
    if rights.profile:
        profile = drive(make_profile(CATALOG, profiles_of(CATALOG)[0]))
    return drive(make_allowed(CATALOG, rights.groups, profile))


@pytest.mark.parametrize(
    ("groups", "profile", "names", "listed"),
    [
        (None, "", "Alpha Beta Delta Gamma", "kids late news uk-junior"),
        (["kids"], "", "Beta Delta", "kids"),
        (["late"], "", "Delta", "late"),  # a second entry of it names this group
        (["news", "kids"], "", "Alpha Beta Delta", "kids news"),
        (["none"], "", "", ""),
        ([], "", "", ""),
        (None, "odd", "Delta Beta Alpha", "kids late news uk-junior"),
        (["kids"], "odd", "Delta Beta", "kids"),
        (["late", "none"], "odd", "Delta", "late"),
    ],
)
def test_rights_allow_channels_in_the_order_of_their_list(
    groups: list[str] | None, profile: str, names: str, listed: str
) -> None:
    found = allowed(Rights(None if groups is None else frozenset(groups), profile))
    assert [CATALOG.channel(position).name for position in found.positions] == names.split()
    assert [found.has(place) for place in range(len(CATALOG))] == [
        channel.name in names for channel in CATALOG.channels
    ]
    assert sorted(slug.partition("~")[0] for slug in found.by_group) == [*listed.split()]
    for channel in CATALOG.channels:
        is_there = channel.name in names.split()
        assert (found.find(channel.slug) is not None) is is_there
        assert (found.find(channel.name.upper()) is not None) is is_there
        if groups is not None and not profile:
            position = CATALOG.position(channel.slug)
            assert position is not None
            assert is_in(CATALOG.row(position), groups) is is_there
    assert found.find("none") is None


def test_groups_are_narrowed_and_those_outside_are_unknown() -> None:
    found = allowed(Rights(frozenset(["kids"]), "odd"))
    assert found.group_slug("KIDS") == "kids"
    assert found.group_slug("News") is None
    assert [CATALOG.channel(place).name for place in found.by_group["kids"]] == ["Delta", "Beta"]


def test_the_numbers_are_those_of_the_list() -> None:
    for groups in None, frozenset(["kids"]):
        main, own = allowed(Rights(groups)), allowed(Rights(groups, "odd"))
        assert main.numbers is CATALOG.numbers
        assert own.numbers is not None
        assert {20, 21} <= {own.numbers[place] for place in own.positions}


def test_a_lost_channel_was_in_its_groups() -> None:
    channel = CATALOG.find("beta")
    assert channel is not None
    assert was_in(channel, ["kids"])
    assert not was_in(channel, ["news"])


def test_tags_of_rights_differ_and_tell_nothing() -> None:
    some = [
        ALL_RIGHTS,
        Rights(frozenset()),
        Rights(frozenset(["a", "b"])),
        Rights(frozenset(["a"])),
        Rights(None, "a"),
        Rights(frozenset(["a"]), "a"),
    ]
    assert len({tag_of(rights) for rights in some}) == len(some)
    assert tag_of(Rights(frozenset(["adults"]))).isalnum()
    assert "adult" not in tag_of(Rights(frozenset(["adults"]), "adults"))
