"""What cleaning takes from a name, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kptv.channels.grouping import normalised
from kptv.channels.rules.cleaning import Cleaner
from kptv.channels.rules.model import Names, Rules, Step
from kptv.channels.rules.naming import Naming
from kptv.channels.rules.patterns import Pattern
from tests.formats.test_real_lists import FILES, imported

ALL = frozenset(Step)


def cleaned(name: str, steps: Iterable[Step] = ALL, prefixes: tuple[str, ...] = ()) -> str:
    return Cleaner(Names(clean=frozenset(steps), prefixes=prefixes)).clean(name)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("UK: BBC One FHD", "BBC One"),
        ("BBC ONE HD ◉", "BBC ONE"),
        ("|UK| BBC 1 (1080p)", "BBC 1"),
        ("UK ▎BBC 1 FHD", "BBC 1"),
        ("ES| La 1", "La 1"),
        ("USA - ABC", "ABC"),
        ("VIP| Sky Sports", "Sky Sports"),
        ("✦●✦ EN| Movies ✦●✦", "Movies"),
        ("[UK] ITV1", "ITV1"),
        ("UK: VIP: ITV1 HD", "ITV1"),
        ("Sport ᴿᴬᵂ ⁶⁰ᶠᵖˢ", "Sport"),
        ("News ᴴᴰ", "News"),
        ("Kanali 7 Ⓢ", "Kanali 7"),
        ("WION (720p) [Not 24/7]", "WION"),
        ("WION [Geo-blocked] (1080p)", "WION"),
        ("ARD-HD", "ARD"),
        ("ZDF HD (1080p) HD", "ZDF"),
        ("TVB无线新闻（备用）", "TVB无线新闻"),
        ("CCTV-5⁺ 体育赛事", "CCTV-5+ 体育赛事"),
    ],
)
def test_what_adorns_a_name_goes(name: str, clean: str) -> None:
    assert cleaned(name) == clean
    assert cleaned(clean) == clean


@pytest.mark.parametrize(
    "name",
    [
        "CSI: Miami",
        "Al Jazeera",
        "QVC UK",
        "TVP 1 HD PL",
        "HD+",
        "4K",
        "4K Travel TV",
        "SD",
        "Boomerang +1",
        "Prime: Films",
        "PLAY+| Films",
        "4K-SC - Sport",
        "CCTV-5+",
        "CNBC Indonesia",
        "Eurosport (Polski)",
        "RT (français)",
        "U&Dave",
        "3sat",
        "DE.TV",
        "",
        "(1080p)",
        "◉",
        "UK:",
    ],
)
def test_what_tells_channels_apart_stays(name: str) -> None:
    assert cleaned(name) == name


def test_a_prefix_of_the_user_is_one() -> None:
    assert cleaned("PLAY+| Films", prefixes=("PLAY+",)) == "Films"
    assert cleaned("Sling: News HD", prefixes=("Sling",)) == "News"


def test_each_step_alone() -> None:
    name = "UK: News ◉ (720p) HD"
    assert cleaned(name, ()) == name
    assert cleaned(name, [Step.MARKS]) == "UK: News (720p) HD"
    assert cleaned(name, [Step.TAGS]) == "UK: News ◉ HD"
    assert cleaned(name, [Step.QUALITY]) == "UK: News ◉ (720p)"
    assert cleaned(name, [Step.PREFIXES]) == "News ◉ (720p) HD"


def test_names_apart_are_left_as_they_are() -> None:
    names = Names(clean=ALL, apart=(Pattern.of("*4K*"), Pattern.of("*UHD*")))
    naming = Naming(Rules(names=names))
    assert naming.named("UK: Love Nature 4K").shown == "UK: Love Nature 4K"
    assert naming.named("UK: Love Nature HD").shown == "Love Nature"
    told: list[str] = []
    naming.named("Rai 4K", told=lambda step, line, text: told.append(step))
    assert told == []


def test_the_steps_are_told() -> None:
    cleaner = Cleaner(Names(clean=ALL))
    assert cleaner.steps("UK: BBC One FHD ◉") == [
        (Step.MARKS, "UK: BBC One FHD"),
        (Step.PREFIXES, "BBC One FHD"),
        (Step.QUALITY, "BBC One"),
    ]
    assert cleaner.steps("BBC One") == []


@pytest.mark.parametrize(
    "name", ["HD" + " HD" * 500, "UK: " * 500, "(HD) " * 500, "[" * 500, "- " * 500, "ᴴ" * 500]
)
def test_a_name_that_is_made_for_it_is_cleaned_in_a_moment(name: str) -> None:
    assert len(cleaned(name)) <= 512


@pytest.mark.skipif(not FILES, reason="no ../shared/lists here")
def test_real_names_join_as_measured_and_cleaning_twice_is_cleaning_once() -> None:
    lists = {path.name: [entry.name for entry in imported(path)[0]] for path in FILES}
    india, free = lists["tqa24__in.m3u"], lists["Free-TV__playlist.m3u8"]

    def channels(names: list[str], *steps: Step) -> int:
        return len({normalised(cleaned(name, steps)) for name in names})

    assert (channels(india), channels(india, Step.TAGS, Step.QUALITY)) == (882, 670)
    assert channels(free) - channels(free, Step.MARKS) == 19
    every = [name for names in lists.values() for name in names]
    assert channels(every) - channels(every, *ALL) == 936
    cleaner = Cleaner(Names(clean=ALL))
    for name in set(every):
        clean = cleaner.clean(name)
        assert cleaner.clean(clean) == clean
