"""What rules make of lists: channels, names, groups, the order of candidates, links that stay."""

from __future__ import annotations

import gc
import re
from dataclasses import replace

import pytest

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.grouping import slug_of
from kptv.channels.joining import Joining
from kptv.channels.rules.outcome import Dropped, Unmatched
from kptv.channels.rules.reading import read_rules
from kptv.channels.rules.verdicts import Judge
from kptv.formats.m3u import Entry
from tests.channels.rules.ruled import of_names, outcome, ruled, served
from tests.channels.test_catalog import catalog, listing, names, packed, run
from tests.formats.test_real_lists import FILES, imported

CLEAN = '[names]\nclean = ["marks", "tags", "quality", "prefixes"]\n'


def numbers(built: Catalog, name: str) -> list[int]:
    channel = built.find(name)
    assert channel is not None
    return [stream.source.number for stream in channel.streams]


def named(source_name: str, listed: Listing) -> Listing:
    return replace(listed, source=replace(listed.source, name=source_name))


# --- names ---


def test_names_that_are_one_when_cleaned_are_one_channel_and_its_name_is_clean() -> None:
    built = ruled(
        CLEAN + '[alias]\n"BBC One" = ["BBC 1"]\n',
        listing(',UK: BBC One FHD\ntvg-name="CSI",CSI: Miami'),
        listing(",BBC ONE HD ◉\n,|UK| BBC 1 (1080p)", number=2),
    )
    assert names(built) == ["BBC One", "CSI: Miami"]
    assert numbers(built, "bbc-one") == [1, 2, 2]
    channel = built.channels[0]
    assert [s.listed_name for s in channel.streams] == [
        "UK: BBC One FHD",
        "BBC ONE HD ◉",
        "|UK| BBC 1 (1080p)",
    ]
    assert (outcome(built).channels, outcome(built).names, list(outcome(built).merged)) == (
        2,
        4,
        [0],
    )


def test_every_listed_name_and_alias_and_their_slugs_find_the_channel() -> None:
    listed = ["UK: BBC One FHD", "BBC ONE HD ◉", "|UK| BBC 1 (1080p)"]
    built = of_names(CLEAN + '[alias]\n"BBC One" = ["BBC 1", "Beeb"]\n', *listed)
    for name in [*listed, "bbc one", "BBC 1", "beeb", "bbc  one hd ◉"]:
        for identifier in (name, slug_of(name)):
            found = built.find(identifier)
            assert found is not None, identifier
            assert found.slug == "bbc-one"
    assert built.find("BBC") is None
    without = of_names("", *listed)
    for name in listed:
        found = without.find(slug_of(name))
        assert found is not None
        assert found.name == name


def test_a_channel_of_its_own_is_found_before_one_that_has_an_entry_of_that_name() -> None:
    rules = CLEAN + 'apart = ["News HD"]\n'
    built = of_names(rules, "UK: News HD", "News HD", "News")
    assert {channel.slug for channel in built.channels} == {"news", "news-hd"}
    found = built.find("news-hd")
    assert found is not None
    assert found.name == "News HD"


def test_the_first_name_may_be_shown() -> None:
    built = of_names(CLEAN + 'show = "first"\n', "UK: News HD", "News")
    assert [(c.slug, c.name) for c in built.channels] == [("news", "UK: News HD")]


def test_one_name_is_told_everywhere() -> None:
    built = ruled(CLEAN, listing('tvg-id="x" tvg-name="UK: News" group-title="A",UK: News HD'))
    assert served(built) == (
        '#EXTM3U\n#EXTINF:-1 tvg-id="x" tvg-name="News" tvg-chno="1" group-title="A",News\n'
        "http://here/stream/news\n"
    )


def test_names_with_quotes_and_values_that_look_like_attributes_stay_whole() -> None:
    entry = Entry('UK: "N" HD', "http://a/1", "", ("G",), {"x": 'a tvg-name="'})
    text = ' tvg-id=" tvg-name=" tvg-name="UK: \x1fN\x1f HD" group-title="G"'
    built = ruled(CLEAN, packed([entry._replace(quoted=text)]))
    (stream,) = built.channels[0].streams
    assert stream.name == '"N"'
    assert stream.listed_name == 'UK: "N" HD'
    assert stream.attributes == {
        "tvg-id": " tvg-name=",
        "tvg-name": '"N"',
        "group-title": "G",
    }
    assert stream.headers == {"x": 'a tvg-name="'}


