"""What a channel shows, as Xtream's applications ask for it: read of the guide in small pieces."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from time import time

from kptv.channels.model import Channel
from kptv.channels.xtream.account import Json
from kptv.channels.xtream.listings import ListedShow, Place, listing, listing_of_table
from kptv.channels.xtream.live import compact
from kptv.formats.xmltv.details import details_of
from kptv.guide.current import CurrentGuide
from kptv.guide.reading import Detailed, Generation, GuideBroken
from kptv.pace import Pace, give_turn

log = logging.getLogger(__name__)

_DAY = 86400  # seconds; what is read of the guide at once
_PAST, _COMING = 7, 15  # days in a table
_SOON = 3  # days in a short guide
_MOST_OF_TABLE = 3000  # shows


def short_guide(guide: CurrentGuide, channel: Channel, stream_id: int, limit: int) -> bytes:
    """What is on now and comes next, so many shows."""
    now = int(time())
    place, shows = _shows_of(guide, channel, stream_id, now, now + _SOON * _DAY)
    return _answer((listing(show, place) for show in shows), limit)


def table(guide: CurrentGuide, channel: Channel, stream_id: int) -> bytes:
    """All that the guide knows, the past as well."""
    now = time()
    start, end = int(now) - _PAST * _DAY, int(now) + _COMING * _DAY
    place, shows = _shows_of(guide, channel, stream_id, start, end)
    return _answer((listing_of_table(show, place, now) for show in shows), _MOST_OF_TABLE)


def nothing() -> bytes:
    """The answer where there are no shows."""
    return _answer((), 0)


def _answer(told: Iterable[Json], most: int) -> bytes:
    pace, items = Pace(), []
    for item in islice(told, most):
        items.append(compact(item))
        pace()
    return b'{"epg_listings":[%b]}' % b",".join(items)


def _shows_of(
    guide: CurrentGuide, channel: Channel, stream_id: int, start: int, end: int
) -> tuple[Place, Iterator[ListedShow]]:
    """Whose shows they are, and those that touch [start, end); none if there is no guide."""
    generation = guide.get()
    try:
        join = None if generation is None else generation.join(channel.slug)
    except GuideBroken as broken:
        join = None
        log.warning("The guide cannot be read: %s", broken)
    if generation is None or join is None:
        return Place(stream_id, ""), iter(())
    return Place(stream_id, join.id), map(_show, _read(generation, channel.slug, start, end))


def _read(generation: Generation, slug: str, start: int, end: int) -> Iterator[Detailed]:
    """Day by day, with turns for others."""
    last = -1
    try:
        for day in range(start, end, _DAY):
            for show in generation.day(slug, day, min(day + _DAY, end)):
                if show.start > last:  # it may touch two days
                    last = show.start
                    yield show
            give_turn()
    except GuideBroken as broken:  # it may have been replaced meanwhile
        log.warning("The guide cannot be read: %s", broken)


def _show(show: Detailed) -> ListedShow:
    told = details_of(show.xml)
    return ListedShow(show.start, show.stop, show.title, told.desc or told.sub_title)
