"""What is told of rules: hits, shadows, what matched nothing, conflicts, changes, one entry."""

from __future__ import annotations

import pytest

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.rules.outcome import Unmatched
from kptv.channels.rules.report.changes import ChangeKind, change_at, changes_in
from kptv.channels.rules.report.conflicts import Apart, Conflict, ConflictKind, conflicts_in
from kptv.channels.rules.report.explaining import ExplainedStream, Explanation, explained
from kptv.channels.rules.report.listed import ListedEntry, entries_called, names_in
from kptv.channels.rules.report.near import nearest
from kptv.channels.rules.report.spares import Spare
from kptv.channels.rules.report.summary import NoMatch, ProfileTold, Report, report_on
from kptv.channels.rules.trace import TraceStep
from tests.channels.rules.ruled import ruled
from tests.channels.test_catalog import catalog, listing, run

CLEAN = '[names]\nclean = ["marks", "tags", "quality", "prefixes"]\n'


def report(rules: str, *listings: Listing) -> Report:
    built = ruled(rules, *listings)
    return run(report_on(built, before=catalog(*listings), listings=listings))


def explanation(built: Catalog, name: str, *listings: Listing) -> list[Explanation]:
    found = run(entries_called(listings, name))
    entries = found or [ListedEntry(name, "source-1", 1)]
    return [explained(built, entry, is_listed=bool(found)) for entry in entries]


# --- the whole ---


def test_sums_and_hits_are_told() -> None:
    told = report(
        CLEAN + '[[rule]]\nwhen.name = "*Shop*"\ndrop = true\n',
        listing(",UK: News HD\n,News\n,Shop\n,Shop TV"),
        listing(",News", number=2),
    )
    sums = told.entries, told.channels_before, told.channels, told.dropped, told.renamed
    assert sums == (5, 4, 1, 2, 1)
    assert told.merged == 1
    (rule,) = told.rules
    assert (rule.number, rule.line, rule.hits, rule.samples) == (1, 3, 2, ("Shop", "Shop TV"))
    assert told.prefixes == (("UK", 1),)


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ('when.group = "A"\nkeep = true', 'when.name = "N*"\nrank = 1', (1,)),
        ("drop = true", 'when.name = "N*"\nrank = 1', (1,)),
        ("keep = true", 'when.name = "no such"\nrank = 1', (1,)),
        ('when.group = "A"\nrank = 1', 'when.name = "N*"\nrank = 2', ()),
        ('when.name = "N1"\ndrop = true', 'when.name = "N*"\nrank = 2', ()),
        ('when.name = "X"\ndrop = true', 'when.name = "no such"\nrank = 2', ()),
    ],
)
def test_a_rule_is_shadowed_if_others_decide_all_that_it_would_apply_to(
    first: str, second: str, shadowed: tuple[int, ...]
) -> None:
    lists = listing('group-title="A",N1\ngroup-title="A",N2\ngroup-title="B",X')
    told = report(f"[[rule]]\n{first}\n[[rule]]\n{second}\n", lists)
    assert [rule.shadowed_by for rule in told.rules] == [(), shadowed]


def test_patterns_of_a_shadowed_rule_are_not_told_to_match_nothing() -> None:
    rules = '[[rule]]\ndrop = true\n[[rule]]\nwhen.group = "A"\nkeep = true\n'
    assert report(rules, listing('group-title="A",N')).no_match == ()


def test_groups_near_one_that_nothing_has_are_told_with_their_entries() -> None:
    rules = (
        '[group]\n"Sprots" = "S"\n[[rule]]\nwhen.group = ["United Kingdom", "Germany"]\n'
        'keep = true\n[channel.Nwes]\nlogo = "http://l"\n[alias]\nNews = ["N"]\nOne = ["1"]\n'
    )
    lists = listing(
        'group-title="UK",A\ngroup-title="UK",B\ngroup-title="Sports",News\ngroup-title="DE",D'
    )
    assert set(report(rules, lists).no_match) == {
        NoMatch(3, "rule", "United Kingdom", (("UK", 2),)),
        NoMatch(3, "rule", "Germany", (("DE", 1),)),
        NoMatch(2, "group", "Sprots", (("Sports", 1),)),
        NoMatch(6, "channel", "Nwes", (("News", 0),)),
        NoMatch(10, "alias", "One", ()),
    }


