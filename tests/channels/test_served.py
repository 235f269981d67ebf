"""The served list: whole, safe, and silent about the provider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.catalog import Catalog, Listing, records_of
from kptv.channels.merging import build_catalog
from kptv.channels.model import Channel, Source
from kptv.channels.packing import pack, unpack
from kptv.channels.secrets import Finder
from kptv.channels.served import hidden_logo, listed, render, served_as
from kptv.formats.m3u import Entry, ListParser, extinf
from kptv.formats.m3u_attributes import quoted, unquoted
from kptv.pace import drive

LIST_URL = "http://panel.example:8080/get.php?username=alice&password=s3cret&type=m3u_plus"
STREAM_URL = "http://panel.example:8080/live/alice/s3cret/{}.ts"


def catalog_of(*lists: str) -> Catalog:
    listings = []
    for number, text in enumerate(lists, start=1):
        entries = ListParser().feed(text.split("\n"))
        source = Source(number, LIST_URL, number)
        listings.append(Listing(source, [[pack(number, entry) for entry in entries]]))
    return drive(build_catalog(listings))


def served(*lists: str, base_url: str = "http://proxy/iptv") -> list[str]:
    return b"".join(render(catalog_of(*lists), base_url)).decode().splitlines()


def test_a_channel_is_one_line_and_one_link() -> None:
    assert served('#EXTINF:-1 tvg-id="b" group-title="UK" x="1",BBC One\nhttp://a/1') == [
        "#EXTM3U",
        '#EXTINF:-1 tvg-id="b" group-title="UK" x="1",BBC One',
        "http://proxy/iptv/stream/bbc-one",
    ]


def test_an_empty_catalog_is_an_empty_list() -> None:
    assert served() == ["#EXTM3U"]


def test_attributes_stand_in_an_order_that_no_list_changes() -> None:
    one = served('#EXTINF:-1 zz="1" group-title="G" aa="2" tvg-id="i",A\nhttp://a/1')
    other = served('#EXTINF:-1 aa="2" tvg-id="i" zz="1" group-title="G",A\nhttp://a/1')
    assert one == other
    assert one[1] == '#EXTINF:-1 tvg-id="i" group-title="G" aa="2" zz="1",A'


def test_gaps_are_filled_from_the_other_candidates() -> None:
    first = '#EXTINF:-1 tvg-id="" group-title="UK",A\nhttp://a/1'
    second = '#EXTINF:-1 tvg-id="i" group-title="US" tvg-chno="5",A\nhttp://b/1'
    assert served(first, second)[1] == ('#EXTINF:-1 tvg-id="i" tvg-chno="5" group-title="UK",A')


def test_quotes_in_names_and_values_are_made_safe_as_the_format_does() -> None:
    lines = served('#EXTINF:-1 tvg-name="The "Best" TV",He said "hi"\nhttp://a/1')
    assert lines[1] == extinf('He said "hi"', quoted({"tvg-name": 'The "Best" TV'}))
    assert len(lines) == 3


@pytest.mark.parametrize(
    "attribute",
    [
        'catchup-source="http://panel.example:8080/timeshift/{utc}.ts"',
        'tvg-url="http://panel.example:8080/xmltv.php"',
        'x="bearer s3cret"',
        'tvg-poster="http://panel.example:8080/live/alice/s3cret/1.png"',
        'group-logo="http://cdn.example/logo.png?user=alice"',
        f'tvg-rec="{STREAM_URL.format(1)}"',
        'http://other.example/x="1"',
        'tvg-url="http://other.example/" http://other.example/logo="1"',
    ],
)
def test_an_attribute_that_tells_of_the_provider_is_left_out(attribute: str) -> None:
    text = "\n".join(served(f'#EXTINF:-1 {attribute} tvg-id="i",A\n{STREAM_URL.format(1)}'))
    assert '#EXTINF:-1 tvg-id="i",A' in text


HIDDEN = "http://panel.example:8080/live/alice/s3cret/{}.png"
LINK = "http://proxy/iptv/logo/a"


@pytest.mark.parametrize(
    ("logos", "served_logos"),
    [
        (f'tvg-logo="{HIDDEN.format(1)}"', f'tvg-logo="{LINK}"'),
        ('tvg-logo="HTTPS://cdn.example/a.png?user=alice"', f'tvg-logo="{LINK}"'),
        (f'logo="{HIDDEN.format(1)}"', f'tvg-logo="{LINK}"'),
        (f'tvg-logo="{HIDDEN.format(1)}" logo="{HIDDEN.format(2)}"', f'tvg-logo="{LINK}"'),
        (f'tvg-logo="" logo="{HIDDEN.format(1)}"', f'tvg-logo="{LINK}"'),
        # Players find one without our help.
        (f'tvg-logo="http://a/1.png" logo="{HIDDEN.format(1)}"', 'tvg-logo="http://a/1.png"'),
        (f'tvg-logo="{HIDDEN.format(1)}" logo="http://a/1.png"', 'logo="http://a/1.png"'),
        # Nothing that could be fetched, or a stream.
        ('tvg-logo="/alice/s3cret/1.png"', ""),
        ('tvg-logo="ftp://alice:s3cret@h/1.png"', ""),
        (f'tvg-logo="{STREAM_URL.format(1)}"', ""),
        (f'tvg-logo="{STREAM_URL.format(1)}?x"', ""),
    ],
)
def test_a_logo_that_tells_of_the_provider_is_served_from_here(
    logos: str, served_logos: str
) -> None:
    line = served(f"#EXTINF:-1 {logos},A\n{STREAM_URL.format(1)}")[1]
    assert line == f"#EXTINF:-1 {served_logos}".rstrip() + ",A"


def test_a_public_logo_of_another_candidate_comes_before_a_hidden_one() -> None:
    first = f'#EXTINF:-1 tvg-logo="{HIDDEN.format(1)}",A\n{STREAM_URL.format(1)}'
    second = f'#EXTINF:-1 tvg-logo="http://a/1.png",A\n{STREAM_URL.format(2)}'
    third = f'#EXTINF:-1 tvg-logo="{HIDDEN.format(3)}",A\n{STREAM_URL.format(3)}'
    assert served(first, second, third)[1] == '#EXTINF:-1 tvg-logo="http://a/1.png",A'
    assert served(first, third)[1] == f'#EXTINF:-1 tvg-logo="{LINK}",A'
    catalog = catalog_of(first, third)
    logo = hidden_logo(catalog.channels[0], Finder(catalog.secrets))
    assert logo is not None
    assert (logo.source.number, logo.url) == (1, HIDDEN.format(1))
    assert "s3cret" not in repr(logo)


ODD = st.lists(
    st.sampled_from(["=", '"', "'", " ", ",", "://", "logo", "a", "\x1f"]), max_size=8
).map("".join)


@given(st.lists(st.tuples(ODD, ODD)), ODD)
def test_no_attribute_keeps_a_list_from_being_served(
    attributes: list[tuple[str, str]], name: str
) -> None:
    info = "".join([f' {key}="{value}"' for key, value in attributes])
    lines = served(f"#EXTINF:-1{info},{name}\n{STREAM_URL.format(1)}")
    assert len(lines) == 3
    (again,) = ListParser().feed(lines)
    assert extinf(again.name, again.quoted) == lines[1]


@pytest.mark.parametrize(
    "attribute",
    [
        'tvg-logo="http://panel.example:8080/images/1.png"',
        'tvg-logo="https://proxy.example/?url=https://logos.example/alicetv.png"',
        'tvg-name="Alice in Wonderland"',
    ],
)
def test_an_attribute_that_does_not_stays(attribute: str) -> None:
    assert attribute in served(f"#EXTINF:-1 {attribute},A\n{STREAM_URL.format(1)}")[1]


PAST = [
    'catchup="append"',
    'catchup="shift"',
    'catchup-type="xc"',
    'catchup-source="?offset=${offset}"',
    'catchup-days="7"',
    'catchup-time="10080"',
    'catchup-correction="-2.5"',
    'catchup-id="1"',
    'timeshift="3"',
    'tvg-rec="3"',
    'arc-timeshift="3"',
    'CATCHUP="default"',
]


@pytest.mark.parametrize("attribute", PAST)
def test_a_past_that_the_link_cannot_show_is_not_promised(attribute: str) -> None:
    plain = f'#EXTINF:-1 tvg-id="i" {attribute} tvg-shift="2",A'
    assert served(f"{plain}\nhttp://a/1")[1] == '#EXTINF:-1 tvg-id="i" tvg-shift="2",A'
    # Nor by another source's offer that fills the first one's gaps.
    merged = served('#EXTINF:-1 tvg-id="i",A\nhttp://a/1', f"{plain}\nhttp://b/1")
    assert merged[1] == '#EXTINF:-1 tvg-id="i" tvg-shift="2",A'


def test_a_word_that_only_looks_like_the_past_stays() -> None:
    line = '#EXTINF:-1 tvg-id="archive.arc" group-title="timeshift= catchup" x="tvg-rec=1",A'
    assert served(f"{line}\nhttp://a/1")[1] == line


def test_what_is_not_served_of_the_past_is_kept() -> None:
    (entry,) = ListParser().feed(['#EXTINF:-1 catchup="shift" catchup-days="3",A', "http://a/1"])
    source = Source(1, LIST_URL, 1)
    catalog = drive(build_catalog([Listing(source, [[pack(1, entry)]])]))
    (stream,) = catalog.channels[0].streams
    assert stream.attributes == {"catchup": "shift", "catchup-days": "3"}


def test_guides_of_the_provider_are_not_announced() -> None:
    text = f'#EXTM3U url-tvg="http://a/x?password=s3cret"\n#EXTINF:-1,A\n{STREAM_URL.format(1)}'
    assert served(text)[0] == "#EXTM3U"


def test_a_guide_learns_which_entries_stand_behind_the_id_that_players_see() -> None:
    lists = (
        '#EXTINF:-1 tvg-id="",A\nhttp://a/1\n#EXTINF:-1 tvg-id="s3cret",B\nhttp://a/2',
        '#EXTINF:-1 tvg-id="a.two",A\nhttp://b/1\n#EXTINF:-1 tvg-id="b.two",B\nhttp://b/2',
        '#EXTINF:-1 tvg-id="a.three",A\nhttp://c/1',
    )
    catalog = catalog_of(*lists)
    secrets = Finder(catalog.secrets)
    seen = {}
    for (slug, row), channel in zip(catalog.rows(), catalog.channels, strict=True):
        served_id = unquoted(served_as(row, secrets)[1])["tvg-id"]
        own_ids = [(s.source.number, s.attributes.get("tvg-id", "")) for s in channel.streams]
        seen[served_id] = slug, own_ids
    assert seen == {
        "a.two": ("a", [(1, ""), (2, "a.two"), (3, "a.three")]),
        "b.two": ("b", [(1, "s3cret"), (2, "b.two")]),
    }
    assert [line.split('"')[1] for line in served(*lists)[1::2]] == [*seen]


ODD_ATTRIBUTES = (
    ' tvg-id="a.uk" tvg-logo="http://logo.example/a.png"',
    ' tvg-id="Canal+" tvg-name="50%25 \u212aino"',
    ' tvg-logo="http://logo.example/alice/s3cret/a.png"',
    ' catchup="default" catchup-source="http://a/?utc=1"',
    ' x="http://panel.example:8080/live/alice/s3cret/1.ts"',
    ' tvg-rec="3" cookie="c"',
    ' logo="http://user:pa@logo.example/1"',
    ' tvg-logo="http://u:pa@h/1"',
    ' tvg-name="an \x1finner\x1f quote"',
    ' tvg-id="i" tvg-chno="12" group-title="tvg-chno="',
    ' tvg-chno="x" x=" tvg-chno="',
    ' x="tvg-id=" y="1"',
    "",
)


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(ODD_ATTRIBUTES),
                st.sampled_from(["http://a/1?t=a.uk", "http://u:pa@h/1", STREAM_URL.format(1)]),
                st.sampled_from(["A", 'A "1"']),
            ),
            min_size=1,
            max_size=2,
        ),
        max_size=6,
    )
)
def test_many_channels_at_once_are_served_as_each_by_itself(
    rows: list[list[tuple[str, str, str]]],
) -> None:
    secrets = Finder(catalog_of(f"#EXTINF:-1,A\n{STREAM_URL.format(1)}").secrets)
    records = [[pack(1, Entry(name, url, text, (), {})) for text, url, name in row] for row in rows]
    packed = [row[0] if len(row) == 1 else tuple(row) for row in records]
    alone = [
        f"{extinf(*served_as(row, secrets, f'http://tv/logo/{n}'))}\nhttp://tv/stream/{n}\n"
        for n, row in enumerate(packed)
    ]
    channels = [(str(n), row) for n, row in enumerate(packed)]
    sources = {1: Source(1, LIST_URL, 1)}
    for (slug, row), text in zip(channels, alone, strict=True):
        streams = tuple(unpack(record, sources) for record in records_of(row))
        hidden = hidden_logo(Channel(slug, "", streams), secrets)
        assert (hidden is not None) == ("http://tv/logo/" in text), "whatever is named is there"
    assert listed(channels, secrets, "http://tv").decode() == "".join(alone)
    numbered = [
        f"{extinf(*served_as(row, secrets, f'http://tv/logo/{n}', n + 7))}\nhttp://tv/stream/{n}\n"
        for n, row in enumerate(packed)
    ]
    numbers = range(7, 7 + len(rows))
    assert listed(channels, secrets, "http://tv", numbers).decode() == "".join(numbered)
