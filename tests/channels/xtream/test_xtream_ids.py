"""Ids of channels and groups: the same over imports, restarts and reordering, and found again."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kptv.channels import ids as ids_module
from kptv.channels.ids import HIGHEST, digest_of
from kptv.channels.xtream.ids import OTHER, Odd, XtreamIds
from tests.channels.test_catalog import run
from tests.channels.test_served import catalog_of


def ids_for(
    *channels: tuple[str, str], kept: Odd | None = None, before: XtreamIds | None = None
) -> XtreamIds:
    """Of channels with these names and groups (joined by ``;``)."""
    lines = [
        f'#EXTINF:-1 group-title="{groups}",{name}\nhttp://a/{number}'
        for number, (name, groups) in enumerate(channels)
    ]
    return run(XtreamIds.made(catalog_of("\n".join(lines)), kept or Odd(), before))


def groups(ids: XtreamIds, names: Iterable[str]) -> dict[str, tuple[str | None, ...]]:
    found = {}
    for name in names:
        position = ids.catalog.position(name)
        assert position is not None
        found[name] = tuple(map(ids.group, ids.groups_of(ids.catalog.row(position))))
    return found


def test_a_channel_is_found_by_its_id_and_no_other_id_finds_one() -> None:
    ids = ids_for(*((f"CH {number}", "") for number in range(2000)))
    for slug in ("ch-0", "ch-1999", "ch-77"):
        position = ids.position(ids.of(slug))
        assert position is not None
        assert ids.catalog.slug(position) == slug
        assert ids.had(slug)
    for wrong in (0, -1, 1, HIGHEST, HIGHEST + 1, 1 << 70, digest_of("ch-2000")):
        assert ids.position(wrong) is None
    assert not ids.had("ch-2000")


def test_ids_stay_whatever_else_is_in_the_list_and_in_which_order() -> None:
    one = ids_for(("News", "UK"), ("Films", "Kino"))
    other = ids_for(("Films", "Kino"), ("More", "Kids"), ("News", "UK"))
    for slug in ("news", "films"):
        assert one.of(slug) == other.of(slug)
    for group in ("uk", "kino"):
        assert one.of_group(group) == other.of_group(group) is not None
    assert one.of_group("kids") is None


def test_a_channel_is_in_all_its_groups_the_first_one_first() -> None:
    ids = ids_for(("A", "UK;Sport"), ("B", "Sport"), ("C", ""), ("A", "Kids;UK"))
    assert groups(ids, "abc") == {"a": ("uk", "sport", "kids"), "b": ("sport",), "c": (OTHER,)}
    others = run(ids.others_among(range(3)))
    assert [ids.catalog.slug(position) for position in others] == ["c"]
    assert not run(ids.others_among([0, 1]))


def test_no_group_has_an_id_that_clients_use_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ids_module.digest_of
    monkeypatch.setattr(
        ids_module, "digest_of", lambda text: {"uk": 9999, "sport": 1}.get(text) or real(text)
    )
    ids = ids_for(("A", "UK"), ("B", "Sport"))
    given = {ids.of_group(group) for group in ("uk", "sport", OTHER)}
    assert len(given) == 3
    assert not given & {0, 9999, None}
    assert ids.of_group(OTHER) == 1
    assert set(ids.new.groups) == {"uk", "sport"}
    again = ids_for(("B", "Sport"), ("A", "UK"), kept=ids.odd)
    assert {again.of_group(group) for group in ("uk", "sport", OTHER)} == given
    assert again.new == Odd()


def test_of_two_with_one_digest_the_one_that_was_there_keeps_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = ids_module.digest_of
    monkeypatch.setattr(
        ids_module, "digest_of", lambda text: 77 if text in ("a", "b") else real(text)
    )
    before = ids_for(("B", "B"))
    both = ids_for(("A", "A"), ("B", "B"), before=before)
    assert (before.of("b"), both.of("b")) == (77, 77)
    assert (before.of_group("b"), both.of_group("b")) == (77, 77)
    assert set(both.new.channels) == set(both.new.groups) == {"a"}
    alone = ids_for(("A", "A"), kept=both.odd)
    assert alone.of("a") == both.of("a") != 77
    assert alone.of_group("a") == both.of_group("a") != 77


def test_they_are_made_in_steps() -> None:
    catalog = catalog_of("\n".join(f"#EXTINF:-1,CH {n}\nhttp://a/{n}" for n in range(3000)))
    steps = XtreamIds.made(catalog, Odd())
    assert sum(1 for _ in steps) > 15
