"""A channel's number stays: over restarts, lists in another order, other rules, a lost file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

RULES = "[numbers]\nNews = 100\n[channel.Films]\nnumber = 7\n"


def numbers(proxy: Proxy) -> dict[str, int]:
    body = proxy.get("/playlist.m3u8").body.decode()
    return {name: int(n) for n, name in re.findall(r'tvg-chno="(\d+)".*,(.*)', body)}


def is_kept(path: Path, count: int) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        try:
            (rows,) = connection.execute("SELECT count(*) FROM numbers").fetchone()
        except sqlite3.OperationalError:  # it is made just now
            return False
    return bool(rows == count)


def test_numbers_stay_over_restarts_and_a_broken_file_costs_nothing_else(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    one = start_provider("one", limit=1)
    for name, group in (("B", "News"), ("D", "News"), ("Films", ""), ("Y", ""), ("Z", "")):
        one.add_channel(name, group_title=group)
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    proxy = start_proxy((one, 1), RULES=str(rules))
    first = numbers(proxy)
    assert first == {"B": 100, "D": 101, "Films": 7, "Y": 1, "Z": 2}
    path = Path(proxy.settings["DATA_DIR"]) / "kptv.db"
    eventually(lambda: path.exists() and is_kept(path, 4))
    assert path.stat().st_mode & 0o777 == 0o600
    proxy.stop()

    pairs = [one.list.entries[at : at + 2] for at in range(0, len(one.list.entries), 2)]
    one.list.entries[:] = [line for pair in reversed(pairs) for line in pair]
    one.list.modified += 60
    one.add_channel("A", group_title="News")
    one.add_channel("X")
    rules.write_text(f"{RULES}[names]\nclean = ['tags']\n[[rule]]\nwhen.name = 'Y'\nrank = 1\n")
    proxy.settings["SORT_DIRECTION"] = "desc"
    proxy.start()
    eventually(lambda: len(numbers(proxy)) == 7)
    assert numbers(proxy) == {**first, "A": 102, "X": 3}
    proxy.stop()

    path.write_bytes(b"rubbish" * 1000)
    proxy.start()
    eventually(lambda: len(numbers(proxy)) == 7)
    assert len({*numbers(proxy).values()}) == 7
    assert "kptv.db.broken-1" in proxy.log
    assert "Traceback" not in proxy.log
