"""Names that are one channel's, and slugs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.grouping import all_normalised, normalised, slug_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BBC One", "bbc  ONE "),
        ("BBC\u00a0One", "BBC One"),
        ("ＢＢＣ　Ｏｎｅ", "BBC One"),
        ("Straße TV", "STRASSE TV"),
        ("Télé", "Te\u0301le\u0301"),
        ("①", "1"),
    ],
)
def test_spellings_of_one_name_are_one_channel(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    assert slug_of(one) == slug_of(other)


@pytest.mark.parametrize(("one", "other"), [("BBC One", "BBC One +1"), ("A-B", "A B"), ("é", "e")])
def test_different_names_are_not(one: str, other: str) -> None:
    assert slug_of(one) != slug_of(other)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("BBC One", "bbc-one"),
        ("24 Kitchen HD", "24-kitchen-hd"),
        ("UK: BBC One", r"uk-bbc-one~[0-9a-f]{12}"),
        ("中央一台", r"channel~[0-9a-f]{12}"),
        ("..", r"channel~[0-9a-f]{12}"),
        ("a/../b%2f", r"a-b-2f~[0-9a-f]{12}"),
        ("x" * 9000, r"x{48}~[0-9a-f]{12}"),
    ],
)
def test_a_slug_is_readable_where_it_can_be(name: str, slug: str) -> None:
    assert re.fullmatch(slug, slug_of(name))


def test_a_slug_stays_over_releases() -> None:
    assert slug_of("BBC One +1") == "bbc-one-1~7e4bb9ff8146"


@given(st.text(), st.text())
def test_slugs_are_equal_just_where_the_normalised_names_are(one: str, other: str) -> None:
    assert (slug_of(one) == slug_of(other)) == (normalised(one) == normalised(other))


@given(st.text())
def test_normalising_twice_changes_nothing_and_slugs_need_no_quoting(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)
    assert re.fullmatch(r"[a-z0-9~-]+", slug_of(name))


@given(st.lists(st.text(st.characters(exclude_characters="\n")), min_size=1, max_size=5))
def test_names_one_per_line_are_normalised_as_each_by_itself(names: list[str]) -> None:
    assert all_normalised("\n".join(names)) == list(map(normalised, names))


def test_each_letter_beside_others_is_normalised_as_by_itself() -> None:
    letters = [chr(code) for code in range(0x30000) if chr(code) != "\n"]
    for start in range(0, len(letters), 1000):
        some = letters[start : start + 1000]
        assert all_normalised("\n".join(some)) == list(map(normalised, some))
