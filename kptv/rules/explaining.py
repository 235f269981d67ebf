"""`explain`: what becomes of an entry, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kptv.channels.catalog import Catalog
from kptv.channels.model import Source
from kptv.channels.rules.model import Rules
from kptv.channels.rules.report.explaining import Explanation, explained
from kptv.channels.rules.report.listed import (
    ListedEntry,
    entries_called,
    entries_offering,
    names_in,
)
from kptv.channels.rules.report.near import nearest
from kptv.channels.rules.sources import is_source
from kptv.channels.rules.trace import TraceStep
from kptv.columns import columns, cut, wrapped
from kptv.errors import ConfigError
from kptv.pace import drive
from kptv.rules.opening import Opened, opened
from kptv.rules.writing import Writer

_MOST_ENTRIES = 20
_MOST_CANDIDATES = 10
_IN_NO_LIST = "No list has this name. If one had it, this would become of it:"
_OF_CHANNEL = "No list has this name, but it finds a channel. These are its entries:"


def explain(
    file: Path | None, name: str, *, source: str, groups: Sequence[str], as_json: bool
) -> int:
    """Explain each entry that is meant by this name."""
    all_of_it = opened(file)
    catalog = all_of_it.kept.catalog(all_of_it.config, all_of_it.rules)
    writer = Writer(all_of_it.config)
    writer.learn(catalog.secrets)
    found = _found(catalog, all_of_it, name, source, groups)
    told = [
        explained(catalog, entry, is_listed=found.are_listed)
        for entry in found.entries[:_MOST_ENTRIES]
    ]
    if as_json:
        writer.json({"entries": told, "near": found.near})
    else:
        writer.lines(_in_words(found, told, all_of_it.rules))
    return 0


@dataclass(frozen=True, slots=True)
class _Found:
    """The entries that are meant by a name."""

    entries: Sequence[ListedEntry]
    are_listed: bool = True
    about: str = ""  # what is to be said first
    near: tuple[str, ...] = ()


def _found(
    catalog: Catalog, all_of_it: Opened, name: str, source: str, groups: Sequence[str]
) -> _Found:
    """Those that a list calls so; else those of the channel of this name; else one that is made."""
    listings, meant = all_of_it.kept.listings, None
    entries = drive(entries_called(listings, name))
    if source:
        meant = _source(source, all_of_it.config.sources)
        entries = [entry for entry in entries if entry.number == meant.number]
    if entries:
        return _Found(entries)
    channel = None if source or groups else catalog.find(name)
    if channel is not None:
        offers = dict.fromkeys(stream.key for stream in channel.streams)
        return _Found(drive(entries_offering(listings, offers)), about=_OF_CHANNEL)
    meant = meant or listings[0].source
    made = ListedEntry(name, meant.tag, meant.number, tuple(groups))
    return _Found([made], False, _IN_NO_LIST, nearest(name, dict.fromkeys(names_in(listings))))


def _source(name: str, sources: Sequence[Source]) -> Source:
    found = next((source for source in sources if is_source(name, source)), None)
    if found is None:
        known = ", ".join(source.tag for source in sources)
        raise ConfigError(f"There is no source {name}; there are {known}.")
    return found


def _in_words(found: _Found, told: Sequence[Explanation], rules: Rules) -> Iterator[str]:
    if found.about:
        yield from (found.about, "")
    for explanation in told:
        yield from _explanation(explanation, rules)
        yield ""
    if len(found.entries) > len(told):
        yield f"… and {len(found.entries) - len(told)} more entries."
    if found.near:
        yield "Names near it:"
        yield from wrapped(found.near)


def _explanation(told: Explanation, rules: Rules) -> Iterator[str]:
    entry = told.entry
    groups = "; ".join(entry.groups)
    yield cut(f"{entry.name}  ({entry.source}{groups and f', group {groups}'})", 100)
    rows: list[tuple[str, ...]] = [_step(step, rules) for step in told.steps]
    if not rows:
        rows.append(("no rule", "applies to it"))
    if told.is_dropped:
        rows.append(("dropped", "it is not served"))
        yield from columns(rows)
        return
    rows.append(("key", told.key))
    rows += _channel(told)
    yield from columns(rows)


def _step(step: TraceStep, rules: Rules) -> tuple[str, str]:
    if step.what == "rule":
        lines = [rule.line for rule in rules.rules]
        return f"rule {lines.index(step.line) + 1} at line {step.line}", step.result
    at = f" at line {step.line}" if step.line else ""
    return f"{step.what}{at}", step.result


def _channel(told: Explanation) -> Iterator[tuple[str, ...]]:
    if not told.channel:
        yield "channel", "one of its own"
        return
    yield "channel", told.channel
    yield "slug", told.slug
    if told.number:
        yield "number", str(told.number)
    if told.guide:
        yield "guide", told.guide
    for place, each in enumerate(told.candidates[:_MOST_CANDIDATES], start=1):
        mark = "  <- this one" if each.is_this else ""
        name = "candidates" if place == 1 else ""
        yield name, f"{place}  {cut(each.name, 50)}  ({each.source}){mark}"
    if len(told.candidates) > _MOST_CANDIDATES:
        yield "", f"… and {len(told.candidates) - _MOST_CANDIDATES} more"
