"""Profiles, through gunicorn: their lists, and that rules that are read again change them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

TOKEN = "a-long-enough-token"
KIDS = '[profile.kids]\ngroup = ["Kids", "Animation"]\nsort = "tvg-name"\ndirection = "desc"\n'
NEWS = '[profile.news]\ngroup = "News"\nnumbers = { News = 40 }\n'


def lists_kept(path: Path) -> list[str]:
    """The lists whose numbers are kept."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            return [name for (name,) in connection.execute("SELECT name FROM lists")]
        except sqlite3.OperationalError:  # it is made just now
            return []


def read_again(proxy: Proxy) -> int:
    """The answer's status."""
    return proxy.get("/api/rules/reload", {"Authorization": f"Bearer {TOKEN}"}, "POST").status


def test_a_profile_has_lists_its_channels_play_and_the_file_adds_and_takes_it_away(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    one = start_provider("one", limit=1)
    for name, group in (
        ("Cartoons", "Kids"),
        ("Ten", "Kids"),
        ("Anime", "Animation"),
        ("Day", "News"),
    ):
        one.add_channel(name, group_title=group)
    rules = tmp_path / "rules.toml"
    rules.write_text(KIDS)
    proxy = start_proxy((one, 1), RULES=str(rules), ADMIN_TOKEN=TOKEN)
    assert list(proxy.playlist("/profile/kids/playlist.m3u8")) == ["Ten", "Cartoons", "Anime"]
    assert list(proxy.playlist("/profile/kids/Kids/playlist.m3u")) == ["Ten", "Cartoons"]
    assert list(proxy.playlist()) == ["Anime", "Cartoons", "Day", "Ten"]
    link = proxy.playlist("/profile/kids/animation/playlist")["Anime"]
    with proxy.viewer(link) as viewer:
        viewer.wait_for_bytes(20_000)
        rules.write_text("[profil]")
        eventually(lambda: read_again(proxy) == 422)  # 409 while it is read anyway
        assert proxy.get("/profile/kids/playlist.m3u8").status == 200
        rules.write_text(NEWS)
        eventually(lambda: read_again(proxy) == 200)
        eventually(lambda: proxy.get("/profile/news/playlist.m3u8").status == 200, 15)
        assert 'tvg-chno="40"' in proxy.get("/profile/news/playlist.m3u8").text
        assert list(proxy.playlist("/profile/news/playlist.m3u8")) == ["Day"]
        path = Path(proxy.settings["DATA_DIR"]) / "kptv.db"
        eventually(lambda: "news" in lists_kept(path), otherwise="no number is kept")
        gone = proxy.get("/profile/kids/playlist.m3u8")
        assert (gone.status, gone.text.count("\n")) == (404, 1)
        viewer.wait_for_bytes(60_000)  # a channel outside every profile goes on
    assert len(one.list.requests) == 1
