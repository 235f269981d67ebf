"""The rules, and what they did, as JSON for people: nothing of a provider's URL is in it."""

from __future__ import annotations

from kptv.channels.catalog import Catalog, Ruled
from kptv.channels.rules.model import Condition, Rule
from kptv.channels.rules.outcome import Dropped
from kptv.channels.rules.report.changes import change_at
from kptv.channels.rules.report.explaining import Explanation
from kptv.channels.rules.report.summary import Report
from kptv.config.rules_file import RulesFile
from kptv.web.page.public import Json, Public

MOST_COMPLAINTS = 20
MOST_SHOWN = 200  # of each kind of a report
_LONGEST = 160  # letters of a condition


def rules_file_view(file: RulesFile, catalog: Catalog | None, public: Public) -> Json:
    """How the file fares, and whether ``catalog`` was made by it."""
    followed = catalog.ruled.rules if catalog is not None and catalog.ruled is not None else None
    complaints = file.last.complaints[:MOST_COMPLAINTS]
    return {
        "present": file.rules is not None,
        "followed": catalog is not None and followed is file.rules,
        "read_at": file.read_at,
        "bad_since": file.bad_since,
        "complaints": [{"line": c.line, "text": public.text(c.text)} for c in complaints],
    }


def ruled_view(ruled: Ruled, public: Public) -> Json:
    """What was counted when the catalog was made."""
    outcome = ruled.outcome
    return {
        "entries": outcome.entries,
        "names": outcome.names,
        "channels": outcome.channels,
        "dropped": outcome.dropped,
        "renamed": outcome.renamed,
        "merged": len(outcome.merged),
        "rules": [
            {
                "line": told.line,
                "when": public.text(_when(rule)),
                "does": public.text(_does(rule)),
                "hits": told.hits,
                "samples": [public.text(name) for name in told.samples],
            }
            for rule, told in zip(ruled.rules.rules, outcome.rules, strict=True)
        ],
        "too_slow": [
            {"line": pattern.line, "text": public.text(pattern.text)}
            for pattern in outcome.switched_off
        ],
    }


def report_view(report: Report, public: Public) -> Json:
    """What had to be looked for."""
    return {
        "no_match": [
            {
                "line": found.line,
                "table": found.table,
                "text": public.text(found.text),
                "near": [public.text(name) for name, _ in found.near],
            }
            for found in report.no_match[:MOST_SHOWN]
        ],
        "shadowed": [
            {"line": rule.line, "by": list(rule.shadowed_by)}
            for rule in report.rules
            if rule.shadowed_by
        ],
        "conflicts": [
            {
                "channel": conflict.slug,
                "name": public.text(conflict.name),
                "ids": [public.text(value) for value in conflict.values],
            }
            for conflict in report.conflicts[:MOST_SHOWN]
        ],
        "alike": [[public.text(name) for name in names] for names in report.alike[:MOST_SHOWN]],
        "spares": [
            {
                "name": public.text(spare.name),
                "line": spare.line,
                "channel": public.text(spare.channel),
            }
            for spare in report.spares[:MOST_SHOWN]
        ],
        "prefixes": [
            {"text": public.text(prefix), "entries": entries}
            for prefix, entries in report.prefixes[:MOST_SHOWN]
        ],
        "apart": [
            {
                "name": public.text(apart.name),
                "channels": [public.text(name) for name in apart.channels],
                "found": public.text(apart.found),
            }
            for apart in report.apart[:MOST_SHOWN]
        ],
        "profiles": [
            {"name": profile.name, "line": profile.line, "channels": profile.channels}
            for profile in report.profiles
        ],
        "numbering": [public.text(warning) for warning in report.numbering[:MOST_SHOWN]],
    }


def merged_view(catalog: Catalog, position: int, public: Public) -> Json:
    """A channel that entries of several names became."""
    change = change_at(catalog, position)
    channel = catalog.channel(position)
    entries = change.entries if change is not None else ()
    return {
        "channel": channel.slug,
        "name": public.text(channel.name),
        "entries": [{"name": public.text(entry.name), "source": entry.number} for entry in entries],
    }


def dropped_view(dropped: Dropped, public: Public) -> Json:
    """An entry that is not served."""
    return {"name": public.text(dropped.name), "source": dropped.source, "line": dropped.line}


def explanation_view(told: Explanation, public: Public) -> Json:
    """What became of an entry, step by step."""
    return {
        "name": public.text(told.entry.name),
        "source": told.entry.number,
        "groups": [public.text(group) for group in told.entry.groups],
        "is_listed": told.is_listed,
        "steps": [
            {"what": step.what, "line": step.line, "result": public.text(step.result)}
            for step in told.steps
        ],
        "is_dropped": told.is_dropped,
        "key": public.text(told.key),
        "channel": told.slug,
        "channel_name": public.text(told.channel),
        "candidates": [
            {"name": public.text(each.name), "source": each.source, "is_this": each.is_this}
            for each in told.candidates
        ],
        "guide": public.text(told.guide),
    }


def _when(rule: Rule) -> str:
    """The conditions of a rule, much as the file has them."""
    parts = [_condition("", condition) for condition in rule.when]
    parts += [_condition("not ", condition) for condition in rule.unless]
    return "; ".join(parts)


def _condition(sign: str, condition: Condition) -> str:
    text = f"{sign}{condition.field}: " + ", ".join(p.text for p in condition.patterns[:20])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _does(rule: Rule) -> str:
    """What a rule does."""
    parts = [f"{key} = {value}"[:_LONGEST] for key, value in rule.sets.items()]
    parts += [f"rank = {rule.rank}"] if rule.rank is not None else []
    parts += [word for word, does in (("drop", rule.drop), ("keep", rule.keep)) if does]
    return "; ".join(parts)
