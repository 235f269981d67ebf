"""`preview`: what a rules file makes of the kept lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from kptv.channels.rules.report.changes import ChangeKind, Changes, ChannelChange, changes_in
from kptv.channels.rules.report.conflicts import ConflictKind
from kptv.channels.rules.report.numbers import Renumberings
from kptv.channels.rules.report.summary import Report, RuleTold, report_on
from kptv.columns import columns, cut, many, paragraphs, thousands, wrapped
from kptv.pace import drive
from kptv.rules.checking import NO_FILE, no_match_in_words
from kptv.rules.contents import ListedGroup, ServedChannel, listed_groups, served_channels
from kptv.rules.opening import Opened, opened
from kptv.rules.writing import Writer

_MOST_SHOWN = 20  # lines of a part; --json has all
_MOST_ENTRIES = 8  # of a channel


@dataclass(frozen=True, slots=True)
class AskedPreview:
    """What is to be shown, and how."""

    changes: int = 0  # channels of a kind, at most
    channels: int = 0
    groups: int = 0
    as_json: bool = False
    is_strict: bool = False


def preview(file: Path | None, wanted: AskedPreview) -> int:
    """1 if it is to be strict, and there are conflicts."""
    everything = opened(file)
    kept, writer = everything.kept, Writer(everything.config)
    catalog = kept.catalog(everything.config, everything.rules)
    writer.learn(catalog.secrets)
    before = kept.catalog(everything.config, None)
    report = drive(report_on(catalog, before=before, listings=kept.listings, given=kept.given))
    if everything.text is None:  # then channels have the numbers of the lists
        catalog, report = before, replace(report, numbering=(), renumbered=Renumberings())
    told = Preview(
        report,
        kept.missing,
        drive(changes_in(catalog, wanted.changes)) if wanted.changes else {},
        tuple(islice(served_channels(catalog), wanted.channels)),
        drive(listed_groups(catalog, kept.listings, wanted.groups)),
    )
    if wanted.as_json:
        writer.json(told)
    else:
        writer.lines(_in_words(told, everything))
    return 1 if wanted.is_strict and told.report.conflicts else 0


@dataclass(frozen=True, slots=True)
class Preview:
    """All that is shown."""

    report: Report
    missing: tuple[str, ...]
    changes: Mapping[ChangeKind, Changes]
    channels: tuple[ServedChannel, ...]
    groups: tuple[ListedGroup, ...]


def _in_words(told: Preview, all_of_it: Opened) -> Iterator[str]:
    report = told.report
    if all_of_it.text is None:
        yield from (*NO_FILE, "")
    yield from _sums(report, all_of_it)
    yield from _part("Rules", _rules(report.rules))
    yield from _part("Profiles", _profiles(report))
    yield from _part("Nothing matched", _no_match(report, all_of_it))
    yield from _part("Too slow, and switched off", _too_slow(report))
    yield from _part("Conflicts", _conflicts(report), len(report.conflicts))
    yield from _part("Perhaps one channel, by an alias", _alike(report), len(report.alike))
    taken = [f"{prefix} {thousands(count)}" for prefix, count in report.prefixes]
    yield from _part("Dropped, though their channel is served", _spares(report), len(report.spares))
    yield from _part("Prefixes taken from names", wrapped(taken))
    yield from _part("Numbers", paragraphs(report.numbering))
    lost = report.renumbered.count if report.renumbered.were_given else 0
    yield from _part("Channels that lose their number", _renumbered(report), lost)
    yield from _part("Countries apart", _apart(report), len(report.apart))
    for kind, changes in told.changes.items():
        yield from _part(f"{kind.capitalize()}: {thousands(changes.count)}", _changes(changes))

    groups = [
        (each.name, many(each.entries, "entry", "entries"), many(each.channels, "channel"))
        for each in told.groups
    ]
    yield from _part("Groups of the lists", columns(groups))
    yield from _part("Channels, in the order in which they are served", _rows_of(told.channels))


def _rows_of(channels: Iterable[ServedChannel]) -> list[str]:
    rows = []
    for each in channels:
        counts = Counter(each.sources)
        sources = ", ".join(f"{tag} {n}" if n > 1 else tag for tag, n in counts.items())
        number = str(each.number) if each.number else "-"
        rows.append((number.rjust(6), each.name, cut("; ".join(each.groups), 24), sources))
    return columns(rows)


def _part(title: str, lines: Iterable[str], count: int = 0) -> Iterator[str]:
    """A part of the page; none, if there is nothing in it."""
    lines = list(lines)
    if lines:
        yield from ("", title, *lines)
        if count > _MOST_SHOWN:
            yield f"  … and {thousands(count - _MOST_SHOWN)} more (--json has them)"


def _sums(report: Report, all_of_it: Opened) -> Iterator[str]:
    lists = [f"{each.source.tag} {thousands(len(each))}" for each in all_of_it.kept.listings]
    yield f"{many(report.entries, 'entry', 'entries')}: {cut(', '.join(lists), 70)}"
    yield from all_of_it.kept.missing
    yield from columns(
        [
            ("channels without rules", thousands(report.channels_before or 0)),
            ("channels", thousands(report.channels)),
            ("  joined of several names", thousands(report.merged)),
            ("entries dropped", thousands(report.dropped)),
            ("entries renamed", thousands(report.renamed)),
        ]
    )


def _rules(rules: Iterable[RuleTold]) -> list[str]:
    rows = []
    for rule in rules:
        samples = ", ".join(cut(name, 40) for name in rule.samples)
        if rule.shadowed_by:
            samples = f"never reached: line {', '.join(map(str, rule.shadowed_by))} decides before"
        head = f"{rule.number}", f"line {rule.line}", many(rule.hits, "entry", "entries")
        rows.append((*head, samples))
    return columns(rows)


def _profiles(report: Report) -> list[str]:
    return columns(
        [
            (
                f"/profile/{each.name}/playlist.m3u8",
                f"line {each.line}",
                many(each.channels, "channel"),
            )
            for each in report.profiles
        ]
    )


def _no_match(report: Report, all_of_it: Opened) -> list[str]:
    if all_of_it.text is None:
        return []
    text = all_of_it.text
    told = sorted((text.line_of(each), no_match_in_words(each)) for each in report.no_match)
    return columns([(f"rules.toml:{line}", words) for line, words in told])


def _too_slow(report: Report) -> list[str]:
    return columns([(f"rules.toml:{each.line}", each.text) for each in report.too_slow])


def _conflicts(report: Report) -> list[str]:
    words = {ConflictKind.GUIDE: "entries of several tvg-ids: "}
    return columns(
        [
            (each.name, words.get(each.kind, "") + ", ".join(each.values))
            for each in report.conflicts[:_MOST_SHOWN]
        ]
    )


def _spares(report: Report) -> list[str]:
    return columns(
        [
            (each.channel, each.name, each.source, f"line {each.line}")
            for each in report.spares[:_MOST_SHOWN]
        ]
    )


def _alike(report: Report) -> list[str]:
    return paragraphs(", ".join(names) for names in report.alike[:_MOST_SHOWN])


def _renumbered(report: Report) -> list[str]:
    if not report.renumbered.were_given and report.renumbered.count:
        count = many(report.renumbered.count, "channel")
        return [f"  {count} had another one in their list, which players know until now."]
    return columns(
        [
            (each.name, f"{each.before} -> {each.number}")
            for each in report.renumbered.some[:_MOST_SHOWN]
        ]
    )


def _apart(report: Report) -> list[str]:
    return columns(
        [
            (each.name, f"finds {each.found}; {', '.join(each.channels)}")
            for each in report.apart[:_MOST_SHOWN]
        ]
    )


def _changes(changes: Changes) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for change in changes.some:
        rows += _rows(change)
    yield from columns(rows)
    if changes.count > len(changes.some):
        yield f"  … and {thousands(changes.count - len(changes.some))} more (--most shows more)"


def _rows(change: ChannelChange) -> Iterator[tuple[str, ...]]:
    if change.kind == ChangeKind.DROPPED:
        yield change.name, change.entries[0].source, f"line {change.line}"
        return
    name = change.name
    for entry in change.entries[:_MOST_ENTRIES]:
        yield name, f"{entry.name}", entry.source
        name = ""
    if len(change.entries) > _MOST_ENTRIES:
        yield "", f"… and {len(change.entries) - _MOST_ENTRIES} more"
