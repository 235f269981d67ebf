"""`preview`: what a rules file makes of the kept lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kptv.channels.rules.report.changes import Change, ChangeKind, Changes, changes_in
from kptv.channels.rules.report.conflicts import ConflictKind
from kptv.channels.rules.report.summary import Report, RuleTold, report_on
from kptv.pace import drive
from kptv.rules.checking import NO_FILE, no_match_in_words
from kptv.rules.opening import Opened, opened
from kptv.rules.writing import Writer, columns, cut, many, thousands, wrapped

_MOST_SHOWN = 20  # lines of a part; --json has all
_MOST_ENTRIES = 8  # of a channel
_Diff = Mapping[ChangeKind, Changes]


def preview(file: Path | None, *, most: int, as_json: bool, is_strict: bool) -> int:
    """1 with ``is_strict`` if there are conflicts. ``most``: channels of a kind that are shown."""
    all_of_it = opened(file)
    writer = Writer(all_of_it.config)
    catalog = all_of_it.kept.catalog(all_of_it.config, all_of_it.rules)
    writer.learn(catalog.secrets)
    before = all_of_it.kept.catalog(all_of_it.config, None)
    report = drive(report_on(catalog, before=before, listings=all_of_it.kept.listings))
    diff = drive(changes_in(catalog, most)) if most else {}
    if as_json:
        writer.json(_for_scripts(report, diff, all_of_it))
    else:
        writer.lines(_in_words(report, diff, all_of_it))
    return 1 if is_strict and report.conflicts else 0


def _for_scripts(report: Report, diff: _Diff, all_of_it: Opened) -> Mapping[str, object]:
    values: dict[str, object] = {"report": report, "missing": all_of_it.kept.missing}
    return values | ({"diff": diff} if diff else {})


def _in_words(report: Report, diff: _Diff, all_of_it: Opened) -> Iterator[str]:
    if all_of_it.text is None:
        yield from (*NO_FILE, "")
    yield from _sums(report, all_of_it)
    yield from _part("Rules", _rules(report.rules))
    yield from _part("Profiles", _profiles(report))
    yield from _part("Nothing matched", _no_match(report, all_of_it))
    yield from _part("Too slow, and switched off", _too_slow(report))
    yield from _part("Conflicts", _conflicts(report), len(report.conflicts))
    taken = [f"{prefix} {thousands(count)}" for prefix, count in report.prefixes]
    yield from _part("Prefixes taken from names", wrapped(taken))
    yield from _part("Countries apart", _apart(report), len(report.apart))
    for kind, changes in diff.items():
        yield from _part(f"{kind.capitalize()}: {thousands(changes.count)}", _changes(changes))


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


def _rows(change: Change) -> Iterator[tuple[str, ...]]:
    if change.kind == ChangeKind.DROPPED:
        yield change.name, change.entries[0].source, f"line {change.line}"
        return
    name = change.name
    for entry in change.entries[:_MOST_ENTRIES]:
        yield name, f"{entry.name}", entry.source
        name = ""
    if len(change.entries) > _MOST_ENTRIES:
        yield "", f"… and {len(change.entries) - _MOST_ENTRIES} more"
