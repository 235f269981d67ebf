"""The ids of our own guide and list: each channel's own, unique, the same in both."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.grouping import slug_of
from kptv.channels.guide.ids import guide_ids
from kptv.channels.guide.joins import Joiner
from kptv.channels.guide.keys import NameKeys, id_keys, squashed
from kptv.channels.guide.model import GuideOf, MatchRule, Offer, WantedChannel
from kptv.formats.xmltv.reading import Described, GuideReader, shows_of
from kptv.formats.xmltv.times import ShowTimes
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel


def test_a_tvg_id_that_is_its_own_stays_and_others_get_their_slug() -> None:
    served = [
        ("bbc-one", "BBCOne.uk", ""),
        ("bbc-two", "shared", ""),
        ("bbc-three", "SHARED", ""),
        ("itv", "", ""),
        ("four", "4", "4"),
        ("five", "5", "105"),
        ("24", "", ""),
        ("25", "", "25"),
        ("six", "itv", ""),
        ("seven", "x" * 200, ""),
        ("eight", 'a"b', ""),  # which no list could tell
    ]
    assert guide_ids(served) == {
        "bbc-one": "BBCOne.uk",
        "bbc-two": "bbc-two",
        "bbc-three": "bbc-three",
        "itv": "itv",
        "four": "4",
        "five": "five",
        "24": "24.id",
        "25": "25",
        "six": "six",
        "seven": "seven",
        "eight": "eight",
    }


IDS = st.sampled_from(["", "a", "A", "b.uk", "B.uk", "7", "a.id", "7.id", "24", "24.ID", "news"])


@given(st.lists(st.tuples(IDS, st.sampled_from(["", "7", "24"])), max_size=12))
def test_no_two_are_alike_in_any_case(told: Sequence[tuple[str, str]]) -> None:
    names = ["A", "7", "News", "24", "b.uk", "a.id", *map("Channel {}".format, range(9))]
    served = [(slug_of(name), *ids) for name, ids in zip(names, told, strict=False)]
    ids = guide_ids(served)
    assert len(ids) == len(served)
    assert len({guide_id.casefold() for guide_id in ids.values()}) == len(served)
    numbers = {slug: number for slug, _, number in served}
    assert all(not i.isdecimal() or i == numbers[slug] for slug, i in ids.items())


def test_our_own_list_joins_our_own_guide_both_ways_in_any_case() -> None:
    served = [
        (f"channel-{n}", ["", "same", f"Own {n} & <b>", str(n)][n % 4], "") for n in range(60)
    ]
    ids = guide_ids(served)
    guide = HEADER + b"".join(channel(i, [slug]) for slug, i in ids.items()) + FOOTER
    heard: list[Described] = []
    list(shows_of([guide], GuideReader(ShowTimes(), heard.append, bool)))
    assert [d.id for d in heard] == list(ids.values())
    for spelled in (str, str.upper):
        wanted = [WantedChannel(slug, slug, (Offer(1, spelled(i)),)) for slug, i in ids.items()]
        joiner = Joiner(wanted, [GuideOf(1)])
        for described in heard:
            joiner.heard(1, described.id, described.names)
        joined = joiner.decide(lambda *_: 1)
        assert [found.match.id for found in joined if found.match] == list(ids.values())
        assert all(found.match.rule <= MatchRule.ID_ANY_CASE for found in joined if found.match)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("BBC One", "bbcone"),
        ("CANAL+ Décalé", "canalplusdecale"),
        ("A&E", "aande"),
        ("CCTV-5⁺", "cctv5plus"),
        ("Škoda ß", "skodass"),
        ("Ёлка", "елка"),
        ("が", "が"),  # a mark that makes another letter
        ("हिन्दी", "हनद"),
        ("...", ""),
    ],
)
def test_what_is_squashed(text: str, key: str) -> None:
    assert squashed(text) == key


@given(st.text(max_size=60))
def test_keys_are_keys_of_themselves(text: str) -> None:
    assert squashed(squashed(text)) == squashed(text)
    assert squashed(text).isalnum() or not squashed(text)
    NameKeys().of(text)
    id_keys(text)
