"""A generation of the guide on disk: a folder that is written once and never changed.

Times are whole seconds since 1970, UTC.
"""

from __future__ import annotations

from pathlib import Path

DATABASE = "guide.db"
REPORT = "report.json"
EVERYTHING = "epg.xml.gz"  # all served channels, ready to be sent
FINISHED, UNFINISHED = "generation-", ".building-"  # how the names of folders begin

# `rule` is a Rule's name in lower case, NULL if no id was found; `guide` the number of a guide in
# the report, `suggestions` a JSON list of [guide, id]. What now and next touch stays small: what
# else is known of a show is in `detail`.
TABLES = """
CREATE TABLE channel(
    number INTEGER PRIMARY KEY, slug TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    number_shown TEXT NOT NULL, rule TEXT, guide INTEGER, guide_id TEXT, key TEXT,
    why TEXT NOT NULL, suggestions TEXT NOT NULL);
CREATE TABLE show(
    channel INTEGER, start INTEGER, stop INTEGER NOT NULL, title TEXT NOT NULL,
    PRIMARY KEY(channel, start)) WITHOUT ROWID;
CREATE TABLE detail(
    channel INTEGER, start INTEGER, xml BLOB NOT NULL,
    PRIMARY KEY(channel, start)) WITHOUT ROWID;
"""
INDEXES = "CREATE UNIQUE INDEX by_slug ON channel(slug);"


def file_of_profile(name: str) -> str:
    """The file of a profile's channels, ready to be sent."""
    return f"profile-{name}.xml.gz"


def file_of_rights(tag: str) -> str:
    """The file of the channels that some rights allow; ``tag`` tells nothing of them."""
    return f"rights-{tag}.xml.gz"


def finished_in(folder: Path) -> list[Path]:
    """The finished generations, the newest first."""
    found = [path for path in folder.glob(f"{FINISHED}*") if path.is_dir()]
    return sorted(found, key=_age, reverse=True)


def _age(path: Path) -> tuple[int, str]:
    made = path.name.removeprefix(FINISHED).partition("-")[0]
    return int(made) if made.isdecimal() else 0, path.name
