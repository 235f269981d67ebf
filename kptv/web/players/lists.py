"""`/playlist.m3u8`: the served lists of all channels, of each profile, and of their groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import gevent
from flask import Blueprint, Response

from kptv.channels.catalog import Catalog
from kptv.channels.guide.bare import bare_guide
from kptv.channels.logos import LOGO_PATH
from kptv.channels.model import Channel
from kptv.channels.profiles import PROFILE_PATH
from kptv.channels.served import STREAM_PATH, render
from kptv.channels.users.allowed import Allowed
from kptv.channels.users.model import Rights
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.web.lines import line
from kptv.web.players.allowed import AllowedOfAll
from kptv.web.players.guide_ids import GUIDE, GuideIds
from kptv.web.players.links import Ambiguous, meant
from kptv.web.players.profiles import Numbers, Profiles
from kptv.web.rendered import Rendered, Renderings, Wanted, answer

MEDIA_TYPE = "audio/x-mpegurl; charset=utf-8"
MOST_KEPT = 64  # lists of groups and profiles; the compressed list of a large one has 100 KB
_MOST_LINKS = 3  # that an answer names


class ServedLists:
    """The lists of the current catalog; give it each new one."""

    def __init__(
        self, config: Config, numbers: Numbers | None = None, guide: CurrentGuide | None = None
    ) -> None:
        """``numbers`` keeps those of the profiles; ``guide`` is the one that the lists name."""
        self._base_url = config.base_url
        self._catalog: Catalog | None = None
        self._keeps = config.cache_enabled
        self._renderings = Renderings(MOST_KEPT, config.cache_duration if self._keeps else 0)
        self.profiles = Profiles(numbers)
        self._allowed = AllowedOfAll(self.profiles)
        self._guide = guide or CurrentGuide()
        self._ids = GuideIds(self._guide)

    def __repr__(self) -> str:
        return f"<ServedLists catalog={self._catalog} {self._renderings}>"

    @property
    def catalog(self) -> Catalog | None:
        """The catalog whose lists these are; None until there is one."""
        return self._catalog

    @property
    def alive(self) -> bool:
        """Whether no list hangs that is being made or rendered."""
        return self._renderings.alive and self.profiles.alive and self._allowed.alive

    def replace(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from now on; what was rendered of the one before is dropped."""
        self._catalog = catalog
        self._renderings.clear()
        self.profiles.replace(catalog)
        self._allowed.replace(catalog)
        self._begin()

    def renew(self, _: object = None) -> None:
        """The guide is another one: render anew, once it is in force."""
        self._renderings.clear()
        gevent.spawn(self._begin)

    def _begin(self) -> None:
        if self._keeps and (everything := self._wanted()):
            self._renderings.start(everything)

    def get(self, group: str | None = None, profile: str | None = None) -> Rendered | None:
        """The list of all channels, or those of a profile; of a group of these, if one is named.

        It waits while the list is rendered. None if there is no such profile or group, or nothing
        was ready in time.
        """
        return self._renderings.get(lambda: self._wanted(group, profile))

    def bare_guide(self, profile: str | None = None) -> Rendered | None:
        """A guide of all channels, or a profile's, without shows; None as of ``get``."""
        return self._renderings.get(lambda: self._wanted_guide(profile))

    def allowed(self, rights: Rights) -> Allowed | None:
        """What ``rights`` allow of the newest catalog; waits while it is made.

        None: there is no catalog yet, or it was not ready in time.
        """
        return self._allowed.get(rights)

    def may_have(self, rights: Rights, channel: Channel) -> bool:
        """Whether ``rights`` allow ``channel``, also one that is played but no more in the catalog.

        It waits only for a profile that is being made, if nothing was said of it before.
        """
        return self._allowed.may_have(rights, channel)

    def _wanted(self, group: str | None = None, profile: str | None = None) -> Wanted | None:
        chosen = self._chosen(group, profile)
        if chosen is None:
            return None
        place, tag = f"{PROFILE_PATH}{profile}" if profile else "", self._ids.tag
        guide_url = f"{self._base_url}{place}{GUIDE}" if self._ids.is_known else ""
        return Wanted(
            (profile, chosen.group, bool(guide_url), tag),
            partial(_render, chosen, self._base_url, guide_url, self._ids),
        )

    def _wanted_guide(self, profile: str | None) -> Wanted | None:
        chosen = self._chosen(None, profile)
        if chosen is None:
            return None
        pieces = partial(bare_guide, chosen.catalog, chosen.positions, chosen.numbers)
        return Wanted(("guide", profile), pieces)

    def _chosen(self, group: str | None, profile: str | None) -> _Chosen | None:
        """What is in the list; None if there is no such group or profile."""
        made = None if profile is None else self.profiles.get(profile)
        catalog = self._catalog  # the one that it was made of: no switch since
        if catalog is None or (profile is not None and made is None):
            return None
        found = catalog if made is None else made
        slug = None if group is None else found.group_slug(group)
        if group is not None and slug is None:
            return None
        if made is None:
            return _Chosen(catalog, slug, None if slug is None else catalog.group(slug))
        positions = made.positions if slug is None else made.group(slug) or ()
        return _Chosen(catalog, slug, positions, made.numbers)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The channels of a list."""

    catalog: Catalog
    group: str | None
    positions: Sequence[int] | None = None  # None: all
    numbers_of: Sequence[int] | None = None  # by position; None: as the catalog has them

    @property
    def numbers(self) -> Iterator[int] | None:
        if self.numbers_of is None or self.positions is None:
            return None
        return map(self.numbers_of.__getitem__, self.positions)


def _render(chosen: _Chosen, base_url: str, guide_url: str, guide_ids: GuideIds) -> Iterator[bytes]:
    ids = yield from guide_ids.of(chosen.catalog)
    yield from render(chosen.catalog, base_url, chosen.positions, chosen.numbers, guide_url, ids)


def playlist_blueprint(lists: ServedLists) -> Blueprint:
    """The routes of the served lists."""
    blueprint = Blueprint("playlist", __name__)

    @blueprint.get("/playlist.m3u8")
    @blueprint.get("/playlist.m3u")
    @blueprint.get("/playlist")
    def playlist() -> Response:
        return _answer(lists)

    # Without a rule of their own these would be a channel's name and a file of the status page.
    @blueprint.get(f"{STREAM_PATH}playlist.m3u8", defaults={"group": "stream"})
    @blueprint.get("/assets/playlist.m3u8", defaults={"group": "assets"})
    @blueprint.get(f"{LOGO_PATH}playlist.m3u8", defaults={"group": "logo"})
    @blueprint.get("/<path:group>/playlist.m3u8")
    def group_playlist(group: str) -> Response:
        if lists.catalog is None:
            return _answer(lists)
        profile, rest = _profile_in(group, lists.profiles)
        return _of_profile(lists, profile, rest) if profile else _of_group(lists, group)

    return blueprint


def _profile_in(path: str, profiles: Profiles) -> tuple[str | None, str]:
    """The profile whose list, or whose group's list, is asked for, and what is behind its name."""
    first, _, rest = path.partition("/")
    name, _, rest = rest.lstrip("/").partition("/")
    if f"/{first.lower()}/" != PROFILE_PATH or not name:
        return None, ""
    with suppress(Ambiguous):
        return meant(name, profiles.called), rest.strip("/")
    return None, ""


