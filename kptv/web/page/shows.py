"""What channels show now and next, and when, as JSON: asked of the guide in small pieces."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from time import time
from typing import NamedTuple, TypeVar

from cachetools import LRUCache
from flask import json as flask_json

from kptv.formats.xmltv.details import details_of
from kptv.guide.current import CurrentGuide, GuideStanding
from kptv.guide.reading import AT_ONCE, Detailed, GuideBroken, NowNext, ToldShow
from kptv.pace import Pace, give_turn
from kptv.web.page.public import Json, Public

log = logging.getLogger(__name__)

T = TypeVar("T")

NOTHING = NowNext(None, None)
STANDINGS = {  # how the API tells of the guide
    GuideStanding.NONE_KNOWN: "none",
    GuideStanding.EXPECTED: "expected",
    GuideStanding.THERE: "there",
}
_READY_SIZE, _LONGEST_READY = 4 * 1024**2, 32 * 1024  # bytes of JSON: of all channels, of one


class _Ready(NamedTuple):
    """What a channel shows now and next, as JSON; good for moments in [since, until)."""

    since: int
    until: int
    text: str


class _ReadyOnes:
    """Of one generation, redacted with what was known to be secret when they were made."""

    def __init__(self, mark: tuple[object, ...]) -> None:
        self.mark = mark
        self._ones: LRUCache[str, _Ready] = LRUCache(_READY_SIZE, lambda one: len(one.text) + 200)

    def get(self, slug: str, at: int) -> str | None:
        one = self._ones.get(slug)
        return one.text if one is not None and one.since <= at < one.until else None

    def keep(self, slug: str, one: _Ready) -> None:
        if len(one.text) <= _LONGEST_READY:
            self._ones[slug] = one


class Shows:
    """Reads the guide in force for the page."""

    def __init__(self, guide: CurrentGuide, public: Public) -> None:
        self.guide = guide
        self.public = public
        self._ready = _ReadyOnes(())

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
        return self._now(slugs, minute())

    def _now(self, slugs: Sequence[str], at: int) -> dict[str, NowNext]:
        found: dict[str, NowNext] = {}
        generation = self.guide.get()
        if generation is None:
            return {}
        try:
            for some in pieces(slugs):
                found |= generation.now(some, at)
        except GuideBroken as broken:  # it may have been replaced meanwhile
            log.warning("The guide cannot be read: %s", broken)
        return found

    def told(self, show: ToldShow | Detailed | None) -> Json | None:
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

    def ready(self, slugs: Sequence[str]) -> Iterator[str]:
        """Now and next of each of the channels with all details, as JSON with its ``id``.

        It is made once for as long as a show runs: most of it is the same in the next minute.
        """
        at, ready = minute(), self._ready_ones()
        known = {slug: ready.get(slug, at) for slug in slugs}
        unknown = [slug for slug, text in known.items() if text is None]
        found, pace = self._now(unknown, at), Pace()
        for slug, text in known.items():
            if text is None:
                text = flask_json.dumps(self._detailed(slug, found.get(slug, NOTHING)))
                if slug in found:  # else it may not have been read
                    ready.keep(slug, _Ready(at, _changes(found[slug]), text))
                pace()
            yield text

    def _ready_ones(self) -> _ReadyOnes:
        generation = self.guide.get()
        mark = (generation.tag if generation else None, self.public.learned)
        if mark != self._ready.mark:
            self._ready = _ReadyOnes(mark)
        return self._ready

    def _detailed(self, slug: str, shows: NowNext) -> Json:
        return {"id": slug, "now": self.detailed(shows.now), "next": self.detailed(shows.next)}

    def beside(self, slugs: Sequence[str]) -> dict[str, Json]:
        """Now and next of each of the channels, in short: ``{"now": …, "next": …}``."""
        found = self.now(slugs)
        return {slug: self._beside(found.get(slug, NOTHING)) for slug in slugs}

    def _beside(self, shows: NowNext) -> Json:
        return {"now": self.told(shows.now), "next": self.told(shows.next)}


def _changes(shows: NowNext) -> int:
    """When something else is on or next."""
    moments = [shows.now.stop] if shows.now is not None else []
    moments += [shows.next.start] if shows.next is not None else []
    return min(moments)


def pieces(channels: Sequence[T]) -> Iterator[Sequence[T]]:
    """``channels`` in pieces for a statement each, with a turn for the others between two."""
    for start in range(0, len(channels), AT_ONCE):
        if start:
            give_turn()
        yield channels[start : start + AT_ONCE]


def minute() -> int:
    """The beginning of this minute, as Unix time."""
    return int(time()) // 60 * 60
