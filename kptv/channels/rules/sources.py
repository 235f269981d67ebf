"""What a rules file says of the sources, and what it may call them."""

from __future__ import annotations

from dataclasses import fields

from kptv.channels.model import Source
from kptv.channels.rules.model import Rules, SourceRule


def names_of(source: Source) -> tuple[str, ...]:
    """What a file may call a source: its number, its name, its tag."""
    names = str(source.number), source.name, source.tag
    return tuple(dict.fromkeys(name for name in names if name))


def is_source(name: str, source: Source) -> bool:
    """Whether a file means this source by that name or number."""
    return name.casefold() in map(str.casefold, names_of(source))


def rule_of_source(rules: Rules, source: Source) -> SourceRule | None:
    """What the file says of a source, by its name, its number or both."""
    found = [rule for name, rule in rules.sources.items() if is_source(name, source)]
    if len(found) < 2:
        return found[0] if found else None
    # All of it holds: a proxy that is overlooked would be gone around.
    said = {
        field.name: value
        for rule in reversed(found)
        for field in fields(rule)
        if (value := getattr(rule, field.name)) != getattr(_NOTHING_SAID, field.name)
    }
    headers = {name: value for rule in reversed(found) for name, value in rule.headers.items()}
    return SourceRule(**{**said, "headers": headers})


def priority_of(source: Source, rules: Rules | None) -> tuple[bool, int]:
    """By which priority a source comes before others; one that names none comes after them."""
    about = rule_of_source(rules, source) if rules is not None else None
    if about is None or about.priority is None:
        return True, 0
    return False, about.priority


_NOTHING_SAID = SourceRule(0)