# --- rules ---


def test_rules_go_from_top_to_bottom_and_each_sees_what_the_others_made() -> None:
    rules = r"""
[[rule]]
when.name = '/^(\w+) One$/'
set.name = '\1 1'
[[rule]]
when.name = "* 1"
set.group = "Ones"
[[rule]]
when.group = "ones"
unless.name = "ITV*"
drop = true
[[rule]]
when.name = "*"
rank = 1
"""
    built = of_names(rules, "BBC One", "ITV One", "Sky")
    assert names(built) == ["ITV 1", "Sky"]
    assert [g[1:] for g in built.groups()] == [("Ones", 1)]
    assert [(r.line, r.hits, r.samples) for r in outcome(built).rules] == [
        (2, 2, ("BBC One", "ITV One")),
        (5, 2, ("BBC One", "ITV One")),
        (8, 1, ("BBC One",)),
        (12, 2, ("ITV One", "Sky")),
    ]
    assert tuple(outcome(built).dropped_entries) == (Dropped("BBC One", 1, 8),)
    assert built.find("BBC One") is None
    assert outcome(built).renamed_entries == (("ITV One", "ITV 1"),)


def test_keep_ends_it_and_a_last_rule_that_drops_makes_a_list_of_what_is_wanted() -> None:
    rules = '[[rule]]\nwhen.group = ["UK", "United Kingdom"]\nkeep = true\n[[rule]]\ndrop = true\n'
    built = ruled(rules, listing('group-title="uk",A\ngroup-title="US",B\n,C'))
    assert names(built) == ["A"]
    assert outcome(built).unmatched == (Unmatched(1, "United Kingdom"),)
    assert outcome(built).groups == ("US", "uk")


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("when.source = 2", ["A", "B"]),
        ('when.source = "backup"', ["A", "B"]),
        ('when.source = ["1", "backup"]', []),
        ('when.url = "http://*/1.ts"', ["A", "C"]),
        ('when.url = "*provider2*"', ["A", "B", "C", "D"]),
        ('when.tvg-id = "?*"', ["B", "C", "D"]),
        ('when.tvg-id = "a.uk"\nwhen.name = "B"', ["A", "B", "C", "D"]),
        ('unless.tvg-id = "a.uk"', ["A"]),
        ('when.group = "G"', ["C", "D"]),
        ('unless.group = "G"', ["A", "B"]),
    ],
)
def test_conditions_look_at_any_field(condition: str, left: list[str]) -> None:
    first = listing('tvg-id="a.uk" group-title="F;G",A\ngroup-title="g",B')
    second = named("backup", listing(",C\n,D", number=2))
    built = ruled(f"[[rule]]\n{condition}\ndrop = true\n", first, second)
    assert names(built) == left


def test_groups_and_attributes_are_set_and_served_so() -> None:
    rules = """
[group]
"Sports & Outdoors" = "Sports"
"Nothing" = ""
[[rule]]
when.radio = "true"
set.group = "Radio"
[[rule]]
when.name = "B"
set.tvg-logo = "http://l/b.png"
set.tvg-chno = ""
"""
    built = ruled(
        rules,
        listing(
            'radio="true" group-title="X",A\n'
            'tvg-chno="7" group-title="sports & outdoors;News",B\n'
            'group-title="nothing",C\n,D'
        ),
    )
    assert served(built).split("\n")[1::2][:4] == [
        '#EXTINF:-1 tvg-chno="1" group-title="Radio" radio="true",A',
        '#EXTINF:-1 tvg-chno="2" tvg-logo="http://l/b.png" group-title="Sports;News",B',
        '#EXTINF:-1 tvg-chno="3" group-title="",C',
        '#EXTINF:-1 tvg-chno="4",D',
    ]
    assert [g[1:] for g in built.groups()] == [("Radio", 1), ("Sports", 1), ("News", 1)]


