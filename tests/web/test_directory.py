"""Searching the channels of a catalog."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from kptv.channels import search
from kptv.web.page import directory as directory_module
from kptv.web.page.directory import Directory
from tests.channels.test_catalog import catalog, listing


@pytest.mark.parametrize("searched_at_once", [1, 2, 7, 1000])
def test_a_search_finds_the_same_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, searched_at_once: int
) -> None:
    monkeypatch.setattr(search, "_SEARCHED_AT_ONCE", searched_at_once)
    names = [",BBC One", ",BBC Two", ",News 24", 'group-title="UK",BBC News', ",One", ",ne"]
    built = catalog(listing("\n".join(names)))
    directory = Directory(lambda: built)

    def found(query: str, group: str = "") -> list[str]:
        hits = directory.find(query, group)
        assert hits is not None
        return [built.channel(position).name for position in hits.positions]

    assert found("bbc") == ["BBC News", "BBC One", "BBC Two"]
    assert found("one") == ["BBC One", "One"]
    assert found("ne") == ["BBC News", "BBC One", "ne", "News 24", "One"]
    assert found("news bbc") == ["BBC News"]
    assert found("news", "uk") == ["BBC News"]
    assert found("one", "uk") == []
    assert found("nothing") == []


def test_an_index_whose_making_was_ended_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built = catalog(listing("#EXTINF:-1,News"))
    directory = Directory(lambda: built)
    with monkeypatch.context() as patch:
        patch.setattr(directory_module, "index_of", lambda _: Event().wait())
        asking = gevent.spawn(directory.find, "news", "")
        gevent.sleep(0.01)
        assert directory._building is not None
        directory._building._greenlet.kill()
        assert asking.get(timeout=5) is None
    found = directory.find("news", "")
    assert found is not None
    assert len(found.positions) == 1
