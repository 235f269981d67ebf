"""The lists of Xtream's protocol: rendered once for all callers of the same rights, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from kptv.channels.catalog import Catalog
from kptv.channels.hls_links import hls_link
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH, Link, render
from kptv.channels.users.allowed import Allowed
from kptv.channels.users.model import Rights
from kptv.channels.users.told_groups import only_groups
from kptv.channels.xtream.ids import OTHER, XtreamIds
from kptv.channels.xtream.links import bare_list, xtream_link
from kptv.channels.xtream.live import Listed, categories, live_streams
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.web.players.guide_ids import GuideIds
from kptv.web.players.lists import ServedLists
from kptv.web.players.numbers import ChannelNumbers
from kptv.web.players.xtream_ids import CurrentIds, OddIds
from kptv.web.rendered import OWN_BASE, Rendered, Renderings, Wanted, new_mark, prepare

OWN_LINK = new_mark()  # for what is before the id in the link of a channel
OWN_GUIDE = new_mark()  # for the link of the guide
MOST_KEPT = 64  # lists of all that somebody may see; one of 20,000 channels has 300 KB
_MOST_TRIES = 5  # to have ids and rights of one catalog
EMPTY = prepare(iter([b"[]"]))

Pieces = Callable[["_Chosen"], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What somebody may see, and its ids: both of the same catalog."""

    ids: XtreamIds
    allowed: Allowed
    rights: Rights

    @property
    def listed(self) -> Listed:
        told = None
        if not self.rights.is_all:
            told = frozenset(self.ids.groups_called((*self.allowed.by_group, OTHER)))
        return Listed(self.ids, self.allowed.positions, self.allowed.numbers, told)


@dataclass(frozen=True, slots=True)
class ListForm:
    """How a list of get.php is written."""

    has_attributes: bool = True
    has_login: bool = True  # in its links, which are those of this protocol then
    has_own_guide: bool = True  # a link with a login, which always leads to one
    is_hls: bool = False  # links lead to playlists of HLS


