"""`/playlist.m3u8`: the served lists of all channels and of each group."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response

from kptv.channels.catalog import Catalog
from kptv.channels.logos import LOGO_PATH
from kptv.channels.served import STREAM_PATH, render
from kptv.config import Config
from kptv.web.lines import line
from kptv.web.players.links import Ambiguous, meant
from kptv.web.rendered import Rendered, Renderings, Wanted, answer

MEDIA_TYPE = "audio/x-mpegurl; charset=utf-8"
MOST_GROUPS = 64  # group lists that are kept; the compressed list of a large one has 100 KB
_MOST_LINKS = 3  # that an answer names


class ServedLists:
    """The lists of the current catalog; give it each new one."""

    def __init__(self, config: Config) -> None:
        self._base_url = config.base_url
        self._catalog: Catalog | None = None
        self._keeps = config.cache_enabled
        self._renderings = Renderings(MOST_GROUPS, config.cache_duration if self._keeps else 0)

    def __repr__(self) -> str:
        return f"<ServedLists catalog={self._catalog} {self._renderings}>"

    @property
    def catalog(self) -> Catalog | None:
        """The catalog whose lists these are; None until there is one."""
        return self._catalog

    @property
    def alive(self) -> bool:
        """Whether no list hangs that is being rendered."""
        return self._renderings.alive

    def replace(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from now on; what was rendered of the one before is dropped."""
        self._catalog = catalog
        self._renderings.clear()
        if self._keeps and (everything := self._wanted(None)):
            self._renderings.start(everything)

    def get(self, group: str | None = None) -> Rendered | None:
        """The list of all channels, or of a group; waits while it is rendered.

        None if there is no such group, or nothing was ready in time.
        """
        return self._renderings.get(lambda: self._wanted(group))

    def _wanted(self, group: str | None) -> Wanted | None:
        catalog = self._catalog
        if catalog is None:
            return None
        rendering = partial(render, catalog, self._base_url)
        if group is None:
            return Wanted(None, rendering)
        slug = catalog.group_slug(group)
        return None if slug is None else Wanted(slug, partial(rendering, catalog.group(slug)))


def playlist_blueprint(lists: ServedLists) -> Blueprint:
    """The routes of the served lists."""
    blueprint = Blueprint("playlist", __name__)

    @blueprint.get("/playlist.m3u8")
    @blueprint.get("/playlist.m3u")
    @blueprint.get("/playlist")
    def playlist() -> Response:
        return _answer(lists, None)

    # Without a rule of their own these would be a channel's name and a file of the status page.
    @blueprint.get(f"{STREAM_PATH}playlist.m3u8", defaults={"group": "stream"})
    @blueprint.get("/assets/playlist.m3u8", defaults={"group": "assets"})
    @blueprint.get(f"{LOGO_PATH}playlist.m3u8", defaults={"group": "logo"})
    @blueprint.get("/<path:group>/playlist.m3u8")
    def group_playlist(group: str) -> Response:
        if lists.catalog is None:
            return _answer(lists, group)
        try:
            slug = meant(group, lists.catalog.group_slug)
        except Ambiguous as ambiguous:
            paths = " or ".join(f"/{each}/playlist.m3u8" for each in ambiguous.found[:_MOST_LINKS])
            return line(404, f"Which group? Ask for {paths}.")
        if slug is None:
            return line(404, "No such group; /playlist.m3u8 lists all channels.")
        return _answer(lists, slug)

    return blueprint


def _answer(lists: ServedLists, group: str | None) -> Response:
    if lists.catalog is None:
        return line(503, "No channel list has been imported yet; try again soon.", 5)
    rendered = lists.get(group)
    if rendered is None:
        return line(503, "The list is not ready yet; try again soon.", 5)
    response = answer(rendered, MEDIA_TYPE)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
