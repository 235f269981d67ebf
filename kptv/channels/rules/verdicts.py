"""What becomes of an entry: which channel it is one of, and under which name, or that it goes.

Theory of operation. Entries are judged by the hundred. Most have a name that an entry had before,
of which it is known what the rules left by source and groups (a ``Context``) make of it. Of the
others a sieve seeks the words of all patterns in all at once; what holds none that matters has the
usual fate of its context. Only what is left then goes through the rules one by one. Nothing is kept
of an entry but plain texts, so that Python's garbage collector has nothing to go through.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from kptv.channels.model import Source
from kptv.channels.packing import FIELD, attribute_mark
from kptv.channels.rules.contexts import KEPT, Called, Context, Contexts, Fate, Left, Settled
from kptv.channels.rules.countries import country_of
from kptv.channels.rules.drafts import DECIDED, Draft, Live, apply
from kptv.channels.rules.entry_names import WORDS, EntryNames
from kptv.channels.rules.matching import Probe, Test, Texts, public_url, texts_of
from kptv.channels.rules.model import Rules
from kptv.channels.rules.naming import Naming, Told
from kptv.channels.rules.portions import NAME, URL, Portion, mark_of, value_of
from kptv.channels.rules.sieve import Caught, Sieve, Word

_TRIED_AT_ONCE = 8  # times an expression may be tried between two yields: each may take 5 ms
_NAMED_AT_ONCE = 25  # entries between two yields


@dataclass(frozen=True, slots=True)
class EntryVerdict:
    """What becomes of an entry: for people."""

    name: str  # shown
    key: str  # of the channel, normalised, without a country
    groups: tuple[str, ...] | None = None  # None: as they are
    sets: Mapping[str, str] = field(default_factory=dict)  # attributes
    rank: int = 0
    is_dropped: bool = False
    owner: str = ""  # whose alias it is
    country: str = ""  # that a prefix of the name told
    hits: tuple[int, ...] = ()  # places of the rules that applied


# What the rules made of an entry: its record, the fields of that, what becomes of it, and what it
# is called.
Judged = tuple[bytes, Sequence[bytes], Fate, Called]
# What is not known yet.
_UNSETTLED: Settled = ((-1,), ("", "", "", "", "", "", (), -1))
_UNKNOWN = Fate()
_CALLED = itemgetter(1)  # of Settled


class _Judging(NamedTuple):
    """What is known of entries that are judged at once."""

    portion: Portion
    contexts: list[Context]
    caught: Caught  # words in addresses and attributes
    keys: list[bytes]  # what each shares with all that become the same; empty: with none
    settled: list[Settled]
    fates: list[Fate]


class _KnownContexts(dict[bytes, Context]):
    """The contexts of a source's entries by their groups, packed: made when they are asked for."""

    def __init__(self, contexts: Contexts, number: int) -> None:
        super().__init__()
        self._contexts, self._number = contexts, number

    def __missing__(self, packed: bytes) -> Context:
        context = self[packed] = self._contexts.of_source(self._number, packed)
        return context


