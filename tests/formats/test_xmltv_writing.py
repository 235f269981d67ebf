"""What is written is what Kodi, Jellyfin and Plex understand."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kptv.formats.xmltv.writing import (
    FOOTER,
    HEADER,
    channel,
    for_players,
    programme,
    title_xml,
)


def test_a_guide_is_well_formed_whatever_is_in_its_names() -> None:
    odd = 'A <b> & "c" \x01\udc80\n\u200b'
    text = (
        HEADER
        + channel(odd, [odd, "2"], "http://x/?a=1&b='")
        + (programme(odd, 0, 60, title_xml(odd)) + FOOTER)
    )
    root = ElementTree.fromstring(text)
    described, show = root
    assert described.get("id") == show.get("channel") == 'A <b> & "c"  \ufffd'
    assert [name.text for name in described.findall("display-name")] == [described.get("id"), "2"]
    assert described.find("icon").get("src") == "http://x/?a=1&b='"  # type: ignore[union-attr]
    assert show.findtext("title") == described.get("id")
    assert (show.get("start"), show.get("stop")) == ("19700101000000 +0000", "19700101000100 +0000")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<episode-num>S1E2</episode-num>", b'<episode-num system="onscreen">S1E2</episode-num>'),
        (b'<episode-num system="xmltv_ns">0.1.</episode-num>', None),
        (b"<episode-num lang='x'>1</episode-num>",
         b"<episode-num system=\"onscreen\" lang='x'>1</episode-num>"),
        (b"<previously-shown/><new/>", b"<new/>"),
        (b"<previously-shown />\n<new></new>", b"\n<new></new>"),
        (b"<previously-shown></previously-shown><new />", b"<new />"),
        (b'<previously-shown start="2020"/><new/>', None),
        (b"<previously-shown/>", None),
        (b"<previously-shown/><news/>", None),
    ],
)  # fmt: skip
def test_players_are_told_no_riddles(before: bytes, after: bytes | None) -> None:
    assert for_players(before) == (after or before)
    assert for_players(for_players(before)) == (after or before)
