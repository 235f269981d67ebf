"""The lineup of a tuner, in the three forms that clients read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree

from kptv.channels.lineup import Line, as_json, as_m3u, as_xml

BASE = "http://tv.example/u/x"
ODD = 'Crime & "Punishment" <HD> Ü\\'


def lines(count: int) -> Iterator[Line]:
    return (Line(number, f"Channel {number}") for number in range(1, count + 1))


def test_json_tells_numbers_as_text_and_addresses_whole() -> None:
    assert json.loads(b"".join(as_json(lines(2), BASE))) == [
        {"GuideNumber": "1", "GuideName": "Channel 1", "URL": f"{BASE}/auto/v1"},
        {"GuideNumber": "2", "GuideName": "Channel 2", "URL": f"{BASE}/auto/v2"},
    ]


def test_all_forms_have_all_channels_however_many_pieces_they_come_in() -> None:
    for count in (0, 1, 63, 64, 65, 200):
        assert len(json.loads(b"".join(as_json(lines(count), BASE)))) == count
        assert len(ElementTree.fromstring(b"".join(as_xml(lines(count), BASE)))) == count
        assert b"".join(as_m3u(lines(count), BASE)).count(b"#EXTINF") == count


def test_names_of_any_kind_break_no_form() -> None:
    one = [Line(7, ODD)]
    assert json.loads(b"".join(as_json(one, BASE)))[0]["GuideName"] == ODD
    program = ElementTree.fromstring(b"".join(as_xml(one, BASE)))[0]
    assert [field.text for field in program] == ["7", ODD, f"{BASE}/auto/v7"]
    extinf = b"".join(as_m3u(one, BASE)).decode().splitlines()[1]
    assert extinf.endswith(f",{ODD}")
    assert extinf.count(chr(34)) == 4 * 2 + 2  # attributes, and the name behind them
