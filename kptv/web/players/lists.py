"""`/playlist.m3u8`: the served lists of all channels, of each profile, and of their groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import gevent
from flask import Blueprint, Response, request

from kptv.channels.catalog import Catalog
from kptv.channels.guide.bare import bare_guide
from kptv.channels.hls_links import HLS_PATH, hls_link
from kptv.channels.logos import LOGO_PATH
from kptv.channels.model import Channel
from kptv.channels.profiles import PROFILE_PATH, MadeProfile
from kptv.channels.served import STREAM_PATH, render
from kptv.channels.users.allowed import Allowed, in_profile
from kptv.channels.users.model import ALL_RIGHTS, Rights
from kptv.channels.users.told_groups import only_groups
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.web.caller import caller
from kptv.web.lines import line, no_list_yet, not_ready
from kptv.web.players.allowed import AllowedOfAll
from kptv.web.players.guide_ids import GUIDE, GuideIds
from kptv.web.players.links import Ambiguous, meant, wants_hls
from kptv.web.players.profiles import Numbers, Profiles
from kptv.web.rendered import OWN_BASE, Rendered, Renderings, Wanted, answer

MEDIA_TYPE = "audio/x-mpegurl; charset=utf-8"
MOST_KEPT = 64  # lists of groups and profiles; the compressed list of a large one has 100 KB
NO_PROFILE = "No such profile; [profile.NAME] in rules.toml makes one."
_MOST_LINKS = 3  # that an answer names

Listed = Catalog | MadeProfile | Allowed  # what lists are made of


class ServedLists:
    """The lists of the current catalog; give it each new one."""

    def __init__(
        self, config: Config, numbers: Numbers | None = None, guide: CurrentGuide | None = None
    ) -> None:
        """``numbers`` keeps those of the profiles; ``guide`` is the one that the lists name."""
        self.base_url = config.base_url
        self._catalog: Catalog | None = None
        self._keeps = config.cache_enabled
        self.digest = ""  # of the list of all channels, as it is served; empty: it is not known
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
        self._clear()
        self.profiles.replace(catalog)
        self._allowed.replace(catalog)
        self._begin()

    def renew(self, _: object = None) -> None:
        """The guide is another one: render anew, once it is in force."""
        self._clear()
        gevent.spawn(self._begin)

    def _clear(self) -> None:
        self._renderings.clear()
        self.digest = ""

    def _begin(self) -> None:
        if self._keeps and (everything := self._wanted()):
            self._renderings.start(everything).greenlet.link_value(self._begun)

    def _begun(self, greenlet: gevent.Greenlet) -> None:
        if isinstance(greenlet.value, Rendered):  # else another catalog came
            self.digest = greenlet.value.digest

    def get(
        self,
        group: str | None = None,
        rights: Rights = ALL_RIGHTS,
        own: bool = False,
        hls: bool = False,
    ) -> Rendered | None:
        """The list of the channels that ``rights`` allow; or of a group of these.

        ``own``: it has OWN_BASE where BASE_URL stands otherwise. ``hls``: its links lead to
        playlists of HLS. It waits while the list is rendered. None if there is no such group, or
        nothing was ready in time.
        """
        return self._renderings.get(lambda: self._wanted(group, rights, own, hls))

    def bare_guide(self, rights: Rights = ALL_RIGHTS) -> Rendered | None:
        """A guide of the channels that ``rights`` allow, without shows; None as of ``get``."""
        return self._renderings.get(lambda: self._wanted_guide(rights))

    def of_profile(self, text: str, rights: Rights) -> Rights | None:
        """``rights`` for the list of the profile that ``text`` means; None: they have none such."""

        def find(name: str) -> Rights | None:
            return None if self.profiles.called(name) is None else in_profile(rights, name)

        with suppress(Ambiguous):
            return meant(text, find)
        return None

    def listed(self, rights: Rights) -> Listed | None:
        """What lists for ``rights`` are made of; waits while it is made. None: it is not ready."""
        if rights.is_all:
            return self._catalog
        if rights.groups is None and self.profiles.called(rights.profile) is not None:
            return self.profiles.get(rights.profile)
        return self._allowed.get(rights)

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

    def _wanted(
        self,
        group: str | None = None,
        rights: Rights = ALL_RIGHTS,
        own: bool = False,
        hls: bool = False,
    ) -> Wanted | None:
        chosen = self._chosen(group, rights)
        if chosen is None:
            return None
        base, tag = OWN_BASE if own else self.base_url, self._ids.tag
        place = f"{PROFILE_PATH}{rights.profile}" if rights.profile else ""
        guide_url = f"{base}{place}{GUIDE}" if self._ids.is_known else ""
        return Wanted(
            (rights, own, hls, chosen.group, bool(guide_url), tag),
            partial(_render, chosen, base, hls, guide_url, self._ids, rights.groups),
        )

    def _wanted_guide(self, rights: Rights) -> Wanted | None:
        chosen = self._chosen(None, rights)
        if chosen is None:
            return None
        pieces = partial(bare_guide, chosen.catalog, chosen.positions, chosen.numbers)
        return Wanted(("guide", rights), pieces)

    def _chosen(self, group: str | None, rights: Rights) -> _Chosen | None:
        """What is in the list; None if there is no such group, or it is not ready."""
        listed = self.listed(rights)
        catalog = self._catalog  # the one that it was made of: no switch since
        if catalog is None or listed is None:
            return None
        slug = None if group is None else listed.group_slug(group)
        if group is not None and slug is None:
            return None
        of_group = None if slug is None else listed.by_group[slug]
        if isinstance(listed, Catalog):
            return _Chosen(catalog, slug, of_group)
        positions = listed.positions if of_group is None else of_group
        return _Chosen(catalog, slug, positions, listed.numbers)


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


def _render(
    chosen: _Chosen,
    base_url: str,
    hls: bool,
    guide_url: str,
    guide_ids: GuideIds,
    groups: Collection[str] | None,
) -> Iterator[bytes]:
    ids = yield from guide_ids.of(chosen.catalog)
    pieces = render(
        chosen.catalog,
        base_url,
        chosen.positions,
        chosen.numbers,
        guide_url,
        ids,
        hls_link(base_url) if hls else None,
    )
    yield from pieces if groups is None else only_groups(pieces, groups)


def playlist_blueprint(lists: ServedLists) -> Blueprint:
    """The routes of the served lists."""
    blueprint = Blueprint("playlist", __name__)

    @blueprint.get("/playlist.m3u8")
    @blueprint.get("/playlist.m3u")
    @blueprint.get("/playlist")
    def playlist() -> Response:
        return list_answer(lists)

    # Without a rule of their own these would be a channel's name and a file of the status page.
    @blueprint.get(f"{STREAM_PATH}playlist.m3u8", defaults={"group": "stream"})
    @blueprint.get("/assets/playlist.m3u8", defaults={"group": "assets"})
    @blueprint.get(f"{LOGO_PATH}playlist.m3u8", defaults={"group": "logo"})
    @blueprint.get(f"{HLS_PATH}playlist.m3u8", defaults={"group": "hls"})
    @blueprint.get("/<path:group>/playlist.m3u8")
    def group_playlist(group: str) -> Response:
        if lists.catalog is None:
            return list_answer(lists)
        rights, rest = _profile_in(group, lists)
        return _of_profile(lists, rights, rest) if rights else _of_group(lists, group)

    @blueprint.get(f"{HLS_PATH}<path:rest>/playlist.m3u8")
    def playlist_of_odd_group(rest: str) -> Response:
        return group_playlist(f"{HLS_PATH[1:]}{rest}")

    return blueprint


def _profile_in(path: str, lists: ServedLists) -> tuple[Rights | None, str]:
    """The rights for the profile that is asked for, and the group whose name is behind its name."""
    first, _, rest = path.partition("/")
    name, _, rest = rest.lstrip("/").partition("/")
    if f"/{first.lower()}/" != PROFILE_PATH or not name:
        return None, ""
    return lists.of_profile(name, caller().rights), rest.strip("/")


def _of_group(lists: ServedLists, group: str) -> Response:
    is_profile = f"/{group.lower()}".startswith(PROFILE_PATH)
    unknown = NO_PROFILE if is_profile else "No such group; /playlist.m3u8 lists all channels."
    return _of_part(lists, caller().rights, group, "/", unknown)


def _of_profile(lists: ServedLists, rights: Rights, group: str) -> Response:
    if not group:
        return list_answer(lists, rights)
    path = f"{PROFILE_PATH}{rights.profile}/"
    unknown = f"No such group in this profile; {path}playlist.m3u8 lists all of it."
    return _of_part(lists, rights, group, path, unknown)


def _of_part(lists: ServedLists, rights: Rights, group: str, path: str, unknown: str) -> Response:
    """The list of a group; a group that is not allowed is as one that is not there."""
    listed = lists.listed(rights)
    if listed is None:
        return not_ready("The list")
    try:
        slug = meant(group, listed.group_slug)
    except Ambiguous as ambiguous:
        return _which(path, ambiguous)
    return line(404, unknown) if slug is None else list_answer(lists, rights, slug)


def _which(start: str, groups: Ambiguous) -> Response:
    paths = " or ".join(f"{start}{each}/playlist.m3u8" for each in groups.found[:_MOST_LINKS])
    return line(404, f"Which group? Ask for {paths}.")


def list_answer(
    lists: ServedLists, rights: Rights | None = None, group: str | None = None
) -> Response:
    """The list for the caller of the current request, or for ``rights`` that are part of theirs."""
    if lists.catalog is None:
        return no_list_yet()
    asks = caller()
    hls = wants_hls(request.args.get("output", ""))
    rendered = lists.get(group, rights or asks.rights, own=bool(asks.prefix), hls=hls)
    if rendered is None:
        return not_ready("The list")
    response = answer(rendered, MEDIA_TYPE, f"{lists.base_url}{asks.prefix}")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
