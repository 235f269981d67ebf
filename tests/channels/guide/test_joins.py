"""Channels are joined to guides by rules, and never to another channel's shows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kptv.channels.grouping import slug_of
from kptv.channels.guide.joins import Joiner
from kptv.channels.guide.model import GuideOf, Joined, Match, MatchRule, Offer, WantedChannel
from kptv.channels.rules.countries import country_of
from kptv.formats.m3u import ListParser
from kptv.formats.text import Lines
from kptv.formats.xmltv.reading import GuideReader, shows_of
from kptv.formats.xmltv.times import ShowTimes

LISTS = Path(__file__).resolve().parents[4] / "shared" / "lists"

Ids = Mapping[str, Sequence[str]]  # of a guide: the names of each id


def wanted(
    name: str, tvg_id: str = "", *, source: int = 1, country: str = "", **more: str
) -> WantedChannel:
    country = country or country_of(tvg_id, "")
    return WantedChannel(slug_of(name), name, (Offer(source, tvg_id, (name,), country),), **more)


def join(
    channels: Sequence[WantedChannel],
    *guides: tuple[GuideOf, Ids],
    shows: Mapping[tuple[int, str], int] | None = None,
) -> list[Joined]:
    joiner = Joiner(channels, [guide for guide, _ in guides])
    for guide, ids in guides:
        for guide_id, names in ids.items():
            joiner.heard(guide.number, guide_id, names)
    return joiner.decide(lambda guide, guide_id: (shows or {}).get((guide, guide_id), 1))


OWN = GuideOf(1, frozenset([1]))  # of the list that the entries are from
USERS = GuideOf(2)


def one(channel: WantedChannel, ids: Ids, guide: GuideOf = OWN) -> Match | None:
    return join([channel], (guide, ids))[0].match


# --- The rules, each in its turn ----------------------------------------------------------


@pytest.mark.parametrize(
    ("tvg_id", "guide_id", "rule"),
    [
        ("BBCOne.uk", "BBCOne.uk", MatchRule.ID),
        ("bbcone.UK", "BBCOne.uk", MatchRule.ID_ANY_CASE),
        ("BBCOne.uk@HD", "BBCOne.uk", MatchRule.ID_WITHOUT_FEED),
        ("BBCOne.uk", "BBCOne.uk@SD", MatchRule.ID_WITHOUT_FEED),
        ("CNN.us", "CNN.us@East", MatchRule.ID_WITHOUT_FEED),
        ("BBC One.uk", "BBC.One.uk", MatchRule.ID_SQUASHED),
        ("Canal+.fr", "CanalPlus.fr", MatchRule.ID_SQUASHED),
        ("Télé.fr", "tele.fr", MatchRule.ID_SQUASHED),
        ("BBCOne.uk", "BBC.One.HD.uk", MatchRule.ID_PLAIN),
        ("BBCOneHD.uk", "BBC.One.uk", MatchRule.ID_PLAIN),
    ],
)
def test_an_id_joins_by_the_strictest_rule_that_fits(
    tvg_id: str, guide_id: str, rule: MatchRule
) -> None:
    match = one(wanted("x", tvg_id), {guide_id: [], "Other.uk": ["y"]}, USERS)
    assert match is not None
    assert (match.id, match.rule) == (guide_id, rule)


@pytest.mark.parametrize(
    ("tvg_id", "guide_id"),
    [
        ("BBCOne.uk", "BBCOne.us"),
        ("BBCOne.uk", "BBCTwo.uk"),
        ("ITV1.uk", "ITV1plus1.uk"),
        ("LoveNature4K.us", "LoveNature.us"),
        ("Rai4K.it", "Rai.it"),
        ("CNN.us@West", "CNN.us@East"),
        ("HD+.de", "HD.de"),
        ("movies.now+", "movies.now"),
    ],
)
def test_ids_of_different_channels_do_not_join(tvg_id: str, guide_id: str) -> None:
    assert one(wanted("x", tvg_id), {guide_id: []}, USERS) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Sky News Ⓖ", "Sky News"),
        ("UK: BBC One FHD", "BBC ONE"),
        ("|UK| BBC 1 (1080p) [Geo-blocked]", "BBC 1"),
        ("BBC One ᴴᴰ", "BBC One HD"),
        ("Canal + Sport", "CANAL+ Sport"),
        ("A & E", "A and E"),
        ("Télé Nova", "Tele Nova"),
        ("Первый канал HD", "ПЕРВЫЙ КАНАЛ"),
        ("湖南卫视", "湖南卫视 高清"),
        ("Love Nature 4K", "Love Nature 4K"),
    ],
)
def test_a_name_joins_in_the_guide_of_its_list(name: str, told: str) -> None:
    match = one(wanted(name), {"1": ["another"], "2": ["x", told]})
    assert match is not None
    assert (match.id, match.rule) == ("2", MatchRule.NAME)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("movies now +", "movies now"),
        ("24 news", "news 24"),
        ("tva", "otva"),
        ("qvc germany", "mtv germany"),
        ("QVC UK", "QVC"),
        ("TLC", "TLC +1"),
        ("Love Nature 4K", "Love Nature"),
        ("BBC UHD 1", "BBC 1"),
        ("Galicia TV", "TV Galicia"),
        ("13", "13"),
        ("News", "News Channel"),
    ],
)
def test_names_that_are_only_alike_never_join(name: str, told: str) -> None:
    assert one(wanted(name), {"1": [told]}) is None


def test_a_name_joins_in_its_country_and_elsewhere_is_suggested() -> None:
    ids = {"itv.ch": ["ITV"], "itv.uk": ["ITV"]}
    near, far, unknown = join(
        [wanted("ITV", "x.uk"), wanted("ITV", "x.ua"), wanted("ITV")], (USERS, ids)
    )
    assert near.match == Match(2, "itv.uk", MatchRule.NAME, "itv")
    for joined in (far, unknown):
        assert joined.match is None
        assert joined.why == "only its name is known, in a guide of another list or country"
        assert [match.id for match in joined.suggestions] == ["itv.ch", "itv.uk"]


def test_the_country_of_an_id_without_one_is_that_of_most_of_its_guide() -> None:
    ids = {"a.uk": [], "b.uk": [], "c.uk": [], "7": ["ITV"]}
    match = one(wanted("ITV", country="UK"), ids, USERS)
    assert match is not None
    assert match.id == "7"
    assert one(wanted("ITV", country="DE"), ids, USERS) is None


def test_of_a_list_with_many_guides_a_name_joins_only_in_its_country() -> None:
    guides = [(GuideOf(n, frozenset([1])), {f"itv.{c}": ["ITV"]}) for n, c in enumerate(
        ("uk", "de", "fr", "it", "es", "ch")
    )]  # fmt: skip
    unknown, french = join([wanted("ITV"), wanted("ITV", country="FR")], *guides)
    assert unknown.match is None
    assert french.match is not None
    assert french.match.id == "itv.fr"


# --- Exactly one ---------------------------------------------------------------------------


def test_a_name_that_two_channels_have_joins_neither() -> None:
    (joined,) = join([wanted("News")], (OWN, {"a": ["News"], "b": ["News"]}))
    assert (joined.match, joined.why) == (None, "several ids: a, b")


def test_of_twins_the_one_that_shows_more_is_taken() -> None:
    by_name = {"101": ["BBC One"], "1101": ["BBC One HD"]}
    by_id = {"BBC.One.uk": [], "BBC.One.HD.uk": []}
    shows = {(1, "101"): 3, (1, "1101"): 5, (1, "BBC.One.uk"): 4, (1, "BBC.One.HD.uk"): 2}
    (joined,) = join([wanted("BBC One")], (OWN, by_name), shows=shows)
    assert joined.match is not None
    assert joined.match.id == "1101"
    (joined,) = join([wanted("x", "bbcone.sd.uk")], (OWN, by_id), shows=shows)
    assert joined.match is not None
    assert joined.match.id == "BBC.One.uk"


def test_feeds_of_one_id_are_no_twins() -> None:
    assert one(wanted("CNN", "CNN.us"), {"CNN.us@East": [], "CNN.us@West": []}) is None
    match = one(wanted("CNN", "CNN.us"), {"CNN.us@HD": [], "CNN.us@SD": []})
    assert match is not None


def test_an_id_that_is_described_many_times_is_one() -> None:
    joiner = Joiner([wanted("A", "x")], [OWN])
    for name in ("A", "B", "A HD", "A"):
        joiner.heard(1, "x", [name])
    (joined,) = joiner.decide(lambda *_: 1)
    assert joined.match == Match(1, "x", MatchRule.ID, "x")


# --- Which guide --------------------------------------------------------------------------


def test_the_guide_of_its_own_list_comes_first_whatever_the_order() -> None:
    channel = WantedChannel("a", "A", (Offer(2, "a"), Offer(1, "a")))
    guides = [
        (GuideOf(1, frozenset([1])), {"a": []}),
        (GuideOf(2, frozenset([2])), {"a": []}),
        (GuideOf(3), {"a": []}),
        (GuideOf(4, frozenset([9])), {"a": ["A"]}),
    ]
    (joined,) = join([channel], *guides)
    assert joined.match is not None
    assert [joined.match.guide, *(match.guide for match in joined.fills)] == [2, 1, 3]
    assert [match.guide for match in joined.suggestions] == [4]


def test_another_lists_guide_does_not_leak_into_it() -> None:
    """Lists number their channels: what is 1 here is another channel there."""
    mixed = WantedChannel("cnn", "CNN", (Offer(1, ""), Offer(2, "1")))
    (joined,) = join([mixed], (OWN, {"1": ["BBC"]}))
    assert joined.match is None


def test_two_guides_with_one_name_and_different_schedules_never_mix() -> None:
    samsung, pluto = GuideOf(1, frozenset([1])), GuideOf(2, frozenset([2]))
    channel = WantedChannel("x", "Xplore", (Offer(1, "", ("Xplore",)), Offer(2, "", ("Xplore",))))
    (joined,) = join([channel], (samsung, {"s": ["Xplore"]}), (pluto, {"p": ["Xplore"]}))
    assert joined.match == Match(1, "s", MatchRule.NAME, "xplore")
    assert joined.fills == ()


def test_a_guide_with_nothing_from_now_on_is_passed_over() -> None:
    guides = ((OWN, {"a": []}), (USERS, {"a": []}))
    (joined,) = join([wanted("A", "a")], *guides, shows={(1, "a"): 0})
    assert joined.match is not None
    assert joined.match.guide == 2
    (silent,) = join([wanted("A", "a")], guides[0], shows={(1, "a"): 0})
    assert silent.match is not None
    assert silent.why == "a has no shows from now on"


def test_what_the_rules_say_is_first_and_last() -> None:
    ids = {"a": ["A"], "b": []}
    fixed, none, missing = join(
        [wanted("A", "a", fixed="b"), wanted("A", "a", fixed=""), wanted("A", "a", fixed="c")],
        (OWN, ids),
    )
    assert fixed.match == Match(1, "b", MatchRule.FIXED, "b")
    assert (none.match, none.why) == (None, "the rules say that it has no guide")
    assert (missing.match, missing.why) == (None, "no guide has the id c")


def test_many_ids_of_its_name_do_not_hide_its_own_id() -> None:
    ids = {f"x{n}": ["Radio"] for n in range(500)} | {"own": ["Radio"]}
    match = one(wanted("Radio", "own"), ids)
    assert match == Match(1, "own", MatchRule.ID, "own")


def test_an_id_that_nothing_describes_is_wanted_by_itself() -> None:
    joiner = Joiner([wanted("A", "a.uk")], [USERS])
    assert joiner.wants(2, "A.uk")
    assert not joiner.wants(2, "b.uk")
    (joined,) = joiner.decide(lambda *_: 1)
    assert joined.match == Match(2, "A.uk", MatchRule.ID_ANY_CASE, "a.uk")


def test_it_is_told_why_there_is_none() -> None:
    (joined,) = join([wanted("A")], (OWN, {"x": ["X"]}))
    assert joined.why == "no guide knows its id or its name"


# --- Real ones, and many -------------------------------------------------------------------


@pytest.mark.parametrize(("with_ids", "rule"), [(True, MatchRule.ID), (False, MatchRule.NAME)])
def test_samsungs_list_joins_its_own_guide_whole(with_ids: bool, rule: MatchRule) -> None:
    listed, packed = (
        LISTS / "BuddyChewChew__samsungtvplus_gb.m3u",
        LISTS / "matthuisman__SamsungTVPlus_gb.xml.gz",
    )
    if not packed.exists():
        pytest.skip("no real lists here")
    lines, parser = Lines(), ListParser()
    entries = parser.feed(lines.feed(listed.read_bytes())) + parser.feed(lines.finish())
    channels = [
        wanted(entry.name, entry.attributes["tvg-id"] if with_ids else "") for entry in entries
    ]
    joiner = Joiner(channels, [OWN])
    shows: Counter[str] = Counter()
    reader = GuideReader(
        ShowTimes(),
        lambda d: joiner.heard(1, d.id, d.names),
        lambda guide_id: joiner.wants(1, guide_id),
    )
    for show in shows_of([packed.read_bytes()], reader):
        shows[show.channel] += 1
    joined = joiner.decide(lambda _, guide_id: shows[guide_id])
    matches = [found.match for found in joined if found.match]
    assert [match.id for match in matches] == [entry.attributes["tvg-id"] for entry in entries]
    assert len(matches) == 263
    assert {match.rule for match in matches} == {rule}


def test_work_grows_with_the_guide_and_not_with_its_square() -> None:
    def lines_run(count: int) -> int:
        channels = [wanted(f"Channel {n}", "" if n % 2 else f"c{n}.uk") for n in range(count)]
        ids = {f"C{n}.uk": [f"Channel {n} HD", f"No {n}"] for n in range(count)}
        lines = 0

        def trace(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
            nonlocal lines
            lines += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            joined = join(channels, (OWN, ids))
        finally:
            sys.settrace(before)
        assert all(found.match for found in joined)
        return lines

    assert lines_run(1000) < 12 * lines_run(100)
