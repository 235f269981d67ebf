"""What is on, as Xtream's clients are told: texts in base64, times as text in UTC."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from kptv.channels.ids import digest_of
from kptv.channels.xtream.account import Json, written

USUAL = 4  # shows, unless a client says how many
MOST = 1000  # shows of an answer
_LONGEST_LIMIT = 9  # digits


@dataclass(frozen=True, slots=True)
class ListedShow:
    """A show of a channel."""

    start: int  # Unix time
    stop: int
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Place:
    """Whose shows they are."""

    stream_id: int
    guide_id: str  # of the channel in our guide


def listing(show: ListedShow, place: Place) -> Json:
    """A show in a short guide."""
    return {
        "id": str(digest_of(f"{place.stream_id} {show.start}")),
        "epg_id": str(place.stream_id),
        "title": _in_base64(show.title),
        "lang": "",
        "start": written(show.start),
        "end": written(show.stop),
        "description": _in_base64(show.description),
        "channel_id": place.guide_id,
        "start_timestamp": str(show.start),
        "stop_timestamp": str(show.stop),
    }


def listing_of_table(show: ListedShow, place: Place, now: float) -> Json:
    """A show in a table of all shows."""
    is_on = show.start <= now < show.stop
    return {**listing(show, place), "now_playing": int(is_on), "has_archive": 0}


def limit_of(text: str) -> int:
    """How many shows a client wants, of what it wrote; USUAL if that is no such number."""
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_LIMIT and int(text):
        return min(int(text), MOST)
    return USUAL


def _in_base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "replace")).decode()
