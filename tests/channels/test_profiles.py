"""What profiles make of a catalog: their channels, the order of these, their groups."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest

from kptv.channels.catalog import BLOCK, Catalog, Listing
from kptv.channels.given import Given, learned
from kptv.channels.profiles import MadeProfile, make_profile, profiles_of
from kptv.channels.served import render
from kptv.formats.m3u import Entry
from tests.channels.rules.ruled import ruled
from tests.channels.test_catalog import catalog, listing, packed, run

LISTS = (
    listing(
        'group-title="Kids" tvg-chno="12",Cartoons\n'
        'group-title="Kids;UK" tvg-chno="3",Ten\n'
        'group-title="Late" radio="true",Adult Radio\n'
        'group-title="News",News'
    ),
    listing(
        'group-title="UK | News" tvg-language="English",News\ngroup-title="Animation & more",Anime',
        number=2,
    ),
)


def named(number: int, name: str) -> Listing:
    listed = LISTS[number - 1]
    return replace(listed, source=replace(listed.source, name=name))


def made(profile: str, *lists: Listing) -> MadeProfile:
    """What ``[profile.kids]`` of this file makes of lists."""
    return made_of(profiled(profile, *lists))


def profiled(profile: str, *lists: Listing) -> Catalog:
    return ruled(f"[profile.kids]\n{profile}", *(lists or LISTS))


def made_of(built: Catalog) -> MadeProfile:
    (profile,) = profiles_of(built)
    return run(make_profile(built, profile))


def shown(profile: str, *lists: Listing) -> list[str]:
    """The names of its channels, in its order."""
    built = profiled(profile, *lists)
    return [built.channels[position].name for position in made_of(built).positions]


BY_NUMBER = ["Adult Radio", "Anime", "Ten", "News", "Cartoons"]  # 1, 2, 3, 4, 12: all are in it
OTHERS = ["Adult Radio", "Anime", "News"]
ALL = ["Adult Radio", "Anime", "Cartoons", "News", "Ten"]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("", ALL),
        ('group = ["kids", "Animation*"]', ["Anime", "Cartoons", "Ten"]),
        ('when.group = ["kids", "Animation*"]', ["Anime", "Cartoons", "Ten"]),
        ('name = "ca*"', ["Cartoons"]),
        ('group = "UK"', ["Ten"]),  # any of its groups
        ('group = "UK | News"', ["News"]),  # of any of its streams
        ("source = 2", ["Anime", "News"]),  # any of its sources
        ("source = [1, 2]", ALL),
        ("unless.source = 2", ["Adult Radio", "Cartoons", "Ten"]),
        ("radio = true", ["Adult Radio"]),
        ('tvg-language = "english"', ["News"]),  # of the first stream that says it
        ('group = "Kids"\nunless.name = "*t*n*"\n', []),
        ('group = "Kids"\nname = "t*"', ["Ten"]),
        ("name = '/^[an]/'\nunless.group = 'late'", ["Anime", "News"]),
        ('url = "http:*/1.ts"', ["Anime", "Ten"]),
    ],
)
def test_a_profile_has_the_channels_for_which_its_conditions_hold(
    profile: str, names: list[str]
) -> None:
    assert shown(profile) == names


def test_a_source_is_called_by_its_number_its_name_or_its_tag() -> None:
    lists = named(1, ""), named(2, "premium")
    assert shown('source = "premium"', *lists) == shown("source = 2", *lists) == ["Anime", "News"]
    assert shown('source = "source-1"', *lists) == ["Adult Radio", "Cartoons", "News", "Ten"]


def test_conditions_look_at_the_name_and_the_groups_that_rules_made() -> None:
    rules = '[[rule]]\nwhen.name = "Ten"\nset.name = "Eleven"\n[group]\nKids = "Children"\n'
    assert shown(f'group = "Children"\n{rules}') == ["Cartoons", "Eleven"]
    assert shown(f'name = "Eleven"\n{rules}') == ["Eleven"]
    assert shown(f'name = "Ten"\n{rules}') == []


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ('sort = "tvg-name"', ALL),
        ('sort = "tvg-name"\ndirection = "desc"', ALL[::-1]),
        ('sort = "tvg-chno"', BY_NUMBER),
        ('sort = "TVG-CHNO"\ndirection = "desc"', BY_NUMBER[::-1]),
        ('sort = "tvg-chno"\nnumbers = { "*" = 50, Kids = 1 }', ["Ten", "Cartoons", *OTHERS]),
        ('sort = "group-title"', ["Anime", "Cartoons", "Ten", "Adult Radio", "News"]),
    ],
)
def test_a_profile_has_an_order_of_its_own(profile: str, names: list[str]) -> None:
    assert shown(profile) == names


def test_without_one_it_has_that_of_the_main_list() -> None:
    built = run_descending("[profile.kids]\n")
    assert list(made_of(built).positions) == list(range(5))
    assert built.channels[0].name == "Ten"


def run_descending(rules: str) -> Catalog:
    return ruled(rules, *LISTS, descending=True)


def test_its_groups_have_its_channels_in_its_order_and_no_others() -> None:
    profile = 'unless.name = "Cartoons"\nsort = "tvg-name"\ndirection = "desc"'
    built = profiled(profile)
    kids = made_of(built)
    positions = kids.group("KIDS")
    assert positions is not None
    assert [built.channels[each].name for each in positions] == ["Ten"]
    assert kids.group_slug("uk | news") == built.group_slug("uk | news")
    assert made('group = "Kids"').group("News") is None
    every = made('sort = "tvg-name"\ndirection = "desc"').group("kids")
    assert list(every or ()) == [4, 2]


def test_its_list_has_the_links_of_the_main_list_in_its_order() -> None:
    entries = [Entry(f"N {n}", f"http://a/{n}", "", (), {}) for n in range(2 * BLOCK + 5)]
    built = profiled('sort = "tvg-name"\ndirection = "desc"', packed(entries))
    text = b"".join(render(built, "http://here", made_of(built).positions)).decode()
    links = [line for line in text.splitlines() if line.startswith("http")]
    assert links == [f"http://here/stream/n-{n}" for n in reversed(range(2 * BLOCK + 5))]


def numbers(built: Catalog, given: Given | None = None) -> dict[str, int]:
    """The numbers that its channels have in its list, as they are served."""
    (profile,) = profiles_of(built)
    kids = run(make_profile(built, profile, given))
    assert kids.numbers is not None
    return {built.channels[place].name: kids.numbers[place] for place in kids.positions}


def test_without_numbers_of_its_own_it_has_those_of_the_main_list() -> None:
    every = {"Adult Radio": 1, "Anime": 2, "Cartoons": 12, "News": 4, "Ten": 3}
    assert numbers(profiled("")) == every
    assert numbers(profiled('group = "Kids"\n[numbers]\nKids = 100')) == {
        "Cartoons": 100,
        "Ten": 101,
    }


def test_numbers_of_its_own_are_kept_and_newcomers_get_the_next() -> None:
    profile = 'group = ["Kids", "News*"]\nnumbers = { Kids = 1, News = 20 }\n[numbers]\nKids = 100'
    built = profiled(profile)
    assert numbers(built) == {"Cartoons": 1, "News": 20, "Ten": 2}
    assert list(built.numbers or ())[2] == 100, "the main list has others"
    first = made_of(built).numbered
    assert first is not None
    given = run(learned(Given(), first))
    more = profiled(profile, *LISTS, listing('group-title="Kids",Ant', number=3))
    assert numbers(more, given) == {"Ant": 3, "Cartoons": 1, "News": 20, "Ten": 2}


def test_its_blocks_are_filled_in_its_order() -> None:
    profile = 'group = "Kids"\nnumbers = { Kids = 5 }\nsort = "tvg-name"\ndirection = "desc"'
    assert numbers(profiled(profile)) == {"Ten": 5, "Cartoons": 6}


def test_what_is_strange_about_its_numbers_is_told() -> None:
    kids = made("numbers = { Kids = 1, Late = 2, Kidz = 9 }")
    assert [str(each)[:56] for each in kids.complaints] == [
        "rules.toml:1: profile.kids: the block of Kids (1 to 1) i"
    ]
    assert kids.unmatched == ("Kidz",)


def test_a_profile_without_channels_is_told_with_its_line_and_what_nothing_has() -> None:
    empty = made('group = ["Kidz", "Cartoon*"]')
    assert [str(each) for each in empty.complaints] == [
        "rules.toml:1: profile.kids: has no channels"
    ]
    assert empty.unmatched == ("Kidz", "Cartoon*")
    assert made('group = "Kidz"\nname = "Nobody"\nunless.source = 7').unmatched == ("Kidz",)
    assert made('group = "Kids"\nunless.source = 7').unmatched == ("7",)
    some = made('group = ["Kids", "Kidz"]')
    assert (some.complaints, some.unmatched) == ((), ("Kidz",))


def test_a_pattern_that_is_too_slow_three_times_is_switched_off_and_named() -> None:
    slow = listing("\n".join("," + "a" * 400 + f"b{n}" for n in range(10)))
    begun = process_time()
    kids = made("name = '/(a|aa)+$/'", slow)
    assert process_time() - begun < 2
    assert "takes too long, and matches nothing from now on" in str(kids.complaints[0])
    assert len(kids.complaints) == 2


def test_without_rules_there_are_none() -> None:
    assert list(profiles_of(catalog(*LISTS))) == list(profiles_of(None)) == []


def test_it_is_made_in_small_steps() -> None:
    entries = [
        Entry(f"N{n}", f"http://a/{n}", f'group-title="G{n % 9}"', (f"G{n % 9}",), {})
        for n in range(5000)
    ]
    profile = 'group = ["G1", "G2*", "G4"]\nunless.name = "*7*"\nsort = "group-title"'
    built = profiled(profile, packed(entries))
    (kids,) = profiles_of(built)
    steps = make_profile(built, kids)
    count = sum(1 for _ in steps)
    assert count > 5000 / 10 + 1000 / 100  # channels, those that are chosen