@pytest.mark.parametrize("first", ["News", "Old", "Films", "none"])
def test_what_a_rule_makes_of_one_group_is_not_taken_for_that_of_others(first: str) -> None:
    groups = [first, "News", "Old", "Films", "none", "Films"]
    listed = [
        f'group-title="{group if group != "none" else ""}",{name} {place}'
        for place, group in enumerate(groups)
        for name in ("A", "B")
    ]
    rules = '[group]\nOld = "New"\n[[rule]]\nwhen.name = "A*"\nset.group = "News"\n'
    built = ruled(rules, listing("\n".join(listed)))
    given = {"Old": "New", "none": ""}
    titles = {
        channel.name: channel.streams[0].attributes["group-title"] for channel in built.channels
    }
    assert titles == {
        f"{name} {place}": "News" if name == "A" else given.get(group, group)
        for place, group in enumerate(groups)
        for name in ("A", "B")
    }


def test_prefix_and_suffix_of_a_source_come_first() -> None:
    rules = '[source.2]\nsuffix = " (two)"\n[[rule]]\nwhen.name = "*(two)"\nset.group = "Two"\n'
    built = ruled(rules, listing(",A"), listing(",A", number=2))
    assert names(built) == ["A", "A (two)"]
    assert [g[1:] for g in built.groups()] == [("Two", 1)]


# --- the order of candidates ---


def test_ranks_order_candidates_then_priorities_then_limits() -> None:
    rules = CLEAN + '[[rule]]\nwhen.name = "*[Geo-blocked]"\nrank = 1\n[source.3]\npriority = 5\n'
    lists = [
        listing(",A [Geo-blocked]", 1, 1),
        listing(",A\n,A HD", 2, 2),
        listing(",A", 3, 9),
    ]
    assert numbers(ruled(rules, *lists), "A") == [3, 2, 2, 1]
    assert numbers(ruled(rules + "[source.1]\npriority = 4\n", *lists), "A") == [3, 2, 2, 1]
    assert numbers(ruled("[source.2]\npriority = 4\n", *lists[1:]), "A") == [2, 3]


def test_ranks_count_though_entries_of_the_name_came_before_without_one() -> None:
    rules = '[[rule]]\nwhen.group = "Late"\nrank = 1\n'
    lists = [
        listing('group-title="Soon",A', 1, 1),
        listing('group-title="Late",A', 2, 2),
        listing('group-title="Soon",A', 3, 3),
    ]
    assert numbers(ruled(rules, *lists), "A") == [1, 3, 2]


def test_a_channel_has_its_logo_guide_and_order() -> None:
    rules = """
[channel."a"]
logo = "http://l/a.png"
guide = "A.uk"
order = ["backup", 3]
[channel.B]
guide = false
[channel.Nobody]
number = 4
"""
    built = ruled(
        rules,
        listing('tvg-id="1",A\ntvg-id="2",B'),
        listing(",A", number=2),
        listing(',A\ntvg-id="3",B', number=3),
        named("backup", listing(",A", number=4)),
    )
    assert numbers(built, "A") == [4, 3, 1, 2]
    assert served(built).split("\n")[1:4:2] == [
        '#EXTINF:-1 tvg-id="A.uk" tvg-chno="1" tvg-logo="http://l/a.png",A',
        '#EXTINF:-1 tvg-chno="2",B',
    ]
    assert outcome(built).unmatched == (Unmatched(8, "Nobody"),)


# --- countries ---

SPLIT = CLEAN + 'split = "country"\n'


def test_equal_names_of_different_countries_stay_apart() -> None:
    built = ruled(
        SPLIT,
        listing(
            'tvg-id="Nick.de@HD",Nickelodeon\ntvg-country="GB",Nickelodeon HD\n,DE: Nickelodeon'
            '\ntvg-id="Other.de",Other\n,Other HD\n,Nobody'
        ),
    )
    assert [(c.name, c.slug, len(c.streams)) for c in built.channels] == [
        ("Nickelodeon (DE)", slug_of("Nickelodeon (DE)"), 2),
        ("Nickelodeon (UK)", slug_of("Nickelodeon (UK)"), 1),
        ("Nobody", "nobody", 1),
        ("Other", slug_of("Other (DE)"), 2),
    ]
    for name, slug in [
        ("nickelodeon", slug_of("Nickelodeon (DE)")),
        ("Nickelodeon (UK)", slug_of("Nickelodeon (UK)")),
        ("other", slug_of("Other (DE)")),
        ("other-hd", slug_of("Other (DE)")),
    ]:
        found = built.find(name)
        assert found is not None
        assert found.slug == slug


