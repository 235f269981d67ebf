"""What is known of names, whatever the groups of their entries."""

from __future__ import annotations

import pytest

from kptv.channels.rules import entry_names
from kptv.channels.rules.reading import read_rules
from kptv.channels.rules.verdicts import Judge
from tests.channels.rules.ruled import ruled, served
from tests.channels.test_catalog import listing, run

RULES = """
[names]
clean = ["quality", "prefixes"]
apart = ["*4K*"]
[source.2]
suffix = " HD"
prefix = "X "
[[rule]]
when.group = "g1*"
set.tvg-a = "one"
[[rule]]
when.group = ["g2", "g12"]
when.name = "*news*"
set.name = "All news"
[[rule]]
when.group = "g3"
when.name = "*5*"
drop = true
"""
NAMES = ["News 5", "UK: News 5 HD", "Sport 5 4K", "Sport 5 HD", "Öst HD", 'with "quotes" HD']


def lists() -> list[str]:
    return ["\n".join(f'group-title="g{n % 14}",{NAMES[n % 6]}' for n in range(84))] * 2


@pytest.mark.parametrize("remembered", [0, 3])
def test_entries_become_the_same_however_few_names_are_remembered(
    monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    sources = [listing(text, number=n) for n, text in enumerate(lists(), 1)]
    as_usual = served(ruled(RULES, *sources))
    assert 'tvg-a="one"' in as_usual
    assert "All news" in as_usual
    monkeypatch.setattr(entry_names, "_REMEMBERED", remembered)
    assert served(ruled(RULES, *sources)) == as_usual


def test_a_name_is_cleaned_once_for_all_groups_and_sources_without_ends_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [listing(text, number=n) for n, text in ((1, lists()[0]), (3, lists()[1]))]
    judge = Judge(read_rules(RULES.encode()), [each.source for each in sources])
    asked: list[str] = []
    fields_of = judge.naming.fields_of

    def noting(name: str, simple: str = "") -> tuple[str, str, str, str]:
        asked.append(name)
        return fields_of(name, simple)

    monkeypatch.setattr(judge.naming, "fields_of", noting)
    for each in sources:
        for block in each.blocks:
            run(judge.judged(block))
    assert sorted(set(asked) & set(NAMES)) == sorted(NAMES)
    assert all(asked.count(name) == 1 for name in NAMES)
