"""The catalog: channels out of listings, their order, how they are found."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.catalog import BLOCK, Catalog, Listing
from kptv.channels.grouping import slug_of
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.ordering import natural, sorted_in_steps
from kptv.channels.packing import pack, unpack
from kptv.formats.m3u import Entry, ListParser
from kptv.formats.m3u_attributes import quoted

T = TypeVar("T")


def run(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def listing(text: str, number: int = 1, limit: int = 1) -> Listing:
    """Of lines such as ``group-title="UK",BBC One``; each gets a URL of its own."""
    lines = [
        line
        for n, info in enumerate(text.strip().split("\n"))
        for line in (f"#EXTINF:-1 {info.strip()}", f"http://provider{number}.example/{n}.ts")
    ]
    return packed(ListParser().feed(lines), number, limit)


def packed(entries: list[Entry], number: int = 1, limit: int = 1) -> Listing:
    source = Source(number, f"http://provider{number}.example/list", limit)
    records = [pack(number, entry) for entry in entries]
    return Listing(source, [records[i : i + 3] for i in range(0, len(records), 3)])


def catalog(*listings: Listing, **options: object) -> Catalog:
    return run(build_catalog(listings, **options))  # type: ignore[arg-type]


def names(built: Catalog) -> list[str]:
    return [channel.name for channel in built.channels]


def test_same_names_are_one_channel_and_each_entry_is_a_candidate() -> None:
    built = catalog(listing(",BBC One\n,bbc  one\n,BBC Two"), listing(",ＢＢＣ ONE", number=2))
    assert names(built) == ["BBC One", "BBC Two"]
    assert [stream.url for stream in built.channels[0].streams] == [
        "http://provider1.example/0.ts",
        "http://provider1.example/1.ts",
        "http://provider2.example/0.ts",
    ]


def test_candidates_of_lower_limits_come_first_and_unlimited_ones_last() -> None:
    limits = {1: 0, 2: 5, 3: 1, 4: 5}
    built = catalog(*(listing(",A", number, limit) for number, limit in limits.items()))
    assert [stream.source.number for stream in built.channels[0].streams] == [3, 2, 4, 1]


@pytest.mark.parametrize("times", [2, 50])
def test_the_same_url_twice_in_a_source_is_one_candidate(times: int) -> None:
    entries = [Entry("A", f"http://a/{n}", "", (), {}) for n in range(times)]
    built = catalog(packed(entries * 2), packed(entries, number=2))
    assert [stream.key for stream in built.channels[0].streams] == [
        (number, f"http://a/{n}") for number in (1, 2) for n in range(times)
    ]


def test_the_same_name_and_address_twice_in_a_list_is_one_stream_with_all_that_both_say() -> None:
    first = Entry(
        "A", "http://a/1", ' tvg-id="" group-title="G" x="1"', ("G", "H"), {"Referer": "r"}
    )
    other = Entry("B", "http://a/2", "", (), {})
    second = Entry(
        "a",
        "http://a/1",
        ' tvg-id="i" tvg-logo="l" group-title="I" x="2"',
        ("I", "g"),
        {"Referer": "s", "Cookie": "c"},
    )
    built = catalog(packed([first, other, second, first, second]))
    assert names(built) == ["A", "B"]
    (stream,) = built.channels[0].streams
    assert stream.attributes == {"tvg-id": "i", "tvg-logo": "l", "group-title": "G", "x": "1"}
    assert stream.headers == {"Referer": "r", "Cookie": "c"}
    assert {g: list(built.group(g) or ()) for g in "GHI"} == {"G": [0], "H": [0], "I": [0]}


@pytest.mark.parametrize("count", [2, 50])
def test_what_is_listed_twice_is_united_among_other_candidates_and_for_its_source_only(
    count: int,
) -> None:
    entries = [Entry("A", f"http://a/{n}", "", (f"G{n}",), {}) for n in range(count)]
    again = [entry._replace(quoted=' tvg-id="i"', groups=("H",)) for entry in entries]
    built = catalog(packed(entries + again), packed(entries, number=2))
    mine, others = built.channels[0].streams[:count], built.channels[0].streams[count:]
    assert [stream.attributes for stream in mine] == [{"tvg-id": "i"}] * count
    assert [stream.attributes for stream in others] == [{}] * count
    assert [built.group(group) is not None for group in ("H", "G0", "G1")] == [True] * 3


def test_an_attribute_that_only_the_second_listing_has_orders_the_list() -> None:
    a, b = (Entry(n, f"http://a/{n}", f' tvg-chno="{c}"', (), {}) for n, c in (("A", 2), ("B", 1)))
    built = catalog(packed([a._replace(quoted=""), b, a]), sort_field="tvg-chno", descending=True)
    assert names(built) == ["A", "B"]


def test_what_a_list_says_a_thousand_times_in_other_words_has_a_bound() -> None:
    entries = [Entry("A", "http://a/1", f' k{n}="{n}"', (f"G{n}",), {}) for n in range(1000)]
    built = catalog(packed(entries))
    (stream,) = built.channels[0].streams
    assert stream.attributes["k0"] == "0"
    assert len(stream.attributes) == 64
    assert sum(1 for _ in built.groups()) == 64


def test_a_stream_has_what_the_list_said_and_its_source() -> None:
    entry = Entry("A", "http://a/1", ' tvg-id="a=b" x=""', ("G",), {"User-Agent": "U"})
    source = packed([entry])
    (stream,) = catalog(source).channels[0].streams
    assert stream.source is source.source
    assert (stream.name, stream.url) == ("A", "http://a/1")
    assert stream.attributes == entry.attributes
    assert stream.headers == entry.headers


@pytest.mark.parametrize("identifier", ["bbc-one", "BBC One", "bbc  ONE"])
def test_a_channel_is_found_by_slug_and_by_name_in_any_spelling(identifier: str) -> None:
    channel = catalog(listing(",BBC One\n,BBC Two")).find(identifier)
    assert channel is not None
    assert (channel.slug, channel.name) == ("bbc-one", "BBC One")


@pytest.mark.parametrize("identifier", ["", "bbc", "..", "\0", "x" * 8192, "\udcff", "~"])
def test_what_is_no_channel_is_not_found(identifier: str) -> None:
    assert catalog(listing(",BBC One")).find(identifier) is None
    assert Catalog().find(identifier) is None


def test_a_slug_stays_whatever_stands_beside_it() -> None:
    alone = catalog(listing(",A: 1")).channels[0].slug
    among = catalog(listing(",A 1\n,A! 1\n,A: 1\n,a-1"))
    assert len({channel.slug for channel in among.channels}) == 4
    assert alone in {channel.slug for channel in among.channels}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["10 b", "a", "CH 2", "CH 10", "z"]),
        ({"descending": True}, ["z", "CH 10", "CH 2", "a", "10 b"]),
        ({"sort_field": "tvg-chno"}, ["z", "a", "CH 10", "10 b", "CH 2"]),
        ({"sort_field": "tvg-chno", "descending": True}, ["CH 10", "a", "z", "CH 2", "10 b"]),
        ({"sort_field": "nonsense"}, ["10 b", "a", "CH 2", "CH 10", "z"]),
    ],
)
def test_the_list_is_ordered_by_an_attribute_numbers_as_numbers_then_by_name(
    options: dict[str, object], expected: list[str]
) -> None:
    text = ',CH 2\ntvg-chno="10",CH 10\ntvg-chno="2",a\ntvg-name="CH 99",10 b\ntvg-chno="1.5",z'
    if options.get("sort_field") is None:
        text = text.replace('tvg-name="CH 99"', "")
    assert names(catalog(listing(text), **options)) == expected


@pytest.mark.parametrize("field", ["tvg-name", "tvg-chno", "x"])
def test_a_value_that_ends_as_an_attribute_begins_is_a_value(field: str) -> None:
    lines = [
        f'x-a="b {field}=",A',  # nothing behind it: once the end of every import
        f'x-a="b {field}=" {field}="3",B',
        f'x-a="b {field}=" x-b="c {field}=" x-z="1",C',
        f'{field}="2" x-a=" {field}=",D',
    ]
    built = catalog(listing("\n".join(lines)), sort_field=field)
    # Without a tvg-name the name stands in for it: 2 and 3 come before letters anyway.
    assert names(built) == ["D", "B", "A", "C"]


def test_an_attribute_that_the_first_candidate_lacks_orders_by_the_next_one() -> None:
    built = catalog(
        listing(',A\ntvg-chno="2",B'), listing('tvg-chno="3",A', number=2), sort_field="tvg-chno"
    )
    assert names(built) == ["B", "A"]


@pytest.mark.parametrize("identifier", ["uk | news", "UK | News", slug_of("UK | News")])
def test_a_group_is_found_by_name_in_any_case_and_by_slug(identifier: str) -> None:
    built = catalog(
        listing('group-title="UK | News",B\ngroup-title="X",C\ngroup-title="uk | NEWS",A')
    )
    positions = built.group(identifier)
    assert positions is not None
    assert [built.channel(position).name for position in positions] == ["A", "B"]


def test_each_of_several_groups_of_any_candidate_counts_once() -> None:
    built = catalog(
        listing('group-title="A; B",One\n,Two'), listing('group-title="b;C;c",one', number=2)
    )
    assert {g: list(built.group(g) or ()) for g in "ABC"} == {"A": [0], "B": [0], "C": [0]}
    assert built.group("") is None
    assert built.group("D") is None


def test_a_catalog_of_many_blocks_is_whole() -> None:
    count = 3 * BLOCK + 7
    built = catalog(listing("\n".join(f'group-title="{n % 5}",CH {n}' for n in range(count))))
    assert names(built) == [f"CH {n}" for n in range(count)]
    assert built.channels[-1].name == f"CH {count - 1}"
    assert [channel.name for channel in built.channels[5:8]] == ["CH 5", "CH 6", "CH 7"]
    with pytest.raises(IndexError):
        built.channels[count]
    for n in (0, 1, BLOCK, count - 1):
        channel = built.find(f"ch-{n}")
        assert channel is not None
        assert channel.name == f"CH {n}"
        assert n in (built.group(str(n % 5)) or ())


def test_taking_a_catalog_apart_does_not_disturb_who_reads_it() -> None:
    built = catalog(listing("\n".join(f",CH {n}" for n in range(2 * BLOCK))))
    rows, some = built.rows(), built.rows([0, BLOCK, BLOCK + 1])
    next(rows)
    assert next(some)[0] == "ch-0"
    run(built.take_apart())
    assert len(list(rows)) == 2 * BLOCK - 1
    assert [slug for slug, _ in some] == [f"ch-{BLOCK}", f"ch-{BLOCK + 1}"]
    assert (len(built), built.find("ch-1"), built.group("x")) == (0, None, None)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
KEYS = st.from_regex(r"[^\s=\"',\x00-\x1f]{1,8}", fullmatch=True)


@given(
    WORDS,
    WORDS,
    st.dictionaries(KEYS, WORDS),
    st.lists(WORDS),
    st.dictionaries(st.sampled_from(["User-Agent", "Referer"]), WORDS),
)
def test_packing_loses_nothing(
    name: str,
    url: str,
    attributes: dict[str, str],
    groups: list[str],
    headers: dict[str, str],
) -> None:
    source = Source(7, "http://a", 1)
    stream = unpack(
        pack(7, Entry(name, url, quoted(attributes), tuple(groups), headers)), {7: source}
    )
    assert (stream.source, stream.name, stream.url) == (source, name, url)
    assert (stream.attributes, stream.headers) == (attributes, headers)


@given(st.lists(st.text(max_size=3), max_size=300), st.booleans())
def test_sorting_in_steps_is_sorting(keys: list[str], descending: bool) -> None:
    keys = keys * 4  # more than a block
    blocks = [keys[start : start + BLOCK] for start in range(0, len(keys), BLOCK)]
    rows = run(sorted_in_steps(blocks, range(len(keys)), descending=descending))
    assert list(rows) == sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_order_as_numbers(one: int, other: int) -> None:
    assert (natural(f"a {one} b") < natural(f"a {other:040} b")) == (one < other)


def test_a_stream_keeps_the_number_of_its_programme_and_sends_no_header_of_it() -> None:
    source = Source(7, "http://list/", 1)
    for program in (0, 1, 65535):
        entry = Entry("A", "udp://h:1", "", (), {"User-Agent": "U"}, program)
        stream = unpack(pack(7, entry), {7: source})
        assert (stream.program, stream.headers) == (program, {"User-Agent": "U"})
