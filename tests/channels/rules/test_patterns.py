"""What patterns of a rules file match."""

from __future__ import annotations

import pytest

from kptv.channels.rules.patterns import LONGEST, Pattern, TooSlow


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("BBC One", "bbc  ONE"),
        ("BBC*", "BBC One"),
        ("*[Geo-blocked]*", "News [Geo-blocked] (720p)"),
        ("BBC ?", "BBC 1"),
        ("*4K*", "Love Nature 4K"),
        ("*Ⓨ", "Kanali 7 Ⓨ"),
        ("ＢＢＣ One", "BBC One"),
        ("Straße", "STRASSE"),
        ("*", ""),
        ("/^bbc/", "BBC Two"),
        (r"/\(\d+p\)/", "News (720p)"),
        ("/", "/"),
        ("//", "//"),
    ],
)
def test_matches(pattern: str, text: str) -> None:
    assert Pattern.of(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("BBC", "BBC One"),
        ("*Ⓨ", "Sky"),
        ("Sk?", "Sk"),
        ("[a-z]", "b"),
        ("a.c", "abc"),
        ("/^bbc/", "The BBC"),
    ],
)
def test_does_not_match(pattern: str, text: str) -> None:
    assert not Pattern.of(pattern).matches(text)


def test_a_plain_pattern_of_many_stars_is_fast() -> None:
    assert not Pattern.of("*a" * 200 + "*b").matches("a" * LONGEST)


def test_groups_of_an_expression_go_into_the_template() -> None:
    pattern = Pattern.of(r"/^CCTV[-_ ]?(\d+)(?!\d)/")
    assert pattern.expanded("cctv 5 体育", r"CCTV-\1") == "CCTV-5"
    assert pattern.expanded("BBC", r"CCTV-\1") == r"CCTV-\1"
    with pytest.raises(ValueError, match="group"):
        pattern.expanded("CCTV1", r"\2")
    assert Pattern.of("BBC*").expanded("BBC One", r"a\1") == r"a\1"


def test_an_expression_that_hangs_ends() -> None:
    with pytest.raises(TooSlow, match="a"):
        Pattern.of("/(a|aa)+$/").matches("a" * 400 + "b")


def test_an_expression_that_is_none_says_why() -> None:
    with pytest.raises(ValueError, match="at position 4"):
        Pattern.of("/(abc/")
