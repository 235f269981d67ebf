"""Marks that nobody sees are gone; those that change what is seen stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.visible import all_visible, visible

MARKS = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad\u061c\u202a\u202e\u2066\u2069"


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_without_width_is_not_there(mark: str) -> None:
    assert visible(f"{mark}BBC{mark} O{mark}ne {mark}") == "BBC One"
    assert visible(f"Теле{mark}канал") == "Телеканал"


@pytest.mark.parametrize(
    "name",
    [
        "شبکه\u200cنسیم",  # Persian: a joiner between two letters that are not to join
        "സിനിമ ചാനല്\u200d",  # Malayalam: a letter of its own at the end of a word
        "क्\u200dष टीवी",  # Hindi: half a letter
        "Family 👨\u200d👩\u200d👧 TV",
        "Pride 🏳\ufe0f\u200d🌈",
        "Ελλάδα 1",
    ],
)
def test_what_a_script_or_an_emoji_needs_stays(name: str) -> None:
    assert visible(name) == name


def test_a_joiner_beside_nothing_that_it_joins_goes() -> None:
    assert visible("شبکه\u200c ۳") == "شبکه ۳"
    assert visible("👨\u200d TV") == "👨 TV"


def test_what_could_break_out_of_a_line_is_a_blank() -> None:
    assert visible("A\u2028B\x00\x1fC\u0085") == "A B C"


@given(st.text())
def test_no_text_raises_and_twice_is_once(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_what_is_quickly_told_to_be_visible_is() -> None:
    """Of each character that there is; that of the others is looked at closely."""
    quick = [c for c in map(chr, range(0x11_0000)) if all_visible([f"a{c}b"])]
    assert len(quick) > 1_000_000
    assert all(visible(f"a{c}b") == f"a{c}b" for c in quick)
    assert all_visible(["BBC One", "Télé 中央 Россия"])
    assert not all_visible(["BBC One", "a\nb"])
