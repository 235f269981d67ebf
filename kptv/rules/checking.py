"""`check`: what is wrong with a rules file, and what in it does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kptv.channels.model import Source
from kptv.channels.rules.model import Rules
from kptv.channels.rules.report.listed import group_counts, names_in
from kptv.channels.rules.report.summary import NoMatch, Report, report_on
from kptv.channels.rules.sources import is_source
from kptv.channels.rules.tables import Complaint
from kptv.columns import cut, many
from kptv.config import Config
from kptv.errors import ConfigError
from kptv.pace import drive
from kptv.rules.kept import kept_lists
from kptv.rules.opening import RulesText, config_for, path_of_rules, rules_text
from kptv.rules.trying import MOST_SECONDS, Tried, conditions_in, try_expressions
from kptv.rules.writing import Writer

NO_FILE = (
    "There is no rules file: all is as the lists say.",
    "To begin with one: cp rules.example.toml rules.toml",
)
_OWN = "rules.toml:"  # warnings of the settings that are about the file begin so
_LONGEST = 60  # letters of a text that is quoted


def check(file: Path | None) -> int:
    """1 if the file cannot be used, or some of it would be switched off."""
    path = path_of_rules(file)
    text = rules_text(path)
    if text is None:
        Writer(None).lines(NO_FILE)
        return 0 if file is None else 1
    try:
        config = config_for(path)
    except ConfigError as error:
        return _finish(Writer(None), text, [], _expressions_alone(text), [str(error)])
    writer, kept = Writer(config), kept_lists(config)
    warnings = [*_of_settings(config), *numbers_that_move(text.rules, config.sources)]
    notes = list(kept.missing)
    if not kept.listings:
        return _finish(writer, text, warnings, _expressions_alone(text), notes)
    groups = drive(group_counts(kept.listings))
    tried = try_expressions(text.rules, names_in(kept.listings), groups, MOST_SECONDS)
    if not tried.is_complete and any(tried.too_slow):
        notes.append("What the rules make of the lists was not looked at: that would take long.")
        return _finish(writer, text, warnings, tried, notes)
    catalog = kept.catalog(config, text.rules)
    writer.learn(catalog.secrets)
    report = drive(report_on(catalog, listings=kept.listings, given=kept.given))
    warnings += _of_lists(report, text)
    return _finish(writer, text, warnings, tried, notes)


def _expressions_alone(text: RulesText) -> Tried:
    return try_expressions(text.rules, (), (), MOST_SECONDS)


def _finish(
    writer: Writer, text: RulesText, warnings: list[Complaint], tried: Tried, notes: Sequence[str]
) -> int:
    """Tell all, in the order of lines, and give the exit status."""
    errors = list(_too_slow(tried, text))
    writer.lines(f"{complaint}" for complaint in sorted({*errors, *warnings}))
    if not tried.is_complete:
        writer.lines(
            [f"The regular expressions were tried for {MOST_SECONDS:g} s, not on all names."]
        )
    if notes:
        writer.lines(["", *notes])
    writer.lines([_verdict(text.rules, len(errors), len({*warnings}))])
    return 1 if errors else 0


def _verdict(rules: Rules, errors: int, warnings: int) -> str:
    count = f"{many(len(rules.rules), 'rule')}, {many(warnings, 'warning')}"
    if errors:
        return f"{many(errors, 'error')}; {count}."
    return f"The file can be used: {count}."


def _too_slow(tried: Tried, text: RulesText) -> Iterator[Complaint]:
    for each in tried.too_slow:
        line = each.line or text.places.line("names", "apart")
        what = f"{cut(each.pattern.text, _LONGEST)} takes too long, and would be switched off"
        yield Complaint(line, what)


# --- warnings ---


def _of_settings(config: Config) -> Iterator[Complaint]:
    """What the start of the proxy would say of the file."""
    for warning in config.warnings:
        if warning.startswith(_OWN):
            line, _, what = warning.removeprefix(_OWN).partition(":")
            yield Complaint(int(line), what.strip())


def numbers_that_move(rules: Rules, sources: Sequence[Source]) -> Iterator[Complaint]:
    """Sources that the file means by their number, which another one has if SOURCES changes."""
    for name, rule in rules.sources.items():
        if len(sources) > 1 and any(is_source(name, s) and name != s.name for s in sources):
            yield Complaint(rule.line, f"source.{name}: {_advice(name, sources)}")
    for line, number in _numbers_named(rules):
        if len(sources) > 1:
            yield Complaint(line, f"source {number}: {_advice(number, sources)}")


def _numbers_named(rules: Rules) -> Iterator[tuple[int, str]]:
    """Numbers of sources, besides names of tables, each with its line."""
    for line, condition in conditions_in(rules):
        for pattern in condition.patterns if condition.field == "source" else ():
            if pattern.text.isdecimal():
                yield line, pattern.text
    for channel in rules.channels.values():
        for name in filter(str.isdecimal, channel.order):
            yield channel.line, name


def _advice(name: str, sources: Sequence[Source]) -> str:
    meant = next((source for source in sources if is_source(name, source)), None)
    moves = "the number is another source's when SOURCES is reordered"
    if meant is not None and meant.name:
        return f"{moves}; call it {meant.name}"
    return f"{moves}; give it a name there: SOURCES=premium=http://…"


def _of_lists(report: Report, text: RulesText) -> Iterator[Complaint]:
    """What in the file does nothing to the kept lists."""
    for told in report.no_match:
        yield Complaint(text.line_of(told), no_match_in_words(told))
    for profile in report.profiles:
        if not profile.channels:
            yield Complaint(profile.line, f"profile.{profile.name}: has no channels")
        for warning in profile.warnings:
            yield Complaint(profile.line, f"profile.{profile.name}: {warning}")
    for words in report.numbering:
        yield Complaint(text.places.line("numbers"), f"numbers: {words}")
    for rule in report.rules:
        if rule.shadowed_by:
            lines = ", ".join(map(str, rule.shadowed_by))
            what = f"rule {rule.number} is never reached: line {lines} decides before it"
            yield Complaint(rule.line, what)


def no_match_in_words(told: NoMatch) -> str:
    """What matched nothing, and what may be meant."""
    what = {
        "group": "there is no such group",
        "numbers": "no channel is in such a group",
        "alias": "no entry is called so, or as its aliases",
        "channel": "there is no such channel",
    }.get(told.table, "matched nothing")
    near = ", ".join(f"{name} ({count})" if count else name for name, count in told.near)
    kind = "channels" if told.table in ("alias", "channel") else "groups"
    return f'"{cut(told.text, _LONGEST)}": {what}{near and f"; {kind} near it: {near}"}'