def test_a_country_that_a_rule_takes_away_or_gives_counts_as_it_says() -> None:
    rules = (
        SPLIT + '[[rule]]\nwhen.tvg-id = "*.uk"\nset.tvg-id = ""\n'
        '[[rule]]\nwhen.tvg-country = "DE"\nset.tvg-country = "FR"\n'
    )
    built = ruled(rules, listing('tvg-id="a.uk",A\ntvg-country="DE",A HD\ntvg-country="SE",A'))
    assert names(built) == ["A", "A (FR)", "A (SE)"]


def test_a_name_of_unknown_country_stays_alone_where_several_countries_have_it() -> None:
    lists = listing('tvg-id="a.de",A\ntvg-id="a.uk",A\n,A\ntvg-id="b.de",B (DE)\n,B')
    built = ruled(SPLIT, lists)
    assert names(built) == ["A", "A (DE)", "A (UK)", "B (DE)"]
    slugs = [channel.slug for channel in built.channels]
    assert len(set(slugs)) == len(slugs)


def test_those_that_join_stand_in_the_order_of_sources() -> None:
    lists = [listing(",A", 1, 1), listing('tvg-id="a.de",A', 2, 2), listing(",A", 3, 3)]
    rules = SPLIT + "[[rule]]\nwhen.source = 1\nrank = 2\n"
    assert numbers(ruled(SPLIT, *lists), "A") == [1, 2, 3]
    assert numbers(ruled(rules, *lists), "A") == [2, 3, 1]


# --- what is told, and bounds ---


def test_what_of_the_file_nothing_has_is_told_with_its_line() -> None:
    rules = """
[names]
clean = "tags"
apart = ["*UHD*"]
[alias]
Nobody = ["Noone"]
[group]
Films = "Movies"
[channel.Nothing]
guide = false
"""
    assert outcome(of_names(rules, "A")).unmatched == (
        Unmatched(4, "*UHD*"),
        Unmatched(8, "Films"),
        Unmatched(6, "Nobody"),
        Unmatched(9, "Nothing"),
    )


def test_a_pattern_that_is_too_slow_three_times_is_switched_off_and_named() -> None:
    bomb = "(a|aa)+$"
    slow = ["a" * 400 + f"b{n}" for n in range(10)]
    built = of_names(f"[[rule]]\nwhen.name = '/{bomb}/'\ndrop = true\n", *slow, "aaa")
    assert len(built) == 11
    assert outcome(built).switched_off == (Unmatched(1, f"/{bomb}/"),)


def test_a_pattern_that_was_switched_off_matches_no_name_that_it_matched_before() -> None:
    bomb = "(a|aa)+$"
    slow = ["a" * 400 + f"b{n}" for n in range(3)]
    names = ["aaa"] * 100 + slow + ["x"] * 97 + ["aaa"]  # a hundred are judged at once
    built = of_names(f"[[rule]]\nwhen.name = '/{bomb}/'\ndrop = true\n", *names)
    assert outcome(built).dropped == 100
    assert built.find("aaa") is not None


def test_of_entries_of_one_name_each_is_judged_by_all_that_conditions_look_at() -> None:
    rules = """
[[rule]]
when.radio = "true"
set.group = "Radio"
[[rule]]
when.url = "*.mkv"
drop = true
[[rule]]
when.tvg-id = ["*.uk", "/[.]swe$/"]
set.name = "Of a country"
[[rule]]
when.group = ["News*", "Sport*"]
when.name = "Same"
set.name = "Of a group"
[[rule]]
when.group = "Radio"
set.tvg-type = "radio"
"""
    kinds = {
        'group-title="Other",Same': "Same",
        'radio="true" group-title="News 1",Same': "Same",
        'group-title="News 1",Same': "Of a group",
        'group-title="Sport 2",Same': "Of a group",
        'tvg-id="1.uk" group-title="Sport 2",Same': "Of a country",
        'tvg-id="1.ſWE" group-title="Other",Same': "Of a country",
        'tvg-id="1.de" group-title="Other",Same': "Same",
    }
    entries = [line for line in kinds for _ in range(110)]  # a hundred are judged at once
    judge = Judge(read_rules(rules.encode()), [listing("").source])
    seen = {}
    for some in (entries, entries[::-1]):
        for block in listing("\n".join(some)).blocks:
            for start in range(0, len(block), 50):
                for _, fields, fate, called in run(judge.judged(block[start : start + 50])):
                    seen[fields[3], fields[5]] = (called[2], fate.groups, dict(fate.sets))
    assert sorted(name for name, _, _ in seen.values()) == sorted(kinds.values())
    assert [(g, s) for _, g, s in seen.values() if g] == [(("Radio",), {"tvg-type": "radio"})]
    unmatched = {probe.pattern.text for probe in judge.probes() if not probe.has_matched}
    assert unmatched == {"*.mkv"}


