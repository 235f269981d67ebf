"""How much of an entry is kept: names, groups, values, headers, addresses have bounds."""

from __future__ import annotations

import json
import time

import pytest

from kptv.formats.m3u import Entry, ListParser

LONG = 40_000


def parse(*lines: str) -> tuple[list[Entry], ListParser]:
    parser = ListParser("http://provider.example/list")
    entries = parser.feed(["#EXTM3U", *lines])
    parser.finish()
    return entries, parser


def test_a_long_name_is_cut_and_that_is_counted() -> None:
    (entry,), parser = parse(f"#EXTINF:-1,{'N' * LONG}", "http://a.example/1")
    assert len(entry.name) == 256
    assert entry.name.startswith("NNN")
    assert parser.cut == 1


def test_two_long_names_that_differ_at_their_ends_are_two_channels_still() -> None:
    lines = [f"#EXTINF:-1,{'N' * LONG} {n}\nhttp://a.example/{n}" for n in (1, 2)]
    entries, _ = parse(*"\n".join(lines).split("\n"))
    assert len({entry.name for entry in entries}) == 2
    again, _ = parse(*"\n".join(lines).split("\n"))
    assert [entry.name for entry in again] == [entry.name for entry in entries]


@pytest.mark.parametrize(
    "line",
    [
        f'#EXTINF:-1 tvg-name="{"N" * LONG}",',
        f'#EXTINF:-1 tvg-id="{"N" * LONG}",',
        "#EXTINF:-1," + "N" * 60_000,
        "#EXTINF:-1," + "\u0301" * 30_000,
        "#EXTINF:-1," + "\ufdfa" * 20_000,
    ],
)
def test_a_name_is_bounded_wherever_it_comes_from(line: str) -> None:
    (entry,), parser = parse(line, "http://a.example/1")
    assert 0 < len(entry.name) <= 256
    assert parser.cut >= 1


def test_a_name_made_of_an_address_is_bounded() -> None:
    (entry,), _ = parse(f"{'n' * 5000}/stream.ts")
    assert len(entry.name) <= 256


def test_of_what_machines_read_half_is_left_out() -> None:
    link = "http://logo.example/" + "x" * LONG
    line = f'#EXTINF:-1 tvg-id="{"i" * LONG}" tvg-logo="{link}" tvg-chno="7",One'
    (entry,), parser = parse(line, "http://a.example/1")
    assert entry.attributes == {"tvg-chno": "7"}
    assert parser.cut == 2


@pytest.mark.parametrize("option", [False, True])
def test_a_group_is_cut_alike_in_each_place(option: bool) -> None:
    group = "G" * 10_000
    lines = ["#EXTINF:-1,One", f"#EXTGRP:{group}"]
    if not option:
        lines = [f'#EXTINF:-1 group-title="{group}",One']
    (entry,), parser = parse(*lines, "http://a.example/1")
    assert [len(name) for name in entry.groups] == [256]
    assert entry.attributes["group-title"] == entry.groups[0]
    assert parser.cut == 1


def test_an_entry_is_in_so_many_groups() -> None:
    group = ";".join(f"Group {n}" for n in range(5000))
    (entry,), parser = parse(f'#EXTINF:-1 group-title="{group}",One', "http://a.example/1")
    assert entry.groups == tuple(f"Group {n}" for n in range(32))
    assert parser.cut


def test_short_names_of_many_groups_are_counted_too() -> None:
    group = ";".join("abcdefghijklmnopqrstuvwxyz0123456789")
    (entry,), parser = parse(f'#EXTINF:-1 group-title="{group}",One', "http://a.example/1")
    assert len(entry.groups) == 32
    assert parser.cut == 1


@pytest.mark.parametrize("sign", ['"', "'", ""])
def test_a_line_has_so_many_attributes(sign: str) -> None:
    attributes = " ".join(f"k{n}={sign}{n}{sign}" for n in range(5000))
    (entry,), _ = parse(f"#EXTINF:-1 {attributes},One", "http://a.example/1")
    assert len(entry.attributes) <= 64


def test_an_attribute_whose_name_is_none_is_left_out() -> None:
    line = f'#EXTINF:-1 {"k" * LONG}="1" tvg-id="2",One'
    (entry,), _ = parse(line, "http://a.example/1")
    assert entry.attributes == {"tvg-id": "2"}


MANY = [f"X-Header-{n}" for n in range(1000)]


@pytest.mark.parametrize(
    "lines",
    [
        ["#EXTHTTP:" + json.dumps(dict.fromkeys(MANY, "1"))],
        [f"#EXTHTTP:{json.dumps({name: '1'})}" for name in MANY],
        ["#KODIPROP:inputstream.adaptive.stream_headers=" + "&".join(f"{n}=1" for n in MANY)],
        [f'#EXTHTTP:{{"Cookie": "{"c" * 10_000}"}}'],
        [f"#EXTVLCOPT:http-user-agent={'a' * 60_000}"],
    ],
)
def test_an_entry_asks_for_so_many_headers_of_such_a_length(lines: list[str]) -> None:
    (entry,), _ = parse("#EXTINF:-1,One", *lines, "http://a.example/1")
    assert len(entry.headers) <= 32
    assert all(len(value) <= 4096 for value in entry.headers.values())


def test_headers_behind_an_address_are_bounded_too() -> None:
    options = "&".join(f"{name}=1" for name in MANY)
    (entry,), _ = parse("#EXTINF:-1,One", f"http://a.example/1|{options}")
    assert len(entry.headers) == 32


@pytest.mark.parametrize("start", ["http://a.example/", "stream/", "rtsp://a.example/"])
def test_an_address_that_no_server_would_take_is_no_entry(start: str) -> None:
    entries, parser = parse(
        "#EXTINF:-1,One", start + "x" * 9000, "#EXTINF:-1,Two", "http://a.example/2"
    )
    assert [entry.name for entry in entries] == ["Two"]
    assert parser.skipped == 1


def test_what_usual_lists_have_is_left_as_it_is() -> None:
    logo = "http://logo.example/" + "x" * 1500
    line = f'#EXTINF:-1 tvg-name="{"n" * 256}" tvg-logo="{logo}" group-title="{"g" * 256}",One'
    (entry,), parser = parse(line, "http://a.example/" + "t" * 4000)
    assert parser.cut == 0
    assert entry.attributes["tvg-logo"] == logo
    assert entry.attributes["tvg-name"] == "n" * 256


@pytest.mark.parametrize(
    "lines",
    [
        ["#EXTINF:-1," + ", " * 30_000, *["no address"] * 2000],
        ['#EXTINF:-1 tvg-id="' + "a" * 60_000, *['x"'] * 2000],
        [
            "#EXTINF:-1,One",
            *["#EXTHTTP:" + json.dumps(dict.fromkeys(MANY[:200], "1"))] * 64,
            *[f"http://a.example/{n}" for n in range(2000)],
        ],
        [
            "#EXTINF:-1,One",
            *[f"#KODIPROP:stream_headers=a{n}=b&c=d" for n in range(64)],
            *[f"http://a.example/{n}" for n in range(2000)],
        ],
    ],
    ids=["no address", "broken", "one header line, many links", "many header lines"],
)
def test_what_is_said_once_is_read_once_however_many_lines_follow(lines: list[str]) -> None:
    """2,000 lines are what a piece of a list has: 16 KB, between two turns of the others."""
    begun = time.thread_time()
    parse(*lines)
    assert time.thread_time() - begun < 3  # 0.2 s; 10 to 60 where each line reads it anew
