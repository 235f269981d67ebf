"""What becomes of an entry: which channel it is one of, and under which name, or that it goes.

Theory of operation. Entries are judged by the hundred. A sieve seeks the words of all patterns in
all of them at once; what holds none that matters to its source and groups (a ``Context``) has the
usual fate there. Only the others go through the rules one by one. Nothing is kept of an entry, so
that Python's garbage collector has nothing to go through.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from kptv.channels.grouping import all_normalised
from kptv.channels.model import Source
from kptv.channels.packing import FIELD, attribute_mark, attribute_of, fields_of
from kptv.channels.rules.contexts import DECIDED, Context, Contexts, Fate
from kptv.channels.rules.countries import country_of
from kptv.channels.rules.drafts import Live, apply
from kptv.channels.rules.matching import Probe, Test, Texts, public_url, texts_of
from kptv.channels.rules.model import Rules
from kptv.channels.rules.naming import Naming, Told
from kptv.channels.rules.patterns import all_folded
from kptv.channels.rules.sieve import Sieve

_TRIED_AT_ONCE = 8  # times an expression may be tried between two yields: each may take 5 ms
_NUMBER, _URL, _NAME, _GROUPS = 0, 1, 2, 3  # places of a record's fields


@dataclass(frozen=True, slots=True)
class Verdict:
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


class Judged(NamedTuple):
    """What the rules made of an entry; it has not got its channel's name yet."""

    record: bytes
    fields: list[bytes]
    fate: Fate
    listed_name: str
    simple_name: str  # that one, normalised
    name: str  # that the rules gave it


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
        self.naming = Naming(rules)
        for test in self._tests():
            if test.field == "source":  # one that no source has is of no use, whatever else holds
                for texts in self._contexts.about_sources():
                    test.found(texts)
        looks = [test for test in self._tests() if test.field not in DECIDED]
        self._sieve = Sieve(looks)
        expressions = sum(probe.is_expression for test in looks for probe in test.probes)
        self._at_once = max(_TRIED_AT_ONCE // max(expressions, 1), 1)  # entries
        self._marks = {
            name: attribute_mark(name)
            for name in sorted({test.field for test in looks} - {"name", "url"})
        }

    def __repr__(self) -> str:
        return f"<Judge rules={len(self._rules)}>"

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

    def judged(self, records: Sequence[bytes]) -> Generator[None, None, list[Judged]]:
        """What becomes of some entries of one source; yields often."""
        fields = list(map(fields_of, records))
        number = int(fields[0][_NUMBER])
        lines = b"\n".join([each[_NAME] for each in fields]).decode()
        listed, simple = lines.split("\n"), all_normalised(lines)
        names = self._begun(number, listed)
        folded = all_folded(names) if self._sieve.seeks_names else []
        caught = self._sieve.caught(folded, fields)
        contexts, looked_at = self._contexts, 0
        judged = []
        for place, (record, each, name) in enumerate(zip(records, fields, names, strict=True)):
            context = contexts.of(number, each[_GROUPS])
            if context.left.mesh.lets_through(caught.get(place, ()), each, name):
                fate, given = context.usual or contexts.usual(context)
                name = name if given is None else given
            else:
                texts = ((name, folded[place]),) if folded else texts_of([name])
                make = partial(self._texts, each)
                fate, name = self._looked_at(context, {"name": texts}, make)
                looked_at += 1
                if looked_at % self._at_once == 0:
                    yield
            judged.append(Judged(record, each, fate, listed[place], simple[place], name))
        return judged

    def _begun(self, number: int, listed: list[str]) -> list[str]:
        """The names with what is put around those of their source."""
        prefix, suffix = self._contexts.ends_of_name(number)
        if not prefix and not suffix:
            return listed
        return [f"{prefix}{name}{suffix}".strip() for name in listed]

    def _texts(self, fields: Sequence[bytes], field_name: str) -> Texts:
        """What of an entry, besides its name, conditions look at."""
        if field_name == "url":
            return texts_of([public_url(fields[_URL].decode())])
        return texts_of([_value(fields[-1], self._marks[field_name])])

    def _looked_at(
        self,
        context: Context,
        texts: Mapping[str, Texts],
        make: Callable[[str], Texts] | None = None,
        told: Told | None = None,
    ) -> tuple[Fate, str]:
        """What the rules make of an entry with these texts, and of its name."""
        draft = context.draft(make)
        draft.texts.update(texts)
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
    ) -> Verdict:
        """The verdict on an entry, each step of which is told."""
        (name,) = self._begun(source, [listed_name])
        if name != listed_name:
            told("source", 0, name)
        context = self._contexts.of_groups(source, groups)
        texts = {key: texts_of([value]) for key, value in {**attributes, "name": name}.items()}
        if "url" in attributes:
            texts["url"] = texts_of([public_url(attributes["url"])])
        fate, name = self._looked_at(context, texts, told=told)
        if fate.is_dropped:
            return Verdict(name, "", is_dropped=True, hits=fate.hits)
        shown, key, owner, country = self.naming.named(name, told=told)
        return Verdict(
            shown, key, fate.groups, fate.sets, fate.rank, False, owner, country, fate.hits
        )


def _value(text: bytes, mark: bytes) -> str:
    return attribute_of(FIELD + text, mark) if mark in text else ""


def country_of_entry(fields: Sequence[bytes], fate: Fate, told: str) -> str:
    """The country of an entry, ``told`` by its name if by nothing else; empty if not known."""
    sets, text = fate.sets, fields[-1]
    if "tvg-id" in sets and "tvg-country" in sets:
        tvg_id, tvg_country = sets["tvg-id"], sets["tvg-country"]
    else:
        tvg_id = sets.get("tvg-id") or _value(text, _TVG_ID)
        tvg_country = sets.get("tvg-country") or _value(text, _TVG_COUNTRY)
    return country_of(tvg_id, tvg_country) or told


_TVG_ID, _TVG_COUNTRY = attribute_mark("tvg-id"), attribute_mark("tvg-country")