class Judge:
    """Says of each packed entry what becomes of it."""

    def __init__(self, rules: Rules, sources: Iterable[Source]) -> None:
        self._rules = [
            Live(
                place,
                rule,
                tuple(Test(condition, rule.line) for condition in rule.when),
                tuple(Test(condition, rule.line) for condition in rule.unless),
            )
            for place, rule in enumerate(rules.rules)
        ]
        self._contexts = Contexts(rules, self._rules, {one.number: one for one in sources})
        self._known: dict[int, _KnownContexts] = {}  # by numbers of sources
        self.naming = Naming(rules)
        for test in self._tests():
            if test.field == "source":  # one that no source has is of no use, whatever else holds
                for texts in self._contexts.about_sources():
                    test.found(texts)
        looks = [test for test in self._tests() if test.field not in DECIDED]
        self._sieve = Sieve(looks)
        self._names = EntryNames(self.naming, self._sieve, self._contexts.ends_of_name)
        probes = [probe for test in looks for probe in test.probes]
        self._expressions = [probe for probe in probes if probe.is_expression]
        self._at_once = max(_TRIED_AT_ONCE // max(len(self._expressions), 1), 1)  # entries
        # Of all that conditions look at besides names: those of attributes, empty for URLs.
        others = sorted({test.field for test in looks} - {"name"})
        self._marks = {name: mark_of(name) for name in others}

    def __repr__(self) -> str:
        return f"<Judge rules={len(self._rules)}>"

    @property
    def called(self) -> int:
        """How many numbers ``Called`` have."""
        return self._names.called_so_far

    @property
    def groups(self) -> set[str]:
        """Groups that entries are in, most of them."""
        return self._contexts.groups

    def probes(self) -> list[Probe]:
        """All patterns, with how they fared."""
        return [probe for test in self._tests() for probe in test.probes] + self.naming.apart

    def uses_group(self, name: str) -> bool:
        """Whether an entry was in a group that the file calls otherwise."""
        return self._contexts.uses_group(name)

    def _tests(self) -> list[Test]:
        return [test for live in self._rules for test in (*live.when, *live.unless)]

    # --- records ---

    def judged(self, records: Sequence[bytes]) -> Generator[None, None, Iterator[Judged]]:
        """What becomes of some entries of one source; yields often."""
        portion = Portion(records)
        contexts = list(map(self._of_source(portion.number).__getitem__, portion.groups()))
        caught, keys = self._sieve.caught_besides(portion), portion.names()
        for place, words in caught.items():
            keys[place] = self._key(portion.fields(place), contexts[place].left, words)
        settled = [
            context.settled.get(key, _UNSETTLED)
            for context, key in zip(contexts, keys, strict=True)
        ]
        fates = [
            context.fates.get(one[0], _UNKNOWN)
            for context, one in zip(contexts, settled, strict=True)
        ]
        missing = [place for place, fate in enumerate(fates) if fate is _UNKNOWN]
        if missing:
            judging = _Judging(portion, contexts, caught, keys, settled, fates)
            yield from self._settle(judging, missing)
        called = map(_CALLED, settled)
        return zip(records, portion.all_fields(), fates, called, strict=True)

    def _of_source(self, number: int) -> _KnownContexts:
        """The contexts of a source's entries; they are good for some of them."""
        if self._contexts.is_full:
            self._known.clear()
            self._contexts.forget()
        elif sum(map(len, self._known.values())) >= KEPT:
            self._known.clear()
        if number not in self._known:
            self._known[number] = _KnownContexts(self._contexts, number)
        return self._known[number]

    def _key(self, fields: Sequence[bytes], left: Left, caught: Sequence[Word]) -> bytes:
        """What an entry shares with all others that become the same; empty: with none.

        ``caught`` are the words that it holds besides its name.
        """
        seen = {name for name, word in caught if (name, word) in left.mesh.words}
        if "url" in seen:
            return b""
        values = (value_of(fields, self._marks[name]).encode() for name in sorted(seen))
        return FIELD.join((fields[NAME], *values))

    def _settle(self, judging: _Judging, missing: Iterable[int]) -> Generator[None]:
        """Find out what is missing of entries that are judged."""
        unsettled = []
        for place in missing:
            settled, context = judging.settled[place], judging.contexts[place]
            if settled is _UNSETTLED:
                unsettled.append(place)
            else:
                judging.fates[place] = self._contexts.fate_of(context, settled[0])
        if unsettled:
            struck = self._strikes()
            yield from self._look_at(judging, unsettled)
            if self._strikes() > struck:
                self._contexts.unsettle()

    def _look_at(self, judging: _Judging, places: Sequence[int]) -> Generator[None]:
        portion, looked_at = judging.portion, 0
        packed = portion.names()
        names = self._names.of(portion.number, [packed[place] for place in places])
        for number, (place, name) in enumerate(zip(places, names, strict=True), 1):
            context, key, words = judging.contexts[place], judging.keys[place], name[WORDS]
            if more := judging.caught.get(place):
                words = (*words, *more)
            given: str | None
            if context.left.mesh.lets_through(words):
                fate, given = context.usual or self._contexts.usual(context)
            else:
                draft = context.draft(partial(self._texts, portion.fields(place)), words)
                draft.texts["name"] = self._names.texts(name)
                fate, given = self._looked_at(context, draft)
                looked_at += 1
                if looked_at % self._at_once == 0:
                    yield
            settled = fate.hits, self._names.called(name, fate, given)
            judging.fates[place], judging.settled[place] = fate, settled
            if key:
                self._contexts.settle(context.left, key, settled)
            if number % _NAMED_AT_ONCE == 0:
                yield

    def _strikes(self) -> int:
        return sum([probe.strikes for probe in self._expressions])

    def _texts(self, fields: Sequence[bytes], field_name: str) -> Texts:
        """What of an entry, besides its name, conditions look at."""
        if field_name == "url":
            return texts_of([public_url(fields[URL].decode())])
        return texts_of([value_of(fields, self._marks[field_name])])

    def _looked_at(
        self, context: Context, draft: Draft, told: Told | None = None
    ) -> tuple[Fate, str]:
        """What the rules make of an entry, and of its name."""
        apply(context.left.live, draft, told)
        fate = self._contexts.fate(context, draft)
        if told and fate.groups is not None and fate.groups != draft.groups:
            told("group", 0, "; ".join(fate.groups))
        return fate, draft.texts["name"][0][0]

    # --- for people ---

    def explained(
        self,
        listed_name: str,
        source: int,
        groups: tuple[str, ...],
        attributes: dict[str, str],
        told: Told,
    ) -> EntryVerdict:
        """The verdict on an entry, each step of which is told."""
        (name,) = self._names.begun(source, [listed_name])
        if name != listed_name:
            told("source", 0, name)
        context = self._contexts.of_groups(source, groups)
        texts = {key: texts_of([value]) for key, value in {**attributes, "name": name}.items()}
        if "url" in attributes:
            texts["url"] = texts_of([public_url(attributes["url"])])
        draft = context.draft()
        draft.texts.update(texts)
        fate, name = self._looked_at(context, draft, told)
        if fate.is_dropped:
            return EntryVerdict(name, "", is_dropped=True, hits=fate.hits)
        shown, key, owner, country = self.naming.named(name, told=told)
        return EntryVerdict(
            shown, key, fate.groups, fate.sets, fate.rank, False, owner, country, fate.hits
        )


def country_of_entry(fields: Sequence[bytes], fate: Fate, told: str) -> str:
    """The country of an entry, ``told`` by its name if by nothing else; empty if not known.

    ``fields`` are as its list has them.
    """
    sets = fate.sets
    tvg_id, tvg_country = sets.get("tvg-id"), sets.get("tvg-country")
    if tvg_id is None:
        tvg_id = value_of(fields, _TVG_ID)
    if tvg_country is None:
        tvg_country = value_of(fields, _TVG_COUNTRY)
    return country_of(tvg_id, tvg_country) or told


_TVG_ID, _TVG_COUNTRY = attribute_mark("tvg-id"), attribute_mark("tvg-country")
