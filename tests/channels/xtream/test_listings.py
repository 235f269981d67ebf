"""Shows as applications read them, field by field."""

from __future__ import annotations

from base64 import b64decode

import pytest

from kptv.channels.xtream.listings import ListedShow, Place, limit_of, listing, listing_of_table
from tests.channels.xtream.field_types import LISTING, LISTING_OF_TABLE, check

SHOW = ListedShow(1_790_000_000, 1_790_003_600, "Größe & <b>", "Ä\nb 📺")
PLACE = Place(77, "news.uk")


@pytest.mark.parametrize(
    "show",
    [
        SHOW,
        ListedShow(0, 1, "", ""),
        ListedShow((1 << 31) - 2, (1 << 31) - 1, "\udcff", "x" * 4000),
    ],
    ids=["usual", "empty", "odd"],
)
def test_every_field_has_the_type_that_clients_insist_on(show: ListedShow) -> None:
    check(listing(show, PLACE), LISTING)
    check(listing_of_table(show, PLACE, 5.0), LISTING_OF_TABLE)
    assert 0 < int(listing(show, PLACE)["id"]) < 1 << 31


def test_texts_are_in_base64_and_times_in_utc() -> None:
    told = listing(SHOW, PLACE)
    assert b64decode(told["title"]).decode() == SHOW.title
    assert b64decode(told["description"]).decode() == SHOW.description
    assert (told["start"], told["end"]) == ("2026-09-21 14:13:20", "2026-09-21 15:13:20")
    assert (told["start_timestamp"], told["stop_timestamp"]) == ("1790000000", "1790003600")
    assert (told["channel_id"], told["epg_id"]) == ("news.uk", "77")


@pytest.mark.parametrize(
    ("now", "is_on"), [(SHOW.start - 1, 0), (SHOW.start, 1), (SHOW.stop - 0.5, 1), (SHOW.stop, 0)]
)
def test_the_table_says_what_is_on(now: float, is_on: int) -> None:
    assert listing_of_table(SHOW, PLACE, now)["now_playing"] == is_on


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", 4),
        ("1", 1),
        ("12", 12),
        ("0", 4),
        ("-3", 4),
        ("1.5", 4),
        ("ten", 4),
        ("٣", 4),
        ("1000", 1000),
        ("5000", 1000),
        ("9" * 4000, 4),
    ],
    ids=range(11),
)
def test_a_limit_is_a_text_and_bounded(text: str, limit: int) -> None:
    assert limit_of(text) == limit
