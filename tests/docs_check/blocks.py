"""The commands in README and docs, and which of them `make docs-check` runs.

A fenced ``sh`` block has a mark on the line before it, which readers do not see:

    <!-- docs-check: NAME -->            run it; README and docs have each name once
    <!-- docs-check: no, REASON -->      do not
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
REPOSITORY = "/srv/kptv-proxy.git"  # on the machine where the commands are run

_FENCE = re.compile(r"^(?:<!--(.*?)-->\n)?```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r" docs-check: (?:no, (?P<reason>\S.*)|(?P<name>[a-z][a-z-]*)) ")

# The blocks that are run, and what is put in place of what a reader would choose or end by hand.
_CLONE = {"<this repository>": REPOSITORY}
_OWN_ADDRESS = {"https://tv.example/": "-H 'Host: tv.example' http://127.0.0.1/"}
RUN: Mapping[str, Mapping[str, str]] = {
    "packages": {},
    "clone": _CLONE,
    "demo": {},
    "settings": {},
    "run": {},
    "version": {},
    "upgrade": {},
    "service": _CLONE,
    "service-start": {"journalctl -u kptv -f": "journalctl -u kptv --no-pager"},
    "reload": {},
    "settings-check": {},
    "service-upgrade": {},
    "channel": {},
    "api": {},
    "nginx": {},
    "password": {"openssl passwd -apr1": "openssl passwd -apr1 password"},
    "api-password": _OWN_ADDRESS,
    "backup": {},
    "restore": {},
}


@dataclass(frozen=True, slots=True)
class Block:
    """Commands for a reader."""

    page: Path
    text: str
    mark: str  # the comment before them; empty if there is none

    @property
    def name(self) -> str:
        """By which it is run; empty if it is not."""
        found = _MARK.fullmatch(self.mark)
        return (found and found["name"]) or ""

    @property
    def reason(self) -> str:
        """Why it is not run; empty if it is, or if nobody has said."""
        found = _MARK.fullmatch(self.mark)
        return (found and found["reason"]) or ""

    def commands(self) -> str:
        """What is run: the text, with a few words replaced."""
        text = self.text
        for said, instead in RUN[self.name].items():
            if said not in text:
                raise ValueError(f"{self.page.name}: {said!r} is not in the block {self.name}")
            text = text.replace(said, instead)
        return text


def blocks() -> Iterator[Block]:
    """All there are, page by page."""
    for page in PAGES:
        for mark, text in _FENCE.findall(page.read_text()):
            yield Block(page, text, mark)


def stray_marks() -> Iterator[str]:
    """What looks like a mark and stands before no block."""
    for page in PAGES:
        for line in _FENCE.sub("", page.read_text()).splitlines():
            if "docs-check" in line and "<!--" in line:
                yield f"{page.name}: {line}"
