"""Which id of which guide a served channel has: by rules, never by likeness.

Theory of operation. Served channels are indexed by the keys of their ids and names; then each id
of a guide is looked up once, as it comes, so that time and memory follow the served channels and
their hits, whatever a guide holds. For each guide, in the channel's own order, the rules are tried
from the strictest on: the first that gives exactly one id joins. An id that only some of the rules
find twice is not guessed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from kptv.channels.guide.keys import NameKeys, id_keys
from kptv.channels.guide.model import GuideOf, Joined, Match, MatchRule, Offer, WantedChannel
from kptv.channels.rules.cleaning import QUALITY
from kptv.channels.rules.countries import country_of

MOST_NAMES = 200  # of one id
_MOST_IDS = 64  # of one guide that a rule finds for a channel
_MOST_TOLD = 5  # ids, in a reason or as suggestions
_FEW_GUIDES = 4  # of one list; some name a hundred, of all countries


_RULES_OF_IDS = tuple(MatchRule)[1:-1]


class _Hit(NamedTuple):
    rule: MatchRule
    key: str
    id: str
    quality: str  # the name with its words of quality; of ids: empty


class Joiner:
    """Told of the ids of all guides; says then which channel has which."""

    def __init__(
        self,
        channels: Sequence[WantedChannel],
        guides: Sequence[GuideOf],
        prefixes: tuple[str, ...] = (),
    ) -> None:
        """``guides`` in the order in which the user has them; ``prefixes`` of names: the user's."""
        self._channels, self._guides = channels, tuple(guides)
        self._of_source = Counter(source for guide in guides for source in guide.sources)
        self._names = NameKeys(prefixes)
        self._by_key: dict[tuple[MatchRule, str], list[int]] = {}
        self._hits: dict[tuple[int, int, MatchRule], dict[_Hit, None]] = {}  # by channel, guide
        self._wanted: set[tuple[int, str]] = set()
        self._countries: dict[int, Counter[str]] = {guide.number: Counter() for guide in guides}
        for place, channel in enumerate(channels):
            for key in dict.fromkeys(_keys_of(channel, self._names)):
                self._by_key.setdefault(key, []).append(place)

    def __repr__(self) -> str:
        return f"<Joiner channels={len(self._channels)} guides={len(self._guides)}>"

    def heard(self, guide: int, guide_id: str, names: Iterable[str] = ()) -> None:
        """A guide describes an id, perhaps once more."""
        self._countries[guide][country_of(guide_id, "")] += 1
        for rule, key in _id_rules(guide_id):
            self._hit(guide, _Hit(rule, key, guide_id, ""))
        for count, name in enumerate(names):
            if count < MOST_NAMES and (key := self._names.of(name)):
                quality = self._names.with_quality(name)
                self._hit(guide, _Hit(MatchRule.NAME, key, guide_id, quality))

    def wants(self, guide: int, guide_id: str) -> bool:
        """Whether the shows of an id may be needed; an id that nobody described has no names."""
        if (guide, guide_id) not in self._wanted:
            for rule, key in _id_rules(guide_id):
                self._hit(guide, _Hit(rule, key, guide_id, ""))
        return (guide, guide_id) in self._wanted

    def _hit(self, guide: int, hit: _Hit) -> None:
        for place in self._by_key.get((hit.rule, hit.key), ()):
            hits = self._hits.setdefault((place, guide, hit.rule), {})
            if len(hits) < _MOST_IDS:
                hits[hit] = None
                self._wanted.add((guide, hit.id))

    def decide(self, shows: Callable[[int, str], int]) -> list[Joined]:
        """What becomes of each channel; ``shows``: how many of an id of a guide end after now."""
        most = {number: _most(countries) for number, countries in self._countries.items()}
        return [
            _Decision(self, place, channel, shows, most).joined()
            for place, channel in enumerate(self._channels)
        ]

    def hits(self, place: int, guide: GuideOf, rule: MatchRule) -> Collection[_Hit]:
        """What was found for a channel in a guide, by one rule."""
        return self._hits.get((place, guide.number, rule), {})

    def ordered(self, channel: WantedChannel) -> list[GuideOf]:
        """The guides of a channel: those of its candidates' own lists, then the user's."""
        sources = [offer.source for offer in channel.offers]
        own = [(place, guide) for guide in self._guides for place in _places(sources, guide)]
        own.sort(key=lambda found: found[0])
        return [guide for _, guide in own] + [g for g in self._guides if not g.sources]

    def others(self, channel: WantedChannel) -> Iterator[GuideOf]:
        """The guides of lists that do not have it: they know other channels by the same ids."""
        sources = {offer.source for offer in channel.offers}
        return (g for g in self._guides if g.sources and not g.sources & sources)

    def are_few(self, guide: GuideOf) -> bool:
        """Whether a list names this guide and hardly another: it is then of all its entries."""
        return any(self._of_source[source] <= _FEW_GUIDES for source in guide.sources)

    def key(self, name: str) -> str:
        """The key of a name."""
        return self._names.of(name)