def _of_group(lists: ServedLists, group: str) -> Response:
    assert lists.catalog is not None
    try:
        slug = meant(group, lists.catalog.group_slug)
    except Ambiguous as ambiguous:
        return _which("/", ambiguous)
    if slug is None and f"/{group.lower()}".startswith(PROFILE_PATH):
        return line(404, "No such profile; [profile.NAME] in rules.toml makes one.")
    if slug is None:
        return line(404, "No such group; /playlist.m3u8 lists all channels.")
    return _answer(lists, slug)


def _of_profile(lists: ServedLists, profile: str, group: str) -> Response:
    if not group:
        return _answer(lists, None, profile)
    made = lists.profiles.get(profile)
    if made is None:
        return _not_ready()
    path = f"{PROFILE_PATH}{profile}/"
    try:
        slug = meant(group, made.group_slug)
    except Ambiguous as ambiguous:
        return _which(path, ambiguous)
    if slug is None:
        return line(404, f"No such group in this profile; {path}playlist.m3u8 lists all of it.")
    return _answer(lists, slug, profile)


def _which(start: str, groups: Ambiguous) -> Response:
    paths = " or ".join(f"{start}{each}/playlist.m3u8" for each in groups.found[:_MOST_LINKS])
    return line(404, f"Which group? Ask for {paths}.")


def _answer(lists: ServedLists, group: str | None = None, profile: str | None = None) -> Response:
    if lists.catalog is None:
        return line(503, "No channel list has been imported yet; try again soon.", 5)
    rendered = lists.get(group, profile)
    if rendered is None:
        return _not_ready()
    response = answer(rendered, MEDIA_TYPE)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _not_ready() -> Response:
    return line(503, "The list is not ready yet; try again soon.", 5)
