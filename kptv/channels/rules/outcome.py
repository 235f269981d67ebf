"""What rules did to the entries of a catalog: for people, bounded in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kptv.channels.rules.contexts import Fate
from kptv.channels.rules.model import Rules
from kptv.channels.rules.tables import Complaint
from kptv.channels.rules.verdicts import Judge

SAMPLES = 3  # names that are kept of each rule
MOST_DROPPED = 20_000  # different entries that are kept to be searched
MOST_RENAMED = 1000


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How often a rule applied, and to which names, some of them."""

    line: int
    hits: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Entries of one name, as a list has it, that are not served."""

    name: str
    source: int
    line: int  # of the rule


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What the file names, and no entry has."""

    line: int  # 0: not known
    text: str


def about_slow(line: int, text: str) -> Complaint:
    """What is said of a pattern that was too slow."""
    return Complaint(line, f"{text} takes too long, and matches nothing from now on")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of all entries."""

    entries: int = 0
    dropped: int = 0
    renamed: int = 0
    channels: int = 0
    names: int = 0  # different ones that entries came with: channels, were there no rules
    rules: tuple[RuleOutcome, ...] = ()
    dropped_fields: tuple[tuple[str, int, int], ...] = field(default=(), repr=False)
    renamed_entries: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # before, after
    merged: Sequence[int] = field(default=(), repr=False)  # channels with entries of several names
    unmatched: tuple[Unmatched, ...] = ()
    groups: tuple[str, ...] = field(default=(), repr=False)  # that the lists have
    switched_off: tuple[Unmatched, ...] = ()  # patterns that were too slow

    @property
    def dropped_entries(self) -> Iterator[Dropped]:
        """Entries that are not served, one by one: 20,000 objects would hold the collector up."""
        return (Dropped(*fields) for fields in self.dropped_fields)


class RuleTally:
    """Counts while entries are judged."""

    def __init__(self, rules: Rules) -> None:
        # Count with these: entries, those that are shown under other names, those of each rule.
        self.entries = self.renamed = 0
        self.hits = [0] * len(rules.rules)
        self._rules = rules
        self._samples: list[list[str]] = [[] for _ in rules.rules]
        self.unsampled = set(range(len(rules.rules)))  # rules of which more names are wanted
        self._dropped = 0
        # As fields, of which the collector forgets the tuples.
        self._dropped_entries: dict[tuple[str, int, int], None] = {}
        self._renamed_entries: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<RuleTally entries={self.entries}>"

    @property
    def wants_renamed(self) -> bool:
        """Whether ``add_renamed`` remembers any more."""
        return len(self._renamed_entries) < MOST_RENAMED

    def add_sample(self, place: int, name: str) -> None:
        """Remember the name of an entry, as its list has it, to which this rule applied."""
        samples = self._samples[place]
        if name not in samples:
            samples.append(name)
        if len(samples) >= SAMPLES:
            self.unsampled.discard(place)

    def add_dropped(self, fate: Fate, name: str, source: int) -> None:
        """Count an entry that is not served."""
        self._dropped += 1
        if len(self._dropped_entries) < MOST_DROPPED:
            line = self._rules.rules[fate.hits[-1]].line
            self._dropped_entries[name, source, line] = None

    def add_renamed(self, name: str, shown: str) -> None:
        """Remember an entry that is shown under another name."""
        if self.wants_renamed:
            self._renamed_entries[name] = shown

    def outcome(
        self,
        judge: Judge,
        missing: Iterable[Unmatched],
        names: int,
        merged: array[int],
        channels: int,
    ) -> Outcome:
        """What came of all. ``missing``: what of the file, besides patterns, nothing has."""
        probes = judge.probes()
        unmatched = [
            Unmatched(probe.line, probe.pattern.text)
            for probe in probes
            if not probe.has_matched and not probe.is_off
        ]
        unmatched += missing
        off = {probe.pattern.text: probe.line for probe in probes if probe.is_off}
        return Outcome(
            entries=self.entries,
            dropped=self._dropped,
            renamed=self.renamed,
            channels=channels,
            names=names,
            rules=tuple(
                RuleOutcome(rule.line, hits, tuple(samples))
                for rule, hits, samples in zip(
                    self._rules.rules, self.hits, self._samples, strict=True
                )
            ),
            dropped_fields=tuple(self._dropped_entries),
            renamed_entries=tuple(self._renamed_entries.items()),
            merged=merged,
            unmatched=tuple(unmatched),
            groups=tuple(sorted(judge.groups)),
            switched_off=tuple(Unmatched(line, text) for text, line in off.items()),
        )
