"""What becomes of an entry: which channel it is one of, and under which name, or that it goes.

Theory of operation. Of 200,000 entries most repeat others, as far as rules look at them. So a
verdict depends on source, groups, name and the attributes that conditions name, and is kept for
these. What conditions say of source and groups alone is decided once for all entries that share
them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kptv.channels.model import Source
from kptv.channels.packing import FIELD, attribute_mark, attribute_of, group_names
from kptv.channels.rules.countries import country_of
from kptv.channels.rules.drafts import Draft, Live, apply
from kptv.channels.rules.matching import Probe, Test, Texts, texts_of
from kptv.channels.rules.model import Rules, SourceRule
from kptv.channels.rules.naming import Naming, Told
from kptv.channels.rules.patterns import folded
from kptv.channels.rules.rewriting import ranked, regrouped, renamed, with_attributes

_REMEMBERED = 24 * 1024  # verdicts: the collector goes through all of them at once
_NOTHING_SET: Mapping[str, str] = {}  # one for all: the collector has less to look at
_Key = tuple[bytes | str, ...]  # all that a verdict depends on
_FORGOTTEN_AT_ONCE = 200  # verdicts
_CONTEXTS = 20_000  # pairs of source and groups
_LONGEST_END = 64  # letters of a URL's path that conditions see
_NUMBER, _URL, _NAME, _GROUPS = 0, 1, 2, 3  # places of a record's fields


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of all entries that are alike to the rules."""

    name: str  # shown
    key: str  # of the channel, normalised, without a country
    groups: tuple[str, ...] | None = None  # None: as they are
    sets: Mapping[str, str] = field(default_factory=lambda: _NOTHING_SET)  # attributes
    rank: int = 0
    is_dropped: bool = False
    owner: str = ""  # whose alias it is
    country: str = ""  # that a prefix of the name told
    hits: tuple[int, ...] = ()  # places of the rules that applied


@dataclass(slots=True)
class Judged:
    """A verdict, and how many entries it was for."""

    listed_name: str
    source: int
    verdict: Verdict
    entries: int = 0
    row: int = -1  # that knows the name

    @property
    def is_renamed(self) -> bool:
        """Whether the entries are shown under another name."""
        return self.verdict.name != self.listed_name

    def changed(self, record: bytes, fields: list[bytes]) -> bytes:
        """The record with these fields, as the verdict wants it."""
        verdict = self.verdict
        if self.is_renamed:
            renamed(fields, verdict.name.encode("utf-8", "replace"))
        elif verdict.groups is None and not verdict.sets and not verdict.rank:
            return record
        if verdict.groups is not None:
            regrouped(fields, verdict.groups)
        if verdict.sets:
            with_attributes(fields, verdict.sets)
        if verdict.rank:
            ranked(fields, verdict.rank)
        return FIELD.join(fields)


@dataclass(frozen=True, slots=True)
class _Context:
    """What entries of a source and in some groups have in common."""

    groups: tuple[str, ...]
    group_texts: Texts
    live: tuple[Live, ...]
    source: Texts
    grouped: tuple[str, ...] | None  # the groups as [group] calls them, if otherwise
    prefix: str
    suffix: str


