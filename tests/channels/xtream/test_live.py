"""Live channels and their groups as applications read them, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kptv.channels.guide.entry_ids import EntryIds
from kptv.channels.served import render
from kptv.channels.xtream.ids import Odd, XtreamIds
from kptv.channels.xtream.links import bare_list, xtream_link
from kptv.channels.xtream.live import Listed, categories, live_streams
from tests.channels.test_catalog import run
from tests.channels.test_served import LIST_URL, STREAM_URL, catalog_of
from tests.channels.xtream.field_types import CATEGORY, STREAM, check

BASE = "http://tv.example/u/anna"
ONE = """#EXTM3U
#EXTINF:-1 tvg-id="news.uk" tvg-logo="http://pics/a.png" tvg-chno="7" group-title="UK;Sport",News
http://a/1
#EXTINF:-1 tvg-chno="x",Ч "1"
http://a/2
#EXTINF:-1 tvg-chno="99999999999" group-title="Sport",C
http://a/3
"""


def ids_of(text: str = ONE) -> XtreamIds:
    return run(XtreamIds.made(catalog_of(text), Odd()))


def listed(ids: XtreamIds, positions: Sequence[int] | None = None, **options: Any) -> Listed:
    return Listed(ids, range(len(ids.catalog)) if positions is None else positions, **options)


def told(pieces: Iterator[bytes]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(b"".join(pieces))
    return items


def test_every_field_has_the_type_that_clients_insist_on() -> None:
    ids = ids_of()
    for item in told(live_streams(listed(ids), None, BASE)):
        check(item, STREAM)
        assert all(type(group) is int and 0 < group < 1 << 31 for group in item["category_ids"])
        assert item["category_ids"][0] == int(item["category_id"])
    for item in told(categories(ids.catalog, ids, ["uk", "sport"], has_others=True)):
        check(item, CATEGORY)


def test_a_channel_is_told_once_with_all_its_groups() -> None:
    ids = ids_of()
    c, news, other = told(live_streams(listed(ids), None, BASE))
    assert (news["name"], news["num"], news["epg_channel_id"]) == ("News", 7, "news.uk")
    assert news["stream_id"] == ids.of("news")
    assert news["stream_icon"] == "http://pics/a.png"
    assert news["category_ids"] == [ids.of_group("uk"), ids.of_group("sport")]
    assert (c["num"], c["epg_channel_id"], c["stream_icon"]) == (1, None, "")
    assert (other["name"], other["num"], other["category_id"]) == ('Ч "1"', 3, "1")


def test_groups_come_in_the_order_of_the_list_and_only_those_that_may_be_told() -> None:
    ids = ids_of()

    def names(slugs: Sequence[str], has_others: bool) -> list[str]:
        found = told(categories(ids.catalog, ids, slugs, has_others=has_others))
        return [each["category_name"] for each in found]

    assert names(["uk", "sport"], True) == ["Sport", "UK", "Other"]
    assert names(["uk"], False) == ["UK"]
    assert names([], False) == []
    assert names([], True) == ["Other"]


def test_a_channels_hidden_groups_are_not_told() -> None:
    ids = ids_of()
    sport = ids.of_group("sport")
    assert sport is not None
    position = ids.catalog.position("news")
    assert position is not None
    [news] = told(live_streams(listed(ids, [position], groups=frozenset([sport])), None, BASE))
    assert (news["category_id"], news["category_ids"]) == (str(sport), [sport])


def test_an_empty_list_is_an_empty_array() -> None:
    assert b"".join(live_streams(listed(ids_of(), []), None, BASE)) == b"[]"


@pytest.mark.parametrize("channels", [1, 63, 64, 65, 200])
def test_many_come_in_pieces_that_are_one_array(channels: int) -> None:
    text = "\n".join(f"#EXTINF:-1,CH {n}\nhttp://a/{n}" for n in range(channels))
    items = told(live_streams(listed(ids_of(text)), None, BASE))
    assert [item["num"] for item in items] == list(range(1, channels + 1))


def test_numbers_of_a_profile_are_its_own() -> None:
    ids = ids_of()
    items = told(live_streams(listed(ids, [1, 0], numbers=[5, 6, 0]), None, BASE))
    assert [(item["name"], item["num"]) for item in items] == [("News", 6), ("C", 5)]


def test_an_id_is_the_one_of_our_guide() -> None:
    ids = ids_of()
    guide = run(EntryIds.made(ids.catalog, iter([[("c", "c"), ("news", "other.id")]])))
    items = told(live_streams(listed(ids), guide, BASE))
    assert [item["epg_channel_id"] for item in items[:2]] == ["c", "other.id"]
    assert items[2]["epg_channel_id"] == ids.catalog.slug(2), "the guide does not know it"


def test_nothing_of_the_provider_is_told_and_a_hidden_logo_is_ours() -> None:
    logo = "http://panel.example:8080/logo/alice/s3cret/1.png"
    text = f'#EXTINF:-1 tvg-logo="{logo}" tvg-url="{LIST_URL}",News\n{STREAM_URL.format(1)}'
    body = b"".join(live_streams(listed(ids_of(text)), None, BASE)).decode()
    assert json.loads(body)[0]["stream_icon"] == f"{BASE}/logo/news"
    assert "s3cret" not in body
    assert "panel.example" not in body
    assert '": ' not in body, "compact"


# --- the list of get.php ---


def link(ids: XtreamIds) -> list[str]:
    return [f"{BASE}/live/a/b/{ids.of(slug)}.ts" for slug, _ in ids.catalog.rows()]


def test_a_list_has_the_links_of_this_protocol_and_is_the_served_one_else() -> None:
    ids = ids_of()
    served = b"".join(render(ids.catalog, BASE)).decode()
    made = render(ids.catalog, BASE, link=xtream_link(ids, f"{BASE}/live/a/b/"))
    expected = served
    for (slug, _), other in zip(ids.catalog.rows(), link(ids), strict=True):
        expected = expected.replace(f"\n{BASE}/stream/{slug}\n", f"\n{other}\n")
    assert b"".join(made).decode() == expected
    assert expected.count("/live/a/b/") == 3


def test_a_bare_list_has_names_and_links_alone() -> None:
    ids = ids_of()
    pieces = bare_list(listed(ids), xtream_link(ids, f"{BASE}/live/a/b/"))
    c, news, other = link(ids)
    expected = ["#EXTM3U", "#EXTINF:-1,C", c, "#EXTINF:-1,News", news, "#EXTINF:-1,Ч '1'", other]
    assert b"".join(pieces).decode().splitlines() == expected
