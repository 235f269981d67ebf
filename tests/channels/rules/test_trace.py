"""What becomes of one entry, step by step."""

from __future__ import annotations

from kptv.channels.rules.reading import read_rules
from kptv.channels.rules.trace import TraceStep, trace

RULES = read_rules(
    rb"""
[names]
clean = ["marks", "tags", "quality", "prefixes"]
split = "country"
[alias]
"BBC One" = ["BBC 1"]
[[rule]]
when.group = "UK*"
set.group = "Britain"
rank = 1
[group]
Britain = "GB"
[[rule]]
when.name = "*Shop*"
drop = true
"""
)


def test_each_step_is_told() -> None:
    told = trace(RULES, "UK: BBC 1 FHD ◉", groups=["UK | General"])
    assert told.steps == (
        TraceStep("rule", 7, "group = Britain, rank = 1"),
        TraceStep("group", 0, "GB"),
        TraceStep("marks", 0, "UK: BBC 1 FHD"),
        TraceStep("prefixes", 0, "BBC 1 FHD"),
        TraceStep("quality", 0, "BBC 1"),
        TraceStep("alias", 0, "BBC One"),
    )
    assert (told.key, told.verdict.name, told.verdict.groups) == (
        "bbc one (uk)",
        "BBC One",
        ("GB",),
    )


def test_what_is_dropped_has_no_channel() -> None:
    told = trace(RULES, "Shop TV", attributes={"tvg-id": "x.de"})
    assert told.verdict.is_dropped
    assert told.key == ""
    assert told.steps == (TraceStep("rule", 13, "drop"),)


def test_what_no_rule_means_is_as_it_is() -> None:
    told = trace(RULES, "Das Erste", attributes={"tvg-id": "Das.de", "url": "http://h/u/p/1.ts"})
    assert (told.steps, told.key) == ((), "das erste (de)")