class XtreamLists:
    """The lists of the current catalog; give it each new one, behind the ``ServedLists``."""

    def __init__(
        self,
        config: Config,
        lists: ServedLists,
        guide: CurrentGuide,
        kept: OddIds,
        numbers: ChannelNumbers,
    ) -> None:
        duration = config.cache_duration if config.cache_enabled else 0
        self._lists = lists
        self._ids = CurrentIds(kept)
        self._numbers = numbers
        self._guide_ids = GuideIds(guide)
        self._whole, self._parts = Renderings(MOST_KEPT, duration), Renderings(MOST_KEPT, duration)

    def __repr__(self) -> str:
        return f"<XtreamLists {self._ids} {self._whole} {self._parts}>"

    @property
    def alive(self) -> bool:
        """Whether nothing hangs that is being made or rendered."""
        parts = (self._whole, self._parts, self._ids, self._numbers)
        return all(part.alive for part in parts)

    @property
    def has_guide(self) -> bool:
        """Whether there is a guide, or will be."""
        return self._guide_ids.is_known

    @property
    def is_ready(self) -> bool:
        """Whether there are lists: a catalog has been imported."""
        return self._lists.catalog is not None

    def replace(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from now on."""
        self._clear()
        self._ids.replace(catalog)

    def give_ids(self) -> None:
        """Make the ids of all channels, and keep those that must be kept; waits."""
        self._ids.get()

    def renew(self, _: object = None) -> None:
        """The guide is another one."""
        self._clear()

    def _clear(self) -> None:
        self._whole.clear()
        self._parts.clear()

    # --- what is asked for; None: it is not ready ---

    def categories(self, rights: Rights) -> Rendered | None:
        """The groups."""
        return self._whole.get(lambda: self._wanted(rights, "categories", _categories))

    def streams(self, rights: Rights, category: int | None = None) -> Rendered | None:
        """The channels: all, or those of a group; one that is not there or not theirs has none."""
        if category is None:
            return self._whole.get(lambda: self._wanted(rights, "streams", self._streams))
        chosen = self._chosen(rights)
        if chosen is None:
            return None
        slug = chosen.ids.group(category)
        if slug is None or (slug != OTHER and slug not in chosen.allowed.by_group):
            return EMPTY
        pieces = partial(self._streams, slug=slug)
        return self._parts.get(lambda: self._wanted(rights, f"of {slug}", pieces))

    def playlist(self, rights: Rights, form: ListForm) -> Rendered | None:
        """The list of get.php."""
        pieces = partial(self._playlist, form=form)
        return self._whole.get(lambda: self._wanted(rights, form, pieces))

    def channel(self, channel_id: int, playing: Iterable[Channel] = ()) -> Channel | None:
        """The channel with this id, or of those that play one; None: none has it.

        Raises NotReady.
        """
        ids = self._ids.get()
        if ids is None:
            raise NotReady
        position = ids.position(channel_id)
        if position is not None:
            return ids.catalog.channel(position)
        # An import may have lost it; its viewers may still come back.
        return next((each for each in playing if ids.of(each.slug) == channel_id), None)

    # --- how it is made ---

    def _wanted(self, rights: Rights, key: object, pieces: Pieces) -> Wanted | None:
        chosen = self._chosen(rights)
        if chosen is None:
            return None
        of_guide = self._guide_ids.tag, self.has_guide
        return Wanted((rights, key, of_guide), partial(pieces, chosen))

    def _chosen(self, rights: Rights) -> _Chosen | None:
        """What somebody may see of the newest catalog; waits while that is made."""
        for _ in range(_MOST_TRIES):
            ids, allowed = self._ids.get(), self._lists.allowed(rights)
            if ids is None or allowed is None:
                return None
            if allowed.catalog is ids.catalog:  # else another came meanwhile
                return _Chosen(ids, allowed, rights)
        return None

    def _streams(self, chosen: _Chosen, slug: str | None = None) -> Iterator[bytes]:
        guide_ids = yield from self._guide_ids.of(chosen.ids.catalog)
        listed = chosen.listed
        if listed.made_numbers is None:  # applications order by them, so each has one
            listed = replace(listed, numbers=self._numbers.of(chosen.ids.catalog))
        if slug == OTHER:
            others = yield from chosen.ids.others_among(chosen.allowed.positions)
            listed = replace(listed, positions=others)
        elif slug is not None:
            # Another catalog may have come since the group was looked up.
            listed = replace(listed, positions=chosen.allowed.by_group.get(slug, ()))
        yield from live_streams(listed, guide_ids, OWN_BASE)

    def _playlist(self, chosen: _Chosen, form: ListForm) -> Iterator[bytes]:
        listed, link = chosen.listed, _link(chosen.ids, form)
        if not form.has_attributes:
            yield from bare_list(listed, link)
            return
        guide_ids = yield from self._guide_ids.of(chosen.ids.catalog)
        numbers = listed.made_numbers
        pieces = render(
            listed.catalog,
            OWN_BASE,
            listed.positions,
            None if numbers is None else map(numbers.__getitem__, listed.positions),
            OWN_GUIDE if form.has_own_guide or self.has_guide else "",
            guide_ids,
            link,
        )
        if chosen.rights.groups is not None:
            pieces = only_groups(pieces, chosen.rights.groups)
        yield from pieces


class NotReady(Exception):
    """There is no catalog yet, or what is made of it takes too long."""


def _categories(chosen: _Chosen) -> Iterator[bytes]:
    others = yield from chosen.ids.others_among(chosen.allowed.positions)
    slugs = chosen.allowed.by_group
    yield from categories(chosen.ids.catalog, chosen.ids, slugs, has_others=bool(others))


def _link(ids: XtreamIds, form: ListForm) -> Link:
    if form.has_login:
        return xtream_link(ids, OWN_LINK, as_hls=form.is_hls)
    return hls_link(OWN_BASE) if form.is_hls else lambda slug, _: f"{OWN_BASE}{STREAM_PATH}{slug}"