class Judge:
    """Says of each packed entry what becomes of it."""

    def __init__(
        self, rules: Rules, sources: Iterable[Source], on_forgotten: Callable[[Judged], object]
    ) -> None:
        """``on_forgotten`` is given each verdict when it is kept no longer (see ``forget``)."""
        self.rules = rules
        self._sources = {source.number: source for source in sources}
        self._on_forgotten = on_forgotten
        self._compiled = [
            Live(
                place,
                rule,
                tuple(Test(condition, rule.line) for condition in rule.when),
                tuple(Test(condition, rule.line) for condition in rule.unless),
            )
            for place, rule in enumerate(rules.rules)
        ]
        self._naming = Naming(rules)
        fields = {test.field for test in self._tests()}
        self._marks = {
            name: attribute_mark(name)
            for name in sorted(fields - {"name", "group", "source", "url"})
        }
        self._reads_url = "url" in fields
        self._is_slow = any(test.has_expression for test in self._tests())
        self._groups = {folded(name): new for name, new in rules.groups.items()}
        self._used_groups: set[str] = set()  # folded
        self.groups: set[str] = set()  # that entries have, most of them
        self._contexts: dict[tuple[bytes, bytes], _Context] = {}
        self._known: dict[_Key, Judged] = {}
        self._alike = self._sources_alike()

    def __repr__(self) -> str:
        return f"<Judge rules={len(self._compiled)}>"

    @property
    def is_slow(self) -> bool:
        """Whether a new verdict may take a time: expressions are tried."""
        return self._is_slow

    def probes(self) -> list[Probe]:
        """All patterns, with how they fared."""
        return [probe for test in self._tests() for probe in test.probes] + self._naming.apart

    def uses_group(self, name: str) -> bool:
        """Whether an entry was in a group that the file calls otherwise."""
        return folded(name) in self._used_groups

    def _tests(self) -> list[Test]:
        return [test for live in self._compiled for test in (*live.when, *live.unless)]

    # --- records ---

    def judged(self, fields: Sequence[bytes]) -> Judged:
        """The verdict on the entry with these fields."""
        number, text, url = self._alike[fields[_NUMBER]], fields[-1], ""
        values = [
            attribute_of(FIELD + text, mark) if mark in text else ""
            for mark in self._marks.values()
        ]
        if self._reads_url:
            url = public_url(fields[_URL].decode())
        key: _Key = (number, fields[_GROUPS], fields[_NAME], url, *values)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._new(
                fields, dict(zip(self._marks, values, strict=True)), url
            )
        known.entries += 1
        return known

    def _new(self, fields: Sequence[bytes], attributes: dict[str, str], url: str) -> Judged:
        number, name = int(fields[_NUMBER]), fields[_NAME].decode()
        context = self._context(fields[_NUMBER], fields[_GROUPS])
        return Judged(name, number, self._verdict(context, name, attributes, url))

    @property
    def is_full(self) -> bool:
        """Whether so many verdicts are kept that they are to be forgotten."""
        return len(self._known) >= _REMEMBERED

    def forget(self) -> Generator[None]:
        """Forget all verdicts; yields often."""
        for number, judged in enumerate(self._known.values()):
            self._on_forgotten(judged)
            if number % _FORGOTTEN_AT_ONCE == 0:
                yield
        while self._known:
            for _ in range(min(len(self._known), _FORGOTTEN_AT_ONCE)):
                self._known.popitem()
            yield

    def _sources_alike(self) -> dict[bytes, bytes]:
        """Of each source the number of the first one that the rules treat like it."""
        alike: dict[object, bytes] = {}
        numbers = {}
        for source in self._sources.values():
            about, texts = rule_of_source(self.rules, source), _texts_of_source(source)
            kind = (
                about and (about.prefix, about.suffix),
                *(bool(test.found(texts)) for test in self._tests() if test.field == "source"),
            )
            number = str(source.number).encode()
            numbers[number] = alike.setdefault(kind, number)
        return numbers

    # --- what source and groups decide ---

    def _context(self, number: bytes, packed: bytes) -> _Context:
        context = self._contexts.get((number, packed))
        if context is None:
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            names = tuple(group_names(packed))
            if len(self.groups) < _CONTEXTS:
                self.groups.update(names)
            context = self._contexts[number, packed] = self.context(int(number), names)
        return context

    def context(self, number: int, groups: tuple[str, ...]) -> _Context:
        """What all entries of a source in these groups have in common."""
        source = self._sources.get(number)
        source_texts = _texts_of_source(source) if source else texts_of([str(number)])
        about = rule_of_source(self.rules, source) if source else None
        grouped = self._grouped(groups)
        return _Context(
            groups,
            texts_of(groups),
            tuple(self._live(source_texts, texts_of(groups))),
            source_texts,
            None if grouped == groups else grouped,
            about.prefix if about else "",
            about.suffix if about else "",
        )

    def _live(self, source: Texts, groups: Texts) -> Iterable[Live]:
        """The rules that may apply, each with the conditions that are open."""
        texts = {"source": source, "group": groups}
        for live in self._compiled:
            decided = texts
            when = [test for test in live.when if test.field not in decided]
            unless = [test for test in live.unless if test.field not in decided]
            sets_by_match = {name for name, value in live.rule.sets.items() if "\\" in value}
            keeps = [t for t in live.when if t.field in decided and t.field in sets_by_match]
            if any(not t.found(decided[t.field]) for t in live.when if t.field in decided):
                continue
            if any(t.found(decided[t.field]) for t in live.unless if t.field in decided):
                continue
            yield Live(live.place, live.rule, (*keeps, *when), tuple(unless))
            if "group" in live.rule.sets:  # what follows sees other groups
                texts = {"source": source}
            if (live.rule.keep or live.rule.drop) and not when and not unless:
                return

    def _grouped(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        if not self._groups:
            return groups
        names = []
        for name in groups:
            simple = folded(name)
            new = self._groups.get(simple)
            if new is not None:
                self._used_groups.add(simple)
            names.append(name if new is None else new)
        return tuple(dict.fromkeys(filter(None, names)))

    # --- one entry ---

    def _verdict(
        self,
        context: _Context,
        listed_name: str,
        attributes: dict[str, str],
        url: str,
        told: Told | None = None,
    ) -> Verdict:
        name = listed_name
        if context.prefix or context.suffix:
            name = f"{context.prefix}{name}{context.suffix}".strip()
            if told:
                told("source", 0, name)
        draft = Draft({}, context.groups)
        if context.live:
            texts = draft.texts
            texts["name"], texts["group"] = texts_of([name]), context.group_texts
            texts["source"] = context.source
            if url:
                texts["url"] = texts_of([url])
            for key, value in attributes.items():
                texts[key] = texts_of([value])
            apply(context.live, draft, told)
            name = texts["name"][0][0]
        if draft.dropped:
            return Verdict(name, "", is_dropped=True, hits=tuple(draft.hits))
        groups = context.grouped
        if draft.groups is not context.groups:
            groups = self._grouped(draft.groups)
        if told and groups is not None and groups != draft.groups:
            told("group", 0, "; ".join(groups))
        shown, key, owner, country = self._naming.named(name, told)
        hits = tuple(draft.hits)
        sets = draft.sets or _NOTHING_SET
        return Verdict(shown, key, groups, sets, draft.rank, False, owner, country, hits)

    def country(self, fields: Sequence[bytes], verdict: Verdict) -> str:
        """The country of an entry; empty if it is not known."""
        sets = verdict.sets
        if {"tvg-id", "tvg-country"} <= sets.keys():
            tvg_id, tvg_country = sets["tvg-id"], sets["tvg-country"]
        else:
            record = FIELD + fields[-1]
            tvg_id = sets.get("tvg-id") or attribute_of(record, _TVG_ID)
            tvg_country = sets.get("tvg-country") or attribute_of(record, _TVG_COUNTRY)
        return country_of(tvg_id, tvg_country) or verdict.country

    def explained(
        self,
        listed_name: str,
        source: int,
        groups: tuple[str, ...],
        attributes: dict[str, str],
        told: Told,
    ) -> Verdict:
        """The verdict on an entry, each step of which is told."""
        context = self.context(source, groups)
        url = public_url(attributes.get("url", ""))
        return self._verdict(context, listed_name, attributes, url, told)


_TVG_ID, _TVG_COUNTRY = attribute_mark("tvg-id"), attribute_mark("tvg-country")


def _texts_of_source(source: Source) -> Texts:
    return texts_of(names_of(source))


def rule_of_source(rules: Rules, source: Source) -> SourceRule | None:
    """What the file says of a source, by its name or number."""
    for name, rule in rules.sources.items():
        if is_source(name, source):
            return rule
    return None


def names_of(source: Source) -> tuple[str, ...]:
    """What a file may call a source: its number, its name, its tag."""
    names = str(source.number), source.name, source.tag
    return tuple(dict.fromkeys(name for name in names if name))


def is_source(name: str, source: Source) -> bool:
    """Whether a file means this source by that name or number."""
    return name.casefold() in map(str.casefold, names_of(source))


def public_url(url: str) -> str:
    """Scheme and path's end: neither host nor query nor login."""
    scheme, mark, rest = url.partition("://")
    path = (rest if mark else url).partition("?")[0].partition("#")[0].partition("|")[0]
    _, slash, end = path.rpartition("/")
    return f"{scheme if mark else ''}{mark}/{end[-_LONGEST_END:] if slash else ''}"
