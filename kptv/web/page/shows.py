"""What channels show now and next, and when, as JSON: asked of the guide in small pieces."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from time import time
from typing import TypeVar

from kptv.formats.xmltv.details import details_of
from kptv.guide.current import CurrentGuide, Standing
from kptv.guide.reading import AT_ONCE, Detailed, GuideBroken, NowNext, Told
from kptv.pace import give_turn
from kptv.web.page.public import Json, Public

log = logging.getLogger(__name__)

T = TypeVar("T")

NOTHING = NowNext(None, None)
STANDINGS = {  # how the API tells of the guide
    Standing.NONE_KNOWN: "none",
    Standing.EXPECTED: "expected",
    Standing.THERE: "there",
}


class Shows:
    """Reads the guide in force for the page."""

    def __init__(self, guide: CurrentGuide, public: Public) -> None:
        self.guide = guide
        self.public = public

    def __repr__(self) -> str:
        return f"<Shows of={self.guide!r}>"

    @property
    def standing(self) -> str:
        """One of STANDINGS."""
        return STANDINGS[self.guide.standing]

    def signature(self) -> tuple[object, ...]:
        """A value that changes when something else may be on; each minute, if there is a guide."""
        generation = self.guide.get()
        return () if generation is None else (generation.tag, minute())

    def now(self, slugs: Sequence[str]) -> dict[str, NowNext]:
        """What channels show in this minute, and next; without a guide that can be read, nothing.

        ``slugs``: of any number of channels.
        """
        found: dict[str, NowNext] = {}
        generation, at = self.guide.get(), minute()
        if generation is None:
            return {}
        try:
            for some in pieces(slugs):
                found |= generation.now(some, at)
        except GuideBroken as broken:  # it may have been replaced meanwhile
            log.warning("The guide cannot be read: %s", broken)
        return found

    def told(self, show: Told | Detailed | None) -> Json | None:
        """Time and title of a show."""
        if show is None:
            return None
        title = self.public.text(show.title)
        return {"start": show.start, "stop": show.stop, "title": title}

    def detailed(self, show: Detailed | None) -> Json | None:
        """All that is told of a show, as plain text."""
        if show is None:
            return None
        details, text = details_of(show.xml), self.public.text
        return {
            "start": show.start,
            "stop": show.stop,
            "title": text(show.title),
            "sub_title": text(details.sub_title),
            "desc": text(details.desc),
            "categories": [text(category) for category in details.categories],
            "icon": self.public.link(details.icon),
            "episode": text(details.episode),
        }

    def beside(self, slugs: Sequence[str]) -> dict[str, Json]:
        """Now and next of each of the channels, in short: ``{"now": …, "next": …}``."""
        found = self.now(slugs)
        return {slug: self._beside(found.get(slug, NOTHING)) for slug in slugs}

    def _beside(self, shows: NowNext) -> Json:
        return {"now": self.told(shows.now), "next": self.told(shows.next)}


def pieces(channels: Sequence[T]) -> Iterator[Sequence[T]]:
    """``channels`` in pieces for a statement each, with a turn for the others between two."""
    for start in range(0, len(channels), AT_ONCE):
        if start:
            give_turn()
        yield channels[start : start + AT_ONCE]


def minute() -> int:
    """The beginning of this minute, as Unix time."""
    return int(time()) // 60 * 60