class _Decision:
    """The rules, tried for one channel."""

    def __init__(
        self,
        joiner: Joiner,
        place: int,
        channel: WantedChannel,
        shows: Callable[[int, str], int],
        most: dict[int, str],
    ) -> None:
        self._joiner, self._place, self._channel = joiner, place, channel
        self._shows, self._most = shows, most
        self._several: list[str] = []  # ids of which none was the one
        self._abroad: list[Match] = []
        self._silent: list[Match] = []  # joined, but with nothing to show

    def joined(self) -> Joined:
        slug, name = self._channel.slug, self._channel.name
        if self._channel.fixed == "":
            return Joined(slug, name, None, why="the rules say that it has no guide")
        matches = list(filter(None, map(self._in, self._joiner.ordered(self._channel))))
        lively = [match for match in matches if self._shows(match.guide, match.id)]
        self._silent = [match for match in matches if match not in lively]
        for guide in self._joiner.others(self._channel):
            self._suggest(guide, self._joiner.hits(self._place, guide, MatchRule.NAME))
        suggestions = tuple(dict.fromkeys(self._abroad))[:_MOST_TOLD]
        if not lively:
            silent = matches[0] if matches else None
            return Joined(slug, name, silent, (), suggestions, self._why())
        fills = tuple(match for match in lively[1:] if match.rule <= MatchRule.ID_SQUASHED)
        return Joined(slug, name, lively[0], fills, suggestions)

    def _in(self, guide: GuideOf) -> Match | None:
        """The id in one guide, by the first rule that gives exactly one."""
        if self._channel.fixed:
            return self._by_ids(guide, MatchRule.FIXED, [self._channel.fixed])
        # What another list calls "1" is not what this guide does.
        offers = [o for o in self._channel.offers if not guide.sources or o.source in guide.sources]
        ids = list(dict.fromkeys(offer.tvg_id for offer in offers if offer.tvg_id))
        for rule in _RULES_OF_IDS:
            if match := self._by_ids(guide, rule, ids):
                return match
        return self._by_name(guide, offers)

    def _by_ids(self, guide: GuideOf, rule: MatchRule, ids: Iterable[str]) -> Match | None:
        hits = self._joiner.hits(self._place, guide, rule)
        for told in ids if hits else ():
            near = [hit for hit in hits if _may_be_one_feed(hit.id, told)]
            if match := self._by_key(guide, near, _key_of(rule, told)):
                return match
        return None

    def _by_key(self, guide: GuideOf, hits: Iterable[_Hit], key: str) -> Match | None:
        found = [hit for hit in hits if hit.key == key]
        hit = self._one_of(guide, found) if found else None
        return Match(guide.number, hit.id, hit.rule, key) if hit else None

    def _by_name(self, guide: GuideOf, offers: list[Offer]) -> Match | None:
        named = self._joiner.hits(self._place, guide, MatchRule.NAME)
        if not named:
            return None
        countries = {offer.country for offer in offers if offer.country}
        near = [hit for hit in named if self._is_near(guide, hit, countries)]
        keys = _names_in_order(self._channel.name, offers, self._joiner)
        if match := next(filter(None, (self._by_key(guide, near, key) for key in keys)), None):
            return match
        self._suggest(guide, named)
        return None

    def _is_near(self, guide: GuideOf, hit: _Hit, countries: set[str]) -> bool:
        """Whether a name may be enough: in the same country, or in its list's own guide."""
        country = country_of(hit.id, "") or self._most[guide.number]
        if country and countries:
            return country in countries
        return bool(guide.sources) and self._joiner.are_few(guide)

    def _suggest(self, guide: GuideOf, named: Iterable[_Hit]) -> None:
        self._abroad += [Match(guide.number, hit.id, MatchRule.NAME, hit.key) for hit in named]

    def _one_of(self, guide: GuideOf, found: list[_Hit]) -> _Hit | None:
        """The one, or of twins (one channel in HD and SD) the one that shows most."""
        by_id: dict[str, _Hit] = {}
        for hit in found:
            by_id.setdefault(hit.id, hit)
        if len(by_id) == 1:
            return found[0]
        if not _are_twins(list(by_id.values())):
            self._several += list(by_id)
            return None
        return max(by_id.values(), key=lambda hit: self._shows(guide.number, hit.id))

    def _why(self) -> str:
        if self._silent:
            return f"{self._silent[0].id} has no shows from now on"
        if self._channel.fixed:
            return f"no guide has the id {self._channel.fixed}"
        if self._several:
            some = ", ".join(list(dict.fromkeys(self._several))[:_MOST_TOLD])
            return f"several ids: {some}"
        if self._abroad:
            return "only its name is known, in a guide of another list or country"
        return "no guide knows its id or its name"