def test_what_is_strange_about_the_numbers_of_a_profile_is_told() -> None:
    lists = listing('group-title="A",One\ngroup-title="A",Two\ngroup-title="B",Three')
    (told,) = report("[profile.kids]\nnumbers = { A = 1, B = 2 }\n", lists).profiles
    assert [warning[:33] for warning in told.warnings] == ["the block of A (1 to 1) is full: "]


def test_profiles_are_told_with_their_channels_and_groups_near_those_that_they_miss() -> None:
    rules = (
        '[group]\nUK = "United Kingdom"\n[profile.uk]\ngroup = ["UK", "Sprots"]\n'
        '[profile.all]\nunless.name = "*x*"\nnumbers = { Sprot = 1 }\n'
        '[profile.fast]\nname = "/(a|aa)+$/"\n'
    )
    slow = "\n".join(f",{'a' * 400}b{n}" for n in range(5))
    told = report(rules, listing(f'group-title="UK",A\ngroup-title="Sports",B\n{slow}'))
    assert set(told.no_match) == {
        NoMatch(3, "profile", "UK", (("United Kingdom", 1),)),
        NoMatch(3, "profile", "Sprots", (("Sports", 1),)),
        NoMatch(5, "profile", "*x*", ()),
        NoMatch(5, "profile", "Sprot", (("Sports", 1),)),
    }
    assert told.profiles == (
        ProfileTold("uk", 3, 0),
        ProfileTold("all", 5, 7),
        ProfileTold("fast", 8, 1),
    )
    assert told.too_slow == (Unmatched(8, "/(a|aa)+$/"),)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("United Kingdom", ("UK",)),
        ("uk", ("UK",)),
        ("*Sprot*", ("Sports",)),
        ("Sport", ("Sports",)),
        ("UK Sports", ("Sports",)),
        ("France", ("FR",)),
        ("Premier League", ("PL",)),
        ("/x/", ()),
        ("", ()),
        ("Gardening", ()),
    ],
)
def test_near_names_are_found_by_country_words_and_likeness(
    text: str, near: tuple[str, ...]
) -> None:
    assert nearest(text, ["UK", "Sports", "FR", "News", "Movies", "PL"]) == near


def test_near_names_of_as_many_as_there_may_be_have_a_bound() -> None:
    compared = nearest("Sprots", (f"{'x' * 60} {n}" for n in range(50_000)))
    assert compared == ()


# --- conflicts, countries ---


def test_a_channel_whose_entries_have_ids_of_several_channels_is_a_conflict() -> None:
    built = ruled(
        CLEAN,
        listing('tvg-id="Nick.de@HD",Nick\ntvg-id="Nick.uk",Nick HD\ntvg-id="A.uk",A'),
        listing('tvg-id="7",Nick\ntvg-id="a.UK@SD",A', number=2),
    )
    assert run(conflicts_in(built)) == (
        Conflict(ConflictKind.GUIDE, "Nick", "nick", ("Nick.de", "Nick.uk")),
    )


def test_what_split_kept_apart_is_told_with_what_the_bare_name_finds() -> None:
    told = report(
        CLEAN + 'split = "country"\n',
        listing('tvg-id="n.uk",Nick\ntvg-id="n.de",Nick HD\ntvg-id="o.de",Other'),
    )
    assert told.apart == (Apart("Nick", ("Nick (DE)", "Nick (UK)"), "Nick (DE)"),)


def test_each_prefix_is_counted_but_not_what_a_rule_took() -> None:
    told = report(
        CLEAN + '[[rule]]\nwhen.name = "ID: Y"\nset.name = "Why"\n',
        listing(",UK: A\n,|UK| B\n,[FR] C HD\n,CSI: Miami\n,ID: X\n,ID: Y"),
    )
    assert dict(told.prefixes) == {"UK": 2, "FR": 1, "ID": 1}


def test_names_that_have_the_same_letters_are_told_as_perhaps_one_channel() -> None:
    told = report("", listing(",ITV 1\n,ITV1\n,itv-1\n,ITV 1+\n,-\n,!"))
    assert told.alike == (("ITV 1", "itv-1", "ITV1"),)


