"""Lists that are made to cost: of one name, of one group, without end."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable

import pytest

from kptv.channels import indexes
from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.rows import MOST_OF_ONE
from kptv.channels.secrets import secrets_of_link
from kptv.formats.m3u import ListParser
from kptv.pace import drive
from kptv.upstream.channel_list import ListReading
from kptv.upstream.documents import Edition


def listing(lines: Iterable[str], number: int = 1) -> Listing:
    records = [pack(number, entry) for entry in ListParser().feed(lines)]
    blocks = [records[start : start + 100] for start in range(0, len(records), 100)]
    return Listing(Source(number, f"http://provider{number}.example/list", 1), blocks)


def built(*listings: Listing) -> tuple[Catalog, float]:
    """The catalog, and the longest time between two turns of the others."""
    steps = build_catalog(listings)
    longest = 0.0
    while True:
        begun = time.thread_time()
        try:
            next(steps)
        except StopIteration as end:
            return end.value, longest
        longest = max(longest, time.thread_time() - begun)


def same_name(count: int, number: int = 1) -> Listing:
    lines: list[str] = []
    for n in range(count):
        lines += ["#EXTINF:-1,Same", f"http://p{number}.example/{n}"]
    return listing(lines, number)


def test_of_one_name_a_source_has_so_many_streams_and_the_first_stay() -> None:
    catalog, _ = built(same_name(20_000), same_name(3, number=2), same_name(1000, number=3))
    (channel,) = catalog.channels
    assert [stream.url for stream in channel.streams] == [
        *(f"http://p1.example/{n}" for n in range(MOST_OF_ONE)),
        *(f"http://p2.example/{n}" for n in range(3)),
        *(f"http://p3.example/{n}" for n in range(MOST_OF_ONE)),
    ]
    assert catalog.left_out == 20_000 + 1000 - 2 * MOST_OF_ONE


def test_the_same_stream_again_is_not_left_out_but_united() -> None:
    lines = []
    for n in range(MOST_OF_ONE):
        lines += ["#EXTINF:-1,Same", f"http://p.example/{n}"]
    lines += ['#EXTINF:-1 tvg-id="x",Same', "http://p.example/5"]
    catalog, _ = built(listing(lines))
    assert catalog.left_out == 0
    assert catalog.channels[0].streams[5].attributes == {"tvg-id": "x"}


def test_there_are_so_many_groups_and_channels_of_others_are_found_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexes, "MOST_GROUPS", 3)
    lines = []
    for n in range(6):
        lines += [f'#EXTINF:-1 group-title="Group {n}",Channel {n}', f"http://p.example/{n}"]
    catalog, _ = built(listing(lines))
    assert [name for _, name, _ in catalog.groups()] == ["Group 0", "Group 1", "Group 2"]
    assert catalog.group("group-5") is None
    assert catalog.find("channel-5") is not None


def test_channels_of_many_groups_each_are_put_together_in_small_steps() -> None:
    lines = []
    for n in range(600):
        groups = ";".join(f"Group {n} {m}" for m in range(40))
        lines += [f'#EXTINF:-1 group-title="{groups}",Channel {n}', f"http://p.example/{n}"]
    _, longest = built(listing(lines))
    assert longest < 0.2  # 0.01; 0.1 a block of them without steps, more with longer names


def test_names_of_marks_without_end_are_put_together_in_small_steps() -> None:
    """To normalise a run of combining marks takes time with the square of its length."""
    marks = "\u0301\u0316" * 15_000
    lines = []
    for n in range(300):
        lines += [f'#EXTINF:-1 tvg-name="{marks}",{n}{marks}', f"http://p.example/{n}"]
    catalog, longest = built(listing(lines))
    assert len(catalog) == 300
    assert longest < 0.5


@pytest.mark.parametrize("link", ["http://h/?" + "a=b&" * 50_000, "http://h/" + "a/" * 50_000])
def test_of_a_link_so_many_parts_are_looked_at(link: str) -> None:
    begun = time.thread_time()
    for _ in range(20):
        secrets_of_link(link)
    assert time.thread_time() - begun < 1


def test_the_garbage_collector_keeps_no_eye_on_entries() -> None:
    lines = []
    for n in range(2000):
        lines += [f"#EXTINF:-1,Channel {n % 1500}", f"http://p.example/{n}"]
    reading = ListReading(Source(1, "http://p.example/list", 1), Edition())
    reading.feed("\n".join(lines).encode())
    listing = reading.finish().listing
    catalog = drive(build_catalog([listing]))
    for _ in range(2):  # first the rows of several streams, then the blocks that hold them
        gc.collect()
    assert not any(map(gc.is_tracked, listing.blocks))
    assert not any(gc.is_tracked(block.rows) for block in catalog._blocks)
