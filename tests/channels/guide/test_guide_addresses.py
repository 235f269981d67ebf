"""Where guides are: addresses with options, headers of lists, the rules."""

from __future__ import annotations

import pytest

from kptv.channels.guide.addresses import (
    MOST_OF_A_LIST,
    BadAddress,
    GuideAddress,
    Wishes,
    known_guides,
    parse_address,
    parse_addresses,
    urls_in_header,
)
from kptv.channels.model import Source
from kptv.channels.rules.reading import RulesError, read_rules

ONE, TWO = Source(1, "http://one.example/", 1), Source(2, "http://two.example/", 1, name="second")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://a.example/?x=1,2|offset=1h", GuideAddress("http://a.example/?x=1,2", 3600)),
        (" file:///g.xml | zone = CET ", GuideAddress("file:///g.xml", zone="CET")),
        ("/g.xml|offset=-90", GuideAddress("/g.xml", -90)),
        ("HTTPS://a.example/|offset=+1h30m|zone=+02:00",
         GuideAddress("HTTPS://a.example/", 5400, "+02:00")),
    ],
)  # fmt: skip
def test_an_address_and_its_options(text: str, address: GuideAddress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "|offset=1h", "ftp://a.example/", "http://", "http:a", "http://a.example/|offset=",
     "http://a.example/|offset=25h", "http://a.example/|zone=../x/y/z", "http://a.example/|3",
     "http://a b/", "file:", "http://a.example/\nx"],
)  # fmt: skip
def test_what_is_no_address_is_told_without_it(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        parse_address(text)
    assert "a.example" not in str(caught.value)


def test_commas_separate_before_a_scheme_and_behind_an_option() -> None:
    found = parse_addresses("http://a.example/1,2|offset=1h,/b.xml|zone=UTC,http://c.example/")
    assert [address.url for address in found] == [
        "http://a.example/1,2",
        "/b.xml",
        "http://c.example/",
    ]


def test_a_header_names_many_and_only_those_of_the_web() -> None:
    header = {
        "x-tvg-url": "http://a.example/1.xml, https://b.example/2.gz,file:///etc/passwd",
        "url-tvg": "http://a.example/1.xml http://c.example/;/etc/passwd",
    }
    assert urls_in_header(header) == [
        "http://a.example/1.xml",
        "https://b.example/2.gz",
        "http://c.example/;/etc/passwd",
    ]
    many = ", ".join(f"http://a.example/{number}" for number in range(1000))
    assert len(urls_in_header({"x-tvg-url": many})) == MOST_OF_A_LIST


def test_guides_of_settings_lists_and_rules() -> None:
    headers = {
        1: {"x-tvg-url": "http://g.example/both, http://g.example/mine"},
        2: {"url-tvg": "http://g.example/both"},
    }
    mine = parse_addresses("http://g.example/mine|offset=1h")
    known = known_guides(Wishes(mine), (ONE, TWO), headers)
    assert [(one.tag, set(one.sources), one.address.offset) for one in known] == [
        ("guide-1", set(), 3600),
        ("source-1-guide-1", {1, 2}, 0),
        ("source-1-guide-2", {1}, 3600),
    ]
    assert known[0].source.number not in (1, 2)
    assert known[1].source == ONE
    assert len(known_guides(Wishes(mine, from_lists=False), (ONE, TWO), headers)) == 1
    rules = read_rules(
        b'[source.1]\nguide = "http://other.example/|zone=CET"\n[source.second]\nguide = false\n'
    )
    named = known_guides(Wishes(rules=rules), (ONE, TWO), headers)
    assert [(one.address.url, one.address.zone) for one in named] == [
        ("http://other.example/", "CET")
    ]
    assert "example" not in repr(known) + repr(named)


def test_a_rule_that_names_no_address_is_refused() -> None:
    with pytest.raises(RulesError, match=r"source\.1\.guide: false, or addresses as in GUIDES"):
        read_rules(b'[source.1]\nguide = ["ftp://x/"]\n')