def test_sources_with_one_name_have_each_its_prefix() -> None:
    rules = '[source.1]\nprefix = "A "\n[source.2]\nprefix = "B "\n'
    assert names(ruled(rules, listing(",X\n,X"), listing(",X", number=2))) == ["A X", "B X"]


def unnumbered(catalog: Catalog) -> str:
    return re.sub(' tvg-chno="[^"]*"', "", served(catalog))


def test_a_file_that_says_nothing_changes_nothing_but_numbers() -> None:
    lists = [listing(',B\n,a\ntvg-name="c" group-title="G;H",C'), listing(",A", number=2)]
    before, after = catalog(*lists), ruled("", *lists)
    assert unnumbered(before) == unnumbered(after)
    assert list(before.groups()) == list(after.groups())
    assert before.ruled is None
    assert outcome(after).entries == 4


def test_as_many_names_as_there_may_be_are_found() -> None:
    entries = [Entry(f"UK: N{n} HD", f"http://a/{n}", "", (), {}) for n in range(3000)]
    built = ruled(CLEAN, packed(entries))
    assert len(built) == 3000
    for n in range(0, 3000, 7):
        found = built.find(f"uk: n{n} hd")
        assert found is not None
        assert found.name == f"N{n}"
    run(built.take_apart())
    assert built.find("uk: n1 hd") is None


# --- real lists ---

real = pytest.mark.skipif(not FILES, reason="no ../shared/lists here")
FREE = "Free-TV__playlist.m3u8"


def lists_of(*wanted: str) -> list[Listing]:
    files = [path for path in FILES if not wanted or path.name.startswith(wanted)]
    return [packed(imported(path)[0], number) for number, path in enumerate(files, start=1)]


@real
def test_every_list_is_served_as_before_but_for_numbers_by_a_file_that_says_nothing() -> None:
    everything = lists_of()
    before, after = catalog(*everything), ruled("", *everything)
    assert unnumbered(before) == unnumbered(after)
    assert list(before.groups()) == list(after.groups())


@real
def test_tags_of_india() -> None:
    built = ruled('[names]\nclean = ["tags", "quality"]\n', *lists_of("tqa24__in.m3u"))
    told = outcome(built)
    assert (told.entries, told.names, told.channels) == (1037, 882, 670)
    wion = built.find("WION")
    assert wion is not None
    assert len(wion.streams) == 8


@real
def test_signs_drop_and_go() -> None:
    rules = '[names]\nclean = ["marks"]\n[[rule]]\nwhen.name = ["*Ⓨ", "*Ⓣ"]\ndrop = true\n'
    told = outcome(ruled(rules, *lists_of(FREE)))
    assert (told.entries, told.dropped, told.channels) == (2050, 128, 1890)


@real
def test_blocked_ones_come_last() -> None:
    rules = (
        CLEAN + '[[rule]]\nwhen.name = "*[Geo-blocked]*"\nrank = 1\n'
        '[[rule]]\nwhen.name = "*[Not 24/7]*"\nrank = 2\n'
    )
    built = ruled(rules, *lists_of("tqa24__uk.m3u", FREE))
    assert [rule.hits for rule in outcome(built).rules] == [9, 13]
    news = built.find("BBC News")
    assert news is not None
    assert {stream.listed_name for stream in news.streams} == {
        "",
        "BBC News (1080p)",
        "BBC News Ⓖ",
    }


