"""`/api/guide…`: what is on now and next, a grid, a channel's day, and how guides were joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from flask import Blueprint, Response, request
from flask import json as flask_json

from kptv.channels.catalog import Catalog
from kptv.guide.reading import STATES, Generation, GuideBroken, Join, ToldShow
from kptv.pace import Pace
from kptv.web.page.directory import Directory
from kptv.web.page.json_answers import (
    Refused,
    answer,
    new_blueprint,
    page_number,
    query,
    written,
)
from kptv.web.page.public import Json
from kptv.web.page.shows import Shows, minute, pieces

MOST_NOW = 200  # channels in an answer
MOST_IN_GRID = 100
JOINS = 50
LONGEST = 86400  # seconds of a grid
_USUAL_GRID, _USUAL_SEARCH = 3 * 3600, LONGEST  # seconds
_HALF_HOUR = 1800
SEARCH_DEADLINE = 5.0  # seconds; what was found by then is told
_LONGEST_LIST = 20_000  # letters of `channels`


class Page(NamedTuple):
    """Some of the channels of the list."""

    catalog: Catalog
    total: int
    positions: Sequence[int]


def guide_blueprint(shows: Shows, directory: Directory) -> Blueprint:
    """The routes that tell of the guide."""
    blueprint = new_blueprint("guide_api")
    blueprint.register_error_handler(GuideBroken, _broken)

    @blueprint.get("/guide/now")
    def now() -> Response:
        return _now(shows, directory)

    @blueprint.get("/guide")
    def grid() -> Response:
        words = query("q").strip()
        return answer(_search(shows, directory, words) if words else _grid(shows, directory))

    @blueprint.get("/guide/channels/<identifier>")
    def day(identifier: str) -> Response:
        return answer(_day(shows, directory, identifier))

    @blueprint.get("/guide/joins")
    def joins() -> Response:
        return answer(_joins(shows))

    return blueprint


def _broken(_: GuideBroken) -> Response:
    return answer({"error": "The guide was replaced, or cannot be read; ask again."}, 503)


def _now(shows: Shows, directory: Directory) -> Response:
    named = _named()
    page = _page(directory, MOST_NOW) if named is None else None
    generation = shows.guide.get()
    whole = f"{minute()}-{generation.tag if generation else shows.standing}"
    etag = f"{whole}-{id(page.catalog):x}-{page.total}" if page else whole
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        response = written(_told_now(shows, page, named))
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "no-cache"  # keep it, but ask each time whether it changed
    return response


def _named() -> list[str] | None:
    """The slugs that are asked for; None: a page of the list is."""
    text = request.args.get("channels", "")
    slugs = list(dict.fromkeys(filter(None, text.split(","))))
    if len(text) > _LONGEST_LIST or len(slugs) > MOST_NOW:
        raise Refused(400, f"At most {MOST_NOW} channels at once.")
    return slugs or None


def _told_now(shows: Shows, page: Page | None, named: list[str] | None) -> str:
    slugs = named or ([page.catalog.slug(p) for p in page.positions] if page else [])
    head = {
        "guide": shows.standing,
        "time": minute(),
        "total": page.total if page else len(slugs),
        "page": page_number() if page else 0,
        "size": MOST_NOW,
    }
    channels = ",".join(shows.ready(slugs))
    return f'{flask_json.dumps(head)[:-1]},"channels":[{channels}]}}'


def _page(directory: Directory, size: int) -> Page:
    """The page of the list, or of a group, that is asked for; raises Refused."""
    group, page = query("group"), page_number()
    found = directory.find("", group)
    if found is None:
        raise _nothing(group, directory)
    positions = found.positions[page * size : (page + 1) * size]
    return Page(found.catalog, len(found.positions), positions)


def _nothing(group: str, directory: Directory) -> Refused:
    if group and directory.catalog is not None:
        return Refused(404, "No such group.")
    return Refused(503, "No channel list has been imported yet.")


def _grid(shows: Shows, directory: Directory) -> Json:
    start, end = _window(minute() // _HALF_HOUR * _HALF_HOUR, _USUAL_GRID)
    page, generation = _page(directory, MOST_IN_GRID), shows.guide.get()
    slugs = [page.catalog.slug(position) for position in page.positions]
    found: dict[str, list[ToldShow]] = {}
    if generation is not None:
        for some in pieces(slugs):
            found |= generation.grid(some, start, end)
    channels = _rows(shows, page.catalog, page.positions, found)
    return _grid_of(shows, (start, end), page.total, channels)


def _search(shows: Shows, directory: Directory, words: str) -> Json:
    """The same, of channels with shows whose titles hold ``words``."""
    start, end = _window(minute(), _USUAL_SEARCH)
    group, generation = query("group"), shows.guide.get()
    found = directory.find("", group)
    if found is None:
        raise _nothing(group, directory)
    hits: dict[str, list[ToldShow]] = {}
    positions: list[int] = []
    begun, done, pace = monotonic(), 0, Pace()
    catalog = found.catalog
    if generation is not None:
        for some in pieces(found.positions):
            slugs = {catalog.slug(position): position for position in some}
            for hit in generation.search(words, list(slugs), start, end, MOST_IN_GRID):
                if hit.slug not in hits:
                    positions.append(slugs[hit.slug])
                hits.setdefault(hit.slug, []).append(hit.show)
            done += len(some)
            pace()
            if len(positions) >= MOST_IN_GRID or monotonic() - begun > SEARCH_DEADLINE:
                break
    is_whole = generation is None or done >= len(found.positions)
    channels = _rows(shows, catalog, positions[:MOST_IN_GRID], hits)
    return {**_grid_of(shows, (start, end), len(channels), channels), "is_whole": is_whole}


def _window(usual_start: int, usual_length: int) -> tuple[int, int]:
    """What is asked for: of `to` that is not behind `from` the usual, of more than a day a day."""
    start = _moment("from", usual_start)
    end = _moment("to", start + usual_length)
    return start, min(end if end > start else start + usual_length, start + LONGEST)


def _moment(name: str, usual: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return usual
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise Refused(400, f"{name} is a Unix time in seconds.")
    return int(text)


def _rows(
    shows: Shows, catalog: Catalog, positions: Sequence[int], found: dict[str, list[ToldShow]]
) -> list[Json]:
    rows, pace = [], Pace()
    for position in positions:
        channel = catalog.channel(position)
        told = []
        for show in found.get(channel.slug, ()):
            told.append(shows.told(show))
            pace()
        row = {"id": channel.slug, **shows.public.channel(channel)}
        number = catalog.numbers[position] if catalog.numbers else 0
        row["number"] = str(number) if number else shows.public.number(channel)
        rows.append({**row, "shows": told})
        pace()
    return rows


def _grid_of(shows: Shows, window: tuple[int, int], total: int, channels: list[Json]) -> Json:
    return {
        "guide": shows.standing,
        "from": window[0],
        "to": window[1],
        "total": total,
        "page": page_number(),
        "size": MOST_IN_GRID,
        "is_whole": True,
        "channels": channels,
    }


def _day(shows: Shows, directory: Directory, slug: str) -> Json:
    start, end = _window(minute(), LONGEST)
    catalog, generation = directory.catalog, shows.guide.get()
    if catalog is None:
        raise Refused(503, "No channel list has been imported yet.")
    channel = catalog.find(slug)
    if channel is None:
        raise Refused(404, "No such channel.")
    told, pace = [], Pace()
    for show in generation.day(channel.slug, start, end) if generation else ():
        told.append(shows.detailed(show))
        pace()
    join = generation.join(channel.slug) if generation else None
    return {
        "guide": shows.standing,
        "from": start,
        "to": end,
        "id": channel.slug,
        **shows.public.channel(channel),
        "join": _join_view(shows, generation, join) if generation and join else None,
        "shows": told,
    }


def _joins(shows: Shows) -> Json:
    state, page = query("state") or None, page_number()
    if state is not None and state not in STATES:
        raise Refused(400, f"state is one of {', '.join(STATES)}.")
    generation = shows.guide.get()
    found = generation.joins(state, page * JOINS, JOINS) if generation else []
    return {
        "guide": shows.standing,
        "total": generation.count(state) if generation else 0,
        "page": page,
        "size": JOINS,
        "channels": [_join_view(shows, generation, join) for join in found if generation],
    }


def _join_view(shows: Shows, generation: Generation, join: Join) -> Json:
    text = shows.public.text
    tags = {guide.number: guide.tag for guide in generation.report.guides}
    return {
        "id": join.slug,
        "name": text(join.name),
        "number": text(join.number),
        "state": join.state,
        "served_id": text(join.id),
        "rule": join.rule,
        "guide": None if join.guide is None else tags.get(join.guide, ""),
        "guide_id": text(join.guide_id or ""),
        "key": text(join.key or ""),
        "why": text(join.why),
        "suggestions": [
            {"guide": tags.get(number, ""), "guide_id": text(found)}
            for number, found in join.suggestions
        ],
    }