def test_dropped_entries_of_channels_that_are_served_are_told() -> None:
    rules = CLEAN + '[alias]\nB = ["Bee"]\n[[rule]]\nwhen.source = 2\ndrop = true\n'
    told = report(rules, listing(",A\n,B"), listing(",UK: A HD\n,Bee\n,C", number=2))
    assert told.spares == (Spare("UK: A HD", "source-2", 5, "A"), Spare("Bee", "source-2", 5, "B"))


# --- changes ---


def test_what_joined_was_renamed_and_dropped_is_told_up_to_a_bound() -> None:
    built = ruled(
        CLEAN + '[[rule]]\nwhen.name = "Shop*"\ndrop = true\n',
        listing(",UK: A\n,UK: B\n,Shop 1\n,Shop 2\n,Same\n,same"),
        listing(",A HD", number=2),
    )
    changes = run(changes_in(built, most=1))
    assert {kind: each.count for kind, each in changes.items()} == {
        ChangeKind.JOINED: 1,
        ChangeKind.RENAMED: 1,
        ChangeKind.DROPPED: 2,
    }
    (joined,), (renamed,), (dropped,) = (changes[kind].some for kind in ChangeKind)
    assert joined.name == "A"
    assert [(e.name, e.source) for e in joined.entries] == [
        ("UK: A", "source-1"),
        ("A HD", "source-2"),
    ]
    assert (renamed.name, renamed.slug, renamed.entries[0].name) == ("B", "b", "UK: B")
    assert (dropped.name, dropped.slug, dropped.line) == ("Shop 1", "", 3)
    assert change_at(built, 0) == joined
    assert change_at(built, 2) is None


# --- one entry ---


def test_an_entry_is_explained_with_its_channel_in_each_source_that_has_it() -> None:
    lists = [
        listing('tvg-id="A.uk" group-title="G",UK: A HD\n,A'),
        listing(",UK: A HD", number=2),
    ]
    built = ruled(CLEAN + "[source.2]\npriority = 1\n[channel.A]\norder = [1]\n", *lists)
    first, second = explanation(built, "UK: A HD", *lists)
    assert first.is_listed
    assert (first.entry.source, first.entry.groups) == ("source-1", ("G",))
    assert first.steps == (
        TraceStep("prefixes", 0, "A HD"),
        TraceStep("quality", 0, "A"),
        TraceStep("channel", 5, "A: order"),
    )
    assert (first.key, first.channel, first.slug, first.guide) == ("a", "A", "a", "A.uk")
    assert first.candidates == (
        ExplainedStream("UK: A HD", "source-1", is_this=True),
        ExplainedStream("A", "source-1", is_this=False),
        ExplainedStream("UK: A HD", "source-2", is_this=False),
    )
    assert [candidate.is_this for candidate in second.candidates] == [False, False, True]


def test_a_name_that_no_list_has_is_explained_as_if_it_were() -> None:
    lists = listing(",A")
    built = ruled(CLEAN + '[[rule]]\nwhen.name = "Shop*"\ndrop = true\n', lists)
    (joins,) = explanation(built, "FR: A ◉", lists)
    assert (joins.is_listed, joins.channel, len(joins.candidates)) == (False, "A", 1)
    (alone,) = explanation(built, "B", lists)
    assert (alone.key, alone.channel) == ("b", "")
    (gone,) = explanation(built, "Shop", lists)
    assert (gone.is_dropped, gone.key, gone.channel) == (True, "", "")


def test_entries_are_found_in_their_own_spelling_first() -> None:
    lists = listing(",A  b\n,A B\n,a b\n,A b C")
    assert [e.name for e in run(entries_called([lists], "A B"))] == ["A B"]
    assert len(run(entries_called([lists], "A  B"))) == 3
    assert run(entries_called([lists], "A")) == []
    assert len(list(names_in([lists]))) == 4


def test_nothing_of_a_link_or_an_attribute_is_in_what_a_value_shows() -> None:
    lists = listing('tvg-logo="http://l/secret",A')
    (told,) = explanation(ruled("", lists), "A", lists)
    assert "secret" not in repr(told)
    assert "http" not in repr(told)
