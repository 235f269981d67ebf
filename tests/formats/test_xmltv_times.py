"""Times of guides, in all the forms in which they are found."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from kptv.formats.xmltv.times import ShowTimes, later_than, zone_of
from kptv.formats.xmltv.writing import written_time

LONDON = ZoneInfo("Europe/London")


def utc(*told: int) -> int:
    return int(datetime(*told, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20261126120000 +0000", utc(2026, 11, 26, 12)),
        ("20261126120000 +0130", utc(2026, 11, 26, 10, 30)),
        ("20261126120059 -0400", utc(2026, 11, 26, 16, 0, 59)),
        ("20261126120000+0100", utc(2026, 11, 26, 11)),
        ("20261126120000 +01:00", utc(2026, 11, 26, 11)),
        ("20261126120000 UTC+1", utc(2026, 11, 26, 11)),
        ("20261126120000Z", utc(2026, 11, 26, 12)),
        ("20261126120000 GMT", utc(2026, 11, 26, 12)),
        ("20260726120000 BST", utc(2026, 7, 26, 11)),
        ("20260726120000 cest", utc(2026, 7, 26, 10)),
        ("20260726120000 EDT", utc(2026, 7, 26, 16)),
        (" 20261126120000 ", utc(2026, 11, 26, 12)),
        ("20261126120000", utc(2026, 11, 26, 12)),
        ("202611261200", utc(2026, 11, 26, 12)),
        ("202611261200 +0100", utc(2026, 11, 26, 11)),
        ("2026112612", utc(2026, 11, 26, 12)),
        ("20261126", utc(2026, 11, 26)),
        ("200209", utc(2002, 9, 1)),
        ("2026", utc(2026, 1, 1)),
        ("20261231235960 +0000", utc(2027, 1, 1)),
        ("20261126240000 +0000", utc(2026, 11, 27)),
        ("20261126120000.123 +0100", utc(2026, 11, 26, 11)),
        ("2026-10-25T01:30:00Z", utc(2026, 10, 25, 1, 30)),
        ("2026-10-25T01:30:00.000+02:00", utc(2026, 10, 24, 23, 30)),
        ("2026-10-25 01:30", utc(2026, 10, 25, 1, 30)),
        ("2026-10-25", utc(2026, 10, 25)),
        ("1795694400", 1795694400),
        ("1795694400000", 1795694400),
    ],
)
def test_a_time_is_read(text: str, seconds: int) -> None:
    times = ShowTimes()
    assert [times.at(text), times.at(text)] == [seconds, seconds]
    assert ShowTimes(offset=3600).at(text) == seconds + 3600
    assert times.unknown_zones == 0


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "+0100", "20260230120000 +0000", "20261326120000", "20261126250000 +0000"),
        *("20261126126000 +0000", "202", "20261", "202611261200000", "00000101000000", "9" * 14),
        *("٢٠٢٦١١٢٦١٢٠٠٠٠ +0000", "20261126120000 +0000" * 9, "-5"),
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert ShowTimes().at(text) is None


def test_minutes_behind_a_known_hour_are_looked_at_too() -> None:
    times = ShowTimes()
    assert times.at("20261126120000 +0000") is not None
    assert times.at("20261126129900 +0000") is None
    assert times.at("202611261²0000 +0000") is None


def test_an_unknown_zone_is_the_guides_own_and_counted() -> None:
    times = ShowTimes(timezone(timedelta(hours=2)))
    assert times.at("20261126120000 IST") == utc(2026, 11, 26, 10)
    assert times.at("20261126120000 XYZ") == utc(2026, 11, 26, 10)
    assert times.unknown_zones == 2


def test_a_place_tells_the_zone_of_times_without_one_only() -> None:
    times = ShowTimes(LONDON)
    assert times.at("20260726120000") == utc(2026, 7, 26, 11)
    assert times.at("20261126120000") == utc(2026, 11, 26, 12)
    assert times.at("20260726120000 +0000") == utc(2026, 7, 26, 12)


def test_the_hour_that_comes_twice_is_told_by_what_was_before() -> None:
    """Half hours around the turn of 25 October 2026, 02:00 BST = 01:00 GMT."""
    told = ["0030", "0100", "0130", "0100", "0130", "0200", "0230"]
    times, after, got = ShowTimes(LONDON), None, []
    for begin, end in pairwise(told):
        start = times.at(f"20261025{begin}00", after)
        assert start is not None
        stop = times.at(f"20261025{end}00", start + 1)
        after = later_than(start, stop)
        got.append(start)
        assert stop == start + 1800
    first = utc(2026, 10, 24, 23, 30)
    assert got == [first + 1800 * n for n in range(6)]


def test_without_stops_it_is_told_by_the_starts() -> None:
    times, after, got = ShowTimes(LONDON), None, []
    for begin in ["0030", "0100", "0130", "0100", "0130", "0200"]:
        start = times.at(f"20261025{begin}00", after)
        assert start is not None
        after = later_than(start, None)
        got.append(start)
    assert got == [utc(2026, 10, 24, 23, 30) + 1800 * n for n in range(6)]


def test_the_hour_that_is_left_out_moves_on() -> None:
    times = ShowTimes(LONDON)
    assert times.at("20260329013000", utc(2026, 3, 29, 0, 30)) == utc(2026, 3, 29, 1, 30)
    assert times.at("20260329020000") == utc(2026, 3, 29, 1)


def test_a_fixed_zone_is_known_and_a_place_is_not() -> None:
    zone = zone_of("+0530")
    assert zone is not None
    assert zone.utcoffset(None) == timedelta(hours=5, minutes=30)
    assert zone_of("CET") is not None
    assert (zone_of("Europe/London"), zone_of(""), zone_of("+9900")) == (None, None, None)


# Jellyfin's (XmlTvReader, DateWithOffsetRegEx); Kodi scans %04d%02d%02d%02d%02d%02d %c%02d%02d.
JELLYFIN = re.compile(
    r"^(?<dateDigits>[0-9]{4,14})(\s(?<dateOffset>[+-]*[0-9]{1,4}))?$".replace("?<", "?P<")
)
KODI = re.compile(r"\d{4}\d{2}\d{2}\d{2}\d{2}\d{2} [+-]\d{2}\d{2}")


@pytest.mark.parametrize("seconds", [0, 59, 86399, 86400, 951782400, 1795694461, 4102444800])
def test_a_written_time_is_what_players_read(seconds: int) -> None:
    text = written_time(seconds)
    assert KODI.fullmatch(text)
    found = JELLYFIN.match(text)
    assert found is not None
    assert found["dateOffset"] == "+0000"
    assert ShowTimes().at(text) == seconds
