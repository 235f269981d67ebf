"""What a source and the groups of an entry decide already: once for all entries that share them.

Most entries match no pattern that looks at names or attributes. So a context also knows what the
rules make of such an entry, and only the others go through the rules one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from kptv.channels.model import Source
from kptv.channels.packing import group_names
from kptv.channels.rules.drafts import DECIDED, Draft, FieldTexts, Live, apply, take
from kptv.channels.rules.matching import Test, Texts, expanded, texts_of
from kptv.channels.rules.model import Rules
from kptv.channels.rules.patterns import folded
from kptv.channels.rules.sieve import Mesh, Word, words_of
from kptv.channels.rules.sources import names_of, rule_of_source

KEPT = 2048  # contexts; a list with more groups is judged slower
_MOST_GROUPS = 20_000  # names that are remembered for people
_MOST_FATES = 256  # of a context
_MOST_SHARED = 4096  # fates that contexts share
_MOST_SETTLED = 32 * 1024  # names, with what became of them: 10 MB
_GROUPS = frozenset(("group", "group-title"))


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of entries, besides their names."""

    groups: tuple[str, ...] | None = None  # None: as they are
    sets: Mapping[str, str] = field(default_factory=dict)  # attributes
    rank: int = 0
    is_dropped: bool = False
    hits: tuple[int, ...] = ()  # places of the rules that applied
    changes: bool = False  # the record, whatever becomes of its name


class Usual(NamedTuple):
    """What becomes of entries that no test of theirs matches."""

    fate: Fate
    name: str | None  # that they are given; None: they keep their own


# What entries of a name are called: the name as listed and normalised, and if they are not dropped
# the one that is shown, with the key that entries share, whose alias it is, the country that it
# told, what a record needs to have the shown name, and a number that is its own. The collector
# forgets a plain tuple of texts.
Called = tuple[str, str, str, str, str, str, tuple[bytes, ...], int]
# What became of all entries of a name: the places of the rules that applied, and the rest.
Settled = tuple[tuple[int, ...], Called]


class Left:
    """The rules that are left once source and groups are known; contexts share them."""

    __slots__ = ("goes_by_name", "live", "mesh", "open_fields", "settled")

    def __init__(self, live: tuple[Live, ...]) -> None:
        self.live = live
        tests = [test for rule in live for test in (*rule.when, *rule.unless)]
        looks = [test for test in tests if test.field not in DECIDED]  # at the entry itself
        self.open_fields = frozenset(test.field for test in looks)
        self.mesh = Mesh(looks)
        # Whether an entry's name says what they make of it, unless it holds other words of theirs.
        self.goes_by_name = all(map(_goes_by_name, tests))
        self.settled: dict[bytes, Settled] = {}  # by names as listed; see ``Judge``

    def __repr__(self) -> str:
        return f"<Left {len(self.live)}>"


class Context:
    """What entries of a source and in some groups have in common."""

    __slots__ = ("fates", "group_texts", "groups", "left", "settled", "source_texts", "usual")

    def __init__(
        self,
        groups: tuple[str, ...],
        group_texts: Texts,
        source_texts: Texts,
        left: Left,
        fates: dict[tuple[int, ...], Fate],
    ) -> None:
        self.groups = groups
        self.group_texts = group_texts
        self.source_texts = source_texts
        self.left = left
        self.settled = left.settled
        self.usual: Usual | None = None  # not known yet
        self.fates = fates  # by the rules that applied

    def __repr__(self) -> str:
        return f"<Context {'; '.join(self.groups)}>"

    def draft(
        self,
        make: Callable[[str], Texts] | None = None,
        words: Collection[Word] | None = None,
    ) -> Draft:
        """An entry, of which nothing else is known yet; ``make`` gives the texts of a field."""
        known = {"source": self.source_texts, "group": self.group_texts}
        return Draft(FieldTexts(known, make), self.groups, words)