def _keys_of(channel: WantedChannel, names: NameKeys) -> Iterator[tuple[MatchRule, str]]:
    """All by which a channel may be found."""
    if channel.fixed is not None:
        if channel.fixed:
            yield MatchRule.FIXED, channel.fixed
        return
    for offer in channel.offers:
        if offer.tvg_id:
            yield from ((rule, key) for rule, key in _id_rules(offer.tvg_id) if rule)
        for name in (channel.name, *offer.names):
            if key := names.of(name):
                yield MatchRule.NAME, key


def _names_in_order(name: str, offers: Iterable[Offer], joiner: Joiner) -> list[str]:
    names = (name for offer in offers for name in offer.names)
    return list(filter(None, dict.fromkeys(map(joiner.key, (name, *names)))))


def _places(sources: Sequence[int], guide: GuideOf) -> list[int]:
    """The first place of ``sources`` that a guide is of; none if it is of no one."""
    return [place for place, source in enumerate(sources) if source in guide.sources][:1]


def _id_rules(guide_id: str) -> list[tuple[MatchRule, str]]:
    keys = id_keys(guide_id)
    rules = [
        (MatchRule.FIXED, guide_id),
        (MatchRule.ID, guide_id),
        (MatchRule.ID_ANY_CASE, keys.any_case),
    ]
    rules.append((MatchRule.ID_WITHOUT_FEED, keys.bare))
    if keys.squashed:  # none is left of an id in signs
        rules += [(MatchRule.ID_SQUASHED, keys.squashed), (MatchRule.ID_PLAIN, keys.plain)]
    return rules


def _key_of(rule: MatchRule, tvg_id: str) -> str:
    return dict(_id_rules(tvg_id)).get(rule, "")


def _feed(guide_id: str) -> str:
    """What follows an @, if it is no word of quality: ``CNN.us@East`` shows all hours earlier."""
    feed = guide_id.partition("@")[2].casefold()
    return "" if feed in QUALITY else feed


def _may_be_one_feed(one: str, other: str) -> bool:
    feeds = _feed(one), _feed(other)
    return not all(feeds) or feeds[0] == feeds[1]


def _are_twins(hits: Sequence[_Hit]) -> bool:
    """Whether ids mean one channel: alike but for quality, or with names that differ in it."""
    if len({(id_keys(hit.id).plain, _feed(hit.id)) for hit in hits}) == 1:
        return True
    qualities = [hit.quality for hit in hits]
    return all(qualities) and len(set(qualities)) == len(qualities)


def _most(countries: Counter[str]) -> str:
    """The country of more than half of a guide's ids; empty if there is none."""
    if not countries:
        return ""
    country, count = countries.most_common(1)[0]
    return country if count * 2 > countries.total() else ""
