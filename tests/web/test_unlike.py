"""What the log says of instances that should not be as they are."""

from __future__ import annotations

from typing import Any

import pytest

from kptv.web.page.unlike import Unlike, faults, other_lists


def instance(name: str, *, is_this: bool = False, leads: bool = False) -> dict[str, Any]:
    of_it = {"leads": leads, "stale": False, "same_list": True}
    return {"name": name, "is_this": is_this, **of_it}


def listed(*instances: dict[str, Any]) -> dict[str, Any]:
    return {"instances": list(instances)}


def test_instances_have_names_of_their_own_and_one_of_them_leads() -> None:
    own = instance("tv1", is_this=True, leads=True)
    assert list(faults(listed(own, instance("tv2"), instance("tv3")))) == []
    assert list(faults(listed(instance("tv1")))) == [], "this one is not listed yet"
    (name,) = faults(listed(own, instance("tv1")))
    assert "is called tv1, too" in name
    (leads,) = faults(listed(own, instance("tv2", leads=True)))
    assert "tv2 imports, too" in leads
    silent = {**instance("tv1", leads=True), "stale": True}
    assert list(faults(listed(own, silent))) == []


def test_a_fault_that_stays_is_told_once_and_again_after_it_was_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr("kptv.web.page.unlike.monotonic", lambda: now)
    shown = listed(instance("tv1", is_this=True), instance("tv1"))
    unlike = Unlike(lambda: shown)

    def told_after(looks: int) -> int:
        nonlocal now
        caplog.clear()
        for _ in range(looks):
            now += 15.0
            unlike.look()
            unlike.look()
        return len(caplog.records)

    assert told_after(1) == 0, "a moment may be one of change"
    assert told_after(3) == 1
    shown["instances"].pop()
    assert told_after(2) == 0
    shown["instances"].append(instance("tv1"))
    assert told_after(3) == 1


def test_another_list_is_told_of_once_it_has_been_another_for_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr("kptv.web.page.unlike.monotonic", lambda: now)
    own, other = instance("tv1", is_this=True), instance("tv2")
    shown = listed(own, other)
    assert list(other_lists(shown)) == []
    other["same_list"] = False
    unlike = Unlike(lambda: shown)
    for at, told in (15.0, 0), (900.0, 0), (915.0, 1), (2000.0, 1):
        now = at
        unlike.look()
        assert len(caplog.records) == told
    assert "tv2 has had another channel list for long" in caplog.text
    assert list(other_lists(listed(own, {**other, "stale": True}))) == []