class Contexts:
    """The contexts of a catalog's entries."""

    def __init__(self, rules: Rules, live: Sequence[Live], sources: Mapping[int, Source]) -> None:
        self.groups: set[str] = set()  # that entries have, most of them
        self._live = live
        self._sources = sources
        self._rules = rules
        self._renamed = {folded(name): new for name, new in rules.groups.items()}
        self._used: set[str] = set()  # folded names of [group]
        # Rules that do not make the same of all entries that they apply to, besides their names.
        self._varying = {each.place for each in live if _varies(each)}
        self._settled = 0  # names
        # Thousands of contexts differ in little: what is alike is made once, for the collector.
        self._open = [_opened(each, DECIDED) for each in live]
        self._open_groups = [_opened(each, ("source",)) for each in live]  # if a rule gave others
        self._left: dict[tuple[object, ...], Left] = {}
        self._fates: dict[tuple[object, ...], Fate] = {}
        self._made = {*rules.groups.values(), *chain(*map(_groups_set, live))}  # names of groups
        self._plain: dict[tuple[int, ...], Fate] = {}  # fates in groups that have other names

    def __repr__(self) -> str:
        return f"<Contexts {len(self._left)}>"

    def uses_group(self, name: str) -> bool:
        """Whether an entry was in a group that the file calls otherwise."""
        return folded(name) in self._used

    def about_sources(self) -> Iterator[Texts]:
        """What a file may call each source."""
        return (texts_of(names_of(source)) for source in self._sources.values())

    def ends_of_name(self, number: int) -> tuple[str, str]:
        """What is put in front of and behind the names of a source."""
        source = self._sources.get(number)
        about = rule_of_source(self._rules, source) if source else None
        return (about.prefix, about.suffix) if about else ("", "")

    def of_source(self, number: int, packed: bytes) -> Context:
        """The context of a source's entries in these groups, which are packed."""
        names = tuple(group_names(packed))
        if len(self.groups) < _MOST_GROUPS:
            self.groups.update(names)
        return self.of_groups(number, names)

    def of_groups(self, number: int, groups: tuple[str, ...]) -> Context:
        """The same of names of groups."""
        source = self._sources.get(number)
        about_source = texts_of(names_of(source) if source else [str(number)])
        about_groups = texts_of(groups)
        left = self._left_of(number, about_source, about_groups)
        others = self._grouped(groups)  # they are used, whatever the rules do
        is_plain = others == groups != () and self._made.isdisjoint(groups)
        return Context(groups, about_groups, about_source, left, self._plain if is_plain else {})

    def _left_of(self, number: int, source: Texts, groups: Texts) -> Left:
        live = tuple(self._alive(source, groups))
        tests = [test for rule in live for test in (*rule.when, *rule.unless)]
        matching = [test.matching(groups) for test in tests if test.field == "group"]
        # They are those of _open and _open_groups. The rest says what is made of a name.
        key = (*map(id, live), *matching, *self.ends_of_name(number))
        left = self._left.get(key)
        if left is None:
            left = self._left[key] = Left(live)
        return left

    def settle(self, left: Left, key: bytes, settled: Settled) -> None:
        """Remember what becomes of entries with this key, if it is the same of all."""
        is_of_all = left.goes_by_name and self._varying.isdisjoint(settled[0])
        if is_of_all and self._settled < _MOST_SETTLED:
            left.settled[key] = settled
            self._settled += 1

    def unsettle(self) -> None:
        """Forget that: a pattern matches less from now on."""
        for left in self._left.values():
            left.settled.clear()
        self._settled = 0

    @property
    def is_full(self) -> bool:
        """Whether it knows so much that it is time to ``forget``, and for its contexts to go."""
        return len(self._left) >= KEPT

    def forget(self) -> None:
        """Know nothing of what differs from context to context."""
        self._left.clear()
        self._settled = 0

    def usual(self, context: Context) -> Usual:
        """What becomes of an entry that none of the tests matches."""
        if context.usual is None:
            draft = context.draft()
            draft.texts |= dict.fromkeys(context.left.open_fields, ())
            apply(context.left.live, draft, None)
            name = draft.texts.get("name")
            context.usual = Usual(self.fate(context, draft), name[0][0] if name else None)
        return context.usual

    def fate(self, context: Context, draft: Draft) -> Fate:
        """What became of an entry, besides its name."""
        hits = tuple(draft.hits)
        fate = context.fates.get(hits)
        if fate is None:
            fate = self._new_fate(context, draft, hits)
            if self._varying.isdisjoint(hits):
                if len(context.fates) >= _MOST_FATES:
                    context.fates.clear()
                context.fates[hits] = fate = self._shared(fate)
        return fate

    def fate_of(self, context: Context, hits: Iterable[int]) -> Fate:
        """The fate of entries to which these rules applied, as they do to others of a name."""
        draft = context.draft()
        for place in hits:
            take(self._live[place], draft)
        return self.fate(context, draft)

    def _shared(self, fate: Fate) -> Fate:
        """The first that is equal to it."""
        key = (fate.hits, fate.groups, fate.is_dropped)  # what is set, is set by the same rules
        if len(self._fates) >= _MOST_SHARED:
            self._fates.clear()
        return self._fates.setdefault(key, fate)

    def _new_fate(self, context: Context, draft: Draft, hits: tuple[int, ...]) -> Fate:
        if draft.dropped:
            return Fate(is_dropped=True, hits=hits)
        groups = self._grouped(draft.groups)
        others = None if groups == context.groups else groups
        changes = others is not None or bool(draft.sets) or draft.rank != 0
        return Fate(others, draft.sets, draft.rank, False, hits, changes)

    def _alive(self, source: Texts, groups: Texts) -> Iterator[Live]:
        """The rules that may apply, each with the conditions that are open."""
        decided, opened = {"source": source, "group": groups}, self._open
        for live in self._live:
            if any(not t.found(decided[t.field]) for t in live.when if t.field in decided):
                continue
            if any(t.found(decided[t.field]) for t in live.unless if t.field in decided):
                continue
            yield opened[live.place]
            tests = (*live.when, *live.unless)
            if (live.rule.keep or live.rule.drop) and all(t.field in decided for t in tests):
                return
            if not _GROUPS.isdisjoint(map(str.lower, live.rule.sets)):
                decided, opened = {"source": source}, self._open_groups  # what follows sees others

    def _grouped(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """The groups as [group] calls them."""
        if not self._renamed:
            return groups
        names = []
        for name in groups:
            simple = folded(name)
            new = self._renamed.get(simple)
            if new is not None:
                self._used.add(simple)
            names.append(name if new is None else new)
        return tuple(dict.fromkeys(filter(None, names)))


def _goes_by_name(test: Test) -> bool:
    """Whether a test finds the same in all entries of a name, unless they hold a word of its."""
    if test.field in DECIDED:  # what it finds in an entry's groups, those that share it have alike
        return test.field == "group" and not test.has_expression
    return test.field == "name" or any(words_of(test))


def _varies(live: Live) -> bool:
    return any("\\" in text for name, text in live.rule.sets.items() if name.lower() != "name")


def _groups_set(live: Live) -> Iterator[str]:
    values = expanded(live.rule.sets, {})
    return (value for name, value in values.items() if name.lower() in _GROUPS)


def _opened(live: Live, decided: Collection[str]) -> Live:
    """A rule that holds as far as the ``decided`` fields go, with what is to be tried still."""
    by_match = {name for name, value in live.rule.sets.items() if "\\" in value}
    when = [test for test in live.when if test.field not in decided]
    unless = [test for test in live.unless if test.field not in decided]
    again = [test for test in live.when if test.field in decided and test.field in by_match]
    return Live(live.place, live.rule, (*again, *when), tuple(unless))
