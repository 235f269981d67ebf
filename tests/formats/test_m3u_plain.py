"""Plain entries, read many at once: they say what they say when read one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.packing import bodies_of_plain, body_of
from kptv.formats.m3u import ListParser

PLAIN = (
    '#EXTINF:-1 tvg-id="i{0}" tvg-name="N {0}" group-title="G{0}",Name {0}',
    "http://a.example/live/{0}.ts",
)
WITHOUT_GROUP = ('#EXTINF:0 tvg-id="" x.y="{0}",é {0}', "https://b.example:8080/{0}")
ASKING = ('#EXTINF:-1 tvg-id="{0}" http-user-agent="VLC",N {0}', "http://a.example/{0}")

ODD = st.text(st.sampled_from('ab =",;#|\t\xa0\u3000\u2502é\x85\ud800'), min_size=1, max_size=4)
CHANGES = st.lists(st.tuples(st.integers(0, 4000), ODD), max_size=4)


def lines_of(layout: Sequence[str], count: int, first: int = 0) -> list[str]:
    return [line.format(n) for n in range(first, first + count) for line in layout]


def text_of(lines: Sequence[str]) -> str:
    return "".join([f"{line}\n" for line in lines])


def used_to(layout: Sequence[str]) -> ListParser:
    """A parser that has read many entries of this layout."""
    parser = ListParser()
    parser.feed(lines_of(layout, 100))
    return parser


@pytest.mark.parametrize("layout", [PLAIN, WITHOUT_GROUP])
def test_entries_of_a_layout_that_was_learned_are_plain(layout: Sequence[str]) -> None:
    lines = lines_of(layout, 20, first=500)
    plain = used_to(layout).plain(text_of(lines))
    assert bodies_of_plain(plain) == list(map(body_of, ListParser().feed(lines)))
    assert len(plain) == 20


def test_entries_that_ask_for_headers_are_not() -> None:
    assert used_to(ASKING).plain(text_of(lines_of(ASKING, 20))) == []


@pytest.mark.parametrize(
    "line",
    [
        '#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="G", Name',
        '#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="G",',
        '#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="G",a "quoted" name',
        '#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="a;b",Name',
        f'#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="{"g" * 300}",Name',
        f'#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="G",{"n" * 300}',
        f'#EXTINF:-1 tvg-id="{"i" * 3000}" tvg-name="N" group-title="G",Name',
        '#EXTINF:-1 tvg-id="i" tvg-name="N" group-title="G",Na\x7fme',
        "#EXTGRP:Other",
        "http://a.example/a b",
        "http://a.example/a|User-Agent=b",
        "http://0.0.0.0/1",
        "http://a.example/1\xa0",
        "",
    ],
)
def test_what_is_not_plain_is_left_to_a_close_look(line: str) -> None:
    lines = lines_of(PLAIN, 20)
    lines[10 if line.startswith("#EXTINF") else 11] = line
    assert used_to(PLAIN).plain(text_of(lines)) == []


def test_an_entry_that_waits_for_its_address_is_not_parted_from_it() -> None:
    parser = used_to(PLAIN)
    parser.feed(lines_of(PLAIN, 1)[:1])
    assert parser.plain(text_of(lines_of(PLAIN, 20))) == []


def test_further_addresses_behind_plain_entries_are_of_the_last() -> None:
    parser, again = used_to(PLAIN), "http://a.example/again.ts"
    assert parser.plain(text_of(lines_of(PLAIN, 3)))
    (entry,) = parser.feed([again])
    assert (entry.name, entry.url, entry.groups) == ("Name 2", again, ("G2",))


@given(st.sampled_from([PLAIN, WITHOUT_GROUP]), CHANGES)
def test_whatever_is_odd_among_them_all_are_read_the_same(
    layout: Sequence[str], changes: Sequence[tuple[int, str]]
) -> None:
    text = "\n".join(lines_of(layout, 24))
    for place, odd in changes:
        text = f"{text[:place]}{odd}{text[place:]}"
    lines = text.split("\n")
    fast, slow = used_to(layout), used_to(layout)
    bodies = []
    for start in range(0, len(lines), 8):
        some = lines[start : start + 8]
        plain = fast.plain(text_of(some))
        bodies += bodies_of_plain(plain) if plain else list(map(body_of, fast.feed(some)))
    assert bodies == list(map(body_of, slow.feed(lines)))
    assert (fast.skipped, fast.cut) == (slow.skipped, slow.cut)