@real
def test_numbered_channels_of_thirteen_lists_join() -> None:
    rules = r"""
[names]
clean = ["marks", "tags", "quality"]
apart = ["*4K*"]
[[rule]]
when.name = '/^CCTV[-_ ]?(\d+)(?![\d⁺+＋])(?!.*(?:4K|8K|[（(]|欧洲|美洲))/'
set.name = 'CCTV-\1'
[[rule]]
when.name = '/^CCTV[-_ ]?5[⁺+＋]/'
set.name = "CCTV-5+"
"""
    built = ruled(rules, *lists_of("imDazui", "YueChan", "fanmingming", "suxuang"))
    assert sum(name.upper().startswith("CCTV") for name in names(built)) == 67
    assert outcome(built).rules[1].hits == 13
    five, plus = built.find("CCTV-5"), built.find("CCTV-5⁺ 体育赛事")
    assert five is not None
    assert plus is not None
    assert (five.name, plus.name) == ("CCTV-5", "CCTV-5+")


@real
def test_what_is_apart_and_countries_apart() -> None:
    clean = '[names]\nclean = ["marks", "tags", "quality"]\n'
    everything = lists_of()
    assert len(ruled(clean, *everything)) == 6719
    built = ruled(clean + 'apart = ["*4K*", "*UHD*"]\n', *everything)
    assert len(built) == 6737
    assert {"Love Nature", "Love Nature 4K"} <= set(names(built))
    built = ruled(clean + 'split = "country"\n', *everything)
    assert len(built) == 6753
    assert {"Nickelodeon (DE)", "Nickelodeon (UK)"} <= set(names(built))
    slugs = {channel.slug for channel in built.channels}
    assert len(slugs) == len(built)


@real
def test_a_list_of_what_is_wanted_tells_what_it_misses() -> None:
    rules = (
        '[[rule]]\nwhen.group = ["United Kingdom", "Germany", "France"]\nkeep = true\n'
        "[[rule]]\ndrop = true\n"
    )
    told = outcome(ruled(rules, *lists_of(FREE)))
    assert told.entries - told.dropped == 67
    assert told.unmatched == (Unmatched(1, "United Kingdom"),)
    assert "UK" in told.groups


@real
def test_groups_of_sports_and_radio() -> None:
    rules = (
        '[group]\n"Sport" = "Sports"\n"Sports & Outdoors" = "Sports"\n"Motor Sports" = "Sports"\n'
        '[[rule]]\nwhen.radio = "true"\nset.group = "Radio"\n'
    )
    built = ruled(rules, *lists_of())
    assert outcome(built).rules[0].hits == 362
    radio = built.group("Radio")
    assert radio is not None
    assert len(radio) == 362


# --- what it costs ---


def test_while_entries_are_joined_hardly_anything_is_there_for_the_garbage_collector() -> None:
    rules = """
[names]
split = "country"
[[rule]]
when.name = "*7"
drop = true
[[rule]]
when.name = "*8"
unless.group = "Group 3"
set.group = "Eights"
"""
    entries = "\n".join(
        f'tvg-id="{n}.{"uk" if n % 2 else "de"}" group-title="Group {n % 50}",Name {n}'
        for n in range(2000)
    )
    listings = [listing(entries), listing(entries, number=2)]
    gc.collect()
    before = len(gc.get_objects())
    joining = Joining(read_rules(rules.encode()), listings)
    for each in listings:
        for block in each.blocks:
            run(joining.add(block))
    gc.collect()
    assert len(joining.rows) == 1800
    assert len(gc.get_objects()) - before < 900  # of 50 groups of each list; not of names


@pytest.mark.parametrize(("expressions", "yields"), [(1, 2), (4, 8), (50, 16)])
def test_the_more_expressions_are_tried_the_more_often_others_have_a_turn(
    expressions: int, yields: int
) -> None:
    rule = "[[rule]]\nwhen.name = '/./'\nrank = 1\n"
    listed = listing(",a\n" * 16)
    judge = Judge(read_rules((rule * expressions).encode()), [listed.source])
    records = [record for block in listed.blocks for record in block]
    assert len(list(judge.judged(records))) == yields
