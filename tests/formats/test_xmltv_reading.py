"""Guides are read in pieces; what is broken in them costs itself, and no more."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kptv.formats.xmltv.reading import (
    MOST_BROKEN,
    MOST_NAMES,
    Described,
    Fault,
    GuideReader,
    Show,
    shows_of,
)
from kptv.formats.xmltv.times import ShowTimes
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel, programme

DOCTYPE = b'<!DOCTYPE tv SYSTEM "xmltv.dtd">'
REAL = Path(__file__).resolve().parents[3] / "shared" / "lists"


def a_show(number: int, inside: bytes = b"<title>Show</title>") -> bytes:
    return (
        b'<programme start="2026010110%02d00 +0000" stop="2026010110%02d00 +0000" '
        % (
            number,
            number + 1,
        )
        + b'channel="one.uk">%b</programme>\n' % inside
    )


def guide(*elements: bytes, before: bytes = b"", declared: bytes = b"UTF-8") -> bytes:
    start = b'%b<?xml version="1.0" encoding="%b"?>%b<tv>\n' % (before, declared, DOCTYPE)
    return start + b"".join(elements) + b"</tv>\n"


def read(
    data: bytes | Iterable[bytes], wanted: str = ""
) -> tuple[list[Show], list[Described], GuideReader]:
    heard: list[Described] = []
    reader = GuideReader(ShowTimes(), heard.append, lambda guide_id: wanted in guide_id)
    pieces = [data] if isinstance(data, bytes) else data
    return list(shows_of(pieces, reader)), heard, reader


# --- What there is ------------------------------------------------------------------------


def test_a_channel_has_its_id_all_its_names_and_the_first_icon() -> None:
    told = b"""<channel id="one&amp;two.uk">
      <display-name lang="en">BBC  One &amp; more</display-name><display-name>101</display-name>
      <icon width="3" src='http://i.example/1.png?a=1&amp;b=2'/><icon src="http://i.example/2"/>
    </channel><channel id="three"/>"""
    shows, heard, reader = read(guide(told))
    assert heard == [
        Described("one&two.uk", ("BBC One & more", "101"), "http://i.example/1.png?a=1&b=2"),
        Described("three", (), ""),
    ]
    assert (shows, reader.channels, reader.is_whole) == ([], 2, True)


def test_a_show_keeps_its_children_untouched_and_in_their_order() -> None:
    inside = """
      <title lang="en">Tom &amp; Jerry</title>
      <desc>Two
         lines &#169; é</desc>
      <credits><actor role="x">A</actor></credits>
      <new />
    """.encode()
    (show,), _, _ = read(guide(a_show(0, inside)))
    assert show.title == "Tom & Jerry"
    assert show.channel == "one.uk"
    assert (show.start, show.stop) == (1767261600, 1767261660)
    assert show.xml.decode() == (
        '<title lang="en">Tom &amp; Jerry</title><desc>Two\n         lines &#169; é</desc>'
        '<credits><actor role="x">A</actor></credits><new />'
    )


def test_attributes_stand_in_any_order_and_either_kind_of_quotes() -> None:
    told = b"<programme\n channel = 'a&apos;b' clumpidx=\"0/2\"\tstart='20260101100000'\n>"
    (show,), _, _ = read(guide(told + b"<title>x</title></programme >"))
    assert show == Show("a'b", 1767261600, None, "x", b"<title>x</title>")


def test_shows_that_nobody_wants_are_counted_and_not_looked_at() -> None:
    other = a_show(1, b"<broken>").replace(b"one.uk", b"two.uk")
    shows, _, reader = read(guide(a_show(0), other, a_show(2)), wanted="one")
    assert (len(shows), reader.shows, reader.kept) == (2, 3, 2)
    assert reader.faults == Counter()


def test_an_id_is_asked_for_once_and_again_when_it_is_described_later() -> None:
    asked: list[str] = []
    names: list[str] = []

    def wants(guide_id: str) -> bool:
        asked.append(guide_id)
        return bool(names)

    reader = GuideReader(ShowTimes(), lambda described: names.extend(described.names), wants)
    late = b'<channel id="one.uk"><display-name>One</display-name></channel>'
    shows = list(shows_of([guide(a_show(0), a_show(1), late, a_show(2))], reader))
    assert asked == ["one.uk", "one.uk"]
    assert [show.start for show in shows] == [1767261600 + 120]


@pytest.mark.parametrize(
    ("name", "channels", "shows"),
    [
        ("matthuisman__SamsungTVPlus_gb.xml.gz", 263, 2409),
        ("matthuisman__MeTV_epg.xml", 1, 235),
        ("tellytv__example.xml", 2, 10),
        ("XMLTV__t_data_test.xml", 2, 1),
        ("XMLTV__t_data_overlap.xml", 0, 14),
        ("XMLTV__t_data-tv_augment_tv_augment_automatic_type_5-2.xml", 1, 99),
    ],
)
def test_real_guides_are_read_whole(name: str, channels: int, shows: int) -> None:
    if not (REAL / name).exists():
        pytest.skip("no real guides here")
    found, _, reader = read((REAL / name).read_bytes())
    assert (reader.channels, len(found), reader.faults) == (channels, shows, Counter())
    assert reader.is_whole


# --- What is broken (GUIDE: faults of the second of three) -------------------------------


@pytest.mark.parametrize(
    ("inside", "title"),
    [
        (b"<title>Tom & Jerry</title>", "Tom & Jerry"),
        (b"<title>A&B; &unknown; &#x110000;</title>", "A&B; &unknown;"),
        (b"<title>a\x01b\x0bc\0d</title>", "a b c d"),
        (b"<title>a&#11;b&#xD800;c&#0;</title>", "a b c"),
        (b"<title>a\xef\xbf\xbfb</title>", "a\ufffdb"),
        (b"<title>caf\xe9</title>", "café"),
        (b"<title>a&nbsp;b&eacute;</title>", "a bé"),
        (b"<title><![CDATA[Tom & <b>Jerry</b>]]></title>", "Tom & <b>Jerry</b>"),
        (b"<title>a]]>b</title>", "a]]>b"),
        (b"<title>x</title><desc>one<br>two</desc>", "x"),
        (b"<title>News <1> and a < b</title>", "News <1> and a < b"),
        (b"<title>x</title><!-- a & b -->", "x"),
        ("<title>\u2028\U0001f600</title>".encode(), "\U0001f600"),
    ],
)
def test_what_can_be_mended_costs_nothing(inside: bytes, title: str) -> None:
    shows, _, reader = read(guide(a_show(0), a_show(1, inside), a_show(2)))
    assert [show.title for show in shows] == ["Show", title, "Show"]
    assert reader.faults == Counter()
    again, _, _ = read(HEADER + programme("x", 0, 60, shows[1].xml) + FOOTER)
    assert again[0].title == title  # and it is read by us as others read it


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (a_show(1, b"<title>x</titel>"), Fault.BROKEN),
        (a_show(1, b"<title>x"), Fault.BROKEN),
        (a_show(1, b"<title>x</title><!-- "), Fault.BROKEN),
        (a_show(1, b"<title>x</title><!ENTITY a 'b'>"), Fault.BROKEN),
        (a_show(1).replace(b"</programme>", b""), Fault.BROKEN),
        (a_show(1).replace(b'uk"', b"uk"), Fault.NO_CHANNEL),
        (a_show(1, b"<desc>x</desc>"), Fault.UNTITLED),
        (a_show(1, b"<title> &#160; </title>"), Fault.UNTITLED),
        (a_show(1, b"<title>%b</title>" % (b"x" * 70_000)), Fault.TOO_LONG),
        (a_show(1).replace(b"start=", b"begin="), Fault.NO_TIME),
        (a_show(1).replace(b"20260101", b"20260230"), Fault.NO_TIME),
        (a_show(1).replace(b"one.uk", b""), Fault.NO_CHANNEL),
        (a_show(1).replace(b"one.uk", b"x" * 300), Fault.NO_CHANNEL),
    ],
)
def test_what_is_broken_costs_itself_only(broken: bytes, fault: Fault) -> None:
    shows, _, reader = read(guide(a_show(0), broken, a_show(2)))
    assert [show.start for show in shows] == [1767261600, 1767261720]
    assert reader.faults == Counter({fault: 1})


def test_fifty_megabytes_in_a_title_cost_that_show() -> None:
    def pieces() -> Iterator[bytes]:
        yield guide(a_show(0))[: -len("</tv>\n")]
        yield a_show(1).partition(b"Show")[0]
        for _ in range(800):
            yield b"x" * 65_536
        yield a_show(1).partition(b"Show")[2] + a_show(2) + b"</tv>"

    shows, _, reader = read(pieces())
    assert len(shows) == 2
    assert reader.faults == Counter({Fault.TOO_LONG: 1})


def test_entities_do_not_expand_and_nothing_is_opened() -> None:
    laughs = (
        b'<!DOCTYPE tv [<!ENTITY a "haha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "/etc/passwd">]>'
    )
    told = (
        b"<?xml version='1.0'?>" + laughs + b"<tv>" + a_show(0, b"<title>&b;&f;</title>") + b"</tv>"
    )
    (show,), _, _ = read(told)
    assert show.title == "&b;&f;"


@pytest.mark.parametrize(
    ("before", "encoding", "declared"),
    [
        (b"\n\n \n", "utf-8", b"UTF-8"),
        (b"\xef\xbb\xbf", "utf-8", b"UTF-8"),
        (b"", "utf-16", b"UTF-16"),
        (b"", "utf-16-le", b"UTF-16"),
        (b"", "utf-16-be", b"whatever"),
        (b"", "cp1251", b"windows-1251"),
        (b"", "gbk", b"GBK"),
        (b"", "utf-8", b"ISO-8859-1"),  # declared wrongly
        (b"", "cp1251", b"UTF-8"),
        (b"", "utf-8", b"no such thing"),
    ],
)
def test_the_encoding_is_what_it_is_whatever_is_declared(
    before: bytes, encoding: str, declared: bytes
) -> None:
    title = "Новости дня и погода"
    inside = f"<title>{title}</title>".encode()
    text = guide(a_show(0, inside), a_show(1, inside), declared=declared).decode()
    shows, _, _ = read(before + text.encode(encoding))
    assert [show.title for show in shows] == [title, title]


def test_a_guide_behind_a_guide_is_read_too() -> None:
    late = b'<channel id="two"/>'
    shows, heard, reader = read(guide(a_show(0)) + guide(late, a_show(1)))
    assert (len(shows), [d.id for d in heard], reader.is_whole) == (2, ["two"], True)


def test_what_is_in_a_comment_is_not_there() -> None:
    hidden = b"<!-- " + a_show(1) + b" -->"
    shows, _, reader = read(guide(a_show(0), hidden, a_show(2)))
    assert (len(shows), reader.shows) == (2, 2)


@pytest.mark.parametrize(
    ("data", "root"),
    [
        (b"<!DOCTYPE html><html><head><title>Login</title></head></html>", "html"),
        (b"", ""),
        (b"not found", ""),
        (b"<tv", ""),
        (b"\x00\xff" * 50_000, ""),
    ],
)
def test_what_is_no_guide_has_no_shows_and_says_what_it_is(data: bytes, root: str) -> None:
    shows, heard, reader = read(data)
    assert (shows, heard, reader.root, reader.is_whole) == ([], [], root, False)


def test_a_guide_that_is_cut_off_keeps_what_came() -> None:
    whole = guide(*map(a_show, range(20)))
    shows, _, reader = read(whole[: whole.rindex(b"<title>")])
    assert len(shows) == 19
    assert not reader.is_whole
    assert reader.faults[Fault.CUT] == 1


def test_a_packed_guide_that_is_cut_off_keeps_what_came() -> None:
    packed = gzip.compress(guide(*(a_show(n % 59) for n in range(4000))), 0)
    shows, _, reader = read(packed[: len(packed) // 2])
    assert 1500 < len(shows) < 2100
    assert (reader.is_whole, reader.faults[Fault.PACKING]) == (False, 1)


def test_a_guide_of_broken_shows_is_given_up() -> None:
    broken = a_show(1, b"<title>x</titel>")
    shows, _, reader = read(guide(*[broken] * (3 * MOST_BROKEN), a_show(2)))
    assert (shows, reader.is_over, reader.faults[Fault.MANY_BROKEN]) == ([], True, 1)


def test_many_broken_shows_among_more_good_ones_cost_themselves() -> None:
    broken = [a_show(1, b"<title>x</titel>"), a_show(2), a_show(3), a_show(4)] * (MOST_BROKEN + 9)
    shows, _, reader = read(guide(*broken))
    assert len(shows) == 3 * (MOST_BROKEN + 9)
    assert reader.is_whole


def test_an_id_has_so_many_names_however_many_elements_tell_them() -> None:
    names = [channel("one", [f"Name {n}", f"Other {n}"]) for n in range(MOST_NAMES)]
    _, heard, reader = read(guide(*names))
    assert sum(len(described.names) for described in heard) == MOST_NAMES
    assert reader.faults == Counter({Fault.MANY_NAMES: MOST_NAMES})
    assert reader.channels == 1


def test_shows_and_channels_have_bounds_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptv.formats.xmltv.reading.MOST_SHOWS", 5)
    monkeypatch.setattr("kptv.formats.xmltv.reading.MOST_CHANNELS", 2)
    channels = [b'<channel id="%d"/>' % n for n in range(4)]
    shows, heard, reader = read(guide(*channels, *map(a_show, range(9))))
    assert (len(shows), len(heard)) == (5, 2)
    assert reader.faults == Counter({Fault.MANY_CHANNELS: 2, Fault.MANY_SHOWS: 1})
    assert (reader.is_over, reader.is_whole) == (True, False)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (b'<media:thumb url="u"/>', b'<media-thumb url="u"/>'),
        (b"<x:a><x:b>1:2</x:b></x:a>", b"<x-a><x-b>1:2</x-b></x-a>"),
        (b"<c xsi:type='b'/>", b"<c xsi-type='b'/>"),
        (b'<desc xml:lang="en">a:b</desc>', None),
        (b'<m:a xmlns:m="u">x</m:a>', None),
    ],
)
def test_a_prefix_that_only_the_root_explains_is_none_of_ours(
    told: bytes, kept: bytes | None
) -> None:
    """Jellyfin's and Python's readers refuse the whole of a guide with an unknown prefix."""
    shows, _, reader = read(guide(a_show(1, b"<title>One</title>" + told), a_show(2)))
    assert [show.xml for show in shows] == [
        b"<title>One</title>" + (kept or told),
        b"<title>Show</title>",
    ]
    assert reader.faults == {}
