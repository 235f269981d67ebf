"""The page's scripts have a word for each thing that the API may name."""

from __future__ import annotations

import re

from kptv.channels.health import StreamStanding
from kptv.errors import Reason
from kptv.metrics.counters import SLOT_LOST, SWITCHED
from kptv.restream.hub import State
from kptv.restream.journal import EventKind
from kptv.web.page.status import FILES
from kptv.web.worker import is_vital

SCRIPTS = FILES / "page"


def keys_of(script: str, table: str) -> list[str]:
    """The keys of a table of words, as the script has them."""
    text = (SCRIPTS / script).read_text()
    found = re.search(rf"^const {table} = {{\n(.*?)^}};", text, re.M | re.S)
    assert found, f"no {table} in {script}"
    return re.findall(r"^  (\w+): ", found[1], re.M)


def test_each_reason_has_words() -> None:
    assert sorted(keys_of("format.js", "REASONS")) == sorted([*Reason, SLOT_LOST, SWITCHED])


def test_each_standing_has_words() -> None:
    assert sorted(keys_of("playing.js", "STANDINGS")) == sorted(StreamStanding)


def test_each_kind_of_event_has_words() -> None:
    cases = re.findall(r'case "(\w+)":', (SCRIPTS / "timeline.js").read_text())
    assert sorted([*cases, EventKind.CLOSED]) == sorted(EventKind), "closed is the default"


# Words of ours on the page: a newcomer cannot know them.
OURS = {
    "candidates",
    "skips",
    "behind",
    "standby",
    "lag",
    "slots",
    "blocked",
    "resting",
    "upstream",
    "card",
}


def test_our_words_explain_themselves() -> None:
    page = (FILES / "index.html").read_text()
    scripts = "".join(path.read_text() for path in SCRIPTS.glob("*.js"))
    meanings = set(re.findall(r'<dd id="word-(\w+)">[A-Z]', page))
    used = set(re.findall(r'data-word="(\w+)"', page))
    used |= {word for word in meanings if f'"{word}"' in scripts}
    explained = set(keys_of("playing.js", "EXPLAINED"))
    assert meanings >= OURS
    assert used == meanings, "each meaning is shown where its word stands"
    assert explained <= {*StreamStanding, *State}


def test_the_door_lets_an_operator_have_the_whole_page_at_all_times() -> None:
    files = [path.relative_to(FILES).as_posix() for path in FILES.rglob("*.*")]
    assert "page/main.js" in files
    assert all(is_vital(f"/assets/{name}") for name in files)
    assert is_vital("/")
    assert not is_vital("/playlist.m3u8")
