"""Ids of 31 bits: digests of slugs, and others only where two are equal."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kptv.channels import ids
from kptv.channels.ids import HIGHEST, ChannelIds, digest_of, ids_of
from tests.channels.test_catalog import run


def made(*slugs: str, kept: Mapping[str, int] | None = None, there: str = "") -> ChannelIds:
    result = run(ids_of(lambda: slugs, len(slugs), kept or {}, lambda slug: slug in there))
    assert len({result.of(slug) for slug in slugs}) == len(slugs)
    assert all(0 < result.of(slug) <= HIGHEST for slug in slugs)
    return result


@pytest.fixture
def equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slugs of one first letter have one digest."""
    monkeypatch.setattr(
        ids, "digest_of", lambda slug: ord(slug[0]) + 1000 * int(f"{slug} 0".split()[1])
    )


def test_an_id_is_the_digest_of_the_slug_and_stays_for_good() -> None:
    assert made("bbc-one", "zdf").new == {}
    assert made("bbc-one").of("bbc-one") == digest_of("bbc-one") == 1302202750
    assert digest_of("") == 1


@pytest.mark.usefixtures("equal")
def test_of_two_with_one_digest_the_second_has_an_odd_id_which_is_kept() -> None:
    first = made("b1", "a", "b2")
    assert (first.of("b1"), first.of("b2")) == (98, 1098)
    assert first.new == {"b2": 1098}
    again = made("b2", "b1", "a", kept=first.odd)
    assert again.of("b2") == 1098
    assert again.new == {}
    assert made("b2", kept=first.odd).of("b2") == 1098, "also when it is alone"


@pytest.mark.usefixtures("equal")
def test_a_channel_that_was_there_keeps_its_id_when_another_comes() -> None:
    both = made("b1", "b2", there="b2")
    assert (both.of("b1"), both.of("b2")) == (1098, 98)


@pytest.mark.usefixtures("equal")
def test_an_odd_id_is_nobody_elses_digest() -> None:
    assert made("b1", "b2", chr(1098)).of("b2") not in (98, 1098)
    assert made("b1", kept={"gone": 98}).new == {"b1": 1098}


def test_many_are_looked_through_in_steps() -> None:
    slugs = [f"channel-{n}" for n in range(20_000)]
    steps = ids_of(lambda: slugs, len(slugs), {}, lambda _: False)
    assert sum(1 for _ in steps) >= 40


def test_digests_that_are_made_equal_on_purpose_cost_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a linear digest, equal ones stay equal whatever is put behind both."""
    tries = []

    def all_equal(text: str) -> int:
        tries.append(text)
        return 1000 + len(text)

    monkeypatch.setattr(ids, "digest_of", all_equal)
    slugs = [f"channel-{n:05}" for n in range(2000)]
    steps = ids_of(lambda: slugs, len(slugs), {}, lambda _: False)
    result = run(steps)
    assert len({result.of(slug) for slug in slugs}) == 2000
    assert len(tries) < 20 * 2000


def test_many_with_odd_ids_are_given_them_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "digest_of", lambda _: 7)
    slugs = [f"channel-{n}" for n in range(2000)]
    steps = ids_of(lambda: slugs, len(slugs), {}, lambda _: False)
    assert sum(1 for _ in steps) >= 100
