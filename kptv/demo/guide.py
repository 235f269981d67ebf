"""The programme guide of the demo's four channels, for any moment: made of the clock. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

DAY = 86400
BEHIND, AHEAD = DAY, 3 * DAY  # seconds of the guide, seen from now


@dataclass(frozen=True, slots=True)
class DemoShow:
    """A show that comes again and again."""

    minutes: int
    title: str
    about: str
    category: str


# By id; each day begins with the first. The minutes of a channel divide a day.
SHOWS: dict[str, tuple[DemoShow, ...]] = {
    "card.demo": (
        DemoShow(30, "Good Morning, Pixels", "A test card wakes up, line by line.", "Show"),
        DemoShow(60, "The Circle", "It is round. Every week anew.", "Drama"),
        DemoShow(90, "The Grid & the Corner", "A film about finding one's place.", "Movie"),
    ),
    "bars.demo": (
        DemoShow(45, "Seven Stripes", "White to blue, without an advertisement.", "Show"),
        DemoShow(75, "Cyan: A Portrait", "The colour that nobody asks.", "Documentary"),
        DemoShow(60, "Match of the Bars", "Yellow against magenta, live.", "Sports"),
    ),
    "clock.demo": (
        DemoShow(60, "The Second Hand", "It has never been late.", "Drama"),
        DemoShow(30, "News on Time", "What happened, and when exactly.", "News"),
        DemoShow(30, "Tick", "For children: counting to sixty.", "Children"),
    ),
    "radio.demo": (
        DemoShow(120, "A Long Note", "440 hertz, with feeling.", "Music"),
        DemoShow(60, "Talk of the Tone", "Listeners call; the tone answers.", "Talk"),
    ),
}


def guide(now: float, channels: dict[str, str]) -> str:
    """An XMLTV file for ``channels`` (id: name): a day back and three ahead of ``now`` (UTC)."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE tv SYSTEM "xmltv.dtd">', "<tv>"]
    for guide_id, name in channels.items():
        names = f"<display-name>{escape(name)}</display-name>"
        lines.append(f"<channel id={quoteattr(guide_id)}>{names}</channel>")
    for guide_id in channels:
        lines.extend(_programmes(guide_id, int(now) - BEHIND, int(now) + AHEAD))
    return "\n".join((*lines, "</tv>", ""))


def _programmes(guide_id: str, start: int, end: int) -> Iterator[str]:
    shows = SHOWS[guide_id]
    at = start - start % DAY
    while at < end:
        for show in shows:
            stop = at + show.minutes * 60
            if stop > start and at < end:
                yield _programme(guide_id, show, at, stop)
            at = stop


def _programme(guide_id: str, show: DemoShow, start: int, stop: int) -> str:
    times = f'start="{_written(start)}" stop="{_written(stop)}"'
    return (
        f"<programme {times} channel={quoteattr(guide_id)}>"
        f'<title lang="en">{escape(show.title)}</title>'
        f'<desc lang="en">{escape(show.about)}</desc>'
        f'<category lang="en">{escape(show.category)}</category></programme>'
    )


def _written(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%S +0000", time.gmtime(seconds))
