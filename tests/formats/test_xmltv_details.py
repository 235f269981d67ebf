"""What people are told of a show."""

from __future__ import annotations

import pytest

from kptv.formats.xmltv.details import Details, details_of

WHOLE = b"""<title lang="en">Tom &amp; Jerry</title><title lang="de">Tom und Jerry</title>
<sub-title>The
  Duel</sub-title>
<desc lang="en">&lt;b&gt;A cat&lt;/b&gt; &amp;amp; a mouse:&lt;br/&gt;3 &lt; 4</desc>
<credits><actor>Tom</actor></credits>
<category>Films</category><category>Films</category><category>Kids</category>
<icon src='http://pictures.example/t.png?a=1&amp;b=2' width="1"/>
<episode-num system="onscreen">Pilot</episode-num>
<episode-num system="xmltv_ns"> 1 . 5/12 . 0/2 </episode-num><new/>"""


def test_all_that_is_told_comes_as_plain_text() -> None:
    assert details_of(WHOLE) == Details(
        title="Tom & Jerry",
        sub_title="The Duel",
        desc="A cat & a mouse: 3 < 4",
        categories=("Films", "Kids"),
        icon="http://pictures.example/t.png?a=1&b=2",
        episode="S2 E6",
    )


def test_a_show_may_tell_nothing() -> None:
    nothing = Details("", "", "", (), "", "")
    assert details_of(b"") == nothing
    assert (
        details_of(b"<descr>no</descr><titled>no</titled><icon/><desc/><title></title>") == nothing
    )


@pytest.mark.parametrize(
    ("xml", "episode"),
    [
        (b'<episode-num system="xmltv_ns">..</episode-num>', ""),
        (b'<episode-num system="xmltv_ns">.3.</episode-num>', "E4"),
        (b'<episode-num system="xmltv_ns">2</episode-num>', "S3"),
        (b'<episode-num system="xmltv_ns">x.y.z</episode-num>', ""),
        (b"<episode-num>S1E2</episode-num>", "S1E2"),
        (b'<episode-num system="dd_progid">EP01.02</episode-num>', ""),
        (b'<episode-num system="thetvdb.com">series/1</episode-num>'
         b'<episode-num system="onscreen">E2</episode-num>', "E2"),
    ],
)  # fmt: skip
def test_an_episode_is_told_as_people_say_it(xml: bytes, episode: str) -> None:
    assert details_of(xml).episode == episode


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (b"AT&amp;T", "AT&T"),
        (b"1 &lt; 2 and 3 &gt; 2", "1 < 2 and 3 > 2"),
        (b"one<br/>two", "one two"),
        (b"&lt;p&gt;one&lt;/p&gt;&lt;p&gt;two", "one two"),
        (b"Caf&amp;eacute;", "Café"),
        (b"&amp;amp;lt;b&amp;amp;gt;", "&lt;b&gt;"),
    ],
)
def test_markup_goes_and_references_are_read_once_more(inside: bytes, text: str) -> None:
    assert details_of(b"<desc>" + inside + b"</desc>").desc == text


def test_long_texts_are_cut() -> None:
    xml = b"<title>" + b"a" * 60_000 + b"</title><desc>" + b"b" * 60_000 + b"</desc>"
    details = details_of(xml)
    assert (len(details.title), len(details.desc)) == (500, 4000)
    many = b"".join(b"<category>%d</category>" % n for n in range(99))
    assert len(details_of(many).categories) == 10
