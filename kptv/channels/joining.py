"""The rows of a catalog that rules make: entries judged, joined by key, their candidates in order.

With ``split`` an entry whose country is known goes into a row of that country, whose key is that
of ``name (CC)``. Those of unknown country join it, if there is only one such row.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice

from kptv.channels.catalog import Listing, Ruled
from kptv.channels.given import Numbered
from kptv.channels.grouping import normalised, slug_of, slug_of_normalised
from kptv.channels.number_blocks import Plan
from kptv.channels.ordering import STEP
from kptv.channels.packing import FIELD, fields_of, name_of
from kptv.channels.row_names import RowNames
from kptv.channels.rows import Records, RowBlock, Rows
from kptv.channels.rules.contexts import Called, Fate
from kptv.channels.rules.model import ChannelRule, Rules
from kptv.channels.rules.outcome import RuleTally, Unmatched
from kptv.channels.rules.portions import NUMBER, URL
from kptv.channels.rules.rewriting import rank_of, renaming_of, rewritten
from kptv.channels.rules.sources import is_source
from kptv.channels.rules.verdicts import Judge, Judged, country_of_entry

_AT_ONCE = 25  # entries added between two yields
_NO_ROW = array("i", [-1])
_OWN_NAME = 1  # flag of a row: an entry came with its very name
_OF_COUNTRY, _HAS_ALIASES, _RANKED = 2, 4, 8


class Joining:
    """Collects the entries of all sources, those of a source after those preferred to it."""

    def __init__(self, rules: Rules, listings: Sequence[Listing]) -> None:
        self.rows = Rows()
        self._rules = rules
        self._sources = [listing.source for listing in listings]
        self._tally = RuleTally(rules)
        self._judge = Judge(rules, self._sources)
        self._splits = rules.names.split_by_country
        self._missing: list[Unmatched] = []  # what the file names, and nothing has
        self._fixed: dict[int, int] = {}  # numbers of rows
        self._flags = bytearray()  # of rows
        self._rows_of = array("i")  # by the number of what entries are called
        self._names = RowNames()
        # Rows of known countries, by their bare key; the collector forgets such tuples.
        self._countries: dict[str, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"<Joining {self.rows}>"

    def add(self, records: Sequence[bytes]) -> Generator[None]:
        """Judge some entries of a source, and add those that stay."""
        judged = yield from self._judge.judged(records)
        self._tally.entries += len(records)
        self._rows_of.extend(_NO_ROW * (self._judge.called - len(self._rows_of)))
        for _ in range(0, len(records), _AT_ONCE):
            yield
            self._add(islice(judged, _AT_ONCE))

    def _add(self, judged: Iterable[Judged]) -> None:
        tally, join, rows_of = self._tally, self.rows.join, self._rows_of
        hits, unsampled, wants_renamed = tally.hits, tally.unsampled, tally.wants_renamed
        for record, fields, fate, called in judged:
            listed, _, shown, _, _, _, renaming, number = called
            for place in fate.hits:
                hits[place] += 1
                if place in unsampled:
                    tally.add_sample(place, listed)
            if fate.is_dropped:
                tally.add_dropped(fate, listed, int(fields[NUMBER]))
                continue
            if renaming:
                tally.renamed += 1
                if wants_renamed:
                    tally.add_renamed(listed, shown)
            if renaming or fate.changes:
                record = rewritten(fields, renaming, fate)
            row = rows_of[number]
            if row >= 0:
                join(row, record, fields[NUMBER] + FIELD + fields[URL])
            else:
                row = self._find_row(record, fields, fate, called)
            if fate.rank:
                self._flags[row] |= _RANKED

    def _find_row(self, record: bytes, fields: Sequence[bytes], fate: Fate, called: Called) -> int:
        """Add an entry to the row of its name; without countries, all that are called so are."""
        _, simple, _, key, owner, told, _, number = called
        bare = key
        if self._splits and (country := country_of_entry(fields, fate, told)):
            bare = bare.removesuffix(end := f" ({country.lower()})") or bare
            key = f"{bare}{end}"
        row = self.rows.put(key, record)
        if row == len(self._flags) or owner or key is not bare:
            self._mark(row, owner, None if key is bare else bare)
        if simple == key:
            self._flags[row] |= _OWN_NAME
        elif self._names.noted.get(simple) != row:
            self._names.note(simple, row)
        if not self._splits:
            self._rows_of[number] = row
        return row

    def _mark(self, row: int, owner: str, bare: str | None) -> None:
        """Note what is known of a row; ``bare``: its name without the country."""
        if row >= len(self._flags):
            self._flags.append(0)
        if bare is not None:
            self._note_country(bare, row)
        if owner and not self._flags[row] & _HAS_ALIASES:
            self._note_aliases(owner, row)

    def _note_country(self, bare: str, row: int) -> None:
        if not self._flags[row] & _OF_COUNTRY:
            self._flags[row] |= _OF_COUNTRY
            self._countries[bare] = (*self._countries.get(bare, ()), row)
            self._names.also_finds(slug_of_normalised(bare), row)

    def _note_aliases(self, owner: str, row: int) -> None:
        self._flags[row] |= _HAS_ALIASES
        for alias in self._rules.aliases[owner]:
            self._names.also_finds(slug_of(alias), row)

    def finish(self) -> Generator[None, None, list[RowBlock]]:
        """All rows, in blocks."""
        yield from self._join_unknown_countries()
        yield from self._put_in_order()
        self._missing = [*self._without_use(), *self._apply_channels()]
        yield
        yield from self._name_countries()
        return (yield from self.rows.finish())

    # --- countries ---

    def _join_unknown_countries(self) -> Generator[None]:
        for name, rows in self._countries.items():
            bare = self._bare(name)
            if bare is not None and self._flags[bare] & _OWN_NAME:  # it may be another's, too
                self._flags[bare] &= ~_OWN_NAME
                self._names.add(name, bare)
            if bare is not None and len(rows) == 1:
                (row,) = rows
                self.rows[row] = self._merged(self.rows[row], self.rows[bare])
                self.rows[bare] = ()
                self._names.moved[bare] = row
                self._flags[row] |= self._flags[bare] & _RANKED
            yield

    def _bare(self, name: str) -> int | None:
        """The row of this name's entries of unknown country."""
        row = self.rows.number_of(name)
        return None if row is None or self._flags[row] & _OF_COUNTRY else row

    def _merged(self, some: Records, others: Records) -> Records:
        """The records of both in the order of their sources, each offer once."""
        both = Rows()
        ranks = {str(source.number).encode(): rank for rank, source in enumerate(self._sources)}
        records = [*_listed(some), *_listed(others)]
        for record in sorted(records, key=lambda record: ranks[record[: record.index(FIELD)]]):
            both.put("", record)
        return both[0]

    def _name_countries(self) -> Generator[None]:
        """Show the country where several channels have the same name otherwise."""
        for rows in self._countries.values():
            if len(rows) > 1:
                for row in rows:
                    code = self._code(row)
                    first, *others = _listed(self.rows[row])
                    self._replace(row, [_with_country(first, code), *others])
            yield

    def _code(self, row: int) -> str:
        return self.rows.name(row)[-3:-1].upper()

    def _replace(self, row: int, records: list[bytes]) -> None:
        self.rows[row] = records[0] if len(records) == 1 else tuple(records)

    # --- what is said of single channels, ranks ---

    def _apply_channels(self) -> list[Unmatched]:
        """Do what the file says of channels; gives those that there are none of."""
        missing = []
        for name, rule in self._rules.channels.items():
            rows = list(self._rows_called(name))
            if not rows:
                missing.append(Unmatched(rule.line, name))
            for row in rows:
                self._apply_channel(row, rule)
                if rule.number is not None:
                    self._fixed[row] = rule.number
        return missing

    def _rows_called(self, name: str) -> Iterator[int]:
        key = normalised(name)
        row = self.rows.number_of(key)
        if row is not None and self.rows[row]:
            yield row
        elif len(rows := self._countries.get(key, ())) == 1:
            yield rows[0]

    def _apply_channel(self, row: int, rule: ChannelRule) -> None:
        values = {}
        if rule.logo is not None:
            values["tvg-logo"] = rule.logo
        if rule.guide is not None:
            values["tvg-id"] = rule.guide if isinstance(rule.guide, str) else ""
        records = _listed(self.rows[row])
        if values:
            records = [_with(record, values) for record in records]
        if rule.order:
            places = self._places(rule.order)
            records.sort(key=lambda record: places[record[: record.index(FIELD)]])
        self._replace(row, records)

    def _places(self, order: Iterable[str]) -> dict[bytes, int]:
        """The place of each source: those that are named come first."""
        wanted = list(order)
        places = {}
        for source in self._sources:
            named = [place for place, name in enumerate(wanted) if is_source(name, source)]
            places[str(source.number).encode()] = min(named, default=len(wanted))
        return places

    def _put_in_order(self) -> Generator[None]:
        for start in range(0, len(self._flags), STEP * 10):
            for row, flags in enumerate(self._flags[start : start + STEP * 10], start):
                if flags & _RANKED and not isinstance(records := self.rows[row], bytes):
                    self.rows[row] = tuple(sorted(records, key=rank_of))
            yield

    # --- the end ---

    def _without_use(self) -> Iterator[Unmatched]:
        """Groups and aliases of the file that no entry has."""
        rules = self._rules
        for name in rules.groups:
            if not self._judge.uses_group(name):
                yield Unmatched(rules.line_of("group", name), name)
        for name in rules.aliases:
            if not list(self._rows_called(name)) and normalised(name) not in self._countries:
                yield Unmatched(rules.line_of("alias", name), name)

    def plan(self) -> Plan:
        """What the file says of the channels' numbers; after ``finish``."""
        fixed = {slug_of_normalised(self.rows.name(row)): n for row, n in self._fixed.items()}
        return Plan(fixed, self._rules.numbers)

    def ruled(
        self, order: Sequence[int], numbers: array[int], numbered: Numbered
    ) -> Generator[None, None, Ruled]:
        """What came of the rules; ``order`` are the rows as they are served, with ``numbers``."""
        positions = array("I", bytes(4 * len(self.rows)))
        for start in range(0, len(order), STEP * 10):
            for position, row in enumerate(order[start : start + STEP * 10], start):
                positions[row] = position
            yield
        others, names = yield from self._names.index(positions, len(order))
        yield from self._count_own(names, positions)
        merged = array("I")
        for start in range(0, len(names), STEP * 10):
            some = names[start : start + STEP * 10]
            merged.extend([place for place, count in enumerate(some, start) if count > 1])
            yield
        line_of = self._rules.line_of
        unused = [Unmatched(line_of("numbers", name), name) for name in numbered.unused]
        missing = [*self._missing, *unused]
        outcome = self._tally.outcome(self._judge, missing, sum(names), merged, len(order))
        return Ruled(self._rules, outcome, others, numbers, numbered)

    def _count_own(self, names: array[int], positions: array[int]) -> Generator[None]:
        for start in range(0, len(self._flags), STEP * 10):
            for row, flags in enumerate(self._flags[start : start + STEP * 10], start):
                if flags & _OWN_NAME:
                    names[positions[self._names.moved.get(row, row)]] += 1
            yield


def _listed(records: Records) -> list[bytes]:
    return [records] if isinstance(records, bytes) else list(records)


def _with_country(record: bytes, code: str) -> bytes:
    name, end = name_of(record), f" ({code})"
    if name.endswith(end):
        return record
    renaming = renaming_of(name.encode(), f"{name}{end}".encode("utf-8", "replace"))
    return rewritten(fields_of(record), renaming, Fate())


def _with(record: bytes, values: dict[str, str]) -> bytes:
    return rewritten(fields_of(record), (), Fate(sets=values, changes=True))
