"""The ids of our guide in our list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.channels.catalog import Catalog
from kptv.channels.guide.entry_ids import EntryIds
from kptv.channels.guide.ids import guide_ids
from kptv.channels.secrets import Finder
from kptv.channels.served import render, served_as
from kptv.formats.m3u_attributes import unquoted
from kptv.pace import drive
from tests.web.test_playlist import catalog_of

NAMES = st.text(alphabet='aB1 é&"<~', min_size=1, max_size=6)
IDS = st.text(alphabet="aAb1. ", max_size=3)


def ids_of(catalog: Catalog) -> list[tuple[str, str]]:
    finder = Finder(catalog.secrets)
    served = [(slug, unquoted(served_as(row, finder)[1])) for slug, row in catalog.rows()]
    found = guide_ids((s, told.get("tvg-id", ""), told.get("tvg-chno", "")) for s, told in served)
    return list(found.items())


def in_list(catalog: Catalog, pieces: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
    ids = drive(EntryIds.made(catalog, pieces))
    text = b"".join(render(catalog, "http://tv.example", ids=ids)).decode()
    assert text.count("#EXTINF") == text.count(" tvg-id=")
    return re.findall(r' tvg-id="([^"]*)"', text)


@settings(deadline=None)  # others may have the processor
@given(st.lists(st.tuples(NAMES, IDS), min_size=1, max_size=12), st.integers(1, 4))
def test_whatever_the_lists_say_list_and_guide_have_the_same_ids_each_once(
    listed: list[tuple[str, str]], size: int
) -> None:
    entries = [
        f'#EXTINF:-1 tvg-id="{i}",{name}\nhttp://a/{n}' for n, (name, i) in enumerate(listed)
    ]
    catalog = catalog_of("\n".join(["#EXTM3U", *entries, ""]))
    known = ids_of(catalog)
    bounds = [*range(0, len(known), size), len(known)]
    found = in_list(catalog, [known[start:end] for start, end in pairwise(bounds)])
    assert found == [guide_id for _, guide_id in known]
    assert len({one.casefold() for one in found}) == len(found)


def test_a_guide_of_another_order_or_of_other_channels_fits_too() -> None:
    entries = "".join([f'#EXTINF:-1 tvg-id="X{n}",Name {n}\nhttp://a/{n}\n' for n in range(5)])
    catalog = catalog_of(f"#EXTM3U\n{entries}")
    known = [("name-4", "X4"), ("gone", "gone"), ("name-1", "other"), ("name-0", "X0")]
    assert in_list(catalog, [known[:2], known[2:]]) == ["X0", "other", "name-2", "name-3", "X4"]


def test_groups_and_numbers_go_with_them() -> None:
    entries = "".join([f"#EXTINF:-1,Name {n}\nhttp://a/{n}\n" for n in range(4)])
    catalog = catalog_of(f"#EXTM3U\n{entries}")
    ids = drive(EntryIds.made(catalog, [[("name-3", "three"), ("name-1", "one")]]))
    text = b"".join(render(catalog, "http://x", [3, 1], [30, 10], "http://g", ids)).decode()
    assert text.splitlines()[::2] == [
        '#EXTM3U x-tvg-url="http://g" url-tvg="http://g"',
        "http://x/stream/name-3",
        "http://x/stream/name-1",
    ]
    assert text.splitlines()[1::2] == [
        '#EXTINF:-1 tvg-id="three" tvg-chno="30",Name 3',
        '#EXTINF:-1 tvg-id="one" tvg-chno="10",Name 1',
    ]


def test_what_the_channels_have_of_their_own_takes_a_byte_each() -> None:
    entries = "".join([f'#EXTINF:-1 tvg-id="X{n}",Name {n}\nhttp://a/{n}\n' for n in range(600)])
    catalog = catalog_of(f"#EXTM3U\n{entries}#EXTINF:-1,None\nhttp://a/x\n")
    ids = drive(EntryIds.made(catalog, [ids_of(catalog)]))
    assert repr(ids) == "<EntryIds of=601 others=0>"
