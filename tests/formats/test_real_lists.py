"""Every entry that a person can see in real channel lists, where the lists are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kptv.formats.m3u import Entry, ListParser, extinf
from kptv.formats.text import Lines

LISTS = Path(__file__).resolve().parents[3] / "shared" / "lists"
FILES = sorted(LISTS.glob("*.m3u*")) + sorted(LISTS.glob("*__m3u"))
ENCODINGS = {"imDazui__陕西电信.m3u": "gbk", "imDazui__江西电信组播源.m3u": "utf-16"}
NOT_ADDRESSES = ("=====", "---", "[NO PUBLIC STREAM]")  # two separators

pytestmark = pytest.mark.skipif(not FILES, reason="no ../shared/lists here")
every_list = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def imported(path: Path) -> tuple[list[Entry], ListParser]:
    lines, parser = Lines(), ListParser()
    data = path.read_bytes()
    entries = []
    for start in range(0, len(data), 1000):
        entries += parser.feed(lines.feed(data[start : start + 1000]))
    entries += parser.feed(lines.finish())
    parser.finish()
    return entries, parser


def seen(path: Path) -> list[tuple[str, str]]:
    """(#EXTINF line or nothing, address) of each entry, as the eye finds them."""
    text = path.read_bytes().decode(ENCODINGS.get(path.name, "utf-8-sig"))
    found, info = [], ""
    for line in map(str.strip, re.split(r"[\r\n]+", text)):
        if line.startswith("#EXTINF"):
            info = line
        elif line and not line.startswith(("#", *NOT_ADDRESSES)):
            found.append((info, line))
            info = ""
    return found


@every_list
def test_every_entry_comes_out_in_order_with_its_url(path: Path) -> None:
    entries, _ = imported(path)
    assert [entry.url for entry in entries] == [
        address if address.startswith("pipe:") else re.sub(r"\|[\w-]+=.*", "", address)
        for _, address in seen(path)
    ]


@every_list
def test_every_name_is_what_stands_behind_the_comma(path: Path) -> None:
    entries, _ = imported(path)
    for entry, (info, _) in zip(entries, seen(path), strict=True):
        behind = info.rpartition('"')[2].partition(",")[2].strip(" ,\ufeff")
        assert entry.name == behind if behind else entry.name, info


@every_list
def test_every_attribute_comes_out(path: Path) -> None:
    entries, _ = imported(path)
    for entry, (info, _) in zip(entries, seen(path), strict=True):
        well_formed = re.findall(r'([\w-]+)="([^"]*)"', info)
        attributes = {key.lower(): value.strip() for key, value in well_formed if value}
        extra = entry.attributes.keys() - {key.lower() for key, _ in well_formed}
        assert {**entry.attributes, **attributes} == entry.attributes, info
        assert extra <= {"zz-definition", "group-title"}, info  # zz-definition=HD", and #EXTGRP


@every_list
def test_what_is_rendered_of_it_parses_back(path: Path) -> None:
    entries, _ = imported(path)
    lines = [line for e in entries for line in (extinf(e.name, e.quoted), "http://proxy/1")]
    again = ListParser().feed(lines)
    assert [(e.name, e.attributes) for e in again] == [
        (e.name.replace('"', "'"), {k: v.replace('"', "'") for k, v in e.attributes.items()})
        for e in entries
    ]


def test_the_catalogues_counts_are_met() -> None:
    for row in (LISTS / "CATALOGUE.md").read_text().splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        path = LISTS / cells[2] if len(cells) > 5 else LISTS
        if path not in FILES or path.name in ENCODINGS:  # it was counted in bytes
            continue
        entries, parser = imported(path)
        oddities = dict(re.findall(r"(\w+)=(\d+)", cells[5]))
        with_info = int(cells[4]) - int(oddities.get("extinf_without_url", 0))
        with_info -= path.read_bytes().count(b"\n[NO PUBLIC STREAM]")
        without_info = len(entries) + parser.skipped - int(cells[4])
        assert with_info <= len(entries), path.name
        assert without_info == int(oddities.get("url_without_extinf", 0)), path.name


@pytest.mark.parametrize(
    ("file", "name", "headers"),
    [
        ("freearhey__pipe.m3u", "Sport channel", {"User-Agent", "Referer"}),
        ("freearhey__base.m3u", "Channel 1 (Tested)", {"User-Agent", "Referer"}),
        ("freearhey__kodi.m3u", "RTP 1", {"User-Agent"}),
        ("smolnp__IPTVmini.m3u", "ТВ Центр", {"User-Agent"}),
        ("suxuang__ipv4.m3u", "北京卫视4K", {"User-Agent"}),
    ],
)
def test_headers_of_streams_are_found(file: str, name: str, headers: set[str]) -> None:
    entry = next(entry for entry in imported(LISTS / file)[0] if entry.name == name)
    assert entry.headers.keys() == headers


def test_headers_of_lists_are_found() -> None:
    _, parser = imported(LISTS / "smolnp__IPTVmini.m3u")
    assert parser.headers == {
        "url-tvg": "http://epg.it999.ru/ru2.xml.gz, https://iptvx.one/epg/epg.xml.gz",
        "tvg-shift": "+3",
    }
